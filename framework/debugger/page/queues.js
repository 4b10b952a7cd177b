// @ts-check
// What waits at a node: the messages in its inbox and its timers, each with what can be done to it.

import { element, patch, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button } from "./icons.js";

/** So many rows all queues of one kind have at first: each takes its share, between the least and the most. */
const ROWS_AT_FIRST = 36;
const ROWS_MIN = 5;
const ROWS_MAX = 12;

/**
 * @typedef {{ id: number, from: string, name: string, text: string, sent_at: number, blocked: string | null }} Waiting
 * @typedef {{ id: number, name: string, text: string, range: string, set_at: number, blocked: string | null }} Timer
 */

/** @param {HTMLElement} place
 *  @param {Waiting[]} inbox
 *  @param {import("./session.js").Session} session
 *  @param {boolean} isAll */
export function showInbox(place, inbox, session, isAll) {
  patch(place, isAll ? inbox : inbox.slice(0, rowsAtFirst(session)), (message) => message.id, () => createMessage(session), (row, message) => {
    const [line, deliver, drop, duplicate] = row.children;
    const [swatch, from, name, text] = line.children;
    row.message = message;
    const tone = session.info.names.indexOf(message.name);
    setAttribute(row, "data-testid", "queued-" + message.id);
    setAttribute(swatch, "class", `swatch kind-deliver ${tone < 0 ? "" : "tone-" + (tone % 8)}`);
    setText(from, message.from, 30);
    setText(name, message.name, 40);
    // The text begins with the name, which stands there already.
    setText(text, message.text?.startsWith(message.name) ? message.text.slice(message.name.length).trim() : message.text ?? "", 160);
    setAttribute(line, "data-testid", "message-" + message.id);
    setTip(line, `from ${message.from}, sent at ${message.sent_at}\n${message.text}`);
    setAttribute(row, "data-blocked", message.blocked ? "true" : null);
    nameButton(deliver, "deliver-" + message.id, `Deliver ${message.name} from ${message.from}`);
    nameButton(drop, "drop-" + message.id, `Lose ${message.name} from ${message.from}`);
    nameButton(duplicate, "duplicate-" + message.id, `Double ${message.name} from ${message.from}`);
    setReason(deliver, message.blocked ?? session.source.refusal);
    setReason(drop, session.source.refusal);
    setReason(duplicate, session.source.refusal);
  }, true);
}

/** How many of a queue are not shown, unless all of it is.
 *  @param {number} length
 *  @param {import("./session.js").Session} session */
export function hiddenOf(length, session) {
  return Math.max(0, length - rowsAtFirst(session));
}

/** So many rows of a queue are shown unless all of it is: the more nodes, the fewer, so that the nodes can be looked over.
 *  @param {import("./session.js").Session} session */
function rowsAtFirst(session) {
  return Math.max(ROWS_MIN, Math.min(ROWS_MAX, Math.floor(ROWS_AT_FIRST / session.info.nodes.length)));
}

/** What a button of a row that shows another item is called now.
 *  @param {HTMLElement} made
 *  @param {string} testid
 *  @param {string} label */
function nameButton(made, testid, label) {
  setAttribute(made, "data-testid", testid);
  setAttribute(made, "aria-label", label);
  setTip(made, label);
}

/** A row for any message: which one it is, it is told later.
 *  @param {import("./session.js").Session} session */
function createMessage(session) {
  /** @type {any} */
  const row = element("div", { class: "queued" },
    element("button", { type: "button", class: "line link-quiet", on: { click: () => session.travel(row.message.sent_at) } },
      element("i", { class: "swatch", "aria-hidden": "true" }), element("span", { class: "from" }), element("b", { class: "name" }), element("span", { class: "text" })),
    button({ icon: "deliver", label: "", class: "quiet small strong", run: () => session.act({ do: "deliver", id: row.message.id }) }),
    button({ icon: "drop", label: "", class: "quiet small", run: () => session.act({ do: "drop", id: row.message.id }) }),
    button({ icon: "duplicate", label: "", class: "quiet small", run: () => session.act({ do: "duplicate", id: row.message.id }) }));
  return row;
}

/** @param {HTMLElement} place
 *  @param {Timer[]} timers
 *  @param {import("./session.js").Session} session
 *  @param {boolean} isAll */
export function showTimers(place, timers, session, isAll) {
  patch(place, isAll ? timers : timers.slice(0, rowsAtFirst(session)), (timer) => timer.id, (timer) => createTimer(timer, session), (row, timer) => {
    const [line, fire] = row.children;
    const [swatch, name, text] = line.children;
    const tone = session.info.names.indexOf(timer.name);
    setAttribute(swatch, "class", `swatch kind-fire ${tone < 0 ? "" : "tone-" + (tone % 8)}`);
    setText(name, timer.text && timer.text.length < 60 ? timer.text : timer.name, 60);
    setText(text, timer.range ?? "", 60);
    setTip(line, `${timer.text}\nset at ${timer.set_at}, ${timer.range}`);
    setAttribute(row, "data-blocked", timer.blocked ? "true" : null);
    setReason(fire, timer.blocked ?? session.source.refusal);
  });
}

/** @param {Timer} timer
 *  @param {import("./session.js").Session} session */
function createTimer(timer, session) {
  const { id } = timer;
  return element("div", { class: "queued timer", testid: "timer-" + id },
    element("button", { type: "button", class: "line link-quiet", on: { click: () => session.travel(timer.set_at) } },
      element("i", { class: "swatch", "aria-hidden": "true" }), element("b", { class: "name" }), element("span", { class: "text" })),
    button({ testid: "fire-" + id, icon: "fire", label: `Fire ${timer.name}`, class: "quiet small strong", run: () => session.act({ do: "fire", id }) }));
}
