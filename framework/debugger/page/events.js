// @ts-check
// The list of events: those of the branch that is shown, or what a search found anywhere; by node and by name if wished.

import { element, setText, setAttribute, patch } from "./dom.js";
import { VirtualList } from "./virtual_list.js";
import { NO_NAME, FLAG } from "./columns.js";

const FOUND_MAX = 5000;

export class EventList {
  /**
   * @param {HTMLElement} place
   * @param {import("./session.js").Session} session
   * @param {import("./titles.js").Titles} titles
   */
  constructor(place, session, titles) {
    this.session = session;
    this.titles = titles;
    this.node = -1;
    this.name = -1;
    /** The moments found, in ascending order, or null. @type {number[] | null} */
    this.found = null;
    /** The moments listed, or null for the whole branch. @type {Uint32Array | null} */
    this.listed = null;
    this.count = 0;
    this.revision = -1;
    this.scroller = element("div", { class: "scroller", role: "listbox", "aria-label": "Events", tabindex: "0", testid: "events" });
    this.searching = 0;
    this.build(place);
    session.focus.changed.on((names) => {
      if (names.has("chain")) this.list.draw(true);
    });
    session.due.on(() => this.update(true));
    session.grew.on(() => this.update(false));
    session.renewed.on(() => this.updateChoices());
    titles.came.on(() => this.list.draw(true));
    this.updateChoices();
  }

  /** @param {HTMLElement} place */
  build(place) {
    this.search = /** @type {HTMLInputElement} */ (element("input", {
      type: "search", placeholder: "Find in titles", "aria-label": "Find in titles", testid: "find", class: "grow",
      on: { input: () => this.findSoon() },
    }));
    this.byNode = /** @type {HTMLSelectElement} */ (element("select", {
      "aria-label": "Only events of", testid: "filter-node", tip: "Only events of one node",
      on: { change: () => this.filter(Number(this.byNode.value), this.name) },
    }));
    this.byName = /** @type {HTMLSelectElement} */ (element("select", {
      "aria-label": "Only events named", testid: "filter-name", tip: "Only one kind of message, timer or request",
      on: { change: () => this.filter(this.node, Number(this.byName.value)) },
    }));
    this.note = element("div", { class: "note", "aria-live": "polite", hidden: true });
    place.append(element("div", { class: "filters" }, this.search, this.byNode, this.byName), this.note, this.scroller);
    this.list = new VirtualList(this.scroller, {
      rowHeight: 24,
      count: () => this.count,
      create: () => this.create(),
      update: (row, index) => this.updateRow(row, index),
      shown: (first, last) => {
        const moments = [];
        for (let index = first; index <= last; index++) moments.push(this.moment(index));
        this.titles.want(moments);
      },
    });
  }

  updateChoices() {
    const { info } = this.session;
    /** @param {HTMLSelectElement} select
     *  @param {string} all
     *  @param {string[]} names */
    const fill = (select, all, names) => {
      const choices = [{ at: -1, name: all }, ...names.map((name, at) => ({ at, name }))];
      patch(select, choices, (choice) => choice.at, (choice) => element("option", { value: choice.at, text: choice.name.slice(0, 60) }));
    };
    fill(this.byNode, "all nodes", info.nodes.map((node) => node.name));
    fill(this.byName, "all names", info.names);
    this.list.draw(true);
  }

  /** @param {number} node
   *  @param {number} name */
  filter(node, name) {
    this.node = node;
    this.name = name;
    this.byNode.value = String(node);
    this.byName.value = String(name);
    this.relist();
    this.update(true);
  }

  findSoon() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.find(), 150);
  }

  async find() {
    const text = this.search.value.trim();
    if (!text) {
      this.found = null;
      this.say("");
      this.relist();
      this.update(true);
      return;
    }
    try {
      const answer = await this.session.source.find(text, FOUND_MAX);
      if (this.search.value.trim() !== text) return;
      this.found = answer.moments;
      this.relist();
      const here = answer.moments.filter((moment) => this.session.branch.row(moment) >= 0).length;
      const more = answer.is_all ? "" : ` (the first ${FOUND_MAX})`;
      this.say(`${answer.moments.length} found${more}, ${here} on this branch`);
      this.update(true);
    } catch (error) {
      this.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} words */
  say(words) {
    this.note.hidden = !words;
    setText(this.note, words);
  }

  /** Lists again what the filters let through. */
  relist() {
    const { columns, branch } = this.session;
    this.revision = branch.revision;
    const source = this.found ?? branch.path;
    const length = this.found ? this.found.length : branch.length;
    if (this.node < 0 && this.name < 0 && !this.found) {
      this.listed = null;
      this.count = length;
      return;
    }
    const listed = new Uint32Array(length);
    let many = 0;
    for (let at = 0; at < length; at++) {
      const moment = source[at];
      if (this.node >= 0 && columns.node[moment] !== this.node && columns.peer[moment] !== this.node) continue;
      if (this.name >= 0 && columns.name[moment] !== this.name) continue;
      listed[many++] = moment;
    }
    this.listed = listed;
    this.count = many;
  }

  /** @param {number} index */
  moment(index) {
    return this.listed ? this.listed[index] : this.session.branch.path[index];
  }

  /** The index of the moment, or of the last before it.
   *  @param {number} moment */
  index(moment) {
    if (!this.listed) return this.session.branch.row(moment);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.listed[middle] <= moment) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** @param {boolean} isFollowing whether to scroll to the focused moment */
  update(isFollowing) {
    if (this.revision !== this.session.branch.revision) this.relist();
    const digits = String(this.session.columns.count - 1).length + "ch";
    if (this.scroller.style.getPropertyValue("--digits") !== digits) this.scroller.style.setProperty("--digits", digits);
    if (isFollowing) {
      const index = this.index(this.session.focus.moment);
      if (index >= 0) this.list.reveal(index);
    }
    this.list.draw(true);
  }

  create() {
    const row = element("div", { class: "event-row", role: "option" },
      element("span", { class: "number" }), element("i", { class: "swatch", "aria-hidden": "true" }), element("span", { class: "title" }));
    row.addEventListener("click", () => this.session.travel(Number(row.dataset.moment)));
    return row;
  }

  /** @param {HTMLElement} row
   *  @param {number} index */
  updateRow(row, index) {
    const { session } = this;
    const { columns, focus } = session;
    const moment = this.moment(index);
    const number = String(moment);
    const isHere = moment === focus.moment;
    if (row.dataset.moment !== number) {
      row.dataset.moment = number;
      row.dataset.testid = "event-row-" + number;
      setText(/** @type {HTMLElement} */ (row.children[0]), number);
    }
    const name = columns.name[moment];
    const flags = columns.flags[moment];
    let kind = "event-row";
    if (isHere) kind += " here";
    else if (session.branch.row(moment) < 0) kind += " elsewhere";
    else if (moment > focus.moment) kind += " future";
    if (flags & FLAG.violation) kind += " violated";
    if (flags & FLAG.differs) kind += " differs";
    if (focus.chain) kind += focus.chain.has(moment) ? " chained" : " dimmed";
    setAttribute(row, "class", kind);
    setAttribute(row, "aria-selected", isHere ? "true" : "false");
    setAttribute(row, "aria-posinset", String(index + 1));
    setAttribute(row, "aria-setsize", String(this.count));
    const swatch = /** @type {HTMLElement} */ (row.children[1]);
    setAttribute(swatch, "class", `swatch kind-${session.kindAt(moment)} ${name === NO_NAME ? "" : "tone-" + (name % 8)}`);
    const title = this.titles.title(moment);
    const shown = /** @type {HTMLElement} */ (row.children[2]);
    setText(shown, title, 140);
    setAttribute(shown, "data-tip", title.length > 28 ? title : null);
  }
}
