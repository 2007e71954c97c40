// The part of the vote view that measures a test suite: the progress, the kill matrix, and the programs to look at.

import { announce, field, h, replace } from "./dom.js";
import { listen, Problem } from "./api.js";
import { saveFile } from "./download.js";
import { KillMatrix } from "./kill_matrix.js";
import { facts, failed } from "./outcome.js";
import { readObject } from "./request.js";
import { seconds, tone, words } from "./verdicts.js";

const EXAMPLE = {
  tests: [
    { stdin: "1 2\n", expected: "2\n" },
    { stdin: "5 9\n", expected: "9\n" },
    { stdin: "7 3\n", expected: "7\n" },
    { stdin: "4 4\n", expected: "4\n" },
    { stdin: "0 8\n", expected: "8\n" },
    { stdin: "9 1\n", expected: "9\n" },
  ],
  right: ["a, b = map(int, input().split())\nif a > b:\n    print(a)\nelse:\n    print(b)\n", "print(max(map(int, input().split())))"],
  wrong: [
    { name: "last", code: "print(input().split()[-1])" },
    { name: "from zero", code: "print(max(0, *map(int, input().split())))" },
    { name: "smaller", code: "print(min(map(int, input().split())))" },
    { name: "never ends", code: "while True:\n    pass" },
  ],
  mutants: { count: 8, seed: 7 },
  inputs: ["-5 -3\n", "-2 6\n"],
  limits: { cpu_time_s: 0.2 },
};
const MUTATED = ["python", "pypy", "c", "cpp", "cpp17", "cpp20"];
const PHASES = { tests: "programs judged", outputs: "inputs run", inputs: "surviving mutants compared" };
const parts = {};
let running = null;

export function build() {
  parts.request = h("textarea", { id: "quality-request", rows: 8, spellcheck: "false", class: "mono", wrap: "off" });
  parts.run = h("button", { type: "button", class: "primary", id: "quality-run", onclick: () => run() }, "Measure");
  parts.result = h("div", { id: "quality-result", class: "stack" });
  return h("section", { class: "card", "aria-label": "Quality of tests" },
    h("div", { class: "card-title" }, h("h2", {}, "Quality of tests")),
    h("p", { class: "muted" }, "Run programs that are known to be right or wrong, and mutants of a right one, to see which wrong programs the tests miss."),
    field("Programs and tests", parts.request, "The JSON body of POST /verify/quality. A vote above can fill it in."),
    h("div", { class: "buttons" }, parts.run,
      h("button", { type: "button", id: "quality-example", onclick: () => show(EXAMPLE) }, "Sample report")),
    parts.result);
}

function show(request) {
  parts.request.value = JSON.stringify(request, null, 2);
  announce("Request filled in");
  parts.run.focus();
}

// Measure the labeled tests of a vote. References and the golden candidate are right, candidates with the role wrong or
// slow are wrong, and mutants are added if the golden candidate's language has them.
export function measureVote(request, result) {
  const known = request.candidates.map((candidate, index) => ({ ...candidate, name: `candidate ${index}` }));
  const golden = known[result.golden.index];
  const references = known.filter((candidate) => candidate.role === "reference" && candidate !== golden);
  const wrong = known.filter((candidate) => ["wrong", "slow"].includes(candidate.role));
  const program = ({ name, language, code }) => ({ name, language, code });
  const body = { ...result.test_set, right: [golden, ...references].map(program), wrong: wrong.map(program) };
  if (MUTATED.includes(golden.language)) body.mutants = { count: 20 };
  Object.assign(body, { limits: request.limits, environment: request.environment });
  show(body);
  run();
}

async function run() {
  running?.abort(); // a vote can start the next report while one runs
  const here = (running = new AbortController());
  parts.run.disabled = true;
  parts.run.textContent = "Measuring…";
  try {
    const request = readObject(parts.request.value, "The request");
    let complete = false;
    const handle = receive(request);
    await listen("verify/quality", (kind, data) => { handle(kind, data); complete = kind === "report"; }, here.signal, request);
    if (!complete) throw new Error("The connection ended before the report was complete. Measure again.");
  } catch (problem) {
    if (running === here) replace(parts.result, failed(problem));
  }
  if (running !== here) return;
  running = null;
  parts.run.disabled = false;
  parts.run.textContent = "Measure";
}

// Return a function that shows the events of one report: the progress, then the report or a problem.
function receive(request) {
  const bar = h("progress", { "aria-label": "Progress" });
  const text = h("p", { class: "muted small" });
  let matrix = null;
  return (kind, data) => {
    if (kind === "problem") throw new Problem(data.status, data.title, data.detail, data.errors);
    if (kind === "report") {
      matrix.finish(data);
      replace(parts.result, ...render(data, matrix));
      announce("The report is ready");
      return;
    }
    if (matrix === null) {
      matrix = new KillMatrix(data.total, request.tests.length);
      replace(parts.result, bar, text, matrix.element);
    }
    bar.max = data.total;
    bar.value = data.done;
    text.textContent = `${data.done} of ${data.total} ${PHASES[data.phase]}`;
    data.rows.forEach((row) => matrix.fill(row));
  };
}

function render(report, matrix) {
  const suite = report.smallest_suite;
  const measures = [
    ["Right programs that pass", rate(report.tpr)], ["Wrong programs that fail", rate(report.tnr)],
    ["Mutants that fail", rate(report.mutation_score)],
    ["Smallest suite", `${suite.tests.length} of ${report.tests.length} tests`],
    ["CPU of the suite", `${seconds(suite.cpu_time_s)} of ${seconds(suite.all_cpu_time_s)}`],
    ["Time limit", report.time_limit ? seconds(report.time_limit.cpu_time_s) : "unknown"],
  ];
  return [
    facts(measures),
    matrix.element, legend(report),
    h("div", { class: "buttons" },
      h("button", { type: "button", id: "quality-picture", onclick: () => saveFile("kill-matrix.svg", matrix.toSvg(), "image/svg+xml") }, "Download the picture"),
      h("button", { type: "button", onclick: () => saveFile("quality.json", JSON.stringify(report, null, 2)) }, "Download the report")),
    findings(report), programs(report), tests(report),
  ];
}

function rate(value) {
  return value === null ? "unknown" : `${(100 * value).toFixed(1)} %`;
}

function legend(report) {
  const shown = [...new Set(report.matrix.flat())];
  return h("ul", { class: "legend-list", "aria-label": "Colors of the matrix" },
    shown.map((verdict) => h("li", {}, h("span", { class: `swatch tone-${tone(verdict)}${verdict === "accepted" ? " no-kill" : ""}`, "aria-hidden": "true" }), words(verdict))),
    h("li", {}, h("span", { class: "swatch kept", "aria-hidden": "true" }), "in the smallest suite"));
}

function findings(report) {
  const failing = report.programs.flatMap((program, row) => (program.kind === "right" && program.fate === "failed" ? [row] : []));
  const kinds = [
    ["Right, but fails", failing], ["Wrong, but passes", report.survivors], ["May be equivalent", report.equivalent_candidates],
    ["Does not compile", report.not_compiled], ["Not judged", report.unjudged],
  ];
  const items = kinds.flatMap(([title, rows]) => rows.map((row) => h("li", {}, `${title}: ${describe(report.programs[row])}`)));
  return h("details", { open: true }, h("summary", {}, "Programs to look at"),
    items.length ? h("ul", { id: "quality-findings" }, items) : h("p", { class: "empty" }, "None."));
}

function describe(program) {
  const change = program.mutation;
  return change ? `${program.name}, line ${change.line}: ${change.before} → ${change.after}` : program.name;
}

function programs(report) {
  const rows = report.programs.map((program) => [
    describe(program), program.kind, program.fate.replaceAll("_", " "), program.killed_by.join(", "), program.growth?.name.replaceAll("_", " ") ?? "",
  ]);
  return table("All programs", ["Program", "Kind", "Result", "Killed by tests", "Growth of its time"], rows);
}

function tests(report) {
  const rows = report.tests.map((test, place) => [
    place, test.kills, test.kills_alone.map((row) => report.programs[row].name).join(", "), seconds(test.cpu_time_s),
    test.in_smallest_suite ? "yes" : "", test.fails_right.map((row) => report.programs[row].name).join(", "),
  ]);
  return table("All tests", ["Test", "Kills", "Kills alone", "CPU", "Kept", "Fails right programs"], rows);
}

function table(title, header, rows) {
  return h("details", {}, h("summary", {}, title),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
      h("table", { class: "recent" }, h("thead", {}, h("tr", {}, header.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, String(cell)))))))));
}
