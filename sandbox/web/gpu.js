// The GPU leases and the progress of GPU jobs. Hidden if there is no GPU pool.

import { ask } from "./api.js";
import { h, replace, shorten } from "./dom.js";
import { seconds } from "./verdicts.js";

const EVERY_MS = 3_000;
const SHOWN = 20;
const opened = new Set(); // ids of jobs whose full error is shown

export class GpuJobs {
  constructor() {
    this.started = false;
    this.leases = h("ul", { class: "gpu-leases muted small", "aria-label": "GPUs held" });
    this.list = h("ul", { class: "gpu-jobs" });
    this.element = h("section", { class: "card", "aria-label": "GPU jobs", hidden: true }, h("div", { class: "card-title" }, h("h2", {}, "GPU jobs")), this.leases, this.list);
  }

  async start(signal) {
    this.started = true;
    signal.addEventListener("abort", () => { this.started = false; });
    while (!signal.aborted) {
      try {
        const pool = await ask("gpus", { signal });
        this.element.hidden = !pool.jobs.length && !pool.leases.length;
        this.leases.hidden = !pool.leases.length;
        replace(this.leases, pool.leases.map(lease));
        replace(this.list, pool.jobs.slice(0, SHOWN).map(item));
      } catch (problem) {
        if (problem.name === "AbortError" || problem.status === 404 || problem.status === 403) return;
      }
      await new Promise((resolve) => { setTimeout(resolve, EVERY_MS); });
    }
  }
}

function lease({ gpu, worker, job, until }) {
  const held = job ? h("span", { class: "mono" }, shorten(job, 16)) : "idle";
  return h("li", {}, h("strong", {}, gpu), ` ${worker} · `, held, ` · until ${new Date(1000 * until).toLocaleTimeString()}`);
}

function item(job) {
  const { step, total, loss, reward, pass_rate: rate, tokens_per_s: tokens, eta_s: left, message } = job.progress;
  const facts = [
    total ? `${step} of ${total}` : step ? `step ${step}` : "",
    loss !== null && loss !== undefined ? `loss ${loss.toFixed(3)}` : "",
    reward !== null && reward !== undefined ? `reward ${reward.toFixed(3)}` : "",
    rate !== null && rate !== undefined ? `pass rate ${(100 * rate).toFixed(1)} %` : "",
    tokens ? `${Math.round(tokens)} tokens/s` : "",
    left ? `${seconds(left)} left` : "",
    job.error ? "" : message,
    job.note,
  ].filter(Boolean);
  const bar = total ? h("progress", { max: total, "aria-label": `Progress of ${job.id}` }) : null;
  if (bar) bar.value = Math.min(step, total);
  return h("li", {},
    h("div", { class: "lane-head" }, h("strong", {}, String(job.kind).replaceAll("_", " ")), h("span", {}, job.status), h("span", { class: "muted mono" }, shorten(job.id, 16))),
    bar, h("div", { class: "muted small" }, facts.join(" · ")), job.error ? error(job) : null);
}

// Show the last line of a traceback, and all of it after a click. It stays open when the list is redrawn.
function error({ id, error: text }) {
  const lines = text.trim().split("\n");
  if (lines.length === 1) return h("div", { class: "muted small" }, text);
  const keep = (event) => { if (event.target.open) opened.add(id); else opened.delete(id); };
  return h("details", { class: "muted small", open: opened.has(id), ontoggle: keep }, h("summary", {}, lines[lines.length - 1]), h("pre", {}, text));
}
