// Turn a request of the playground into a curl command, a Python program, or a line of a file for `sandbox verify`.

export const FORMATS = { curl: "curl", python: "Python", jsonl: "JSONL line" };
const PYTHON_WORDS = { true: "True", false: "False", null: "None" };

// `kind` is "execute" or "verify", and `body` is the request. If `keyed`, the text reads the key from SANDBOX_API_KEY.
export function format(name, kind, body, keyed) {
  const url = new URL("..", import.meta.url).href.replace(/\/$/, "");
  if (name === "jsonl") return JSON.stringify(body);
  if (name === "python") {
    const key = keyed ? ', api_key=os.environ["SANDBOX_API_KEY"]' : "";
    const shown = kind === "verify" ? "result.verdict, result.passed, result.total" : "result.status, result.stdout";
    return `${keyed ? "import os\n\n" : ""}from sandbox import Client\n\nwith Client("${url}"${key}) as client:\n    result = client.${kind}(${indent(toPython(body))})\n    print(${shown})\n`;
  }
  const header = keyed ? ' -H "Authorization: Bearer $SANDBOX_API_KEY"' : "";
  const json = JSON.stringify(body, null, 2);
  return `curl ${url}/${kind} -H "Content-Type: application/json"${header} --data-binary @- <<'END'\n${json}\nEND\n`;
}

// JSON is valid Python, except for three words outside of its strings.
function toPython(body) {
  return JSON.stringify(body, null, 4).replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (token) => PYTHON_WORDS[token] ?? token);
}

function indent(text) {
  return text.replaceAll("\n", "\n    ");
}
