// Text of compilers and interpreters, in which each mention of a line of the program is a button that shows the line.

import { h } from "./dom.js";

// The forms are those of Python, of most compilers and interpreters (main.c:3), and of PHP, Perl, Bash, C# and Pascal. The
// names are those under which the service saves programs.
const FILE = String.raw`(?:[\w./-]*/)?[mM]ain\.\w+`;
const MENTION = new RegExp(String.raw`File "${FILE}", line (\d+)|${FILE}(?::|\(|:? line |" line |, line |:line | on line )(\d+)`, "g");
const MAX_MENTIONS = 500;

// `code` is {lines, show}: how many lines the program has, and a function that shows one of them.
export function withLinks(text, code) {
  if (!code) return [text];
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(MENTION)) {
    const line = Number(match[1] ?? match[2]);
    if (line < 1 || line > code.lines || parts.length > 2 * MAX_MENTIONS) continue;
    parts.push(text.slice(at, match.index), h("button", { type: "button", class: "link mono", title: `Show line ${line}`, onclick: () => code.show(line) }, match[0]));
    at = match.index + match[0].length;
  }
  return [...parts, text.slice(at)];
}
