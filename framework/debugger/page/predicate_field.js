// @ts-check
// A field for a predicate: checked while it is written, with the place of a mistake, and whether it holds at the focused moment.

import { element, setAttribute, setText } from "./dom.js";

const COMPLAINT_WIDTH = 60;

export class PredicateField {
  /**
   * @param {import("./session.js").Session} session
   * @param {{ testid: string, placeholder: string, label: string, run: () => void, changed: () => void }} wish
   */
  constructor(session, wish) {
    this.session = session;
    this.wish = wish;
    this.checking = 0;
    this.asked = 0;
    /** What is wrong with it, or null. @type {string | null} */
    this.mistake = null;
    this.input = /** @type {HTMLInputElement} */ (element("input", {
      type: "text", class: "predicate grow", testid: wish.testid, placeholder: wish.placeholder, "aria-label": wish.label,
      spellcheck: "false", autocomplete: "off",
      on: {
        input: () => this.edited(),
        keydown: (event) => event.key === "Enter" && wish.run(),
        focus: () => this.showComplaint(true),
        blur: () => this.showComplaint(false),
      },
    }));
    this.verdict = element("span", { class: "verdict", hidden: true, testid: wish.testid + "-verdict", "aria-live": "polite" });
    this.place = element("pre", { class: "complaint-place" });
    this.words = element("div", { class: "words" });
    this.complaint = element("div", { class: "complaint", hidden: true, testid: wish.testid + "-error" }, this.place, this.words);
    this.box = element("div", { class: "predicate-box" }, this.input, this.verdict, this.complaint);
    if (session.source.refusal) {
      this.input.disabled = true;
      this.box.dataset.reason = session.source.refusal;
    }
    session.arrived.on(() => {
      if (this.text) this.checkSoon();
    });
  }

  get text() {
    return this.input.value.trim();
  }

  /** Why it can not be used, or null. */
  get reason() {
    if (this.session.source.refusal) return this.session.source.refusal;
    if (!this.text) return "write a predicate first";
    return this.mistake === null ? null : "the predicate has a mistake: " + this.mistake;
  }

  edited() {
    this.mistake = null;
    this.verdict.hidden = true;
    this.showComplaint(false);
    this.input.classList.remove("wrong");
    if (this.text) this.checkSoon();
    else this.asked++;
    this.wish.changed();
  }

  checkSoon() {
    clearTimeout(this.checking);
    this.checking = setTimeout(() => this.check(), 180);
  }

  async check() {
    const text = this.input.value;
    const asked = ++this.asked;
    if (!text.trim()) return;
    try {
      const { holds } = await this.session.source.predicate(text, this.session.focus.moment);
      if (asked !== this.asked) return;
      this.mistake = null;
      setText(this.verdict, holds ? "holds here" : "not here");
      this.verdict.classList.toggle("holds", holds);
      this.verdict.hidden = false;
    } catch (error) {
      if (asked !== this.asked) return;
      const { message, column } = /** @type {import("./source.js").SourceError} */ (error);
      this.mistake = message;
      this.verdict.hidden = true;
      setText(this.words, message, 400);
      setText(this.place, column === null || column === undefined ? "" : markedPlace(text, column), 200);
      this.place.hidden = !this.place.textContent;
    }
    const isWrong = this.mistake !== null;
    this.input.classList.toggle("wrong", isWrong);
    setAttribute(this.input, "aria-invalid", isWrong ? "true" : null);
    this.showComplaint(document.activeElement === this.input);
    this.wish.changed();
  }

  /** @param {boolean} isAsked */
  showComplaint(isAsked) {
    this.complaint.hidden = !(isAsked && this.mistake !== null);
  }
}

/** The text around a column (from 0), and a mark under it.
 *  @param {string} text
 *  @param {number} column */
export function markedPlace(text, column) {
  const at = Math.max(0, Math.min(text.length, column));
  const from = Math.max(0, at - COMPLAINT_WIDTH / 2);
  const shown = text.slice(from, from + COMPLAINT_WIDTH);
  return `${shown}\n${" ".repeat(at - from)}^`;
}
