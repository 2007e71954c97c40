// The requests of the playground: its state becomes the body of POST /execute or POST /verify.

export const CHECKERS = [
  ["tokens", "Tokens, separated by any white space"],
  ["lines", "Lines, ignoring trailing white space"],
  ["exact", "Exact bytes"],
  ["float", "Numbers within a tolerance"],
  ["case_insensitive", "Tokens, ignoring case"],
  ["unordered_lines", "Lines in any order"],
  ["unordered_tokens", "Tokens in any order"],
  ["json", "JSON values"],
];

// Throws an error with a message for the user if a test or the other fields are not valid JSON.
export function buildRequest(kind, { language, code, stdin, tests, checker, extra, cpu, memory }) {
  const limits = readLimits({ cpu, memory });
  if (kind === "execute") return { language, code, stdin, limits };
  const parsed = tests.map((test, index) => (test.json === undefined ? test : readObject(test.json, `Test ${index + 1}`)));
  const others = extra?.trim() ? readObject(extra, "Other fields") : {};
  return { language, code, tests: parsed, ...(others.checker ? {} : { checker: { type: checker } }), limits, ...others };
}

function readLimits({ cpu, memory }) {
  const given = {};
  if (Number(cpu) > 0) given.cpu_time_s = Number(cpu);
  if (Number(memory) > 0) given.memory_mb = Math.round(Number(memory));
  return given;
}

// `name` says in the error what is not valid.
export function readObject(text, name) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: not valid JSON: ${error.message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error(`${name}: not a JSON object`);
  return value;
}
