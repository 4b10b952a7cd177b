// @ts-check
// A node's state as a tree that opens where it is clicked; asked for only while it is open. What changed is marked by a sign
// and a colour; a click on a value asks why it is as it is.

import { element, patch, setAttribute, setText, setTip } from "./dom.js";
import { icon } from "./icons.js";
import { NONE } from "./columns.js";

const CHILDREN_MAX = 100;
const MARK_WORDS = /** @type {Record<string, string>} */ ({ "+": "came", "-": "went", "~": "changed", ".": "changed further in" });

/**
 * @typedef {{ path: string, name: string, value: string, mark: string, children: Branching[] }} Branching
 */

export class StateTree {
  /**
   * @param {HTMLElement} place
   * @param {import("./session.js").Session} session
   * @param {string} node
   * @param {(path: string, field: Branching) => void} ask what a click on a value does
   */
  constructor(place, session, node, ask) {
    this.place = place;
    this.session = session;
    this.node = node;
    this.ask = ask;
    /** @type {Map<string, boolean>} */
    this.open = new Map();
    /** How many children are shown where it is more than usual. @type {Map<string, number>} */
    this.limits = new Map();
    /** @type {Branching | null} */
    this.root = null;
    /** @type {AbortController | null} */
    this.asking = null;
    this.shownFor = "";
  }

  async load() {
    const { session } = this;
    const { moment, base } = session.focus;
    const key = moment + "/" + base;
    if (key === this.shownFor) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    try {
      const root = await session.source.tree(moment, this.node, base === NONE ? null : base, asking.signal);
      if (this.asking !== asking) return;
      this.root = root;
      this.shownFor = key;
      this.show();
    } catch (error) {
      if (/** @type {Error} */ (error).name !== "AbortError") this.place.textContent = /** @type {Error} */ (error).message;
    }
  }

  /** Forgets what it shows, so that it is asked for again. */
  forget() {
    this.shownFor = "";
  }

  show() {
    const { root, place } = this;
    if (!root) {
      place.textContent = "The node does not run: it has no state.";
      return;
    }
    if (place.firstChild?.nodeType === Node.TEXT_NODE) place.textContent = "";
    const top = root.children.length ? root.children : [root];
    // What is alone is open at once.
    for (let level = top; level.length === 1 && level[0].children?.length; level = level[0].children) {
      if (!this.open.has(level[0].path)) this.open.set(level[0].path, true);
    }
    this.showLevel(place, top, 0, "");
  }

  /** @param {HTMLElement} place
   *  @param {Branching[]} fields
   *  @param {number} depth
   *  @param {string} above the path of the field that these are in */
  showLevel(place, fields, depth, above) {
    const limit = this.limits.get(above) ?? CHILDREN_MAX;
    const shown = fields.slice(0, limit);
    /** @type {Array<Branching | null>} */
    const items = fields.length > limit ? [...shown, null] : shown;
    patch(place, items, (field) => (field ? "f" + field.path : "more"), (field) => this.create(field, above), (made, field) => {
      if (field) this.update(made, field, depth);
      else setText(made, `${fields.length - limit} more: show`);
    });
  }

  /** @param {Branching | null} field
   *  @param {string} above */
  create(field, above) {
    if (!field) {
      return element("button", { type: "button", class: "link more", on: { click: () => {
        this.limits.set(above, (this.limits.get(above) ?? CHILDREN_MAX) + 1000);
        this.show();
      } } });
    }
    const { path } = field;
    const made = element("div", { class: "field", role: "treeitem" });
    const fold = element("button", { type: "button", class: "fold", "aria-label": "Open or close", tabindex: "-1" }, icon("chevron"));
    const value = element("button", { type: "button", class: "value", testid: `why-${this.node}-${path}` });
    fold.addEventListener("click", () => this.turn(path, /** @type {any} */ (made).field));
    value.addEventListener("click", () => this.ask(path, /** @type {any} */ (made).field));
    made.append(
      element("div", { class: "field-line", testid: `tree-${this.node}-${path}` }, fold, element("span", { class: "mark" }), element("span", { class: "field-name" }), value),
      element("div", { class: "field-inside", role: "group" }),
    );
    return made;
  }

  /** @param {any} made
   *  @param {Branching} field
   *  @param {number} depth */
  update(made, field, depth) {
    made.field = field;
    const [line, inside] = made.children;
    const [fold, mark, name, value] = line.children;
    const hasInside = field.children?.length > 0;
    const isOpen = hasInside && this.isOpen(field);
    const sign = field.mark === "." ? "" : field.mark ?? "";
    setAttribute(line, "class", "field-line" + (sign ? " marked-" + { "+": "came", "-": "went", "~": "changed" }[sign] : field.mark === "." ? " marked-inside" : ""));
    line.style.paddingLeft = depth * 12 + "px";
    fold.style.visibility = hasInside ? "visible" : "hidden";
    setAttribute(made, "aria-expanded", hasInside ? String(isOpen) : null);
    setText(mark, sign || (field.mark === "." ? "·" : ""), 1);
    setTip(mark, MARK_WORDS[field.mark] ?? null);
    setText(name, field.name, 60);
    if (field.name.length > 24) setTip(name, field.name);
    setText(value, field.value, 160);
    setTip(value, (field.value.length > 24 ? field.value + "\n" : "") + "Why is it so?");
    if (isOpen) this.showLevel(inside, field.children, depth + 1, field.path);
    else if (inside.firstChild) inside.textContent = "";
  }

  /** What changed further in is open, as long as nobody closed it.
   *  @param {Branching} field */
  isOpen(field) {
    return this.open.get(field.path) ?? (field.mark === "." && field.children.length <= CHILDREN_MAX);
  }

  /** @param {string} path
   *  @param {Branching} field */
  turn(path, field) {
    this.open.set(path, !this.isOpen(field));
    this.show();
  }
}
