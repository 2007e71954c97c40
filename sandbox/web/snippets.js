// Turn a request of the playground into a curl command, a Python program, or a line of a file for `sandbox verify`.

export const FORMATS = { curl: "curl", python: "Python", jsonl: "JSONL line" };

// `kind` is "execute" or "verify", and `body` is the request. If `keyed`, the text reads the key from SANDBOX_API_KEY.
export function format(name, kind, body, keyed) {
  const url = new URL("..", import.meta.url).href.replace(/\/$/, "");
  if (name === "jsonl") return JSON.stringify(body);
  if (name === "python") {
    const key = keyed ? ', api_key=os.environ["SANDBOX_API_KEY"]' : "";
    const shown = kind === "verify" ? "result.verdict, result.passed, result.total" : "result.status, result.stdout";
    // The JSON of a request contains only strings, numbers, lists and objects, so it is valid Python.
    return `${keyed ? "import os\n\n" : ""}from sandbox import Client\n\nwith Client("${url}"${key}) as client:\n    result = client.${kind}(${indent(JSON.stringify(body, null, 4))})\n    print(${shown})\n`;
  }
  const header = keyed ? ' -H "Authorization: Bearer $SANDBOX_API_KEY"' : "";
  const json = JSON.stringify(body, null, 2);
  return `curl ${url}/${kind} -H "Content-Type: application/json"${header} --data-binary @- <<'END'\n${json}\nEND\n`;
}

function indent(text) {
  return text.replaceAll("\n", "\n    ");
}
