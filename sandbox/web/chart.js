// A chart of the verdicts per second in the last two minutes, as stacked bars.

import { replace, svg } from "./dom.js";
import { VERDICTS, tone } from "./verdicts.js";

const WIDTH = 600;
const HEIGHT = 140;
const SECONDS = 120;

export class RateChart {
  constructor() {
    this.bars = svg("g");
    this.grid = svg("g", { class: "chart-grid" });
    this.element = svg("svg", {
      class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": "Verdicts per second in the last two minutes",
    }, this.grid, this.bars);
  }

  // `seconds` is [{at, verdicts: {verdict: number}}] and `now` is the end of the axis. Returns the highest number of
  // verdicts in a second (`most`) and the number at the top of the chart (`top`).
  draw(seconds, now) {
    const total = (second) => Object.values(second.verdicts).reduce((sum, number) => sum + number, 0);
    const most = Math.max(0, ...seconds.map(total));
    const top = nice(Math.max(4, most));
    const width = WIDTH / SECONDS;
    replace(this.grid, [0.25, 0.5, 0.75].map((part) => svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part })));
    replace(this.bars, seconds.map((second) => bar(second, WIDTH - (now - second.at) * width, width, top)));
    return { most, top };
  }
}

function bar(second, x, width, top) {
  let y = HEIGHT;
  const pieces = [];
  for (const verdict of VERDICTS) {
    const number = second.verdicts[verdict];
    if (!number) continue;
    const height = (HEIGHT * number) / top;
    y -= height;
    pieces.push(svg("rect", { x: x.toFixed(1), y: y.toFixed(1), width: (width * 0.82).toFixed(1), height: height.toFixed(1), class: `fill-${tone(verdict)}` }));
  }
  return pieces;
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value);
}
