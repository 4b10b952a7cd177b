// @ts-check
// The branches as a tree: where each leaves another one, how long it is, whether it ends in a violation. A click goes there, and
// so do the arrows while the tree has the keyboard.

import { element, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button } from "./icons.js";
import { VirtualList } from "./virtual_list.js";
import { branchRows } from "./branch_tree.js";
import { NONE } from "./columns.js";
import { askLine } from "./dialog.js";

const INDENT_MAX = 10;

export class HistoryPane {
  /** @param {HTMLElement} place
   *  @param {import("./session.js").Session} session */
  constructor(place, session) {
    this.place = place;
    this.session = session;
    /** @type {import("./branch_tree.js").BranchRow[]} */
    this.rows = [];
    this.created = 0;
    /** What the rows were made of. @type {any} */
    this.madeOf = null;
    this.note = element("div", { class: "note" });
    const scroller = element("div", { class: "scroller", role: "tree", "aria-label": "Branches", tabindex: "0", testid: "history" });
    scroller.addEventListener("keydown", (event) => this.press(event));
    this.scroller = scroller;
    place.append(this.note, scroller);
    this.list = new VirtualList(scroller, {
      rowHeight: 26,
      count: () => this.rows.length,
      create: () => this.create(),
      update: (row, index) => this.updateRow(row, this.rows[index]),
    });
    session.renewed.on(() => this.update());
    session.focus.changed.on((names) => {
      if (names.has("leaf") || names.has("moment")) this.update();
    });
  }

  update() {
    if (this.place.hidden) return;
    const { info, columns, focus } = this.session;
    if (this.madeOf !== info) {
      this.madeOf = info;
      this.rows = branchRows(columns, info.branches);
      const many = this.rows.length;
      const bad = info.branches.filter((branch) => branch.violation).length;
      setText(this.note, `${many} ${many === 1 ? "branch" : "branches"}${bad ? `, ${bad} with a violation` : ""}`);
    }
    const here = this.rows.findIndex((row) => row.leaf === focus.leaf);
    if (here >= 0) this.list.reveal(here);
    this.list.draw(true);
  }

  create() {
    const row = element("div", { class: "branch-row", role: "treeitem", id: "branch-row-" + this.created++ },
      element("span", { class: "guide", "aria-hidden": "true" }), element("span", { class: "branch-name" }), element("span", { class: "fork" }),
      button({ icon: "flag", label: "Go to where it leaves the other branch", class: "quiet small", run: () => this.goToFork(/** @type {any} */ (row).branch) }),
      button({ icon: "edit", label: "Name this branch", class: "quiet small", run: () => this.rename(/** @type {any} */ (row).branch) }));
    row.addEventListener("click", () => {
      const { leaf } = /** @type {any} */ (row).branch;
      this.session.travel(leaf, leaf);
    });
    return row;
  }

  /** @param {any} row
   *  @param {import("./branch_tree.js").BranchRow} branch */
  updateRow(row, branch) {
    const { session } = this;
    const [guide, name, fork, jump, rename] = row.children;
    row.branch = branch;
    const isHere = branch.leaf === session.focus.leaf;
    setAttribute(row, "data-testid", "branch-" + branch.leaf);
    setAttribute(row, "class", `branch-row${isHere ? " here" : ""}${branch.violation ? " violated" : ""}`);
    setAttribute(row, "aria-selected", String(isHere));
    if (isHere) setAttribute(this.scroller, "aria-activedescendant", row.id);
    setAttribute(row, "aria-level", String(branch.depth + 1));
    guide.style.width = Math.min(branch.depth, INDENT_MAX) * 12 + "px";
    setAttribute(guide, "class", branch.depth ? "guide" : "guide root");
    setText(name, branch.name, 80);
    setAttribute(name, "class", branch.isNamed ? "branch-name named" : "branch-name");
    const steps = `${branch.steps} ${branch.steps === 1 ? "step" : "steps"}`;
    setText(fork, branch.fork === NONE ? steps : `from ${branch.fork}, ${steps}`);
    setTip(row, [
      branch.name,
      branch.fork === NONE ? `${steps}, from the beginning to ${branch.leaf}` : `${steps}, from ${branch.fork} to ${branch.leaf}`,
      branch.violation ? "violation: " + branch.violation : "",
    ].filter(Boolean).join("\n"));
    jump.hidden = branch.fork === NONE;
    setAttribute(jump, "data-testid", "fork-" + branch.leaf);
    setAttribute(rename, "data-testid", "rename-branch" + (isHere ? "" : "-" + branch.leaf));
    setReason(rename, session.source.refusal);
  }

  /** @param {import("./branch_tree.js").BranchRow} branch */
  goToFork(branch) {
    this.session.travel(branch.fork, branch.leaf);
  }

  /** @param {{ leaf: number, name: string, isNamed: boolean }} branch */
  rename(branch) {
    const { session } = this;
    askLine({
      testid: "rename", title: `Name the branch that ends at ${branch.leaf}`, label: "The branch's name",
      text: branch.isNamed ? branch.name : "", hint: "Without a name it is called after its end.",
      run: async (name) => {
        try {
          await session.source.name(branch.leaf, name);
          session.renew();
        } catch (error) {
          session.failed.emit(/** @type {Error} */ (error).message);
        }
      },
    });
  }

  /** Up and down go to the branches beside, Home and End to the first and the last, left to where a branch leaves another.
   *  @param {KeyboardEvent} event */
  press(event) {
    const { focus } = this.session;
    const here = this.rows.findIndex((row) => row.leaf === focus.leaf);
    const last = this.rows.length - 1;
    /** @type {Record<string, number>} */
    const goals = { ArrowDown: Math.min(here + 1, last), ArrowUp: Math.max(here - 1, 0), Home: 0, End: last };
    if (event.target !== this.scroller || event.ctrlKey || event.metaKey || event.altKey || here < 0) return;
    if (event.key in goals) {
      const { leaf } = this.rows[goals[event.key]];
      this.session.travel(leaf, leaf);
    } else if (event.key === "ArrowLeft" && this.rows[here].fork !== NONE) this.goToFork(this.rows[here]);
    else return;
    event.preventDefault();
  }

  /** Names the branch that is shown. */
  renameHere() {
    const { info, focus } = this.session;
    const branch = info.branches.find((one) => one.leaf === focus.leaf);
    this.rename({ leaf: focus.leaf, name: branch?.name ?? "", isNamed: branch?.is_named ?? false });
  }
}
