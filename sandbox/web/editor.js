// A text area with line numbers and syntax highlighting. The highlighted text is in a layer behind the text area, so
// undo, selection, spell checking, screen readers and phones work as in any other text area.

import { h, replace } from "./dom.js";
import { tokens } from "./highlight.js";

const INDENT = "    ";

export class Editor {
  constructor({ label, onChange, onRun }) {
    this.language = "python";
    this.onChange = onChange;
    this.leaving = false;
    this.numbers = h("div", { class: "editor-numbers", "aria-hidden": "true" });
    this.colours = h("pre", { class: "editor-colours", "aria-hidden": "true" });
    this.area = h("textarea", {
      class: "editor-area", "aria-label": label, "aria-describedby": "editor-hint", wrap: "off", rows: 18,
      spellcheck: "false", autocapitalize: "off", autocomplete: "off", autocorrect: "off",
    });
    this.element = h("div", { class: "editor" }, this.numbers, h("div", { class: "editor-text" }, this.colours, this.area));
    this.area.addEventListener("input", () => this.changed());
    this.area.addEventListener("scroll", () => this.follow());
    this.area.addEventListener("blur", () => { this.leaving = false; });
    this.area.addEventListener("keydown", (event) => this.key(event, onRun));
  }

  get value() {
    return this.area.value;
  }

  set value(text) {
    this.area.value = text;
    this.draw();
  }

  setLanguage(name) {
    this.language = name;
    this.draw();
  }

  changed() {
    this.draw();
    this.onChange?.();
  }

  draw() {
    const spans = tokens(this.value, this.language).map(([kind, text]) => (kind ? h("span", { class: `code-${kind}` }, text) : text));
    replace(this.colours, spans, "\n");
    const lines = this.value.split("\n").length;
    if (this.lines !== lines) {
      this.lines = lines;
      this.numbers.textContent = Array.from({ length: lines }, (_, line) => line + 1).join("\n");
    }
    this.follow();
  }

  follow() {
    this.colours.scrollTop = this.numbers.scrollTop = this.area.scrollTop;
    this.colours.scrollLeft = this.area.scrollLeft;
  }

  key(event, onRun) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun(event.shiftKey);
    } else if (event.key === "Escape") {
      this.leaving = true; // the next Tab moves the focus, so keyboard users can leave the editor
    } else if (event.key === "Tab" && !this.leaving && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.indent(event.shiftKey);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.newLine();
    } else if (event.key.length === 1) {
      this.leaving = false;
    }
  }

  indent(back) {
    const { selectionStart: start, selectionEnd: end, value } = this.area;
    if (!back && start === end) {
      const column = start - (value.lastIndexOf("\n", start - 1) + 1);
      this.type(" ".repeat(INDENT.length - (column % INDENT.length)));
      return;
    }
    const first = value.lastIndexOf("\n", start - 1) + 1;
    const last = end > start && value[end - 1] === "\n" ? end - 1 : end;
    const stop = value.indexOf("\n", last) < 0 ? value.length : value.indexOf("\n", last);
    const lines = value.slice(first, stop).split("\n");
    const moved = lines.map((line) => (back ? line.replace(/^( {1,4}|\t)/, "") : line && INDENT + line)).join("\n");
    this.area.setSelectionRange(first, stop);
    this.type(moved);
    if (start === end) {
      const caret = Math.max(first, start - (lines[0].length - moved.split("\n")[0].length));
      this.area.setSelectionRange(caret, caret);
    } else {
      this.area.setSelectionRange(first, first + moved.length);
    }
  }

  newLine() {
    const { selectionStart: start, value } = this.area;
    const line = value.slice(value.lastIndexOf("\n", start - 1) + 1, start);
    const deeper = /[:{([]\s*$/.test(line) ? INDENT : "";
    this.type(`\n${/^[ \t]*/.exec(line)[0]}${deeper}`);
  }

  // execCommand is the only way to change a text area that undo can revert.
  type(text) {
    const done = text ? document.execCommand("insertText", false, text) : document.execCommand("delete");
    if (done) return;
    this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    this.changed();
  }
}
