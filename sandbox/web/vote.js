// The vote view: a matrix of candidates and inputs that shows which candidates agree with the majority.

import { announce, field, h, replace, shorten } from "./dom.js";
import { post } from "./api.js";
import { saveFile } from "./download.js";
import { toState } from "./gallery.js";
import { countInputs, explainChoice, scores } from "./golden.js";
import { facts, failed, output } from "./outcome.js";
import { chip, code, seconds, tone, words } from "./verdicts.js";
import { load } from "./playground.js";
import * as quality from "./quality.js";
import { readObject } from "./request.js";
import { postAndWatch } from "./waiting.js";

const EXAMPLE = {
  candidates: [
    { language: "python", code: "n = int(input())\nprint(n * (n + 1) // 2)" },
    { language: "python", code: "print(sum(range(int(input()) + 1)))" },
    { language: "python", code: "n = int(input())\ntotal = 0\nfor k in range(1, n + 1):\n    total += k\nprint(total)" },
    { language: "python", code: "print(sum(range(int(input()))))" },
    { language: "python", code: "n = int(input())\nassert n > 0\nprint(n * (n + 1) // 2)" },
    { language: "python", code: "n = int(input())\nprint(n * (n + 1) / 2)" },
    { language: "python", code: "n = int(input())\nprint(n * (n + 1) // 2 if n < 50 else n * n // 2)" },
  ],
  inputs: ["1\n", "2\n", "10\n", "0\n", "7\n", "99\n", "50\n", "1000\n"],
  checker: { type: "exact" },
  policy: { quorum: 0.5, seed: 7 },
};
const LABEL_CHARACTERS = 14;
const parts = {};
let running = null;

export async function build(place) {
  parts.request = h("textarea", { id: "vote-request", rows: 12, spellcheck: "false", class: "mono", wrap: "off" });
  parts.file = h("input", { type: "file", id: "vote-file", accept: ".json,application/json", onchange: () => loadFile() });
  parts.run = h("button", { type: "button", class: "primary", id: "vote-run", onclick: () => run() }, "Vote");
  parts.stop = h("button", { type: "button", hidden: true, onclick: () => running?.abort() }, "Stop");
  parts.waiting = h("p", { class: "muted", role: "status" });
  parts.result = h("div", { id: "vote-result", class: "stack", "aria-live": "polite" });
  place.append(
    h("div", { class: "title-bar" }, h("h1", {}, "Vote")),
    h("p", { class: "lead" }, "Run many candidate programs on inputs without known answers. The output of the majority becomes the label of each input. The golden candidate is the one that agrees best, also on held-out inputs."),
    h("div", { class: "card" },
      field("Request", parts.request, "The JSON body of POST /verify/vote."),
      h("div", { class: "buttons" }, parts.run, parts.stop,
        h("button", { type: "button", id: "vote-example", onclick: () => example() }, "Example"),
        h("span", { class: "file" }, h("label", { for: "vote-file" }, "Load a file"), parts.file)), parts.waiting),
    parts.result, quality.build());
}

function example() {
  parts.request.value = JSON.stringify(EXAMPLE, null, 2);
  announce("Example loaded");
  parts.run.focus();
}

async function loadFile() {
  const file = parts.file.files[0];
  if (file) parts.request.value = await file.text();
}

export function submit() {
  if (!running) run();
}

async function run() {
  running = new AbortController();
  busy(true);
  try {
    const request = readObject(parts.request.value, "The request");
    const result = await postAndWatch("verify/vote", request, running.signal, (text) => { parts.waiting.textContent = text; });
    replace(parts.result, ...renderResult(request, result));
  } catch (problem) {
    replace(parts.result, problem.name === "AbortError" ? h("p", { class: "empty" }, "Stopped.") : failed(problem));
  } finally {
    running = null;
    busy(false);
  }
}

function busy(now) {
  parts.run.disabled = now;
  parts.run.textContent = now ? "Voting…" : "Vote";
  parts.stop.hidden = !now;
  parts.waiting.textContent = "";
}

function renderResult(request, result) {
  const details = h("section", { class: "card", "aria-label": "Cell", id: "vote-cell" }, h("p", { class: "empty" }, "Choose a cell, a candidate or an input to see its details."));
  return [summary(request, result), h("section", { class: "card", "aria-label": "Matrix" },
    h("div", { class: "card-title" }, h("h2", {}, "Candidates × inputs"), h("span", { class: "muted" }, "Arrow keys move, Enter opens details")),
    matrix(request, result, details), legend(result)), details];
}

function summary(request, result) {
  const golden = result.golden;
  const labeled = result.labels.filter((label) => label.why === null).length;
  const inputs = countInputs(result.labels);
  const held = golden.holdout_total ? `passes ${golden.holdout_passed} of ${golden.holdout_total} held-out inputs` : "no inputs were held out";
  const failedRuns = result.internal_errors ? `${result.internal_errors} runs failed because of the service. Repeat the vote.` : "";
  return h("section", { class: "card", "aria-label": "Outcome" },
    h("div", { class: `banner tone-${golden.accepted ? "good" : "time"}` },
      h("strong", {}, golden.index === null ? "No candidate is golden" : `Candidate ${golden.index} is golden`),
      h("span", {}, golden.index === null ? "" : `${held}${golden.accepted ? "" : ": not accepted"}`)),
    h("p", { id: "vote-why" }, explainChoice(request, result)),
    facts([["Labeled", `${labeled} of ${result.labels.length} inputs`], ...goldenScores(result, inputs), ["Ran for", seconds(result.run_time_s)], ["Waited", seconds(result.queue_time_s)]]),
    failedRuns && h("p", { class: "ill" }, failedRuns),
    h("div", { class: "buttons" },
      golden.index !== null && h("button", { type: "button", id: "vote-open", onclick: () => openGolden(request, result) }, "Open the golden candidate in the playground"),
      golden.index !== null && h("button", { type: "button", id: "vote-measure", onclick: () => quality.measureVote(request, result) }, "Measure the labeled tests"),
      h("button", { type: "button", onclick: () => saveFile("tests.json", JSON.stringify(result.test_set, null, 2)) }, "Download the labeled tests"),
      h("button", { type: "button", onclick: () => saveFile("vote.json", JSON.stringify(result, null, 2)) }, "Download the result")));
}

function goldenScores({ golden, candidates }, inputs) {
  if (golden.index === null) return [];
  const [chosenOn, held] = scores(candidates[golden.index], inputs);
  return [["Chosen on", chosenOn], ["Held out", held]];
}

function matrix(request, result, details) {
  const inputs = request.inputs.map((input) => (typeof input === "string" ? input : input.stdin ?? ""));
  const table = h("table", { class: "matrix", role: "grid", "aria-label": "Verdict of each candidate on each input" },
    h("thead", {},
      h("tr", {}, h("th", { scope: "col" }, "Input"), inputs.map((text, column) =>
        h("th", { scope: "col", class: result.labels[column].held_out ? "held" : null },
          cellButton(`i${column}`, `Input ${column}${result.labels[column].held_out ? ", held out" : ""}`, h("span", {}, result.labels[column].held_out ? `${column}°` : column), () => showInput(details, text, result.labels[column], column)))),
        h("th", { scope: "col", title: "Passed inputs of those used to choose the golden candidate, and the weighted score" }, "Chosen on"),
        h("th", { scope: "col", title: "Passed inputs of those not used to choose it" }, "Held out")),
      h("tr", { class: "labels" }, h("th", { scope: "row" }, "Label"), result.labels.map((label) =>
        h("td", { class: "label-cell" }, label.why === null ? h("span", { class: "mono", title: label.expected }, shorten(label.expected.trim() || "(empty)", LABEL_CHARACTERS)) : h("span", { class: "muted" }, "none"),
          h("span", { class: "muted small" }, `${label.votes}/${label.cast}`))), h("td", {}), h("td", {}))),
    h("tbody", {}, result.matrix.map((verdicts, index) => candidateRow(request, result, inputs, verdicts, index, details))));
  table.addEventListener("keydown", (event) => move(event, table));
  table.querySelector("tbody .cell").tabIndex = 0;
  return h("div", { class: "scroll" }, table);
}

function candidateRow(request, result, inputs, verdicts, index, details) {
  const golden = result.golden.index === index;
  const candidate = result.candidates[index];
  const name = h("span", {}, golden && h("span", { class: "star", "aria-hidden": "true" }, "★ "), `${index} `, h("span", { class: "muted" }, request.candidates[index].language));
  return h("tr", { class: golden ? "golden" : null },
    h("th", { scope: "row" }, cellButton(`c${index}`, `Candidate ${index}${golden ? ", golden" : ""}`, name, () => showCandidate(details, request, candidate, index))),
    verdicts.map((verdict, column) => {
      const dissents = result.labels[column].dissenters.includes(index);
      const abstains = result.labels[column].abstained.includes(index);
      const how = dissents ? ", dissents" : abstains ? ", abstained" : "";
      const button = cellButton(`${index}-${column}`, `Candidate ${index}, input ${column}: ${words(verdict)}${how}`, code(verdict),
        () => showCell(details, request, result, inputs, index, column));
      button.classList.add(`tone-${tone(verdict)}`);
      if (dissents) button.classList.add("dissents");
      return h("td", {}, button);
    }),
    scores(candidate, countInputs(result.labels)).map((text) => h("td", { class: "number" }, text)));
}

function cellButton(id, label, content, onclick) {
  return h("button", { type: "button", class: "cell", tabindex: "-1", "data-cell": id, "aria-label": label, title: label, onclick }, content);
}

// Tab reaches the matrix once, and the arrow keys move between its cells, because there may be thousands of them.
function move(event, table) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const cell = event.target.closest("th, td");
  if (!step || !cell) return;
  event.preventDefault();
  const rows = [...table.rows];
  let row = rows.indexOf(cell.parentElement);
  const column = cell.cellIndex + step[1];
  for (row += step[0]; rows[row]; row += step[0]) {
    const next = rows[row].cells[column]?.querySelector(".cell");
    if (next) {
      for (const each of table.querySelectorAll('.cell[tabindex="0"]')) each.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
    if (next || !step[0]) return;
  }
}

function legend(result) {
  const there = [...new Set(result.matrix.flat())];
  return h("ul", { class: "legend-list", "aria-label": "Meaning of the cells" },
    there.map((verdict) => h("li", {}, h("span", { class: `cell sample tone-${tone(verdict)}`, "aria-hidden": "true" }, code(verdict)), words(verdict))),
    h("li", {}, h("span", { class: "cell sample tone-bad dissents", "aria-hidden": "true" }, "WA"), "dissenter: succeeded with a different output"),
    h("li", {}, h("span", { class: "star", "aria-hidden": "true" }, "★"), "golden"), h("li", {}, "° held out when choosing the golden candidate"));
}

function showCell(details, request, result, inputs, index, column) {
  const label = result.labels[column];
  const printed = h("div", {});
  const again = h("button", { type: "button", onclick: () => runAgain(printed, request, index, inputs[column]) }, "Run it again to show its output");
  replace(details, h("h2", {}, `Candidate ${index} on input ${column} `, chip(result.matrix[index][column])),
    h("div", { class: "split" },
      h("div", {}, output("Program", request.candidates[index].code)),
      h("div", {}, output("Input", inputs[column]), label.why === null ? output("Label", label.expected) : h("p", { class: "muted" }, noLabel(label)), again, printed)));
}

async function runAgain(place, request, index, stdin) {
  try {
    const { language, code: source } = request.candidates[index];
    const result = await post("execute", { language, code: source, stdin });
    replace(place, output("Printed", result.stdout), result.stderr && output("Standard error", result.stderr));
  } catch (problem) {
    replace(place, failed(problem));
  }
}

function showInput(details, text, label, column) {
  replace(details, h("h2", {}, `Input ${column}${label.held_out ? ", held out" : ""}`),
    facts([["Votes", `${label.votes} of ${label.cast}`], ["Confidence", label.confidence.toFixed(3)], ["Dissenters", label.dissenters.join(", ") || "none"], ["Abstained", label.abstained.join(", ") || "none"], ["Weight", label.weight.toFixed(3)]]),
    output("Input", text), label.why === null ? output("Label", label.expected) : h("p", { class: "muted" }, noLabel(label)));
}

function noLabel(label) {
  return `No label: ${String(label.why).replaceAll("_", " ")}${label.tie ? " (a tie)" : ""}.`;
}

function showCandidate(details, request, candidate, index) {
  replace(details, h("h2", {}, `Candidate ${index}`),
    facts([["Score", candidate.score.toFixed(3)], ["Passed", `${candidate.selection_passed} inputs of the choice, ${candidate.holdout_passed} held-out inputs`], ["CPU", seconds(candidate.cpu_time_s)], ["Same program as", candidate.same_as === index ? "none before it" : candidate.same_as]]),
    output("Program", request.candidates[index].code), candidate.compile_message && output("Compiler", candidate.compile_message));
}

function openGolden(request, result) {
  const { language, code: source } = request.candidates[result.golden.index];
  const { environment, limits } = request;
  load(toState({ language, code: source, ...result.test_set, environment, limits }));
}
