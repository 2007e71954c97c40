// The REST API from this page: one way to ask, one kind of error, and the key when the service wants one.

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

export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const answer = await send(path, { method, body, headers, signal });
  return answer.json();
}

export function post(path, body, { signal, keep = false } = {}) {
  // A key of its own lets the result be kept, so that the live view can open it in full.
  const headers = keep ? { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()).slice(2) } : {};
  return ask(path, { method: "POST", body, headers, signal });
}

// Server-sent events by fetch, because EventSource cannot send a key. Ends when the server or `signal` does.
export async function listen(path, onEvent, signal) {
  const answer = await send(path, { headers: { Accept: "text/event-stream" }, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) tell(event, onEvent);
  }
}

function tell(event, onEvent) {
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
    // With a key of ours no browser's own prompt is wanted; without one, a proxy before the service may know a cookie.
    const credentials = key ? "omit" : "same-origin";
    const options = { method, headers: all, body: text, signal, credentials, cache: "no-store" };
    const answer = await reach(new URL(path, base), options);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status !== 401) throw problem;
    // Another request may have been given a key while this one was under way.
    if (sessionStorage.getItem(KEY) === key && !(await askForKey(Boolean(key)))) throw problem;
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer", "The service does not answer. Is it running?");
  }
}

async function problemOf(answer) {
  try {
    const told = await answer.json();
    return new Problem(answer.status, told.title ?? answer.statusText, told.detail, told.errors);
  } catch {
    return new Problem(answer.status, answer.statusText || `HTTP ${answer.status}`, "");
  }
}

// Another key than the one that is in use; true when one was given.
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
    ? "That key was refused. Try another; it stays in this tab and is gone when the tab is closed."
    : "It stays in this tab and is gone when the tab is closed.";
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
