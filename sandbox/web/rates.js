// The verdicts per second of the last two minutes, hour, or day.

import { ask } from "./api.js";
import { RateChart } from "./chart.js";
import { h } from "./dom.js";
import { tone, VERDICTS, words } from "./verdicts.js";

const LIVE_S = 120;
const SPANS = [["2 min", 0], ["1 h", 1], ["24 h", 24]]; // their names, and hours of history
const REFRESH_MS = 20_000;

export class Rates {
  constructor() {
    this.hours = 0;
    this.readAt = 0;
    this.chart = new RateChart("Verdicts per second");
    this.note = h("span", { class: "muted", role: "status" });
    this.buttons = SPANS.map(([name, hours]) => h("button", { type: "button", "aria-pressed": String(hours === 0), onclick: () => this.choose(hours) }, name));
    this.element = h("section", { class: "card", "aria-label": "Verdicts per second" },
      h("div", { class: "card-title" }, h("h2", {}, "Verdicts per second"), this.note, h("span", { class: "grow" }),
        h("div", { class: "segments", role: "group", "aria-label": "Time range" }, this.buttons)),
      this.chart.element, legend());
  }

  // Draw the live view, which arrives each second.
  draw({ seconds, at }) {
    if (this.hours) {
      if (performance.now() - this.readAt > REFRESH_MS) this.refresh();
      return;
    }
    const to = Math.floor(at) + 1;
    this.show(seconds, { from: to - LIVE_S, to, step: 1 }, "no verdicts in the last two minutes");
  }

  choose(hours) {
    this.hours = hours;
    this.buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(SPANS[index][1] === hours)));
    if (hours) this.refresh();
  }

  async refresh() {
    this.readAt = performance.now();
    const { hours } = this;
    try {
      const { at, step_s: step, periods } = await ask(`live/history?hours=${hours}`);
      if (this.hours !== hours) return; // the choice changed meanwhile
      const to = (Math.floor(at / step) + 1) * step;
      this.show(periods, { from: to - 3_600 * hours, to, step }, "no verdicts in this time");
    } catch (problem) {
      this.note.textContent = problem.message;
    }
  }

  show(periods, axis, nothing) {
    this.chart.draw(periods, axis);
    const text = periods.length ? "" : nothing;
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

function legend() {
  return h("ul", { class: "legend-list", "aria-label": "Colors of the chart" },
    VERDICTS.filter((each) => !["ok", "skipped"].includes(each)).map((each) =>
      h("li", {}, h("span", { class: `swatch tone-${tone(each)}`, "aria-hidden": "true" }), each === "accepted" ? "Accepted, succeeded" : words(each))));
}
