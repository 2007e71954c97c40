// The playground: write a program, run it on an input or judge it on tests, and see the result.

import { announce, field, h, replace } from "./dom.js";
import { ask, hasKey, post } from "./api.js";
import { addEntry, clearEntries, listEntries, readDraft, saveDraft } from "./drafts.js";
import { Editor } from "./editor.js";
import { buildGallery } from "./gallery.js";
import { executed, failed, output, verified } from "./outcome.js";
import { buildRequest, CHECKERS } from "./request.js";
import { copyLink, packed, unpacked } from "./share.js";
import { FORMATS, format } from "./snippets.js";
import { isStarter, SAMPLE_TESTS, starter } from "./starters.js";
import { Tabs } from "./tabs.js";
import { TestList } from "./tests.js";
import { clock, words } from "./verdicts.js";
import { postAndWatch } from "./waiting.js";

const DRAFT_DELAY_MS = 400;
const SHOWN_LINE_LENGTH = 40;
const parts = {};
let running = null;
let handed = null;
let draftTimer = null;

export async function build(place) {
  parts.language = h("select", { id: "language", onchange: () => languageChosen() });
  parts.editor = new Editor({ label: "Program", describedBy: "editor-hint", onChange: () => keepDraft() });
  parts.stdin = h("textarea", { id: "stdin", rows: 5, spellcheck: "false", class: "mono", wrap: "off" });
  parts.expected = h("textarea", { id: "expected", rows: 2, spellcheck: "false", class: "mono", wrap: "off" });
  parts.tests = new TestList(() => keepDraft());
  parts.checker = h("select", { id: "checker" }, CHECKERS.map(([name, text]) => h("option", { value: name }, text)));
  parts.extra = h("textarea", { id: "extra", rows: 4, spellcheck: "false", class: "mono", wrap: "off" });
  parts.cpu = h("input", { type: "number", id: "cpu", min: 0.1, max: 300, step: "any", placeholder: "10" });
  parts.memory = h("input", { type: "number", id: "memory", min: 16, max: 16384, placeholder: "512" });
  parts.run = h("button", { type: "button", class: "primary", id: "run", title: "Ctrl+Enter", onclick: () => go("run") }, "Run");
  parts.verify = h("button", { type: "button", id: "verify", title: "Ctrl+Shift+Enter", onclick: () => go("verify") }, "Verify");
  parts.stop = h("button", { type: "button", id: "stop", hidden: true, onclick: () => running?.abort() }, "Stop");
  parts.waiting = h("p", { class: "muted", role: "status", id: "waiting" });
  parts.share = h("button", { type: "button", id: "share", onclick: () => share() }, "Copy link");
  parts.copy = h("select", { id: "copy", "aria-label": "Copy as", onchange: () => copyAs() },
    h("option", { value: "" }, "Copy as…"), Object.entries(FORMATS).map(([name, text]) => h("option", { value: name }, text)));
  parts.gallery = buildGallery((example) => {
    fill(example);
    saveDraft(state());
  });
  parts.history = h("select", { id: "history", "aria-label": "Recent submissions", onchange: () => reopen() });
  parts.result = h("div", { id: "result", class: "result", tabindex: "-1" },
    h("p", { class: "empty" }, "The result appears here. Run uses the standard input, Verify uses the tests."));
  place.append(h("h1", { class: "sr-only" }, "Playground"), layout());
  fill(handed ?? readDraft() ?? { language: "python", code: starter("python"), stdin: SAMPLE_TESTS[0].stdin, tests: SAMPLE_TESTS });
  drawHistory();
  place.addEventListener("input", () => keepDraft());
  loadLanguages(); // not awaited, because it may wait until the user enters a key
}

// Ctrl+Enter runs, and with Shift verifies.
export function submit(shift) {
  go(shift ? "verify" : "run");
}

// Load the program of a shared link.
export async function open(state) {
  if (!state || state === parts.sharedState) return;
  try {
    fill(await unpacked(state));
    announce("Program loaded from the link");
  } catch {
    replace(parts.result, failed(new Error("This link is damaged and cannot be read. Ask for a new one.")));
  }
}

// Load a program and its tests from another view.
export function load(state) {
  handed = state;
  if (parts.editor) fill(state); // otherwise `build` loads it
  location.hash = "#playground";
}

function layout() {
  return h("div", { class: "split" },
    h("div", { class: "card editor-card" },
      h("div", { class: "bar" },
        h("label", { for: "language", class: "sr-only" }, "Language"), parts.language,
        parts.gallery, h("span", { class: "grow" }), parts.copy, parts.share),
      parts.editor.element,
      h("p", { class: "hint", id: "editor-hint" }, "Tab indents. To leave the editor, press Escape, then Tab. Ctrl+Enter runs, Ctrl+Shift+Enter verifies."),
      h("div", { class: "bar" }, parts.history)),
    h("div", { class: "stack" },
      h("div", { class: "card" },
        tabs(),
        h("details", { class: "limits" }, h("summary", {}, "Limits"),
          h("div", { class: "pair" }, field("CPU time in s", parts.cpu), field("Memory in MiB", parts.memory))),
        h("div", { class: "buttons" }, parts.run, parts.verify, parts.stop), parts.waiting),
      h("section", { class: "card", "aria-label": "Result", "aria-live": "polite" }, h("h2", { class: "sr-only" }, "Result"), parts.result)));
}

function tabs() {
  parts.others = h("details", { class: "limits" }, h("summary", {}, "Other fields of the request"),
    field("As a JSON object", parts.extra, "For example entry_point, isolation, or a checker program."));
  parts.tabs = new Tabs("Input and tests", [
    ["Input", h("div", {}, field("Standard input", parts.stdin), field("Expected output", parts.expected, "Optional. Run shows the differences."))],
    ["Tests", h("div", {}, field("Checker", parts.checker), parts.tests.element, parts.others)],
  ], (chosen) => {
    parts.run.classList.toggle("primary", chosen === 0);
    parts.verify.classList.toggle("primary", chosen === 1);
  });
  return parts.tabs.element;
}

async function loadLanguages() {
  try {
    const languages = await ask("languages");
    const wanted = parts.wanted ?? parts.language.value;
    replace(parts.language, languages.map((each) => h("option", { value: each.name, disabled: !each.available },
      each.available ? `${each.name} · ${each.version}` : `${each.name} · not installed`)));
    const found = languages.find((each) => each.name === wanted || each.aliases.includes(wanted));
    parts.language.value = found?.available ? found.name : languages.find((each) => each.available).name;
  } catch (problem) {
    replace(parts.result, failed(problem));
  }
}

function languageChosen() {
  parts.wanted = parts.language.value;
  keepDraft();
  if (isStarter(parts.editor.value)) parts.editor.value = starter(parts.language.value);
  parts.editor.setLanguage(parts.language.value);
}

// Show a state. It may come from an untrusted link, so values of a wrong type are ignored.
function fill(state) {
  const text = (value, other = "") => (typeof value === "string" ? value : other);
  parts.wanted = text(state.language, "python");
  if (![...parts.language.options].some((each) => each.value === parts.wanted)) {
    parts.language.append(h("option", { value: parts.wanted }, parts.wanted));
  }
  parts.language.value = parts.wanted;
  parts.editor.setLanguage(parts.wanted);
  parts.editor.value = text(state.code);
  parts.stdin.value = text(state.stdin);
  parts.expected.value = text(state.expected);
  parts.checker.value = CHECKERS.some(([name]) => name === state.checker) ? state.checker : "tokens";
  parts.cpu.value = Number(state.cpu) > 0 ? Number(state.cpu) : "";
  parts.memory.value = Number(state.memory) > 0 ? Number(state.memory) : "";
  parts.tests.fill(Array.isArray(state.tests) ? state.tests : []);
  parts.extra.value = text(state.extra);
  parts.others.open = Boolean(parts.extra.value);
  parts.tabs.choose(state.tab === "tests" ? 1 : 0);
}

function state() {
  return {
    language: parts.language.value, code: parts.editor.value, stdin: parts.stdin.value, expected: parts.expected.value,
    tests: parts.tests.tests(), checker: parts.checker.value, extra: parts.extra.value, cpu: parts.cpu.value,
    memory: parts.memory.value, tab: parts.tabs.chosen === 1 ? "tests" : "input",
  };
}

async function go(kind) {
  if (running) return;
  const now = state();
  if (kind === "verify" && !now.tests.length) {
    parts.tabs.choose(1);
    replace(parts.result, failed(new Error("There are no tests yet. Add one under Tests.")));
    return;
  }
  running = new AbortController();
  busy(true, kind);
  saveDraft(now);
  try {
    const { shown, said } = await (kind === "verify" ? verify(now) : run(now));
    replace(parts.result, shown);
    addEntry(now, said);
    drawHistory();
  } catch (problem) {
    replace(parts.result, problem.name === "AbortError" ? h("p", { class: "empty" }, "Stopped.") : failed(problem));
  } finally {
    running = null;
    busy(false, kind);
  }
}

async function run(now) {
  const result = await send("execute", buildRequest("execute", now));
  return { shown: executed(result, now.expected, showLine()), said: words(result.status) };
}

async function verify(now) {
  const request = buildRequest("verify", now);
  const result = await send("verify", request);
  // A verdict does not include the program's output, so the page runs the program again to show it.
  const { language, code, limits, environment } = request;
  const printed = ({ stdin, stdin_base64, args, files }) => post("execute", { language, code, limits, environment, stdin, stdin_base64, args, files });
  return { shown: verified(result, request, printed, showLine()), said: `${words(result.verdict)} ${result.passed}/${result.total}` };
}

function send(path, request) {
  return postAndWatch(path, request, running.signal, (text) => { parts.waiting.textContent = text; });
}

// Return what a click on a line of a traceback does, and how many lines the program has.
function showLine() {
  return { lines: parts.editor.lines, show: (line) => parts.editor.showLine(line) };
}

function keepDraft() {
  clearTimeout(draftTimer);
  draftTimer = setTimeout(() => saveDraft(state()), DRAFT_DELAY_MS);
}

function drawHistory() {
  const entries = listEntries();
  parts.history.hidden = !entries.length;
  const line = ({ code }) => String(code ?? "").split("\n").find((text) => text.trim())?.trim().slice(0, SHOWN_LINE_LENGTH) ?? "";
  replace(parts.history, h("option", { value: "" }, `Recent submissions (${entries.length})`),
    entries.map((entry, index) => h("option", { value: index }, `${clock(entry.at / 1000)} · ${entry.state.language} · ${entry.result} · ${line(entry.state)}`)),
    h("option", { value: "clear" }, "Clear this list"));
}

function reopen() {
  const wanted = parts.history.value;
  if (wanted === "clear") clearEntries();
  const entry = wanted === "" || wanted === "clear" ? null : listEntries()[Number(wanted)];
  if (entry) {
    fill(entry.state);
    saveDraft(entry.state);
    announce("Program loaded from the recent submissions");
  }
  drawHistory();
}

async function copyAs() {
  const name = parts.copy.value;
  parts.copy.value = "";
  const now = state();
  const kind = name === "jsonl" || now.tab === "tests" ? "verify" : "execute";
  let text;
  try {
    text = format(name, kind, buildRequest(kind, now), hasKey());
  } catch (problem) {
    replace(parts.result, failed(problem));
    return;
  }
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied as ${FORMATS[name]}`);
  } catch {
    replace(parts.result, output(`The request as ${FORMATS[name]}`, text));
  }
}

function busy(now, kind) {
  for (const button of [parts.run, parts.verify]) button.disabled = now;
  parts.stop.hidden = !now;
  parts.waiting.textContent = "";
  parts.result.classList.toggle("waiting", now);
  const button = kind === "verify" ? parts.verify : parts.run;
  button.textContent = now ? (kind === "verify" ? "Judging…" : "Running…") : (kind === "verify" ? "Verify" : "Run");
}

async function share() {
  parts.sharedState = await packed(state());
  const link = new URL(location.href);
  link.hash = `playground/${parts.sharedState}`;
  history.replaceState(null, "", link);
  await copyLink(parts.share);
}
