// The live view: verdicts per second, lanes, slots, sessions, and recent submissions.

import { announce, field, h, replace, shorten } from "./dom.js";
import { ask, changeKey, listen } from "./api.js";
import { GpuJobs } from "./gpu.js";
import { facts, output } from "./outcome.js";
import { Rates } from "./rates.js";
import { Sessions } from "./sessions.js";
import { chip, clock, seconds, tone, VERDICTS, words } from "./verdicts.js";

const KEPT = 300;
const RATE_OVER_S = 10;
const AGAIN_MS = 2_000;
const parts = {};
let listening = null;
let paused = false;

export async function build(place) {
  parts.rates = new Rates();
  parts.tiles = Object.fromEntries(["Verdicts per second", "Accepted", "Queued", "Slots busy"].map((name) => [name, h("dd", {}, "–")]));
  parts.lanes = h("ul", { class: "lanes" });
  parts.slots = h("ul", { class: "slots" });
  parts.state = h("p", { class: "muted", role: "status" }, "Connecting…");
  parts.rows = h("tbody");
  parts.search = h("input", { type: "search", id: "search", placeholder: "id, language, worker", oninput: () => filter() });
  parts.verdict = h("select", { id: "verdict-filter", onchange: () => filter() },
    h("option", { value: "" }, "all verdicts"), VERDICTS.map((each) => h("option", { value: each }, words(each))));
  parts.count = h("span", { class: "muted", role: "status" });
  parts.pause = h("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => pause() }, "Pause");
  parts.gpu = new GpuJobs();
  parts.sessions = new Sessions();
  place.append(
    h("div", { class: "title-bar" }, h("h1", {}, "Live"), parts.state, h("span", { class: "grow" }), parts.pause),
    h("dl", { class: "tiles" }, Object.entries(parts.tiles).map(([name, value]) => h("div", { class: "card tile" }, h("dt", {}, name), value))),
    h("div", { class: "split uneven" },
      parts.rates.element,
      h("section", { class: "card", "aria-label": "Queue by lane" },
        h("div", { class: "card-title" }, h("h2", {}, "Queue by lane")), parts.lanes)),
    h("section", { class: "card", "aria-label": "Slots" }, h("div", { class: "card-title" }, h("h2", {}, "Slots")), parts.slots),
    parts.sessions.element,
    parts.gpu.element,
    recentCard());
}

export function enter() {
  if (!paused) start();
}

export function leave() {
  listening?.abort();
  listening = null;
}

function recentCard() {
  return h("section", { class: "card", "aria-label": "Recent submissions" },
    h("div", { class: "card-title" }, h("h2", {}, "Recent submissions"), parts.count),
    h("div", { class: "filters" }, field("Search", parts.search), field("Verdict", parts.verdict)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of recent submissions" },
      h("table", { class: "recent" },
        h("thead", {}, h("tr", {}, ["Ended", "Verdict", "Kind", "Language", "Lane", "Waited", "Took", "ID"].map((name) => h("th", { scope: "col", class: ["Waited", "Took"].includes(name) && "number" }, name)))),
        parts.rows)));
}

async function start() {
  listening?.abort();
  const here = (listening = new AbortController());
  while (!here.signal.aborted) {
    try {
      await ask("languages", { signal: here.signal }); // asks the user for a key if the service requires one
      if (!parts.gpu.started) parts.gpu.start(here.signal);
      await listen("live/events", handleEvent, here.signal);
      if (!here.signal.aborted) lost("The connection was closed");
    } catch (problem) {
      if (here.signal.aborted) return;
      if (problem.status === 403) {
        refused(problem);
        return;
      }
      lost(problem.message);
    }
    await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
  }
}

function lost(why) {
  parts.state.textContent = `${why}${/[.?]$/.test(why) ? "" : "."} Reconnecting…`;
  parts.state.className = "ill";
}

// The key may submit programs, but not open the live view.
function refused(problem) {
  parts.state.className = "ill";
  const again = async () => (await changeKey()) && start();
  replace(parts.state, `${problem.message}. `, h("button", { type: "button", class: "link", onclick: again }, "Use another key"));
}

function pause() {
  paused = !paused;
  parts.pause.setAttribute("aria-pressed", String(paused));
  parts.pause.textContent = paused ? "Resume" : "Pause";
  if (paused) {
    leave();
    parts.state.textContent = "Paused";
  } else {
    start();
  }
}

function handleEvent(kind, data) {
  if (kind !== "view") {
    lost(data.detail || data.title);
    return;
  }
  parts.state.className = "muted";
  parts.state.textContent = "Updated every second";
  drawRates(data);
  drawLanes(data.lanes);
  drawSlots(data.slots, data.at);
  parts.sessions.draw(data.sessions, data.at);
  addRecent(data.recent);
}

function drawRates(data) {
  parts.rates.draw(data);
  // Leave out the current second, which is not over, and the one before: workers report up to half a second late.
  const last = data.seconds.filter((each) => each.at < Math.floor(data.at) - 1 && each.at >= Math.floor(data.at) - 1 - RATE_OVER_S);
  const count = (wanted) => last.reduce((sum, each) => sum + Object.entries(each.verdicts).reduce((all, [name, number]) => all + (wanted(name) ? number : 0), 0), 0);
  const all = count(() => true);
  const good = count((name) => tone(name) === "good");
  parts.tiles["Verdicts per second"].textContent = (all / RATE_OVER_S).toFixed(all < 10 * RATE_OVER_S ? 1 : 0);
  parts.tiles.Accepted.textContent = all ? `${Math.round((100 * good) / all)} %` : "–";
}

function drawLanes(lanes) {
  const most = Math.max(10, ...lanes.map((lane) => lane.queued));
  parts.tiles.Queued.textContent = lanes.reduce((sum, lane) => sum + lane.queued, 0);
  replace(parts.lanes, lanes.map((lane) => {
    const fill = h("span", { class: "lane-fill" });
    fill.style.width = `${(100 * lane.queued) / most}%`;
    return h("li", {},
      h("div", { class: "lane-head" }, h("strong", {}, lane.name), h("span", {}, `${lane.queued} queued`),
        h("span", { class: "muted" }, lane.oldest_s ? `oldest ${seconds(lane.oldest_s)}` : "empty")),
      h("div", { class: "lane-bar", "aria-hidden": "true" }, fill));
  }));
}

function drawSlots(slots, at) {
  const heard = slots.filter((slot) => slot.state !== "silent" && !slot.express);
  parts.tiles["Slots busy"].textContent = `${heard.filter((slot) => slot.running).length} / ${heard.length}`;
  replace(parts.slots, slots.length ? slots.map((slot) => h("li", { class: `slot state-${slot.state}` },
    h("div", { class: "slot-head" }, h("span", { class: "dot", "aria-hidden": "true" }), h("strong", {}, slot.state), slot.express ? h("span", { class: "muted", title: "Reserved for programs that would wait behind long ones of other lanes" }, "reserved") : null, h("span", { class: "muted" }, slot.host)),
    h("div", { class: "slot-now" }, now(slot, at)),
    h("div", { class: "muted small" }, `${slot.done} done · ${slot.boxes.length ? `warm boxes: ${slot.boxes.join(", ")}` : "no warm box"}`))) : h("li", { class: "empty" }, "No workers are running. Start them with `sandbox worker`."));
}

function now(slot, at) {
  if (slot.state === "silent") return `no heartbeat for ${seconds(slot.heard_s)}`;
  if (!slot.running) return "waiting for work";
  return `${slot.running.kind} ${slot.running.language}, ${seconds(Math.max(0, at - slot.since))}`;
}

function addRecent(fresh) {
  if (!fresh.length) return;
  const known = new Set([...parts.rows.children].map((row) => row.dataset.id));
  parts.rows.prepend(...fresh.filter((one) => !known.has(one.id)).slice(0, KEPT).map(row));
  while (parts.rows.children.length > KEPT) parts.rows.lastElementChild.remove();
  filter();
}

function row(one) {
  const judged = one.total === null ? "" : ` ${one.passed}/${one.total}`;
  const open = h("button", { type: "button", class: "link mono", onclick: () => show(one), "aria-label": `Open ${one.id}` }, shortId(one.id));
  const element = h("tr", { "data-id": one.id, "data-verdict": one.verdict },
    h("td", {}, clock(one.at)), h("td", {}, chip(one.verdict), judged && h("span", { class: "muted" }, judged)),
    h("td", {}, one.kind), h("td", {}, one.language), h("td", {}, one.lane), h("td", { class: "number" }, seconds(one.queued_s)),
    h("td", { class: "number" }, seconds(one.took_s)), h("td", {}, open));
  element.dataset.text = [one.id, one.kind, one.language, one.lane, one.verdict, one.worker].join(" ").toLowerCase();
  return element;
}

// Return the beginning of the submission's id, and the item's index in a batch.
function shortId(id) {
  const [submission, index] = id.split(".");
  return index === undefined ? shorten(submission, 12) : `${shorten(submission, 8)}.${index}`;
}

function filter() {
  const wanted = parts.search.value.trim().toLowerCase().split(/\s+/);
  let shown = 0;
  for (const element of parts.rows.children) {
    const fits = wanted.every((word) => element.dataset.text.includes(word)) && (!parts.verdict.value || element.dataset.verdict === parts.verdict.value);
    element.hidden = !fits;
    shown += fits ? 1 : 0;
  }
  const text = `${shown} of ${parts.rows.children.length}`;
  if (parts.count.textContent !== text) parts.count.textContent = text;
}

async function show(one) {
  const dialog = document.getElementById("detail-dialog");
  const pairs = [["Ended", new Date(one.at * 1000).toLocaleString()], ["Kind", one.kind], ["Language", one.language], ["Lane", one.lane],
    ["Waited", seconds(one.queued_s)], ["Took", seconds(one.took_s)], ["Worker", one.worker]];
  const full = h("div", {}, h("p", { class: "muted" }, one.job ? "Fetching the result…" : "The service sent the result to the client and did not store it. To store results, send Prefer: respond-async or an Idempotency-Key."));
  replace(dialog,
    h("div", { class: "card-title" }, h("h2", { id: "detail-title" }, chip(one.verdict), " ", h("span", { class: "mono" }, one.id)),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    facts(pairs),
    full);
  dialog.showModal();
  announce(`${words(one.verdict)}, opened`);
  if (!one.job) return;
  try {
    const job = await ask(`jobs/${encodeURIComponent(one.job)}`);
    const index = one.id === one.job ? null : Number(one.id.slice(one.job.length + 1));
    const result = index === null ? job.result : (job.result?.results?.[index] ?? job);
    replace(full, result ? output("Result", JSON.stringify(result, null, 2)) : h("p", {}, `The job is ${job.status}. The result is available when all items are done.`));
  } catch (problem) {
    replace(full, h("p", { class: "ill" }, problem.message));
  }
}
