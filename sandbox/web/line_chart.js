// A chart of one value over the steps of several runs, with axes, and the values under the pointer.

import { h, replace, svg } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 200;
const LEFT = 78;
const BOTTOM = 28;
const TOP = 16;
const RIGHT = 8;

export class LineChart {
  // `format` turns a value into text. `topAtLeast` is the smallest value at the top of the axis.
  constructor(title, format, topAtLeast = 0) {
    this.format = format;
    this.topAtLeast = topAtLeast;
    this.series = [];
    this.grid = svg("g", { class: "chart-grid" });
    this.labels = svg("g", { class: "chart-labels" });
    this.lines = svg("g");
    this.marker = svg("line", { class: "chart-marker", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.values = h("p", { class: "chart-values small muted" });
    this.drawing = svg("svg", {
      class: "line-chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title,
      onpointermove: (event) => this.point(event), onpointerleave: () => this.unpoint(),
    }, this.grid, this.labels, this.lines, this.marker);
    this.element = h("section", { class: "card", "aria-label": title },
      h("div", { class: "card-title" }, h("h2", {}, title)), this.drawing, this.values);
  }

  // `series` is [{name, tone, points: [{x, y}]}]; a point whose `y` is null is left out of the line.
  draw(series) {
    this.series = series;
    const all = series.flatMap((one) => one.points).filter((point) => point.y !== null);
    const xs = all.map((point) => point.x);
    const ys = all.map((point) => point.y);
    this.left = Math.min(0, ...xs);
    this.right = Math.max(1, ...xs);
    const step = nice((Math.max(this.topAtLeast, ...ys) - Math.min(0, ...ys)) / 4 || 0.25);
    this.low = Math.floor(Math.min(0, ...ys) / step) * step;
    this.high = Math.max(this.low + step, Math.ceil(Math.max(this.topAtLeast, ...ys) / step) * step);
    const rows = Math.round((this.high - this.low) / step);
    const levels = Array.from({ length: rows + 1 }, (_, index) => this.low + index * step);
    const steps = ticks(this.left, this.right);
    replace(this.grid, levels.map((level) => svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: this.y(level), y2: this.y(level) })));
    replace(this.labels,
      levels.map((level) => svg("text", { x: LEFT - 8, y: this.y(level) + 4, "text-anchor": "end" }, this.format(level))),
      steps.map((at) => svg("text", { x: this.x(at), y: HEIGHT - 8, "text-anchor": "middle" }, at)));
    replace(this.lines, series.flatMap((one) => this.line(one)));
    this.unpoint();
  }

  line({ tone, points }) {
    const known = points.filter((point) => point.y !== null);
    if (known.length === 1) return svg("circle", { cx: this.x(known[0].x), cy: this.y(known[0].y), r: 3, class: `series-dot series-${tone}` });
    const path = known.map((point, index) => `${index ? "L" : "M"}${this.x(point.x).toFixed(1)} ${this.y(point.y).toFixed(1)}`).join("");
    return svg("path", { d: path, class: `series-line series-${tone}` });
  }

  x(value) {
    return LEFT + ((value - this.left) / (this.right - this.left)) * (WIDTH - LEFT - RIGHT);
  }

  y(value) {
    return HEIGHT - BOTTOM - ((value - this.low) / (this.high - this.low)) * (HEIGHT - BOTTOM - TOP);
  }

  point(event) {
    const box = this.drawing.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    const wanted = this.left + share * (this.right - this.left);
    const found = this.series.map((one) => ({ one, point: nearest(one.points, wanted) })).filter(({ point }) => point);
    if (!found.length) return;
    const at = found.map(({ point }) => point.x).reduce((best, x) => (Math.abs(x - wanted) < Math.abs(best - wanted) ? x : best));
    this.marker.setAttribute("x1", this.x(at));
    this.marker.setAttribute("x2", this.x(at));
    this.marker.setAttribute("visibility", "visible");
    replace(this.values, `step ${at}: `, found.map(({ one, point }) => h("span", { class: "chart-value" },
      h("span", { class: `swatch series-${one.tone}`, "aria-hidden": "true" }), `${one.name} ${this.format(point.y)}`)));
  }

  unpoint() {
    this.marker.setAttribute("visibility", "hidden");
    replace(this.values, "steps");
  }
}

function nearest(points, x) {
  return points.filter((point) => point.y !== null).reduce((best, point) => (!best || Math.abs(point.x - x) < Math.abs(best.x - x) ? point : best), null);
}

function ticks(left, right) {
  const step = Math.max(1, nice((right - left) / 6));
  const first = Math.ceil(left / step) * step;
  return Array.from({ length: Math.floor((right - first) / step) + 1 }, (_, index) => first + index * step);
}

// Return the smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `value`.
export function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number(([1, 2, 2.5, 5, 10].find((factor) => factor * power >= value * 0.999) * power).toPrecision(3));
}
