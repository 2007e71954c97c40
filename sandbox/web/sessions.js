// The session hosts and the latest open sessions. Hidden if there are none.

import { h, replace, shorten } from "./dom.js";
import { duration } from "./verdicts.js";

const ID_LENGTH = 12;
const COLUMNS = ["ID", "Language", "Age", "Expires in", "Forked from", "Host"];
const NUMBERS = ["Age", "Expires in"];

export class Sessions {
  constructor() {
    this.count = h("span", { class: "muted" });
    this.hosts = h("ul", { class: "session-hosts", "aria-label": "Session hosts" });
    this.rows = h("tbody");
    this.table = h("div", { class: "scroll session-table", tabindex: "0", role: "region", "aria-label": "Table of open sessions", hidden: true },
      h("table", { class: "recent" },
        h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", class: NUMBERS.includes(name) && "number" }, name)))),
        this.rows));
    this.element = h("section", { class: "card", "aria-label": "Sessions", hidden: true },
      h("div", { class: "card-title" }, h("h2", {}, "Sessions"), this.count), this.hosts, this.table);
  }

  draw(sessions, at) {
    this.element.hidden = !sessions;
    if (!sessions) return;
    const { hosts, latest } = sessions;
    const open = hosts.reduce((sum, one) => sum + one.open, 0);
    this.count.textContent = open > latest.length ? `the latest ${latest.length} of ${open}` : `${latest.length} open`;
    replace(this.hosts, hosts.length ? hosts.map(host) : h("li", { class: "ill" }, "No session host is alive. Start one with `sandbox session-host`."));
    this.table.hidden = !latest.length;
    replace(this.rows, latest.map((one) => row(one, at)));
  }
}

function host({ name, places, open, warm, draining }) {
  const fill = h("span", { class: "lane-fill" });
  fill.style.width = `${(100 * open) / places}%`;
  const boxes = `${warm} warm ${warm === 1 ? "box" : "boxes"}`;
  return h("li", {},
    h("div", { class: "lane-head" }, h("strong", {}, name), h("span", {}, `${open} of ${places} open`),
      draining ? h("span", { class: "chip tone-time", title: "It takes no new sessions, and stops when the last one has ended" }, "draining") : null,
      h("span", { class: "muted" }, boxes)),
    h("div", { class: "lane-bar", "aria-hidden": "true" }, fill));
}

function row(one, at) {
  const id = (full) => h("span", { class: "mono", title: full }, shorten(full, ID_LENGTH));
  return h("tr", {}, h("td", {}, id(one.id)), h("td", {}, one.language), h("td", { class: "number" }, duration(at - one.created_at)),
    h("td", { class: "number" }, duration(one.expires_at - at)),
    h("td", {}, one.parent ? id(one.parent) : ""), h("td", {}, one.host || "gone; the next call rebuilds it"));
}
