// The program's editor: CodeMirror with the page's colors, and a label and a hint for screen readers.

import { basics, Compartment, EditorState, EditorView, grammar } from "./codemirror.js";
import { h } from "./dom.js";

export class Editor {
  constructor({ label, describedBy, onChange }) {
    this.isFilling = false;
    this.language = new Compartment();
    this.element = h("div", { class: "editor" });
    this.view = new EditorView({
      parent: this.element,
      state: EditorState.create({
        extensions: [
          basics,
          this.language.of([]),
          EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": describedBy, tabindex: "0" }),
          EditorView.updateListener.of((update) => update.docChanged && !this.isFilling && onChange()),
        ],
      }),
    });
  }

  get value() {
    return this.view.state.doc.toString();
  }

  // Replace the program. Only changes by the user call `onChange`.
  set value(text) {
    this.isFilling = true;
    if (text !== this.value) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    this.isFilling = false;
  }

  setLanguage(name) {
    this.view.dispatch({ effects: this.language.reconfigure(grammar(name) ?? []) });
  }

  get lines() {
    return this.view.state.doc.lines;
  }

  // Select a line, counted from 1, and move the focus to it.
  showLine(number) {
    const line = this.view.state.doc.line(Math.min(Math.max(number, 1), this.lines));
    this.view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
    this.view.focus();
  }
}
