// Requests to the REST API: sends the API key if the service requires one, and turns errors into `Problem`.

const base = new URL("..", import.meta.url);
const KEY = "sandbox.key";

export class Problem extends Error {
  constructor(status, title, detail, errors = []) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.errors = errors;
  }
}

export function hasKey() {
  return Boolean(sessionStorage.getItem(KEY));
}

export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const response = await send(path, { method, body, headers, signal });
  return response.json();
}

// With an idempotency key the service stores the result, so the live view can open it in full. With `later` it answers at
// once with the job.
export function post(path, body, { signal, key, later = false } = {}) {
  const headers = key ? { "Idempotency-Key": key } : {};
  if (later) headers.Prefer = "respond-async";
  return ask(path, { method: "POST", body, headers, signal });
}

// Return the report of /health/ready, which has the status 503 if the service is not ready.
export async function readHealth(signal) {
  return (await fetch(new URL("health/ready", base), { cache: "no-store", signal })).json();
}

// Read server-sent events until the server or `signal` ends the stream. EventSource cannot send a key, fetch can. With a
// `body`, the request is a POST.
export async function listen(path, onEvent, signal, body) {
  const method = body === undefined ? "GET" : "POST";
  const response = await send(path, { method, body, headers: { Accept: "text/event-stream" }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) dispatch(event, onEvent);
  }
}

function dispatch(event, onEvent) {
  const data = [];
  let kind = "message";
  for (const line of event.split(/\r?\n/)) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length) onEvent(kind, JSON.parse(data.join("\n")));
}

async function send(path, { method = "GET", body, headers = {}, signal }) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const all = { ...headers };
    if (key) all.Authorization = `Bearer ${key}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    // "omit" suppresses the browser's own password prompt. Without a key, a proxy before the service may need a cookie.
    const credentials = key ? "omit" : "same-origin";
    const options = { method, headers: all, body: text, signal, credentials, cache: "no-store" };
    const response = await fetchResponse(new URL(path, base), options);
    if (response.ok) return response;
    const problem = await parseProblem(response);
    if (response.status !== 401) throw problem;
    // Another request may have received a key while this one was in flight.
    if (sessionStorage.getItem(KEY) === key && !(await askForKey(Boolean(key)))) throw problem;
  }
}

async function fetchResponse(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not respond", "The service does not respond. Is it running?");
  }
}

async function parseProblem(response) {
  try {
    const payload = await response.json();
    return new Problem(response.status, payload.title ?? response.statusText, payload.detail, payload.errors);
  } catch {
    return new Problem(response.status, response.statusText || `HTTP ${response.status}`, "");
  }
}

// Ask for a different key. Returns true if the user entered one.
export function changeKey() {
  return askForKey(false);
}

let asking = null;

function askForKey(refused) {
  asking ??= new Promise((resolve) => openKeyDialog(refused, resolve)).finally(() => { asking = null; });
  return asking;
}

function openKeyDialog(refused, resolve) {
  const dialog = document.getElementById("key-dialog");
  const input = document.getElementById("key-input");
  const why = document.getElementById("key-why");
  why.textContent = refused
    ? "The service refused this key. Try another one. The key stays in this tab and is deleted when you close the tab."
    : "The key stays in this tab and is deleted when you close the tab.";
  sessionStorage.removeItem(KEY);
  input.value = "";
  let given = false;
  document.getElementById("key-form").onsubmit = () => {
    given = Boolean(input.value.trim());
    if (given) sessionStorage.setItem(KEY, input.value.trim());
  };
  document.getElementById("key-cancel").onclick = () => dialog.close();
  dialog.onclose = () => resolve(given);
  dialog.showModal();
  input.focus();
}
