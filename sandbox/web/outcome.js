// The result of a program: verdict, usage, outputs, and the differences from the expected output.

import { h, replace } from "./dom.js";
import { diffList, difference, isSame } from "./diff.js";
import { withLinks } from "./traceback.js";
import { chip, memory, seconds, tone, words } from "./verdicts.js";

const SHOWN_CHARACTERS = 100_000;
const SHOWN_TESTS = 200;

export function failed(problem) {
  const fields = (problem.errors ?? []).map((each) => h("li", {}, h("code", {}, each.field), ": ", each.message));
  return h("div", { class: "banner tone-bad", role: "alert" },
    h("strong", {}, problem.title ?? "Error"),
    h("p", {}, problem.message),
    fields.length > 1 && h("ul", {}, fields));
}

// `code` is {lines, show} of the editor, so that lines of tracebacks can be clicked; see traceback.js.
export function executed(result, expected, code) {
  const compiling = result.status === "compile_error" ? result.compile : null;
  const differs = result.status === "ok" && expected && !isSame(difference(expected, result.stdout));
  return h("div", {},
    banner(differs ? "output_differs" : result.status, differs ? "the program succeeded" : ending(result)),
    facts([["CPU", seconds(result.usage.cpu_time_s)], ["Elapsed", seconds(result.usage.wall_time_s)],
      ["Memory", memory(result.usage.memory_mb)], ["Waited", seconds(result.queue_time_s)], compiled(result.compile)]),
    result.message && h("p", { class: "muted" }, result.message),
    compiling && output("Compiler", compiling.stderr || compiling.stdout || compiling.message, false, code),
    !compiling && (expected
      ? h("div", {}, h("h3", {}, "Expected and printed output"), diffList(expected, result.stdout))
      : output("Standard output", result.stdout, result.stdout_truncated)),
    !compiling && result.stderr && output("Standard error", result.stderr, result.stderr_truncated, code));
}

// `request` is the body of POST /verify. `printed` runs the program again on a test's input.
export function verified(result, request, printed, code) {
  const compiling = result.verdict === "compile_error" ? result.compile : null;
  const slowest = Math.max(0, ...result.tests.map((test) => test.usage?.cpu_time_s ?? 0));
  const largest = Math.max(0, ...result.tests.map((test) => test.usage?.memory_mb ?? 0));
  return h("div", {},
    banner(result.verdict, `${result.passed} of ${result.total} tests passed`),
    h("div", { class: "meter", "aria-hidden": "true" }, segments(result.tests)),
    facts([["Slowest", seconds(slowest)], ["Memory", memory(largest)], ["Judged in", seconds(result.run_time_s)],
      ["Waited", seconds(result.queue_time_s)], compiled(result.compile)]),
    compiling
      ? output("Compiler", compiling.stderr || compiling.stdout || compiling.message, false, code)
      : table(result.tests, { request, printed, code }));
}

function banner(verdict, said) {
  return h("div", { class: `banner tone-${tone(verdict)}` }, h("strong", { id: "verdict" }, words(verdict)), said && h("span", {}, said));
}

function ending(result) {
  if (result.signal) return `ended by signal ${result.signal}`;
  return result.exit_code ? `exit code ${result.exit_code}` : "";
}

function compiled(stage) {
  return stage ? ["Compiled in", seconds(stage.usage.wall_time_s)] : null;
}

// Return a list of names and values. `pairs` has [name, value] or null, which is left out.
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function segments(tests) {
  return tests.slice(0, SHOWN_TESTS).map((test) => h("span", { class: `tone-${tone(test.verdict)}` }));
}

export function output(title, text, truncated = false, code = null) {
  const long = text.length > SHOWN_CHARACTERS;
  return h("div", {},
    h("h3", {}, title),
    text === "" ? h("p", { class: "empty" }, "empty") : h("pre", { class: "output", tabindex: "0", "aria-label": title }, withLinks(text.slice(0, SHOWN_CHARACTERS), code)),
    (truncated || long) && h("p", { class: "muted" }, truncated ? "Truncated at the output limit." : `Shows the first ${SHOWN_CHARACTERS.toLocaleString()} characters.`));
}

function table(results, shown) {
  const rows = results.slice(0, SHOWN_TESTS).map((result, index) => testRow(result, index, shown));
  const first = rows.find((row) => row.dataset.failed);
  if (first) queueMicrotask(() => { first.querySelector("details").open = true; });
  return h("ol", { class: "verdict-list", "aria-label": "Tests" }, rows);
}

function testRow(result, index, shown) {
  const body = h("div", { class: "test-body" });
  const details = h("details", { ontoggle: () => details.open && !body.childNodes.length && showTest(body, result, index, shown) },
    h("summary", {},
      h("span", { class: "test-name" }, `Test ${index + 1}`), chip(result.verdict),
      h("span", { class: "muted test-usage" }, result.verdict === "skipped" ? "" : `${seconds(result.usage.cpu_time_s)}, ${memory(result.usage.memory_mb)}`)),
    body);
  const bad = !["accepted", "skipped"].includes(result.verdict);
  return h("li", { "data-failed": bad ? "yes" : null }, details);
}

async function showTest(body, result, index, { request, printed, code }) {
  const test = request.tests[index];
  const message = result.message && h("pre", { class: "output", tabindex: "0", "aria-label": "Message" }, withLinks(result.message, code));
  if (typeof test.stdin !== "string" || typeof test.expected !== "string" || request.checker?.type === "interactive") {
    const parts = (result.parts ?? []).map((part) => h("li", {}, chip(part.verdict), " ", part.name));
    replace(body, message, parts.length && h("ul", { class: "test-parts", "aria-label": "Parts" }, parts), output("Test", test.pytest ?? test.assert ?? JSON.stringify(test, null, 2)));
    return;
  }
  const place = h("div", {}, h("p", { class: "muted" }, "Running the program again to show its output…"));
  replace(body, message, output("Input", test.stdin), place);
  try {
    const again = await printed(test);
    replace(place,
      h("h3", {}, "Expected and printed output"), diffList(test.expected, again.stdout),
      again.stderr && output("Standard error", again.stderr, again.stderr_truncated, code),
      h("p", { class: "muted" }, `This output is from a second run with the status: ${words(again.status).toLowerCase()}.`));
  } catch (problem) {
    replace(place, failed(problem));
  }
}
