// Links to the page. A link to the playground has its state in the fragment: JSON in base64url, compressed with deflate
// if the browser can. The state is not stored anywhere, and browsers do not send fragments to the server.

import { announce } from "./dom.js";

const SAID_MS = 2_500;

// Copy the page's URL. The button "Copy link" says for a moment what happened.
export async function copyLink(button) {
  let message = "Link copied";
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    message = "Link is in the address bar";
  }
  button.textContent = message;
  announce(message);
  setTimeout(() => { button.textContent = "Copy link"; }, SAID_MS);
}

export async function packed(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  if (!("CompressionStream" in window)) return `j${toBase64(bytes)}`;
  return `z${toBase64(await through(bytes, new CompressionStream("deflate-raw")))}`;
}

// Return the state of a link. Throws an error if it cannot be read or is too large: the link may be untrusted.
export async function unpacked(text) {
  const bytes = fromBase64(text.slice(1));
  if (text[0] === "j") return JSON.parse(new TextDecoder().decode(bytes));
  if (text[0] !== "z") throw new Error("the link has an unknown format");
  return JSON.parse(new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))));
}

const MOST_BYTES = 8 << 20;

async function through(bytes, stream) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST_BYTES) throw new Error("the link holds too much data");
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
