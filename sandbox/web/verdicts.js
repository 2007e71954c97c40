// Names and colors of verdicts and statuses, and functions that format values with units.

import { h } from "./dom.js";

const TABLE = {
  accepted: ["AC", "Accepted", "good"],
  ok: ["OK", "Succeeded", "good"],
  output_differs: ["OD", "Output differs", "time"], // only on this page: a run that succeeded with a different output
  wrong_answer: ["WA", "Wrong answer", "bad"],
  time_limit_exceeded: ["TL", "Time limit exceeded", "time"],
  memory_limit_exceeded: ["ML", "Memory limit exceeded", "memory"],
  output_limit_exceeded: ["OL", "Output limit exceeded", "output"],
  runtime_error: ["RE", "Runtime error", "runtime"],
  compile_error: ["CE", "Compile error", "compile"],
  internal_error: ["IE", "Internal error", "internal"],
  skipped: ["–", "Skipped", "skipped"],
};

export const VERDICTS = Object.keys(TABLE).filter((verdict) => verdict !== "output_differs");
export const code = (verdict) => TABLE[verdict]?.[0] ?? "?";
export const words = (verdict) => TABLE[verdict]?.[1] ?? String(verdict);
export const tone = (verdict) => TABLE[verdict]?.[2] ?? "skipped";

export function chip(verdict) {
  return h("span", { class: `chip tone-${tone(verdict)}` }, words(verdict));
}

export function seconds(value) {
  if (value === undefined || value === null) return "";
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  if (value < 1) return `${(value * 1000).toFixed(value < 0.1 ? 1 : 0)} ms`;
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

// Return an age or a remaining time in one or two units: "42 s", "5 min", "1 h 10 min".
export function duration(value) {
  const whole = Math.max(0, Math.floor(value));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function memory(mib) {
  return mib ? `${mib.toFixed(mib < 10 ? 1 : 0)} MiB` : "–";
}

export function clock(epoch) {
  return new Date(epoch * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
