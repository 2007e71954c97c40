// The page: which view is shown, light or dark, and whether the service is well.

import { announce, replace, h } from "./dom.js";

const VIEWS = {
  playground: () => import("./playground.js"),
  live: () => import("./live.js"),
  vote: () => import("./vote.js"),
};
const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };
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

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const button = document.getElementById("theme");
  replace(button, h("span", { "aria-hidden": "true" }, SIGNS[name]));
  button.setAttribute("aria-label", `Colours: ${name}. Change`);
  button.title = `Colours: ${name}`;
  try {
    localStorage.setItem("sandbox.theme", name);
  } catch {
    return; // storage is off: the choice lasts as long as the page
  }
}

function stored() {
  try {
    return localStorage.getItem("sandbox.theme");
  } catch {
    return null;
  }
}

async function health() {
  const place = document.getElementById("health");
  let text = "not ready";
  let well = false;
  try {
    const told = await fetch("health/ready", { cache: "no-store" }).then((answer) => answer.json());
    well = told.ready;
    text = well ? `${told.workers} slot${told.workers === 1 ? "" : "s"}` : told.problems?.[0] ?? text;
    if (well && told.missing_walls?.length) text += `, ${told.missing_walls.length} walls missing`;
  } catch {
    text = "no answer";
  }
  place.className = `health ${well ? "well" : "ill"}`;
  if (place.textContent !== text) replace(place, h("span", { class: "dot", "aria-hidden": "true" }), text);
}

let chosen = THEMES.includes(stored()) ? stored() : "auto";
theme(chosen);
document.getElementById("theme").addEventListener("click", () => {
  chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
  theme(chosen);
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment holds the view
  document.getElementById("main").focus();
});
addEventListener("hashchange", route);
health();
setInterval(() => document.hidden || health(), 10_000);
await route();
document.documentElement.dataset.ready = "true";
