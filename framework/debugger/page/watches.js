// @ts-check
// Predicates that are kept in sight: evaluated again at each moment that is focused.

import { element, patch, setAttribute, setReason, setText } from "./dom.js";
import { button, icon } from "./icons.js";

const WATCHES_MAX = 20;

/** @typedef {{ text: string, verdict: string, look: string }} Watch */

export class Watches {
  /** @param {HTMLElement} place
   *  @param {import("./session.js").Session} session
   *  @param {HTMLElement} pane what has to be in sight for them to be evaluated */
  constructor(place, session, pane) {
    this.session = session;
    this.pane = pane;
    /** @type {Watch[]} */
    this.all = [];
    this.asked = 0;
    this.waiting = 0;
    const { refusal } = session.source;
    this.input = /** @type {HTMLInputElement} */ (element("input", {
      type: "text", class: "predicate grow", testid: "claim-predicate", placeholder: "a predicate to evaluate here", "aria-label": "A predicate to evaluate here", spellcheck: "false", autocomplete: "off",
      on: { keydown: (event) => event.key === "Enter" && this.add(this.input.value) },
    }));
    this.input.disabled = refusal !== null;
    this.button = button({ testid: "claim-evaluate", text: "Evaluate", label: "Evaluate it here, and at each moment gone to", class: "firm", run: () => this.add(this.input.value) });
    setReason(this.button, refusal);
    this.list = element("div", { class: "claims-list", "aria-live": "polite" });
    place.append(element("div", { class: "row" }, this.input, this.button), this.list);
  }

  /** @param {string} typed */
  add(typed) {
    const text = typed.trim();
    if (!text || this.session.source.refusal) return;
    if (!this.all.some((watch) => watch.text === text)) {
      this.all.unshift({ text, verdict: "", look: "open" });
      this.all.length = Math.min(this.all.length, WATCHES_MAX);
    }
    this.input.select();
    this.evaluate();
  }

  /** Evaluates all again, once the focus rests. */
  evaluateSoon() {
    if (!this.all.length || this.pane.hidden) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.evaluate(), 120);
  }

  async evaluate() {
    const asked = ++this.asked;
    const { session } = this;
    const { moment } = session.focus;
    await Promise.all(this.all.map(async (watch) => {
      /** @type {[string, string]} */
      let found;
      try {
        const { holds } = await session.source.predicate(watch.text, moment);
        found = holds ? [`holds at ${moment}`, "holds"] : [`does not hold at ${moment}`, "open"];
      } catch (error) {
        found = [/** @type {Error} */ (error).message, "broken"];
      }
      if (asked === this.asked) [watch.verdict, watch.look] = found;
    }));
    if (asked === this.asked) this.show();
  }

  show() {
    patch(this.list, this.all, (watch) => watch.text, (watch) => {
      const remove = button({ icon: "close", label: "Take it away", class: "quiet small", run: () => {
        this.all = this.all.filter((other) => other !== watch);
        this.show();
      } });
      return element("div", { class: "claim", testid: "watch" }, icon("search"), element("div", { class: "claim-name" }, element("code", { class: "grow" }), remove), element("div", { class: "words" }));
    }, (row, watch) => {
      setAttribute(row, "class", "claim " + watch.look);
      setText(row.children[1].firstChild, watch.text, 200);
      setText(row.children[2], watch.verdict, 400);
    });
  }
}
