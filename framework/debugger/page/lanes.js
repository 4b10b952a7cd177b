// @ts-check
// The heads of the lanes: each node's name, how it is, its term. They stay where the diagram scrolls under them.

import { patch, element, setText, setAttribute, setTip } from "./dom.js";
import { STATUS } from "./branch.js";

/** The words and the mark's class for how a node is. */
export const STATUS_WORDS = ["not started", "running", "crashed", "paused"];

/** A node's mark: a shape for each status, so that it can be told without colours.
 *  @returns {HTMLElement} */
export function statusMark() {
  return element("i", { class: "status", "aria-hidden": "true" });
}

/** @param {HTMLElement} mark
 *  @param {string} status */
export function setStatus(mark, status) {
  setAttribute(mark, "class", "status " + status.replace(" ", "-"));
}

export class LaneHeads {
  /** @param {HTMLElement} place
   *  @param {import("./diagram.js").Diagram} diagram */
  constructor(place, diagram) {
    this.place = place;
    this.diagram = diagram;
    this.drawnFor = "";
    diagram.drawn.on(() => this.draw());
  }

  draw() {
    const { view, session } = this.diagram;
    const { branch, focus, info } = session;
    const row = Math.max(0, branch.row(focus.moment));
    const key = [focus.moment, focus.node, view.width, view.left, view.gutter, branch.revision, info.terms.length].join();
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    patch(this.place, info.nodes, (node) => node.name, (node) => this.create(node), (head, node, lane) => {
      const status = STATUS_WORDS[valueAt(branch.statuses[lane], row, STATUS.away)];
      const term = valueAt(branch.terms[lane], row, -1);
      const leads = term >= 0 && term % 2 === 1;
      const termName = term < 0 ? "" : info.terms[term >> 1] ?? "";
      setStatus(head.children[0], status);
      setText(head.children[1], node.name, 40);
      setText(head.children[2], termName, 40);
      setAttribute(head, "aria-pressed", focus.node === lane ? "true" : "false");
      setAttribute(head, "aria-label", [node.name, status, termName, leads ? "leads" : ""].filter(Boolean).join(", "));
      setTip(head, `${node.name}${node.is_client ? ", a client" : ""}: ${status}${termName ? `\nterm ${termName}${leads ? ", leads" : ""}` : ""}`);
      head.classList.toggle("leads", leads);
      const width = Math.min(view.laneWidth - 4, 150);
      head.classList.toggle("narrow", width < 60);
      head.style.width = width + "px";
      head.style.transform = `translateX(${Math.round(view.x(lane) - width / 2)}px)`;
    });
  }

  /** @param {import("./source.js").NodeInfo} node */
  create(node) {
    const { session } = this.diagram;
    return element("button", {
      type: "button",
      class: "lane-head",
      testid: "lane-" + node.name,
      on: {
        click: () => {
          const lane = session.nodeNumber(node.name);
          session.focus.change({ node: session.focus.node === lane ? -1 : lane });
        },
      },
    }, statusMark(), element("b"), element("span", { class: "term" }));
  }
}

/** @param {import("./branch.js").Changes} changes
 *  @param {number} row
 *  @param {number} before */
function valueAt(changes, row, before) {
  const after = changes.after(row);
  return after > 0 ? changes.values[after - 1] : before;
}
