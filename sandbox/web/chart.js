// A chart of the verdicts per second over time, as stacked bars with axes. Pointing at a bar, or the arrow keys, show its
// values.

import { h, replace, svg } from "./dom.js";
import { nice } from "./line_chart.js";
import { tone, VERDICTS, words } from "./verdicts.js";

const WIDTH = 600;
const HEIGHT = 190;
const LEFT = 56;
const RIGHT = 10;
const TOP = 16;
const BOTTOM = 26;
const TICK_STEPS_S = [30, 60, 600, 1_200, 14_400, 28_800]; // two for each of two minutes, an hour, and a day
const TICK_PIXELS = 75;
const HOUR_MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export class RateChart {
  constructor(title) {
    this.grid = svg("g", { class: "chart-grid" });
    this.bars = svg("g");
    this.labels = svg("g", { class: "chart-labels" });
    this.marker = svg("line", { class: "chart-marker", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.values = h("p", { class: "chart-values small muted" });
    this.drawing = svg("svg", {
      class: "rate-chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, tabindex: "0",
      onpointermove: (event) => this.point(this.timeAt(event)), onpointerleave: () => this.point(null),
      onkeydown: (event) => this.step(event), onblur: () => this.point(null),
    }, this.grid, this.bars, this.labels, this.marker);
    this.element = h("div", {}, this.drawing, this.values);
    this.pointed = null;
    this.periods = [];
  }

  // `periods` is [{at, verdicts: {verdict: number}}]. The axis goes from `from` to `to`, in seconds since the epoch.
  draw(all, { from, to, step }) {
    const periods = all.filter((period) => period.at >= from);
    Object.assign(this, { periods, from, to, every: step });
    const most = Math.max(0, ...periods.map(sum)) / step;
    const rise = nice(most / 4 || 0.25);
    this.top = Math.max(rise, Math.ceil(most / rise) * rise);
    const levels = Array.from({ length: Math.round(this.top / rise) + 1 }, (_, index) => index * rise);
    const width = ((WIDTH - LEFT - RIGHT) * step) / (to - from);
    replace(this.grid, levels.map((level) => svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: this.y(level), y2: this.y(level) })));
    replace(this.bars, periods.flatMap((period) => this.bar(period, width)));
    replace(this.labels,
      levels.map((level) => svg("text", { x: LEFT - 6, y: this.y(level) + 4, "text-anchor": "end" }, Number(level.toPrecision(3)))),
      this.ticks().map((at) => svg("text", { x: this.x(at), y: HEIGHT - 8, "text-anchor": this.x(at) > WIDTH - 40 ? "end" : "middle" }, this.time(at))));
    this.point(this.pointed);
  }

  bar(period, width) {
    let y = this.y(0);
    const pieces = [];
    for (const verdict of VERDICTS) {
      const number = period.verdicts[verdict];
      if (!number) continue;
      const height = this.y(0) - this.y(number / this.every);
      y -= height;
      pieces.push(svg("rect", { x: this.x(period.at).toFixed(1), y: y.toFixed(1), width: Math.max(1, width * 0.82).toFixed(1), height: height.toFixed(1), class: `fill-${tone(verdict)}` }));
    }
    return pieces;
  }

  ticks() {
    const most = Math.max(3, this.drawing.clientWidth / TICK_PIXELS);
    const step = TICK_STEPS_S.find((each) => (this.to - this.from) / each <= most) ?? TICK_STEPS_S.at(-1);
    const offset = new Date(1000 * this.to).getTimezoneOffset() * 60; // whole hours of the user's time zone
    const first = Math.ceil((this.from - offset) / step) * step + offset;
    return Array.from({ length: Math.floor((this.to - first) / step) + 1 }, (_, index) => first + index * step);
  }

  time(at) {
    const format = this.to - this.from > 600 ? HOUR_MINUTE : { ...HOUR_MINUTE, second: "2-digit" };
    return new Date(1000 * at).toLocaleTimeString([], format);
  }

  x(at) {
    return LEFT + ((at - this.from) / (this.to - this.from)) * (WIDTH - LEFT - RIGHT);
  }

  y(rate) {
    return HEIGHT - BOTTOM - (rate / this.top) * (HEIGHT - BOTTOM - TOP);
  }

  timeAt(event) {
    const box = this.drawing.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    const at = this.from + share * (this.to - this.from);
    return at - (at % this.every);
  }

  step(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !this.periods.length) return;
    event.preventDefault();
    const index = this.periods.findIndex((period) => period.at === this.pointed);
    const next = index < 0 ? this.periods.length - 1 : Math.min(Math.max(index + step, 0), this.periods.length - 1);
    this.point(this.periods[next].at);
  }

  point(at) {
    const inside = at !== null && at >= this.from && at < this.to;
    this.pointed = inside ? at : null;
    this.marker.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) {
      replace(this.values, "verdicts per second");
      return;
    }
    const middle = this.x(at + this.every / 2);
    for (const end of ["x1", "x2"]) this.marker.setAttribute(end, middle);
    const { verdicts } = this.periods.find((period) => period.at === at) ?? { verdicts: {} };
    const shown = VERDICTS.filter((verdict) => verdicts[verdict]);
    replace(this.values, `${this.time(at)}: ${Number((sum({ verdicts }) / this.every).toPrecision(3))} per second`, shown.map((verdict) =>
      h("span", { class: "chart-value" }, h("span", { class: `swatch tone-${tone(verdict)}`, "aria-hidden": "true" }), `${words(verdict)} ${verdicts[verdict]}`)));
  }
}

function sum({ verdicts }) {
  return Object.values(verdicts).reduce((all, number) => all + number, 0);
}
