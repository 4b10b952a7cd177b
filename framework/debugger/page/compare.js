// @ts-check
// Two moments side by side: where they part, what each node differs in, which messages are on their way in only one of them.

import { element, patch, setReason, setText, setAttribute } from "./dom.js";
import { button } from "./icons.js";
import { NONE } from "./columns.js";
import { showSides, showFlight } from "./sides.js";

const ENDS_MAX = 200;

export class Comparison {
  /** @param {HTMLElement} place where the panel stands
   *  @param {import("./session.js").Session} session */
  constructor(place, session) {
    this.session = session;
    /** The moment compared with A, or NONE for whichever is focused. */
    this.picked = NONE;
    this.asked = 0;
    this.waiting = 0;
    this.shownFor = "";
    /** What the server told of the two. @type {any} */
    this.answer = null;
    this.build(place);
    session.focus.changed.on((names) => {
      if (this.panel.hidden) return;
      if (names.has("moment") || names.has("markA")) this.refreshSoon();
      if (names.has("base")) this.updateBase();
    });
    session.renewed.on(() => this.panel.hidden || this.updateEnds());
  }

  /** @param {HTMLElement} place */
  build(place) {
    const { session } = this;
    const { focus } = session;
    this.toA = button({ testid: "compare-a", text: "A", label: "Go to A", class: "firm", run: () => this.go(focus.markA) });
    this.toB = button({ testid: "compare-b", text: "B", label: "Go to B", class: "firm", run: () => this.go(focus.markB) });
    this.ends = /** @type {HTMLSelectElement} */ (element("select", {
      testid: "compare-pick", "aria-label": "What is compared with A", on: { change: () => {
        this.picked = Number(this.ends.value);
        this.refreshSoon();
      } },
    }));
    this.base = button({ testid: "compare-base", text: "Changes since A", label: "Everywhere on the page, show what changed since A instead of since the moment before", class: "firm", run: () => this.turnBase() });
    this.facts = element("div", { class: "facts compare-facts" });
    this.part = button({ testid: "compare-ancestor", label: "Go to the last moment that both have", text: "ancestor", class: "link", run: () => this.go(this.answer?.ancestor) });
    this.steps = element("span");
    this.nextA = button({ testid: "compare-next-a", text: "first step to A", label: "Go to the first event that only A has", class: "link", run: () => this.go(this.answer?.a_next, focus.markA) });
    this.nextB = button({ testid: "compare-next-b", text: "first step to B", label: "Go to the first event that only B has", class: "link", run: () => this.go(this.answer?.b_next, focus.markB) });
    this.facts.append(this.part, this.steps, this.nextA, this.nextB);
    this.sides = element("div", { class: "sides", testid: "compare-sides" });
    this.flight = element("div", { class: "sides", testid: "compare-flight" });
    this.panel = element("section", { class: "compare-panel", testid: "compare-panel", "aria-label": "Two moments compared", hidden: true },
      element("div", { class: "compare-head" }, element("b", { text: "Compare" }), this.toA, element("span", { class: "quiet-words", text: "with" }), this.toB, this.ends,
        element("span", { class: "gap" }), this.base, button({ testid: "compare-close", icon: "close", label: "Close the comparison", run: () => this.close() })),
      this.facts, element("div", { class: "compare-body", tabindex: "0" }, this.sides, this.flight));
    place.append(this.panel);
  }

  /** Why nothing can be compared now, or null. */
  get reason() {
    const { source, focus } = this.session;
    return source.refusal ?? (focus.markA === NONE ? "mark a moment as A first" : null);
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  /** Makes the focused moment A. */
  mark() {
    this.session.focus.change({ markA: this.session.focus.moment });
  }

  /** Compares A with the focused moment; where that is A, with whichever is focused next. */
  show() {
    const { focus } = this.session;
    if (this.reason) return;
    this.picked = focus.moment === focus.markA ? NONE : focus.moment;
    this.panel.hidden = false;
    this.shownFor = "";
    this.updateEnds();
    this.updateBase();
    this.refresh();
  }

  /** Goes to a moment, and keeps comparing those that are compared.
   *  @param {number | undefined} moment
   *  @param {number} [leaf] */
  go(moment, leaf) {
    const { focus } = this.session;
    if (moment === undefined || moment === NONE) return;
    if (this.picked === NONE && focus.markB !== focus.markA) {
      this.picked = focus.markB;
      this.updateEnds();
    }
    this.session.travel(moment, leaf === NONE ? undefined : leaf);
  }

  close() {
    this.panel.hidden = true;
    this.picked = NONE;
    this.session.focus.change({ markB: NONE });
    if (this.session.focus.base !== NONE) this.session.measureFrom(NONE);
  }

  updateEnds() {
    const { info } = this.session;
    const isPinned = this.picked !== NONE && !info.branches.some((branch) => branch.leaf === this.picked);
    const choices = [{ leaf: NONE, text: "whichever is focused" }, ...(isPinned ? [{ leaf: this.picked, text: "moment " + this.picked }] : []), ...info.branches.slice(0, ENDS_MAX).map((branch) => ({ leaf: branch.leaf, text: `end of ${branch.name}`.slice(0, 60) }))];
    patch(this.ends, choices, (choice) => choice.leaf, (choice) => element("option", { value: choice.leaf }), (made, choice) => setText(made, choice.text));
    this.ends.value = String(this.picked);
  }

  turnBase() {
    const { session } = this;
    session.measureFrom(session.focus.base === NONE ? session.focus.markA : NONE);
  }

  updateBase() {
    const isOn = this.session.focus.base !== NONE;
    this.base.classList.toggle("primary", isOn);
    setAttribute(this.base, "aria-pressed", String(isOn));
  }

  refreshSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(), 60);
  }

  async refresh() {
    const { session } = this;
    const { focus } = session;
    const a = focus.markA;
    const b = this.picked === NONE ? focus.moment : this.picked;
    if (this.panel.hidden || a === NONE) return;
    if (this.shownFor === a + "/" + b) return;
    const asked = ++this.asked;
    focus.change({ markB: b });
    setText(/** @type {HTMLElement} */ (this.toA.firstChild), "A " + a);
    setText(/** @type {HTMLElement} */ (this.toB.firstChild), "B " + b);
    try {
      const answer = await session.source.compare(a, b);
      if (asked !== this.asked) return;
      this.answer = answer;
      this.shownFor = a + "/" + b;
      this.update(a, b);
    } catch (error) {
      session.failed.emit(/** @type {Error} */ (error).message);
    }
  }

  /** @param {number} a
   *  @param {number} b */
  update(a, b) {
    const { answer } = this;
    setText(/** @type {HTMLElement} */ (this.part.firstChild), `both come from ${answer.ancestor}`);
    setText(this.steps, `${answer.a_steps} ${answer.a_steps === 1 ? "step" : "steps"} to A, ${answer.b_steps} to B`);
    setText(/** @type {HTMLElement} */ (this.nextA.firstChild), answer.a_next === NONE ? "A has none of its own" : `A goes on with ${answer.a_next}`);
    setText(/** @type {HTMLElement} */ (this.nextB.firstChild), answer.b_next === NONE ? "B has none of its own" : `B goes on with ${answer.b_next}`);
    setReason(this.nextA, answer.a_next === NONE ? "B comes after A" : null);
    setReason(this.nextB, answer.b_next === NONE ? "A comes after B" : null);
    showSides(this.sides, answer.nodes ?? [], a, b);
    showFlight(this.flight, answer.flight ?? {});
  }
}
