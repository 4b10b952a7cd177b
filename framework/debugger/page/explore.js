// @ts-check
// What goes on from the focused moment by itself: random steps, a run or a search until a predicate holds, a branch made smaller.

import { element, setReason, setText, setTip } from "./dom.js";
import { button } from "./icons.js";
import { PredicateField } from "./predicate_field.js";

const STEPS_ASKED_MAX = 1_000_000;

/** What may go wrong in a search from here. */
const FAULTS = [
  { words: "no fault", crashes: 0, losses: 0 },
  { words: "a crash", crashes: 1, losses: 0 },
  { words: "two crashes", crashes: 2, losses: 0 },
  { words: "a loss", crashes: 0, losses: 1 },
  { words: "a crash, a loss", crashes: 1, losses: 1 },
];

export class Explore {
  /** @param {HTMLElement} place
   *  @param {import("./session.js").Session} session
   *  @param {import("./jobs.js").Jobs} jobs */
  constructor(place, session, jobs) {
    this.session = session;
    this.jobs = jobs;
    this.isRandom = false;
    this.steps = numberField("random-steps", "count-field", "How many random steps", 100, () => this.random());
    this.seed = numberField("random-seed", "seed-field", "The seed that chooses the steps", 1, () => this.random());
    this.limit = numberField("job-limit", "count-field", "At most so many steps of a run, or states of a search", 100_000, () => {});
    this.run = button({ testid: "random-run", icon: "random", text: "Run", label: "Random steps from here, chosen by the seed", class: "firm", run: () => this.random() });
    this.field = new PredicateField(session, {
      testid: "predicate", placeholder: "a predicate: count(nodes where role is Leader) > 1", label: "A predicate to run to, or to search for",
      run: () => this.until.click(), changed: () => this.update(),
    });
    this.until = button({ testid: "run-until", icon: "run_until", text: "Run until", label: "Random steps from here until the predicate holds", class: "firm", run: () => this.runUntil() });
    this.search = button({ testid: "search", icon: "search", text: "Search", label: "The nearest state from here in which the predicate holds", class: "firm", run: () => this.searchFor() });
    this.faults = /** @type {HTMLSelectElement} */ (element("select", { testid: "search-faults", "aria-label": "What may go wrong in a search", tip: "What may go wrong in a search. A crash loses what is not durable" },
      ...FAULTS.map((faults, at) => element("option", { value: String(at), text: faults.words }))));
    this.minimise = button({ testid: "minimise", icon: "minimise", text: "Minimise", label: "The way to this violation with as few events as possible", class: "firm", run: () => this.makeSmaller() });
    this.quick = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", testid: "quick", on: { change: () => (session.isQuick = this.quick.checked) } }));
    this.spinner = element("i", { class: "spinner", "aria-hidden": "true" });
    this.progress = element("span", { testid: "job-progress", "aria-live": "polite", class: "job-words" });
    this.cancel = button({ testid: "job-cancel", icon: "close", label: "Cancel what runs", class: "quiet small", run: () => jobs.cancel() });
    this.job = element("span", { class: "job", hidden: true }, element("span", { class: "rule" }), this.spinner, this.progress, this.cancel);
    place.append(
      element("label", { tip: "How many random steps" }, element("span", { class: "wide", text: "Random steps" }), this.steps),
      element("label", { tip: "The seed that chooses the steps" }, element("span", { text: "seed" }), this.seed),
      this.run, element("span", { class: "rule" }), this.field.box,
      element("label", { tip: "At most so many steps of a run, or states of a search" }, element("span", { class: "wide", text: "at most" }), this.limit),
      this.until, this.search, this.faults, this.minimise, element("span", { class: "rule" }),
      element("label", { tip: "After each step, what it wrote becomes durable at once, and the users ask what they have to" }, this.quick, element("span", { text: "quick" })),
      this.job);
    session.focus.changed.on((names) => names.has("moment") && this.update());
    session.grew.on(() => this.update());
    jobs.changed.on(() => this.update());
    for (const field of [this.steps, this.seed, this.limit, this.faults, this.quick]) field.disabled = session.source.refusal !== null;
    // Where there is little room, they show only their icons.
    for (const made of [this.run, this.until, this.search, this.minimise]) made.setAttribute("aria-label", made.textContent ?? "");
    this.update();
  }

  update() {
    const { jobs, field } = this;
    const busy = jobs.isBusy ? "a job runs; cancel it, or wait for it" : null;
    setReason(this.run, this.randomReason());
    setReason(this.until, busy ?? field.reason);
    setReason(this.search, busy ?? this.searchReason());
    setReason(this.minimise, busy ?? this.minimiseReason());
    this.job.hidden = !jobs.title;
    this.spinner.hidden = !jobs.isBusy;
    this.cancel.hidden = !jobs.isBusy;
    const words = `${jobs.title}: ${jobs.words}`;
    setText(this.progress, words, 120);
    setTip(this.progress, words);
  }

  randomReason() {
    return this.session.source.refusal ?? (this.isRandom ? "random steps are being made" : null);
  }

  searchReason() {
    const { source, info } = this.session;
    return source.refusal ?? (info.can_search ? this.field.reason : "there is no checker for what is debugged: search needs one");
  }

  minimiseReason() {
    const { source, focus } = this.session;
    return source.refusal ?? (this.session.isViolation(focus.moment) ? null : "this moment is not a violation; go to one first");
  }

  async random() {
    if (this.randomReason()) return;
    this.isRandom = true;
    this.update();
    await this.session.random(Math.max(1, numberOf(this.steps)), numberOf(this.seed));
    this.isRandom = false;
    this.update();
  }

  runUntil() {
    this.jobs.start("run until", {
      kind: "run_until", at: this.session.focus.moment, predicate: this.field.text, seed: numberOf(this.seed), steps_max: numberOf(this.limit),
    });
  }

  searchFor() {
    const { crashes, losses } = FAULTS[this.faults.selectedIndex];
    this.jobs.start("search", { kind: "search", at: this.session.focus.moment, predicate: this.field.text, states_max: numberOf(this.limit), crashes, losses });
  }

  makeSmaller() {
    this.jobs.start("minimise", { kind: "minimise", at: this.session.focus.moment });
  }
}

/** @param {string} testid
 *  @param {string} look
 *  @param {string} label
 *  @param {number} value
 *  @param {() => void} run what Enter does
 *  @returns {HTMLInputElement} */
function numberField(testid, look, label, value, run) {
  return /** @type {HTMLInputElement} */ (element("input", {
    type: "text", inputmode: "numeric", class: look, testid, "aria-label": label, value: String(value), autocomplete: "off",
    on: { keydown: (event) => event.key === "Enter" && run() },
  }));
}

/** The number in a field; what is not one is put right.
 *  @param {HTMLInputElement} field */
function numberOf(field) {
  const number = Math.max(0, Math.min(STEPS_ASKED_MAX * 100, Math.floor(Number(field.value.replace(/[_, ]/g, "")) || 0)));
  field.value = String(number);
  return number;
}
