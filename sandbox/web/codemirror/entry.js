// What the page uses of CodeMirror, and the grammar of each language of the service.

import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { cppLanguage } from "@codemirror/lang-cpp";
import { goLanguage } from "@codemirror/lang-go";
import { javaLanguage } from "@codemirror/lang-java";
import { javascriptLanguage, typescriptLanguage } from "@codemirror/lang-javascript";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { clike, csharp, kotlin, scala } from "@codemirror/legacy-modes/mode/clike";
import { d } from "@codemirror/legacy-modes/mode/d";
import { erlang } from "@codemirror/legacy-modes/mode/erlang";
import { fortran } from "@codemirror/legacy-modes/mode/fortran";
import { haskell } from "@codemirror/legacy-modes/mode/haskell";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { oCaml } from "@codemirror/legacy-modes/mode/mllike";
import { pascal } from "@codemirror/legacy-modes/mode/pascal";
import { perl } from "@codemirror/legacy-modes/mode/perl";
import { r } from "@codemirror/legacy-modes/mode/r";
import { ruby } from "@codemirror/legacy-modes/mode/ruby";
import { rust } from "@codemirror/legacy-modes/mode/rust";
import { scheme } from "@codemirror/legacy-modes/mode/scheme";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { sqlite } from "@codemirror/legacy-modes/mode/sql";
import { verilog } from "@codemirror/legacy-modes/mode/verilog";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

export { Compartment, EditorState, EditorView };

const PHP_WORDS =
  "abstract and array as break callable case catch class clone const continue declare default do echo else elseif empty " +
  "enum extends final finally fn for foreach function global goto if implements include instanceof insteadof interface " +
  "isset list match namespace new or print private protected public readonly require return static switch throw trait " +
  "try unset use var while xor yield";
const words = (text) => Object.fromEntries(text.split(" ").map((word) => [word, true]));
// CodeMirror's own grammar of PHP would be a tenth of the file, because it brings HTML and CSS with it.
const php = clike({
  name: "php", keywords: words(PHP_WORDS), atoms: words("true false null"), multiLineStrings: true,
  hooks: {
    "$": (stream) => { stream.eatWhile(/[\w$]/); return "variableName.special"; },
    "#": (stream) => { stream.skipToEnd(); return "comment"; },
  },
});

const PARSED = {
  python: pythonLanguage, pypy: pythonLanguage, c: cppLanguage, cpp: cppLanguage, java: javaLanguage,
  javascript: javascriptLanguage, typescript: typescriptLanguage, go: goLanguage,
};
const STREAMED = {
  bash: shell, csharp, d, elixir: ruby, erlang, fortran, haskell, kotlin, lua, ocaml: oCaml, pascal, perl, php, r,
  racket: scheme, ruby, rust, scala, sql: sqlite, verilog,
};

// Return the grammar of a language of the service, of one of its versions (`cpp17`), or null.
export function grammar(name) {
  const base = name in PARSED || name in STREAMED ? name : name.replace(/\d+$/, "");
  if (base in PARSED) return PARSED[base];
  return base in STREAMED ? StreamLanguage.define(STREAMED[base]) : null;
}

// Tab indents. CodeMirror lets the next Tab move the focus after Escape, so keyboard users can leave the editor.
export const basics = [
  lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), drawSelection(), history(), bracketMatching(),
  closeBrackets(), indentOnInput(), indentUnit.of("    "), search({ top: true }), highlightSelectionMatches(),
  EditorState.allowMultipleSelections.of(true), syntaxHighlighting(classHighlighter),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
];
