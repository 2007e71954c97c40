// A line diff of two outputs, computed as the longest common subsequence of their lines.

import { h } from "./dom.js";

const MOST_LINES = 1_000;
const SIGN = { same: " ", missing: "−", extra: "+" };
const SAID = { same: "", missing: "expected, not printed: ", extra: "printed, not expected: " };

// Return [{kind: same | missing | extra, text}]. `missing` lines are only in `expected`, `extra` only in `printed`.
export function difference(expected, printed) {
  const left = linesOf(expected);
  const right = linesOf(printed);
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(left.length, right.length) - head && left.at(-1 - tail) === right.at(-1 - tail)) tail += 1;
  return [
    ...left.slice(0, head).map((text) => ({ kind: "same", text })),
    ...middle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    ...left.slice(left.length - tail).map((text) => ({ kind: "same", text })),
  ];
}

export function isSame(lines) {
  return lines.every((line) => line.kind === "same");
}

function linesOf(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  return text === "" ? [] : lines;
}

function middle(left, right) {
  if (left.length > MOST_LINES || right.length > MOST_LINES) {
    return [...left.map((text) => ({ kind: "missing", text })), ...right.map((text) => ({ kind: "extra", text }))];
  }
  const width = right.length + 1;
  const best = new Uint16Array((left.length + 1) * width);
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      best[row * width + column] = left[row] === right[column]
        ? best[(row + 1) * width + column + 1] + 1
        : Math.max(best[(row + 1) * width + column], best[row * width + column + 1]);
    }
  }
  return trace(left, right, best, width);
}

function trace(left, right, best, width) {
  const found = [];
  let row = 0;
  let column = 0;
  while (row < left.length || column < right.length) {
    if (row < left.length && column < right.length && left[row] === right[column]) {
      found.push({ kind: "same", text: left[row] });
      row += 1;
      column += 1;
    } else if (column >= right.length || (row < left.length && best[(row + 1) * width + column] >= best[row * width + column + 1])) {
      found.push({ kind: "missing", text: left[row] });
      row += 1;
    } else {
      found.push({ kind: "extra", text: right[column] });
      column += 1;
    }
  }
  return found;
}

export function diffList(expected, printed) {
  const lines = difference(expected, printed);
  const same = isSame(lines);
  const legend = same
    ? h("p", { class: "muted" }, "All lines are the same.")
    : h("p", { class: "legend" }, h("span", { class: "diff-missing" }, "− expected"), " ", h("span", { class: "diff-extra" }, "+ printed"));
  const list = h("ol", { class: "diff", "aria-label": "Difference between expected and printed output" },
    lines.slice(0, MOST_LINES).map(({ kind, text }) =>
      h("li", { class: `diff-${kind}` },
        h("span", { class: "diff-sign", "aria-hidden": "true" }, SIGN[kind]),
        SAID[kind] && h("span", { class: "sr-only" }, SAID[kind]),
        text === "" ? "\u00a0" : text)));
  return h("div", {}, legend, list);
}
