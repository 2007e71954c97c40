// A picture of a kill matrix: a row for each program, a column for each test, and below it the kills of each test.

import { h, svg } from "./dom.js";
import { code, tone, words } from "./verdicts.js";

const LABEL = 190;
const BAR = 48;
const GAP = 10;
const LETTER_SIZE = 18; // of a cell that has room for the two letters of a verdict
const LABEL_SIZE = 11;
const NAME_CHARACTERS = 30;

export class KillMatrix {
  // `programs` and `tests` are numbers. Rows can be filled in any order; until then they are empty.
  constructor(programs, tests) {
    this.programs = programs;
    this.tests = tests;
    this.rows = new Map();
    this.width = clamp(Math.floor(900 / tests), 3, 26);
    this.height = clamp(Math.floor(640 / programs), 3, LETTER_SIZE);
    this.cells = svg("g");
    this.letters = svg("g", { class: "letters", "aria-hidden": "true" });
    this.names = svg("g", { "aria-hidden": "true" });
    this.bars = svg("g");
    this.values = h("p", { class: "kill-values" }, "Point at a cell to see its program and test.");
    const across = LABEL + tests * this.width;
    const down = programs * this.height + GAP + BAR;
    this.waiting = svg("rect", { class: "waiting", x: LABEL, y: 0, width: tests * this.width, height: programs * this.height });
    this.drawing = svg("svg", {
      class: "kill-matrix", width: across + 1, height: down, viewBox: `0 0 ${across + 1} ${down}`, role: "img",
      onpointermove: (event) => this.point(event),
    }, this.waiting, this.cells, this.letters, this.names, this.bars);
    this.element = h("div", {},
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Kill matrix" }, this.drawing), this.values);
    this.describe();
  }

  // `row` has program (its number), name, kind and verdicts.
  fill(row) {
    if (this.rows.has(row.program)) return;
    this.rows.set(row.program, row);
    const y = row.program * this.height;
    const gap = this.width > 6 && this.height > 6 ? 1 : 0;
    row.verdicts.forEach((verdict, test) => {
      const x = LABEL + test * this.width;
      const kills = verdict !== "accepted";
      const box = { x, y, width: this.width - gap, height: this.height - gap };
      this.cells.append(svg("rect", { ...box, class: `tone-${tone(verdict)} ${kills ? "kill" : "no-kill"}` }));
      if (kills && this.height >= LETTER_SIZE && this.width >= LETTER_SIZE) {
        this.letters.append(svg("text", { x: x + this.width / 2, y: y + this.height / 2 + 3 }, code(verdict)));
      }
    });
    if (this.height >= LABEL_SIZE) {
      const name = row.name.length > NAME_CHARACTERS ? `…${row.name.slice(1 - NAME_CHARACTERS)}` : row.name;
      this.names.append(svg("text", { x: 0, y: y + this.height / 2 + 4 }, name));
    }
    this.describe();
  }

  // Fill all rows from the report, and draw the kills of each test. Tests of the smallest suite have another color.
  finish(report) {
    report.matrix.forEach((verdicts, program) => this.fill({ ...report.programs[program], program, verdicts }));
    const kinds = report.programs.map((program) => program.kind);
    for (let row = 1; row < kinds.length; row += 1) {
      const y = row * this.height - 0.5;
      if (kinds[row] !== kinds[row - 1]) this.cells.append(svg("line", { class: "divider", x1: 0, x2: LABEL + this.tests * this.width, y1: y, y2: y }));
    }
    const most = Math.max(1, ...report.tests.map((test) => test.kills));
    const top = this.programs * this.height + GAP;
    this.bars.append(svg("text", { x: 0, y: top + BAR - 4, "aria-hidden": "true" }, `kills of each test (at most ${most})`));
    report.tests.forEach((test, place) => {
      const tall = Math.max(1, (test.kills / most) * BAR);
      this.bars.append(svg("rect", {
        class: test.in_smallest_suite ? "kept" : "not-kept",
        x: LABEL + place * this.width, y: top + BAR - tall, width: Math.max(1, this.width - 1), height: tall,
      }));
    });
    this.report = report;
    this.describe();
  }

  describe() {
    const kills = this.report ? ` The smallest suite has ${this.report.smallest_suite.tests.length} tests.` : "";
    this.drawing.setAttribute("aria-label", `Verdicts of ${this.rows.size} of ${this.programs} programs on ${this.tests} tests.${kills}`);
  }

  point(event) {
    const place = this.drawing.getBoundingClientRect();
    const test = Math.floor((event.clientX - place.left - LABEL) / this.width);
    const row = this.rows.get(Math.floor((event.clientY - place.top) / this.height));
    const verdict = row?.verdicts[test];
    if (verdict) this.values.textContent = `${row.name} on test ${test}: ${words(verdict)}`;
  }

  // Return the picture as the text of an SVG file, with the colors of the current theme.
  toSvg() {
    const copy = this.drawing.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const shown = this.drawing.querySelectorAll("*");
    copy.querySelectorAll("*").forEach((element, place) => {
      const style = getComputedStyle(shown[place]);
      for (const name of ["fill", "stroke", "font-size", "font-weight", "text-anchor"]) element.setAttribute(name, style.getPropertyValue(name));
      element.setAttribute("font-family", "sans-serif");
    });
    const ground = getComputedStyle(document.body).getPropertyValue("--surface").trim();
    copy.prepend(svg("rect", { width: "100%", height: "100%", fill: ground }));
    return new XMLSerializer().serializeToString(copy);
  }
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
