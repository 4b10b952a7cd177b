// @ts-check
// What can be done at the focused moment, as commands: to each message, timer, node and link.

import { cutShort } from "./dom.js";
import { NODE_ACTIONS } from "./nodes.js";

const LINKS_LISTED_MAX = 2000;
const BRANCHES_LISTED_MAX = 500;

/**
 * @typedef {{ id: string, group: string, words: string, keys?: string[], icon?: string, reason?: () => string | null,
 *   run: () => void }} Command
 */

/** Every act that is possible at the focused moment.
 *  @param {import("./session.js").Session} session
 *  @returns {Command[]} */
export function possibleActs(session) {
  const { now, source } = session;
  if (!now || session.isBehind || source.refusal) return [];
  /** @type {Command[]} */
  const acts = [];
  /** @param {string} id
   *  @param {string} icon
   *  @param {string} words
   *  @param {import("./source.js").Act} act */
  const add = (id, icon, words, act) => acts.push({ id, group: "Here", icon, words, run: () => session.act(act) });
  for (const node of now.nodes ?? []) {
    for (const message of node.inbox ?? []) {
      const what = `${cutShort(message.text || message.name, 90)} from ${message.from} to ${node.name}`;
      if (!message.blocked) add("deliver-" + message.id, "deliver", "Deliver " + what, { do: "deliver", id: message.id });
      add("drop-" + message.id, "drop", "Lose " + what, { do: "drop", id: message.id });
      add("duplicate-" + message.id, "duplicate", "Double " + what, { do: "duplicate", id: message.id });
    }
    for (const timer of node.timers ?? []) {
      if (!timer.blocked) add("fire-" + timer.id, "fire", `Fire ${cutShort(timer.text || timer.name, 90)} of ${node.name}`, { do: "fire", id: timer.id });
    }
    for (const action of [...NODE_ACTIONS, { do: "give_up", words: "The user gives up waiting" }]) {
      if (node.actions?.[action.do] === null) add(`${action.do}-${node.name}`, action.do, `${action.words}: ${node.name}`, { do: action.do, node: node.name });
    }
    if (node.user && node.actions?.request === null && node.user.next !== null) {
      add("request-" + node.name, "request", `The user of ${node.name} asks ${cutShort(node.user.next, 90)}`, { do: "request", node: node.name });
    }
  }
  addLinks(session, add);
  return acts;
}

/** The ways to each branch and each node.
 *  @param {import("./session.js").Session} session
 *  @returns {Command[]} */
export function placeCommands(session) {
  const { info, focus } = session;
  return [
    ...info.nodes.map((node, number) => ({ id: "select-" + node.name, group: "Move", icon: "node", words: `Select ${cutShort(node.name, 90)}`, run: () => focus.change({ node: number }) })),
    ...info.branches.slice(0, BRANCHES_LISTED_MAX).map((branch) => ({
      id: "branch-" + branch.leaf, group: "Move", icon: branch.violation ? "star" : "branch", words: `Branch "${cutShort(branch.name, 90)}", ends at ${branch.leaf}`, run: () => session.travel(branch.leaf, branch.leaf),
    })),
  ];
}

/** @param {import("./session.js").Session} session
 *  @param {(id: string, icon: string, words: string, act: import("./source.js").Act) => void} add */
function addLinks(session, add) {
  const cut = new Set();
  for (const { from, to } of session.now.cuts ?? []) {
    cut.add(from + "\n" + to);
    add(`heal-${from}-${to}`, "heal", `Heal the link from ${from} to ${to}`, { do: "heal", from, to });
  }
  const { nodes } = session.info;
  if (nodes.length * nodes.length > LINKS_LISTED_MAX) return;
  for (const { name: from } of nodes) {
    for (const { name: to } of nodes) {
      if (from !== to && !cut.has(from + "\n" + to)) add(`cut-${from}-${to}`, "cut", `Cut the link from ${from} to ${to}`, { do: "cut", from, to });
    }
  }
}

/** The first message that can be delivered to (or timer that can fire at) the selected node, or any where none is selected.
 *  @param {import("./session.js").Session} session
 *  @param {"inbox" | "timers"} queue
 *  @returns {number} its number, or -1 */
export function firstWaiting(session, queue) {
  const selected = session.info.nodes[session.focus.node]?.name;
  if (session.isBehind) return -1;
  for (const node of session.now?.nodes ?? []) {
    if (selected !== undefined && node.name !== selected) continue;
    for (const one of node[queue] ?? []) if (!one.blocked) return one.id;
  }
  return -1;
}

/** Why the selected node can not have this done to it, or null.
 *  @param {import("./session.js").Session} session
 *  @param {string} what */
export function selectedReason(session, what) {
  const { source, focus, info, now } = session;
  if (source.refusal) return source.refusal;
  const name = info.nodes[focus.node]?.name;
  if (name === undefined) return "select a node first";
  if (session.isBehind) return "the moment is not here yet";
  const told = now?.nodes?.find((/** @type {any} */ node) => node.name === name);
  const reason = told?.actions?.[what];
  return reason === null ? null : reason ?? "that is not possible for " + name;
}
