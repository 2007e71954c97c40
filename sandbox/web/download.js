// Files that the page makes itself, for the user to save.

import { h } from "./dom.js";

const KEPT_MS = 10_000;

export function saveFile(name, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
