// The page around the views: navigation, color theme, and the health of the service.

import { readHealth } from "./api.js";
import { announce, replace, h } from "./dom.js";
import { startTheme } from "./theme.js";

const VIEWS = {
  playground: () => import("./playground.js"),
  live: () => import("./live.js"),
  runs: () => import("./runs.js"),
  vote: () => import("./vote.js"),
  batch: () => import("./batch.js"),
};
const shown = new Map();
let current = null;

async function route() {
  const [wanted, state] = location.hash.slice(1).split("/", 2);
  const name = wanted in VIEWS ? wanted : "playground";
  const module = shown.get(name) ?? (await VIEWS[name]());
  if (!shown.has(name)) {
    shown.set(name, module);
    await module.build(document.getElementById(name));
  }
  if (current !== name) show(name);
  if (state !== undefined) await module.open?.(state);
}

function show(name) {
  if (current) shown.get(current).leave?.();
  const first = current === null;
  current = name;
  for (const view of Object.keys(VIEWS)) document.getElementById(view).hidden = view !== name;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · Sandbox`;
  shown.get(name).enter?.();
  if (!first) announce(`${name} view`);
}

async function health() {
  const place = document.getElementById("health");
  let text = "not ready";
  let well = false;
  try {
    const report = await readHealth();
    well = report.ready;
    text = well ? `${report.workers} slot${report.workers === 1 ? "" : "s"}` : report.problems?.[0] ?? text;
    const missing = report.missing_walls?.length;
    if (well && missing) text += `, ${missing} isolation layer${missing === 1 ? "" : "s"} missing`;
  } catch {
    text = "no response";
  }
  place.className = `health ${well ? "well" : "ill"}`;
  if (place.textContent !== text) replace(place, h("span", { class: "dot", "aria-hidden": "true" }), text);
}

startTheme(document.getElementById("theme"));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment of the URL names the view
  document.getElementById("main").focus();
});
// Ctrl+Enter presses the view's main button, wherever the focus is: before the focused element gets the key.
addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  event.stopPropagation();
  shown.get(current)?.submit?.(event.shiftKey);
}, { capture: true });
addEventListener("hashchange", route);
health();
setInterval(() => document.hidden || health(), 10_000);
await route();
document.documentElement.dataset.ready = "true";
