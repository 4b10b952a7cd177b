// @ts-check
// What an event led to: messages, timers, writes and replies, each with the moments in which they came to something.

import { element, patch, setText, setTip } from "./dom.js";

const EFFECTS_MAX = 200;
const LATER_MAX = 4;

/**
 * @typedef {{ what: string, id?: number, to?: string, name?: string, text?: string, range?: string, later?: number[],
 *   asked_at?: number }} Effect
 */

/** @param {HTMLElement} place
 *  @param {Effect[]} effects
 *  @param {(moment: number) => void} travel
 *  @param {(moment: number) => boolean} isHere whether a moment is on the branch that is shown */
export function showEffects(place, effects, travel, isHere) {
  const shown = effects.slice(0, EFFECTS_MAX);
  patch(place, shown, (effect, at) => `${effect.what} ${effect.id ?? at}`, createEffect, (row, effect) => {
    const [what, words, later] = row.children;
    setText(what, effect.what);
    const text = effectWords(effect);
    setText(words, text, 240);
    setTip(words, text);
    const all = effect.later ?? (effect.asked_at === undefined ? [] : [effect.asked_at]);
    const moments = [...all.filter(isHere), ...all.filter((moment) => !isHere(moment))].slice(0, LATER_MAX);
    const links = all.length > LATER_MAX ? [...moments, -1] : moments;
    patch(later, links, (moment) => moment, (moment) => moment < 0 ? element("span", { class: "quiet-words" }) : element("button", {
      type: "button", class: "link", testid: "later-" + moment, text: String(moment), "aria-label": `Go to ${moment}`,
      on: { click: () => travel(moment) },
    }), (made, moment) => moment < 0 && setText(made, `+${all.length - LATER_MAX}`));
    setTip(later, all.length ? (effect.later ? "Where it came to something, on this branch and on others" : "Where it was asked") : null);
  });
}

function createEffect() {
  return element("div", { class: "effect" }, element("span", { class: "what" }), element("span", { class: "words" }), element("span", { class: "later" }));
}

/** @param {Effect} effect */
function effectWords(effect) {
  const text = effect.text ?? effect.name ?? "";
  if (effect.what === "sent") return `to ${effect.to}  ${text}`;
  if (effect.what === "timer") return `${text}  ${effect.range ?? ""}`;
  return text;
}
