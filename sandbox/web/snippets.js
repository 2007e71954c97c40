// A request of the playground as a command, as Python, or as a line of a file for `sandbox verify`.

export const FORMATS = { curl: "curl", python: "Python", jsonl: "JSONL line" };

// `kind` is "execute" or "verify", and `body` the request. `keyed` says that the service requires a key.
export function format(name, kind, body, keyed) {
  const url = new URL("..", import.meta.url).href.replace(/\/$/, "");
  if (name === "jsonl") return JSON.stringify(body);
  if (name === "python") {
    const key = keyed ? ', api_key=os.environ["SANDBOX_API_KEY"]' : "";
    const shown = kind === "verify" ? "result.verdict, result.passed, result.total" : "result.status, result.stdout";
    // The JSON of a request has only texts, numbers, lists and objects, so it is also Python.
    return `${keyed ? "import os\n\n" : ""}from sandbox.client import Client\n\nwith Client("${url}"${key}) as client:\n    result = client.${kind}(${indent(JSON.stringify(body, null, 4))})\n    print(${shown})\n`;
  }
  const header = keyed ? ' -H "Authorization: Bearer $SANDBOX_API_KEY"' : "";
  const json = JSON.stringify(body, null, 2);
  const mark = json.includes("\nEND\n") ? "END_OF_REQUEST" : "END";
  return `curl ${url}/${kind} -H "Content-Type: application/json"${header} --data-binary @- <<'${mark}'\n${json}\n${mark}\n`;
}

function indent(text) {
  return text.replaceAll("\n", "\n    ");
}
