// The interactive parts of the guide: color theme, search, and a copy button on each example.

import { h, replace, shorten } from "./dom.js";
import { startTheme } from "./theme.js";

const MAX_FOUND = 12;
const SHOWN_BEFORE = 40;
const SHOWN_LENGTH = 140;
const COPIED_MS = 2_000;
const base = new URL(`${document.body.dataset.root}guide/`, location.href);
let sections = null;

startTheme(document.getElementById("theme"));
addSearch(document.getElementById("search"));
for (const block of document.querySelectorAll("main pre")) addCopyButton(block);
if (matchMedia("(max-width: 60rem)").matches) document.querySelector(".guide-menu details").open = false;
document.documentElement.dataset.ready = "true";

function addCopyButton(block) {
  const button = h("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, COPIED_MS);
  });
  const frame = h("div", { class: "example" });
  block.replaceWith(frame);
  frame.append(block, button);
}

function addSearch(place) {
  const input = h("input", { type: "search", id: "guide-search", placeholder: "Search (press /)", autocomplete: "off", "aria-label": "Search the guide" });
  const count = h("p", { class: "muted small", role: "status" });
  const found = h("ol", { class: "found" });
  place.append(input, count, found);
  input.addEventListener("input", async () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) {
      replace(found);
      count.textContent = "";
      return;
    }
    try {
      sections ??= fetch(new URL("search.json", base)).then((response) => response.json());
      show(words, await sections, found, count);
    } catch {
      sections = null;
      count.textContent = "Cannot search, because the service does not respond.";
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    input.focus();
  });
}

function show(words, all, found, count) {
  const ranked = all.map((section) => ({ section, rank: rank(section, words) })).filter(({ rank: value }) => value > 0)
    .sort((one, other) => other.rank - one.rank);
  count.textContent = ranked.length ? `${Math.min(ranked.length, MAX_FOUND)} of ${ranked.length} sections` : "Nothing found";
  replace(found, ranked.slice(0, MAX_FOUND).map(({ section }) => {
    const link = new URL(section.page, base);
    link.hash = section.anchor;
    return h("li", {}, h("a", { href: link.href }, section.heading ? `${section.title}: ${section.heading}` : section.title), h("span", { class: "muted small" }, excerpt(section.text, words)));
  }));
}

// Return 0 if a word is missing. A word counts most in the title, then in the heading.
function rank({ title, heading, text }, words) {
  const places = [[title.toLowerCase(), 5], [heading.toLowerCase(), 8], [text.toLowerCase(), 1]];
  let sum = 0;
  for (const word of words) {
    const best = Math.max(0, ...places.map(([place, weight]) => (place.includes(word) ? weight : 0)));
    if (!best) return 0;
    sum += best;
  }
  return sum;
}

function excerpt(text, words) {
  const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - SHOWN_BEFORE);
  return `${at ? "…" : ""}${shorten(text.slice(at), SHOWN_LENGTH)}`;
}
