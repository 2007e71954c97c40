// The batch view: drop a JSONL file of programs or votes, watch their verdicts, and save the results.

import { announce, h, replace } from "./dom.js";
import { post } from "./api.js";
import { saveFile } from "./download.js";
import { code, memory, seconds, tone, words } from "./verdicts.js";

const BATCH_SIZE = 32;
const PARALLEL = 3;
const SHOWN = 100;
const SLOWEST = 10;
const ENDED_WELL = ["accepted", "ok", "golden"];
const OTHER_VERDICTS = { // of lines that are not the verdict of a program: name, color
  invalid: ["Invalid", "internal"],
  golden: ["Golden candidate accepted", "good"],
  not_golden: ["Golden candidate not accepted", "time"],
  no_golden: ["No golden candidate", "bad"],
};
const SAMPLE = [
  { id: "right", language: "python", code: "print(int(input()) * 2)", tests: [{ stdin: "21", expected: "42" }] },
  { id: "wrong", language: "python", code: "print(int(input()) + 2)", tests: [{ stdin: "21", expected: "42" }] },
  { id: "broken", language: "python", code: "print(", tests: [{ stdin: "21", expected: "42" }] },
];
const SAMPLE_VOTES = [
  { id: "agreed", candidates: ["print(int(input()) * 2)", "n = int(input())\nprint(n + n)", "print(int(input()) + 2)"], inputs: ["1", "3", "8"] },
  { id: "divided", candidates: ["print(1)", "print(2)"], inputs: ["1", "2"] },
].map(({ candidates, ...rest }) => ({ ...rest, candidates: candidates.map((program) => ({ language: "python", code: program })) }));
const parts = {};
let rows = [];
let running = null;

export async function build(place) {
  parts.file = h("input", { type: "file", id: "batch-file", accept: ".jsonl,.ndjson,.json,.txt", onchange: () => parts.file.files[0] && read(parts.file.files[0]) });
  parts.start = h("button", { type: "button", class: "primary", hidden: true, onclick: () => start() }, "Judge");
  parts.stop = h("button", { type: "button", hidden: true, onclick: () => running?.abort() }, "Stop");
  parts.save = h("button", { type: "button", hidden: true, onclick: () => save() }, "Save results");
  parts.said = h("p", { class: "muted", role: "status" }, "Nothing is loaded yet.");
  parts.progress = h("progress", { max: 1, value: 0, "aria-label": "Progress", hidden: true });
  parts.meter = h("div", { class: "meter", "aria-hidden": "true" });
  parts.counts = h("ul", { class: "legend-list", "aria-label": "Verdicts" });
  parts.failing = h("div");
  parts.slowest = h("div");
  const zone = h("section", { class: "card drop-zone", "aria-label": "File" },
    h("p", {}, "Drop a JSONL file here, or choose one: a request of ", h("code", {}, "/verify"), ", ", h("code", {}, "/execute"), " or ", h("code", {}, "/verify/vote"), " on each line."),
    h("div", { class: "buttons" }, h("span", { class: "file" }, h("label", { for: "batch-file" }, "File"), parts.file),
      [["Example", SAMPLE], ["Example with votes", SAMPLE_VOTES]].map(([name, sample]) => h("button", { type: "button", onclick: () => load(sample.map((each) => JSON.stringify(each)).join("\n"), name) }, name))));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
  });
  place.append(h("h1", {}, "Batch"),
    h("p", { class: "lead" }, "Judge a whole file. The file stays in this tab: its requests go to the service, and results come back here."),
    zone,
    h("section", { class: "card", "aria-label": "Progress and verdicts" }, h("div", { class: "card-title" }, parts.said, h("span", { class: "buttons" }, parts.start, parts.stop, parts.save)),
      parts.progress, parts.meter, parts.counts),
    h("div", { class: "run-mixes" },
      h("section", { class: "card", "aria-label": "Lines that failed" }, h("div", { class: "card-title" }, h("h2", {}, "Lines that failed")), parts.failing),
      h("section", { class: "card", "aria-label": "Slowest lines" }, h("div", { class: "card-title" }, h("h2", {}, "Slowest lines")), parts.slowest)));
  draw();
}

// Ctrl+Enter starts what the visible button would start.
export function submit() {
  if (rows.length && !running) start();
}

async function read(file) {
  load(await file.text(), file.name);
}

function load(text, name) {
  running?.abort();
  running = null;
  rows = text.split("\n").map((line, index) => ({ line: index + 1, text: line })).filter(({ text: line }) => line.trim()).map(parse);
  const bad = rows.filter((row) => row.error).length;
  parts.said.textContent = `${name}: ${rows.length} ${rows.length === 1 ? "line" : "lines"}${bad ? `, ${bad} of them not valid JSON objects` : ""}.`;
  parts.start.hidden = !rows.length;
  parts.start.textContent = "Judge";
  parts.stop.hidden = true;
  draw();
}

function parse({ line, text }) {
  try {
    const request = JSON.parse(text);
    if (request === null || typeof request !== "object" || Array.isArray(request)) return { line, request: null, error: "is not a JSON object" };
    const kind = "candidates" in request ? "vote" : "tests" in request ? "verify" : "execute";
    const { id, ...body } = request; // the id is the file's own, not the service's
    return { line, id, kind, request: body, result: null, error: "" };
  } catch (problem) {
    return { line, request: null, error: `is not JSON: ${problem.message}` };
  }
}

async function start() {
  const here = (running = new AbortController());
  for (const row of rows) if (row.request) Object.assign(row, { result: null, error: "" });
  parts.start.hidden = true;
  parts.stop.hidden = false;
  const work = plan();
  draw();
  let end = "All lines are done";
  try {
    await Promise.all(Array.from({ length: PARALLEL }, () => take(work, here.signal)));
  } catch (problem) {
    here.abort();
    end = problem.name === "AbortError" ? "Stopped." : `Stopped: ${problem.message}`;
  }
  if (running !== here) return; // another file has taken its place
  running = null;
  parts.said.textContent = end;
  announce(end);
  parts.start.hidden = false;
  parts.start.textContent = "Judge again";
  parts.stop.hidden = true;
  draw();
}

// Return lists of rows that are sent together: neighbors of one kind. Votes are sent alone.
function plan() {
  const groups = [];
  for (const row of rows.filter((each) => each.request)) {
    const last = groups.at(-1);
    if (last && last[0].kind === row.kind && row.kind !== "vote" && last.length < BATCH_SIZE) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

async function take(work, signal) {
  for (let group = work.shift(); group; group = work.shift()) {
    await judge(group, signal);
    draw();
  }
}

async function judge(group, signal) {
  const [{ kind }] = group;
  try {
    if (kind === "vote") group[0].result = await post("verify/vote", group[0].request, { signal });
    else {
      const { results } = await post(`${kind}/batch`, { items: group.map((row) => row.request) }, { signal });
      group.forEach((row, index) => { row.result = results[index]; });
    }
  } catch (problem) {
    if (problem.status !== 422 && problem.status !== 413) throw problem;
    await judgeValid(group, problem, signal);
  }
}

// Note what is wrong with the rows that the service refused, and send the others again.
async function judgeValid(group, problem, signal) {
  const faults = (problem.errors ?? []).map((each) => ({ index: Number(/^body\.items\.(\d+)/.exec(each.field)?.[1] ?? NaN), ...each }));
  for (const { index, field, message } of faults) {
    if (group[index] && !group[index].error) group[index].error = `${field.replace(/^body\.items\.\d+\.?/, "")}: ${message}`;
  }
  const rest = group.filter((row) => !row.error);
  if (group.length === 1 && rest.length) group[0].error = faults[0] ? `${faults[0].field}: ${faults[0].message}` : problem.message;
  else if (rest.length === group.length) for (const row of group) await judge([row], signal);
  else if (rest.length) await judge(rest, signal);
}

function verdict(row) {
  if (row.error) return "invalid";
  if (!row.result) return null;
  if (row.kind === "vote") return voteVerdict(row.result);
  return row.result.verdict ?? row.result.status;
}

function voteVerdict({ golden, internal_errors: lost }) {
  if (lost) return "internal_error";
  return golden.accepted ? "golden" : golden.index === null ? "no_golden" : "not_golden";
}

function describeVote({ labels, golden }) {
  const labeled = labels.filter((label) => label.why === null).length;
  return `${labeled} of ${labels.length} inputs labeled${golden.holdout_total ? `, ${golden.holdout_passed} of ${golden.holdout_total} held-out inputs passed` : ""}`;
}

// Return the CPU time of the slowest test, or of all runs of a vote.
function cpu(row) {
  if (row.kind === "vote") return (row.result?.candidates ?? []).reduce((all, one) => all + one.cpu_time_s, 0);
  const tests = row.result?.tests ?? [];
  return row.result?.usage?.cpu_time_s ?? Math.max(0, ...tests.map((test) => test.usage?.cpu_time_s ?? 0));
}

function draw() {
  const done = rows.filter((row) => verdict(row));
  const counts = new Map();
  for (const row of done) counts.set(verdict(row), (counts.get(verdict(row)) ?? 0) + 1);
  parts.progress.hidden = !rows.length;
  parts.progress.max = Math.max(1, rows.length);
  parts.progress.value = done.length;
  parts.save.hidden = !done.length;
  if (running) parts.said.textContent = `${done.length} of ${rows.length} lines done`;
  else if (done.length && done.length === rows.length) parts.said.textContent = `${done.length} lines done`;
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  replace(parts.meter, sorted.map(([name, number]) => {
    const piece = h("span", { class: `tone-${shade(name)}` });
    piece.style.flexGrow = number;
    return piece;
  }));
  replace(parts.counts, sorted.map(([name, number]) => h("li", {}, h("span", { class: `swatch tone-${shade(name)}`, "aria-hidden": "true" }), `${said(name)}: ${number}`)));
  const failing = done.filter((row) => !ENDED_WELL.includes(verdict(row)));
  replace(parts.failing, table(failing.slice(0, SHOWN), "Table of lines that failed"), failing.length > SHOWN && h("p", { class: "muted" }, `The first ${SHOWN} of ${failing.length}. Save the results to see all.`));
  const slow = done.filter((row) => cpu(row) > 0).sort((one, other) => cpu(other) - cpu(one));
  replace(parts.slowest, table(slow.slice(0, SLOWEST), "Table of the slowest lines"));
}

function table(shown, name) {
  if (!shown.length) return h("p", { class: "empty" }, "none");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    h("table", { class: "recent" },
      h("thead", {}, h("tr", {}, ["Line", "Verdict", "CPU", "Memory", "Why"].map((each) => h("th", { scope: "col", class: ["CPU", "Memory"].includes(each) && "number" }, each)))),
      h("tbody", {}, shown.map((row) => {
        const passed = row.result?.total === undefined ? "" : ` ${row.result.passed}/${row.result.total}`;
        const largest = row.result?.usage?.memory_mb ?? Math.max(0, ...(row.result?.tests ?? []).map((test) => test.usage?.memory_mb ?? 0));
        return h("tr", {}, h("td", {}, row.id === undefined ? row.line : `${row.line} (${String(row.id).slice(0, 30)})`),
          h("td", {}, h("span", { class: `chip tone-${shade(verdict(row))}` }, said(verdict(row))), passed),
          h("td", { class: "number" }, cpu(row) ? seconds(cpu(row)) : "–"), h("td", { class: "number" }, memory(largest)),
          h("td", { class: "why" }, why(row).slice(0, 200)));
      }))));
}

function why(row) {
  if (row.error) return row.error;
  if (row.kind === "vote") return describeVote(row.result);
  return row.result?.tests?.find((test) => test.message)?.message || row.result?.compile?.stderr || row.result?.message || "";
}

function shade(name) {
  return OTHER_VERDICTS[name]?.[1] ?? tone(name);
}

function said(name) {
  return OTHER_VERDICTS[name]?.[0] ?? (code(name) === "?" ? name : words(name));
}

// Save a line for each line of the file, in its order: the result, or the error.
function save() {
  const lines = rows.map((row) => JSON.stringify({ line: row.line, ...(row.id === undefined ? {} : { id: row.id }), ...(row.error ? { error: row.error } : { result: row.result }) }));
  saveFile("results.jsonl", `${lines.join("\n")}\n`, "application/x-ndjson");
}
