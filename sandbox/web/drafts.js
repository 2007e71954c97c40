// What the playground stores in this browser: the current program, and the latest submissions. It never stores the API key.

const DRAFT = "sandbox.draft";
const HISTORY = "sandbox.history";
const MAX_ENTRIES = 20;
const MAX_CHARACTERS = 200_000; // of a program with its tests; browsers limit all entries together to a few million

export function saveDraft(state) {
  if (JSON.stringify(state).length <= MAX_CHARACTERS) write(DRAFT, state);
}

export function readDraft() {
  const draft = read(DRAFT);
  return draft && typeof draft.code === "string" ? draft : null;
}

// Add a submission and a text that describes its result. A program that is submitted again moves to the front.
export function addEntry(state, result) {
  if (JSON.stringify(state).length > MAX_CHARACTERS) return;
  const same = (entry) => JSON.stringify(entry.state) === JSON.stringify(state);
  const entries = [{ at: Date.now(), result, state }, ...listEntries().filter((entry) => !same(entry))];
  write(HISTORY, entries.slice(0, MAX_ENTRIES));
}

export function listEntries() {
  const entries = read(HISTORY);
  return Array.isArray(entries) ? entries.filter((entry) => entry && typeof entry.state === "object" && entry.state) : [];
}

export function clearEntries() {
  try {
    localStorage.removeItem(HISTORY);
  } catch {
    return; // storage is disabled, so nothing is kept
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    if (name === HISTORY && value.length > 1) write(name, value.slice(0, Math.floor(value.length / 2))); // storage is full
  }
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}
