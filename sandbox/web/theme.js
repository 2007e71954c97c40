// The color theme, which the page and the guide share: it follows the system until the user chooses one.

import { h, replace } from "./dom.js";

const NAME = "sandbox.theme";
const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

// Apply the chosen theme, and let `button` switch to the next one.
export function startTheme(button) {
  let chosen = THEMES.includes(stored()) ? stored() : "auto";
  apply(button, chosen);
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    apply(button, chosen);
  });
}

function apply(button, name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  replace(button, h("span", { "aria-hidden": "true" }, SIGNS[name]));
  button.setAttribute("aria-label", `Color theme: ${name}. Change it`);
  button.title = `Color theme: ${name}`;
  try {
    localStorage.setItem(NAME, name);
  } catch {
    return; // storage is disabled: the choice lasts until the page is closed
  }
}

function stored() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}
