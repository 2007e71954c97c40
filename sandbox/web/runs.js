// The runs view: rewards, verdicts and latency of one or more training runs over their steps.

import { ask, changeKey } from "./api.js";
import { announce, h, replace, svg } from "./dom.js";
import { LineChart } from "./line_chart.js";
import { copyLink } from "./share.js";
import { duration, seconds, tone, words } from "./verdicts.js";

const MAX_COMPARED = 6;
const REFRESH_MS = 5_000;
const COLUMNS = ["Run", "Reward", "Accepted", "Lost", "Requests", "Latest"];
const NUMBERS = ["Reward", "Accepted", "Lost", "Requests"];
const EXAMPLE = 'trl_reward(run="my-first-run")';
const VERDICT_ORDER = ["accepted", "wrong_answer", "runtime_error", "time_limit_exceeded", "memory_limit_exceeded",
  "output_limit_exceeded", "compile_error", "no_code", "internal_error", "lost", "skipped"];

const parts = {};
let chosen = [];
let timer = null;
let listed = [];

export async function build(place) {
  parts.state = h("p", { class: "muted", role: "status" });
  parts.share = h("button", { type: "button", onclick: () => shareChoice() }, "Copy link");
  parts.rows = h("tbody");
  parts.empty = h("p", { class: "empty", hidden: true }, "No run has sent rewards yet. Name a run in reward requests: the field ",
    h("code", {}, "run"), ", the header ", h("code", {}, "Sandbox-Run"), ", or ", h("code", {}, EXAMPLE), ".");
  parts.table = h("div", { class: "scroll run-table", tabindex: "0", role: "region", "aria-label": "Table of runs" },
    h("table", { class: "recent" },
      h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", class: NUMBERS.includes(name) && "number" }, name)))),
      parts.rows));
  parts.charts = {
    reward: new LineChart("Mean reward", (value) => trim(value)),
    accepted: new LineChart("Share accepted", percent, 1),
    lost: new LineChart("Share lost to infrastructure", percent, 0.01),
    took: new LineChart("Time until the rewards", (value) => (value ? seconds(value) : "0"), 0.01),
  };
  parts.mixes = h("div", { class: "run-mixes" });
  parts.pictures = h("div", { class: "run-charts" }, Object.values(parts.charts).map((chart) => chart.element), parts.mixes);
  place.append(
    h("div", { class: "title-bar" }, h("h1", {}, "Runs"), parts.state, h("span", { class: "grow" }), parts.share),
    h("p", { class: "lead" }, "The rewards, verdicts and latency of training runs over their steps. Choose up to six runs to compare. The URL contains your choice, so you can share it."),
    h("section", { class: "card", "aria-label": "All runs" }, parts.empty, parts.table),
    parts.pictures);
}

export function open(state) {
  chosen = state ? state.split(",").slice(0, MAX_COMPARED) : [];
  refresh();
}

export function enter() {
  refresh();
  timer = setInterval(() => document.hidden || refresh(), REFRESH_MS);
}

export function leave() {
  clearInterval(timer);
}

async function refresh() {
  try {
    listed = (await ask("runs")).runs;
    if (!chosen.length && listed.length) chosen = [listed[0].id];
    drawTable();
    const wanted = chosen;
    const histories = await Promise.all(chosen.map((id) => ask(`runs/${encodeURIComponent(id)}`).catch(unlessGone)));
    if (wanted !== chosen) return; // the choice changed meanwhile: its own refresh draws it
    drawCharts(histories.filter(Boolean));
    parts.state.className = "muted";
    say(listed.length ? "Updated every five seconds" : "");
  } catch (problem) {
    parts.state.className = "ill";
    if (problem.status === 403) replace(parts.state, `${problem.message}. `, h("button", { type: "button", class: "link", onclick: async () => (await changeKey()) && refresh() }, "Use another key"));
    else say(problem.message);
  }
}

function say(text) {
  if (parts.state.textContent !== text) parts.state.textContent = text;
}

function unlessGone(problem) {
  if (problem.status === 404) return null;
  throw problem;
}

function choose(id) {
  chosen = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(-MAX_COMPARED);
  history.replaceState(null, "", `#runs/${chosen.join(",")}`);
  announce(`${chosen.length} ${chosen.length === 1 ? "run" : "runs"} shown`);
  refresh();
}

// The link contains the chosen runs. Opening it needs a key that may see them.
function shareChoice() {
  history.replaceState(null, "", `#runs/${chosen.join(",")}`);
  copyLink(parts.share);
}

function drawTable() {
  parts.empty.hidden = listed.length > 0;
  parts.table.hidden = !listed.length;
  const focused = document.activeElement?.dataset?.run;
  replace(parts.rows, listed.map(row));
  if (focused) parts.rows.querySelector(`[data-run="${focused}"]`)?.focus();
}

function row(run) {
  const { latest } = run;
  const index = chosen.indexOf(run.id);
  const box = h("input", { type: "checkbox", checked: index >= 0, "data-run": run.id, onchange: () => choose(run.id) });
  return h("tr", { "data-run-row": run.id },
    h("td", {}, h("label", { class: "run-name" }, box, h("span", { class: `swatch ${index < 0 ? "" : `series-${index}`}`, "aria-hidden": "true" }), run.name)),
    h("td", { class: "number" }, latest.reward === null ? "–" : trim(latest.reward)), h("td", { class: "number" }, percent(share(latest, "accepted"))),
    h("td", { class: "number" }, percent(share(latest, "lost"))), h("td", { class: "number" }, run.requests),
    h("td", {}, `${duration(Date.now() / 1000 - run.ended_at)} ago`));
}

function drawCharts(histories) {
  parts.pictures.hidden = !histories.length;
  const draw = (chart, value) => chart.draw(histories.map((run) => ({
    name: run.name, tone: chosen.indexOf(run.id), points: run.points.map((point) => ({ x: point.step, y: value(point) })),
  })));
  draw(parts.charts.reward, (point) => point.reward);
  draw(parts.charts.accepted, (point) => share(point, "accepted"));
  draw(parts.charts.lost, (point) => share(point, "lost"));
  draw(parts.charts.took, (point) => point.took_s);
  replace(parts.mixes, histories.map(mix));
}

// A bar for each point of a run, divided by verdict.
function mix(run) {
  const width = 600;
  const height = 110;
  const step = width / Math.max(1, run.points.length);
  const names = VERDICT_ORDER.filter((name) => run.points.some((point) => point.verdicts[name]));
  const bars = run.points.map((point, index) => {
    let y = height;
    return names.map((name) => {
      const part = ((point.verdicts[name] ?? 0) / Math.max(1, point.completions)) * height;
      y -= part;
      return part ? svg("rect", { x: (index * step).toFixed(2), y: y.toFixed(2), width: (step * 0.92).toFixed(2), height: part.toFixed(2), class: `fill-${fill(name)}` }) : null;
    });
  });
  return h("section", { class: "card", "aria-label": `Verdicts of ${run.name}` },
    h("div", { class: "card-title" }, h("h2", {}, `Verdicts: ${run.name}`)),
    svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Verdicts of ${run.name} by step` }, bars),
    h("ul", { class: "legend-list", "aria-label": "Colors of the chart" }, names.map((name) =>
      h("li", {}, h("span", { class: `swatch tone-${fill(name)}`, "aria-hidden": "true" }), label(name)))));
}

function fill(name) {
  return name === "no_code" ? "skipped" : name === "lost" ? "internal" : tone(name);
}

function label(name) {
  return name === "no_code" ? "No code" : name === "lost" ? "Lost" : words(name);
}

function share(point, name) {
  return point.completions ? (point.verdicts[name] ?? 0) / point.completions : 0;
}

function percent(value) {
  const hundred = 100 * value;
  return `${hundred < 10 ? Number(hundred.toPrecision(2)) : Math.round(hundred)} %`;
}

function trim(value) {
  return String(Number(value.toFixed(3)));
}
