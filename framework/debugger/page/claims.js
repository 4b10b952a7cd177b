// @ts-check
// What is claimed: the invariants and goals, whether each holds at the focused moment, and every violation that is known.

import { element, patch, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button, icon } from "./icons.js";
import { section } from "./inspector.js";
import { Watches } from "./watches.js";

const VIOLATIONS_MAX = 100;

/** @typedef {{ name: string, holds: boolean, words: string }} Claim */

export class ClaimsPane {
  /** @param {HTMLElement} place
   *  @param {import("./session.js").Session} session
   *  @param {import("./tabs.js").Tabs} tabs */
  constructor(place, session, tabs) {
    this.place = place;
    this.session = session;
    this.tabs = tabs;
    this.first = button({ testid: "claims-first-violation", icon: "star", text: "First violation", label: "To the first violation, on this branch if there is one", class: "firm", run: () => goToViolation(session) });
    this.invariants = element("div", { class: "claims-list", testid: "invariants" });
    this.goals = element("div", { class: "claims-list", testid: "goals" });
    this.violations = element("div", { class: "steps", testid: "violations" });
    this.invariantsPart = section("Invariants", this.invariants);
    this.goalsPart = section("Goals", this.goals);
    this.violationsPart = section("Violations", this.violations);
    this.noClaims = element("p", { class: "quiet-words", text: "No invariants are declared for what is debugged." });
    const watched = element("div", {});
    const watchedPart = section("Evaluate here", watched);
    this.watches = new Watches(watched, session, place);
    place.append(element("div", { class: "sheet" }, element("div", { class: "row" }, this.first), this.invariantsPart, this.noClaims, this.goalsPart, watchedPart, this.violationsPart));
    session.arrived.on(() => this.update());
    session.renewed.on(() => this.update());
  }

  update() {
    const { now, info } = this.session;
    if (!now) return;
    const broken = (now.invariants ?? []).filter((/** @type {Claim} */ claim) => !claim.holds).length;
    this.tabs.count("claims", broken ? String(broken) : "", true);
    if (this.place.hidden) return;
    setReason(this.first, violationReason(this.session));
    this.showClaims(this.invariants, now.invariants ?? [], true);
    this.noClaims.hidden = now.invariants?.length > 0;
    this.showClaims(this.goals, now.goals ?? [], false);
    this.goalsPart.hidden = !now.goals?.length;
    this.watches.evaluateSoon();
    const { violations } = info;
    this.violationsPart.hidden = !violations.length;
    patch(this.violations, violations.slice(0, VIOLATIONS_MAX), (one, at) => at + "/" + one.moment, (one) => element("button", {
      type: "button", class: "step", testid: "violation-" + one.moment, on: { click: () => this.session.travel(one.moment) },
    }, element("span", { class: "number", text: String(one.moment) }), element("span", { class: "words" })), (row, one) => {
      setText(row.children[1], one.name, 160);
      setTip(row, one.words || one.name);
      setAttribute(row, "aria-current", one.moment === this.session.focus.moment ? "step" : null);
    });
  }

  /** @param {HTMLElement} place
   *  @param {Claim[]} claims
   *  @param {boolean} isInvariant */
  showClaims(place, claims, isInvariant) {
    patch(place, claims, (claim) => claim.name + (claim.holds ? "+" : "-"), (claim) => element("div", { class: "claim", testid: "claim-" + claim.name },
      icon(claim.holds ? "holds" : isInvariant ? "drop" : "node"), element("span", { class: "claim-name" }), element("div", { class: "words" })), (row, claim) => {
      setAttribute(row, "class", `claim ${claim.holds ? "holds" : isInvariant ? "broken" : "open"}`);
      setText(row.children[1], claim.name, 200);
      setText(row.children[2], claim.words || (claim.holds ? "" : isInvariant ? "does not hold" : "not reached yet"), 1000);
      row.children[2].hidden = !row.children[2].textContent;
    });
  }
}

/** The first violation on the branch shown, else the first of all, or -1.
 *  @param {import("./session.js").Session} session */
export function firstViolation(session) {
  const { branch, info } = session;
  if (branch.violations.rows.length) return branch.path[branch.violations.rows[0]];
  let first = -1;
  for (const { moment } of info.violations) if (first < 0 || moment < first) first = moment;
  return first;
}

/** The next violation on the branch shown, else the next of all, or -1.
 *  @param {import("./session.js").Session} session */
export function nextViolation(session) {
  const { branch, info, focus } = session;
  const { rows } = branch.violations;
  const after = branch.violations.after(branch.row(focus.moment));
  if (after < rows.length) return branch.path[rows[after]];
  let next = -1;
  for (const { moment } of info.violations) if (moment > focus.moment && (next < 0 || moment < next)) next = moment;
  return next;
}

/** @param {import("./session.js").Session} session */
export function violationReason(session) {
  return firstViolation(session) < 0 ? "nothing is violated on any branch" : null;
}

/** @param {import("./session.js").Session} session */
export function goToViolation(session) {
  const moment = firstViolation(session);
  if (moment >= 0) session.travel(moment);
}
