// Tabs that follow the pattern of the ARIA authoring practices: the arrow keys move between them.

import { h } from "./dom.js";

export class Tabs {
  // `panels` is [[name, element]]. `onChoose` gets the index of the chosen tab.
  constructor(label, panels, onChoose) {
    this.onChoose = onChoose;
    this.chosen = 0;
    this.buttons = panels.map(([name], index) =>
      h("button", { type: "button", role: "tab", id: `tab-${index}`, "aria-controls": `panel-${index}`, onclick: () => this.choose(index) }, name));
    this.panels = panels.map(([, panel], index) => {
      for (const [name, value] of [["role", "tabpanel"], ["id", `panel-${index}`], ["aria-labelledby", `tab-${index}`]]) panel.setAttribute(name, value);
      return panel;
    });
    const list = h("div", { role: "tablist", "aria-label": label, class: "tabs" }, this.buttons);
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      this.choose((this.chosen + step + this.buttons.length) % this.buttons.length);
      this.buttons[this.chosen].focus();
    });
    this.element = h("div", {}, list, this.panels);
    this.choose(0);
  }

  choose(chosen) {
    this.chosen = chosen;
    this.buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", index === chosen);
      button.tabIndex = index === chosen ? 0 : -1;
      this.panels[index].hidden = index !== chosen;
    });
    this.onChoose(chosen);
  }
}
