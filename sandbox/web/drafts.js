// What the playground keeps in this browser: the program as it was last, and the latest submissions.

const DRAFT = "sandbox.draft";
const HISTORY = "sandbox.history";
const MAX_ENTRIES = 20;
const MAX_CHARACTERS = 200_000; // of an entry; browsers keep a few million in all

export function saveDraft(state) {
  write(DRAFT, state);
}

export function readDraft() {
  const draft = read(DRAFT);
  return draft && typeof draft.code === "string" ? draft : null;
}

// Add a submission with the words of its result. A program that is submitted again moves to the front.
export function addEntry(state, result) {
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
  const text = JSON.stringify(value);
  try {
    if (name === HISTORY || text.length <= MAX_CHARACTERS) localStorage.setItem(name, text);
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
