// The gallery: an example for each kind of test, from gallery.json.

import { announce, h } from "./dom.js";
import { CHECKERS } from "./request.js";

// Return the list of examples. `onChoose` gets the playground's state of the chosen one.
export function buildGallery(onChoose) {
  let examples = [];
  const list = h("select", { id: "gallery", "aria-label": "Examples", onchange: () => {
    const example = examples[Number(list.value)];
    list.value = "";
    onChoose(toState(example.request));
    announce(`Example loaded: ${example.name}`);
  } }, h("option", { value: "" }, "Examples…"));
  load().then((loaded) => {
    examples = loaded;
    list.append(...examples.map(({ name }, index) => h("option", { value: index }, name)));
  });
  return list;
}

async function load() {
  try {
    return await (await fetch(new URL("./gallery.json", import.meta.url))).json();
  } catch {
    return []; // the service does not respond, which the page says elsewhere
  }
}

// Turn the body of POST /verify into the playground's state. Fields without a control become JSON.
export function toState({ language, code, tests, checker, ...extra }) {
  const isListed = checker && Object.keys(checker).length === 1 && CHECKERS.some(([name]) => name === checker.type);
  const others = checker && !isListed ? { ...extra, checker } : extra;
  const text = JSON.stringify(others, null, 2);
  return {
    language, code, tab: "tests", stdin: tests[0]?.stdin, checker: isListed ? checker.type : "tokens",
    tests: tests.map((test) => (isPlain(test) ? { stdin: test.stdin, expected: test.expected } : { json: JSON.stringify(test, null, 2) })),
    extra: text === "{}" ? "" : text,
  };
}

// Results of the service contain every field of a test, including the empty ones.
function isPlain({ stdin, expected, ...others }) {
  return typeof stdin === "string" && typeof expected === "string" && Object.values(others).every((value) => Object.keys(value ?? {}).length === 0);
}
