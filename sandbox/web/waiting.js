// What a submission waits for: its place in the queue, and whether a worker is alive.

import { ask, post, readHealth } from "./api.js";
import { duration } from "./verdicts.js";

const FIRST_MS = 1_500;
const EVERY_MS = 1_000;
const LONGEST_MS = 10_000;

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

// A failed poll is repeated after a pause that doubles each time. Errors of the request itself end the watch, because
// the request tells the user about them.
async function watch(path, body, key, signal, say) {
  let job = null;
  let failures = 0;
  await pause(FIRST_MS, signal);
  while (!signal.aborted) {
    try {
      // The same request with the same key does not run again: the service answers with the id of its job.
      job ??= await post(path, body, { signal, key, later: true });
      say(await describe(job.id, signal));
      failures = 0;
    } catch (problem) {
      if (signal.aborted || isRefusal(problem)) return;
      failures += 1;
      say("The service is unavailable; retrying");
    }
    await pause(Math.min(EVERY_MS * 2 ** failures, LONGEST_MS), signal);
  }
}

async function describe(id, signal) {
  const [job, health] = await Promise.all([ask(`jobs/${id}`, { signal }), readHealth(signal)]);
  const place = job.position === null || job.position === undefined ? "Queued" : `Queued, position ${job.position + 1}`;
  const why = health.ready === false && health.problems?.length ? `; ${health.problems.join("; ")}` : "";
  return job.status === "queued" ? place + why : `Running${why}`;
}

function isRefusal(problem) {
  return problem.status >= 400 && problem.status < 500 && problem.status !== 429;
}

// Return after some time, or at once when the signal is aborted.
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => { clearTimeout(timer); signal.removeEventListener("abort", end); resolve(); };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}
