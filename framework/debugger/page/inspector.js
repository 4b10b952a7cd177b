// @ts-check
// All about the focused event: its whole title, what it came from and led to, what it changed, and why a value is as it is.

import { element, patch, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button, icon } from "./icons.js";
import { NONE, NOBODY } from "./columns.js";
import { showWhole } from "./dialog.js";
import { showEffects } from "./effects.js";
import { shortTime } from "./draw_events.js";

const INSPECTED_TITLE_MAX = 700;
const STEPS_MAX = 200;
const CHANGES_MAX = 200;
const CHANGED_VALUE_MAX = 300;

export class Inspector {
  /**
   * @param {HTMLElement} place
   * @param {import("./session.js").Session} session
   * @param {import("./why.js").Why} why
   * @param {import("./titles.js").Titles} titles
   */
  constructor(place, session, why, titles) {
    this.place = place;
    this.session = session;
    this.why = why;
    this.titles = titles;
    /** @param {number} moment */
    this.travel = (moment) => session.travel(moment);
    this.build();
    session.arrived.on(() => this.update());
    why.changed.on(() => this.updateWhy());
    titles.came.on(() => this.updateChildren());
  }

  build() {
    this.title = element("div", { class: "event-title", testid: "event-title" });
    this.more = button({ testid: "show-all", label: "Show all", text: "Show all", class: "link", run: () => showWhole("The whole event", this.session.now?.title ?? "") });
    this.facts = element("div", { class: "facts" });
    this.violation = element("div", { class: "alert", testid: "inspector-violation" }, icon("star"), element("span"));
    this.flagged = element("div", { class: "alert warn", testid: "inspector-flagged" }, icon("flag"), element("span"));
    this.whyHead = element("span");
    this.whySteps = element("div", { class: "steps" });
    this.whyNothing = element("p", { class: "quiet-words", text: "Nothing is known to have written it: it is as it was at the beginning." });
    this.whyPart = element("section", { class: "why", testid: "why-chain", hidden: true },
      element("h2", {}, this.whyHead, button({ testid: "why-clear", icon: "close", label: "Show all events again", class: "quiet small", run: () => this.why.clear() })),
      this.whySteps, this.whyNothing);
    this.causes = element("div", { class: "steps" });
    this.effects = element("div", { class: "effects" });
    this.changes = element("div", { class: "changes" });
    this.children = element("div", { class: "steps" });
    this.baseClear = button({ testid: "base-clear", icon: "close", text: "", label: "Measure against the moment before again", class: "quiet small", run: () => this.session.measureFrom(NONE) });
    this.changesHead = element("span");
    this.causesPart = section("What it came from", this.causes);
    this.effectsPart = section("What it did", this.effects);
    this.changesPart = element("section", {}, element("h2", {}, this.changesHead, this.baseClear), this.changes);
    this.childrenPart = section("What comes next, branch by branch", this.children);
    this.place.append(element("div", { class: "sheet" },
      element("section", {}, this.title, this.more, this.facts), this.violation, this.flagged, this.whyPart,
      this.causesPart, this.effectsPart, this.changesPart, this.childrenPart));
  }

  update() {
    const { now } = this.session;
    if (!now || this.place.hidden) return;
    setText(this.title, now.title ?? "", INSPECTED_TITLE_MAX);
    this.more.hidden = (now.title ?? "").length <= INSPECTED_TITLE_MAX;
    this.updateFacts(now);
    this.violation.hidden = !now.violation;
    setText(/** @type {HTMLElement} */ (this.violation.lastChild), now.violation ?? "", 2000);
    this.flagged.hidden = !now.flagged;
    setText(/** @type {HTMLElement} */ (this.flagged.lastChild), now.flagged ?? "", 2000);
    this.causesPart.hidden = !now.causes?.length;
    this.showSteps(this.causes, now.causes ?? [], "cause-");
    this.effectsPart.hidden = !now.effects?.length;
    showEffects(this.effects, now.effects ?? [], this.travel, (moment) => this.session.branch.row(moment) >= 0);
    this.updateChanges(now);
    this.updateChildren();
    this.updateWhy();
  }

  /** @param {any} now */
  updateFacts(now) {
    const { session } = this;
    const { columns, branch } = session;
    const node = columns.node[now.moment];
    const facts = [
      `moment ${now.moment}`,
      `step ${branch.row(now.moment)} of ${branch.length - 1}`,
      session.kindAt(now.moment).replace("_", " "),
      node === NOBODY ? "" : "at " + session.nodeName(node).slice(0, 40),
      now.at_us ? shortTime(now.at_us) : "",
    ].filter(Boolean);
    patch(this.facts, facts, (_, at) => at, () => element("span"), (made, fact) => setText(made, fact));
  }

  /** @param {HTMLElement} place
   *  @param {Array<{ moment: number, title: string, words?: string }>} steps
   *  @param {string} testid */
  showSteps(place, steps, testid) {
    const { focus } = this.session;
    patch(place, steps.slice(0, STEPS_MAX), (step, at) => at + "/" + step.moment, (step) => element("button", {
      type: "button", class: "step", testid: testid + step.moment, on: { click: () => this.travel(step.moment) },
    }, element("span", { class: "number", text: String(step.moment) }), element("span", { class: "words" })), (row, step) => {
      const words = row.children[1];
      setText(words, step.words ? `${step.words}\n${step.title}` : step.title, 240);
      setTip(row, step.title.length > 40 ? step.title : null);
      setAttribute(row, "aria-current", step.moment === focus.moment ? "step" : null);
    });
  }

  updateWhy() {
    const { told } = this.why;
    this.whyPart.hidden = !told;
    if (!told || this.place.hidden) return;
    setText(this.whyHead, `Why ${told.node} has ${told.path} as it is at ${told.moment}`, 200);
    this.showSteps(this.whySteps, told.chain, "why-");
    this.whyNothing.hidden = told.chain.length > 0;
  }

  updateChildren() {
    const { now } = this.session;
    if (!now || this.place.hidden) return;
    const children = /** @type {number[]} */ (now.children ?? []);
    this.childrenPart.hidden = children.length < 2;
    if (children.length < 2) return;
    const shown = children.slice(0, 40);
    this.titles.want(shown);
    this.showSteps(this.children, shown.map((moment) => ({ moment, title: this.titles.title(moment) })), "next-");
  }

  /** @param {any} now */
  updateChanges(now) {
    const { session } = this;
    const { base } = session.focus;
    const changes = /** @type {any[]} */ (now.changes ?? []);
    const hidden = changes.length - CHANGES_MAX;
    const since = base === NONE ? "What changed" : `What changed since ${base}`;
    setText(this.changesHead, changes.length ? `${since} (${changes.length}${hidden > 0 ? `, the first ${CHANGES_MAX} are here` : ""})` : `${since}: nothing`);
    this.baseClear.hidden = base === NONE;
    patch(this.changes, changes.slice(0, CHANGES_MAX), (change) => change.node + "\n" + change.path, (change) => this.createChange(change), (row, change) => {
      const [path, before, after] = row.children;
      setText(path, `${change.node} ${change.path || "how it is"} `, 160);
      before.hidden = change.before === null || change.before === undefined;
      setText(before, change.before ?? "", CHANGED_VALUE_MAX);
      setText(after, change.after === null || change.after === undefined ? " gone" : (before.hidden ? "" : " ") + change.after, CHANGED_VALUE_MAX);
      setTip(row, `${change.before ?? "nothing"}\nbecame\n${change.after ?? "nothing"}\nWhy?`);
      setReason(row, session.source.refusal);
    });
  }

  /** @param {any} change */
  createChange(change) {
    const { node, path } = change;
    return button({ testid: `change-${node}-${path}`, label: "", class: "change", run: () => this.why.ask(node, path) }, [
      element("span", { class: "path" }), element("span", { class: "before" }), element("span", { class: "after" })]);
  }
}

/** @param {string} title
 *  @param {HTMLElement} body */
export function section(title, body) {
  return element("section", {}, element("h2", {}, element("span", { text: title })), body);
}
