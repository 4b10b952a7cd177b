// @ts-check
// The links between the nodes, as a table: a row for each sender, a column for each receiver, a click cuts or heals.

import { element, patch, setAttribute, setReason, setText } from "./dom.js";
import { button, icon } from "./icons.js";

const LINKED_NODES_MAX = 40;
const OPEN_AT_FIRST_MAX = 8;

export class Links {
  /** @param {HTMLElement} place
   *  @param {import("./session.js").Session} session */
  constructor(place, session) {
    this.session = session;
    this.summary = element("span");
    this.table = element("table", { class: "links", "aria-label": "Links: from the row's node to the column's" });
    const nodes = session.info.nodes.slice(0, LINKED_NODES_MAX);
    const fold = element("details", { class: "links-fold", open: nodes.length <= OPEN_AT_FIRST_MAX, testid: "links" },
      element("summary", {}, icon("chevron"), element("b", { text: "Links" }), this.summary), this.table);
    place.append(fold);
    this.table.append(element("tr", {}, element("th", { scope: "col", text: "from, to" }), ...nodes.map((node) => element("th", { scope: "col", text: node.name }))));
    /** @type {Array<{ from: string, to: string, cell: HTMLElement }>} */
    this.cells = [];
    for (const from of nodes) {
      const row = element("tr", {}, element("th", { scope: "row", text: from.name }));
      for (const to of nodes) {
        const cell = element("td");
        row.append(cell);
        if (from !== to) this.cells.push({ from: from.name, to: to.name, cell });
      }
      this.table.append(row);
    }
  }

  /** @param {Array<{ from: string, to: string }>} cuts */
  update(cuts) {
    const { session } = this;
    const cut = new Set(cuts.map((link) => link.from + "\n" + link.to));
    setText(this.summary, cut.size ? `${cut.size} cut` : "all whole");
    setAttribute(this.summary, "class", cut.size ? "warned" : "quiet-words");
    for (const { from, to, cell } of this.cells) {
      const what = cut.has(from + "\n" + to) ? "heal" : "cut";
      patch(cell, [what], (name) => name, () => button({
        testid: `${what}-${from}-${to}`,
        icon: what === "cut" ? "link" : "cut",
        label: what === "cut" ? `Cut the link from ${from} to ${to}` : `The link from ${from} to ${to} is cut: heal it`,
        class: what === "cut" ? "quiet small link-whole" : "quiet small link-cut",
        run: () => session.act({ do: what, from, to }),
      }), (made) => setReason(made, session.source.refusal));
    }
  }
}
