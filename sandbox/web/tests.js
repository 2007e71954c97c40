// The list of tests, each with an input and an expected output.

import { announce, field, h } from "./dom.js";

export class TestList {
  constructor() {
    this.list = h("ol", { class: "tests" });
    this.add = h("button", { type: "button", id: "add-test", onclick: () => this.more() }, "Add a test");
    this.element = h("div", {}, this.list, this.add);
  }

  fill(tests) {
    this.list.replaceChildren(...tests.map((test) => this.row(test)));
    this.number();
  }

  tests() {
    return [...this.list.children].map((row) => {
      const [stdin, expected] = row.querySelectorAll("textarea");
      return { stdin: stdin.value, expected: expected.value };
    });
  }

  more() {
    const row = this.row({ stdin: "", expected: "" });
    this.list.append(row);
    this.number();
    row.querySelector("textarea").focus();
  }

  row({ stdin, expected }) {
    const area = (text) => h("textarea", { rows: 2, wrap: "off", spellcheck: "false", class: "mono", value: text });
    const row = h("li", {}, h("div", { class: "pair" }, field("Input", area(stdin)), field("Expected", area(expected))));
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
  }

  number() {
    [...this.list.children].forEach((row, index) => {
      row.querySelector(".remove").setAttribute("aria-label", `Remove test ${index + 1}`);
      const [stdin, expected] = row.querySelectorAll("label");
      stdin.textContent = `Test ${index + 1}: input`;
      expected.textContent = `Test ${index + 1}: expected`;
    });
  }
}
