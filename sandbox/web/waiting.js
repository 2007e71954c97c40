// What a submission waits for: its place in the queue, and whether a worker is alive.

import { ask, post, readHealth } from "./api.js";
import { duration } from "./verdicts.js";

const FIRST_MS = 1_500;
const EVERY_MS = 1_000;

// Send a request, and call `onWait` with a text while its result takes more than a second.
export async function postAndWatch(path, body, signal, onWait) {
  const key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  const done = new AbortController();
  const started = performance.now();
  const say = (text) => !done.signal.aborted && onWait(`${text} (${duration((performance.now() - started) / 1000)})`);
  watch(path, body, key, AbortSignal.any([signal, done.signal]), say);
  try {
    return await post(path, body, { signal, key });
  } finally {
    done.abort();
  }
}

async function watch(path, body, key, signal, say) {
  try {
    await pause(FIRST_MS, signal);
    // The same request with the same key does not run again: the service answers with the id of its job.
    const { id } = await post(path, body, { signal, key, later: true });
    for (;;) {
      const [job, health] = await Promise.all([ask(`jobs/${id}`, { signal }), readHealth(signal)]);
      const place = job.position === null || job.position === undefined ? "Queued" : `Queued, position ${job.position + 1}`;
      const why = health.ready === false && health.problems?.length ? `; ${health.problems.join("; ")}` : "";
      say(job.status === "queued" ? place + why : `Running${why}`);
      await pause(EVERY_MS, signal);
    }
  } catch {
    return; // the request itself tells the user about errors
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); });
  });
}
