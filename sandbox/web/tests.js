// The list of tests: an input and an expected output, or the JSON of a test of any other kind.

import { announce, field, h } from "./dom.js";

export class TestList {
  constructor(onChange) {
    this.onChange = onChange;
    this.list = h("ol", { class: "tests" });
    this.add = h("button", { type: "button", id: "add-test", onclick: () => this.more({ stdin: "", expected: "" }) }, "Add a test");
    this.addJson = h("button", { type: "button", id: "add-json-test", onclick: () => this.more({ json: "{}" }) }, "Add a test as JSON");
    this.element = h("div", {}, this.list, h("div", { class: "buttons" }, this.add, this.addJson));
  }

  // A test is {stdin, expected} or {json}. Values of other types are ignored: they may come from an untrusted link.
  fill(tests) {
    const text = (value) => (typeof value === "string" ? value : "");
    this.list.replaceChildren(...tests.map((test) =>
      this.row(typeof test?.json === "string" ? { json: test.json } : { stdin: text(test?.stdin), expected: text(test?.expected) })));
    this.number();
  }

  tests() {
    return [...this.list.children].map((row) => {
      const [first, second] = row.querySelectorAll("textarea");
      return second ? { stdin: first.value, expected: second.value } : { json: first.value };
    });
  }

  more(test) {
    const row = this.row(test);
    this.list.append(row);
    this.number();
    row.querySelector("textarea").focus();
    this.onChange();
  }

  row({ stdin, expected, json }) {
    const area = (text, rows = 2) => h("textarea", { rows, wrap: "off", spellcheck: "false", class: "mono", value: text });
    const row = h("li", {}, json === undefined
      ? h("div", { class: "pair" }, field("Input", area(stdin)), field("Expected", area(expected)))
      : field("Test", area(json, Math.min(10, json.split("\n").length + 1))));
    const remove = h("button", { type: "button", class: "icon-button remove", onclick: () => this.remove(row) }, h("span", { "aria-hidden": "true" }, "×"));
    row.append(remove);
    return row;
  }

  remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.number();
    (next?.querySelector("textarea") ?? this.add).focus();
    announce(`Test removed. Tests left: ${this.list.children.length}`);
    this.onChange();
  }

  number() {
    [...this.list.children].forEach((row, index) => {
      row.querySelector(".remove").setAttribute("aria-label", `Remove test ${index + 1}`);
      const [first, second] = row.querySelectorAll("label");
      first.textContent = second ? `Test ${index + 1}: input` : `Test ${index + 1}: JSON`;
      if (second) second.textContent = `Test ${index + 1}: expected`;
    });
  }
}
