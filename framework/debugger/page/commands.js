// @ts-check
// All that can be done from the keyboard or the palette, in one table: the keys are bound, and the help is written, from it.

import { NONE } from "./columns.js";
import { firstViolation, goToViolation, nextViolation, violationReason } from "./claims.js";
import { firstWaiting, selectedReason } from "./acts.js";
import { showShare } from "./share.js";

/** @typedef {import("./acts.js").Command} Command */

/**
 * What the commands work on.
 * @typedef {{ session: import("./session.js").Session, diagram: import("./diagram.js").Diagram, player: import("./player.js").Player,
 *   left: import("./tabs.js").Tabs, right: import("./tabs.js").Tabs, events: import("./events.js").EventList,
 *   history: import("./history.js").HistoryPane, why: import("./why.js").Why, comparison: import("./compare.js").Comparison,
 *   explore: import("./explore.js").Explore, jobs: import("./jobs.js").Jobs, files: import("./files.js").Files,
 *   openPalette: () => void, openHelp: () => void, openGoto: () => void }} Desk
 */

/** @param {Desk} desk
 *  @returns {Command[]} */
export function makeCommands(desk) {
  return [...moveCommands(desk), ...actCommands(desk), ...exploreCommands(desk), ...showCommands(desk), ...pageCommands(desk)];
}

/** @param {Desk} desk
 *  @returns {Command[]} */
function moveCommands({ session, player, why, openGoto }) {
  const group = "Move";
  const { focus, columns } = session;
  const back = () => player.backReason();
  const forward = () => player.forwardReason();
  /** @param {1 | -1} by */
  const besideOf = (by) => {
    const parent = columns.parent[focus.moment];
    const beside = parent === NONE ? [] : columns.children(parent);
    return beside[beside.indexOf(focus.moment) + by] ?? -1;
  };
  const cause = () => columns.cause[focus.moment];
  const effect = () => columns.effects(focus.moment).find((moment) => session.branch.row(moment) >= 0) ?? columns.effect[focus.moment];
  /** @param {number} moment */
  const touches = (moment) => columns.node[moment] === focus.node || columns.peer[moment] === focus.node;
  const selected = () => (focus.node < 0 ? "select a node first" : null);
  return [
    { id: "step-back", group, icon: "back", words: "Step back", keys: ["ArrowUp", "ArrowLeft", "k"], reason: back, run: () => player.step(-1) },
    { id: "step-forward", group, icon: "forward", words: "Step forward", keys: ["ArrowDown", "ArrowRight", "j"], reason: forward, run: () => player.step(1) },
    { id: "page-back", group, icon: "back", words: "20 steps back", keys: ["PageUp"], reason: back, run: () => player.step(-20) },
    { id: "page-forward", group, icon: "forward", words: "20 steps forward", keys: ["PageDown"], reason: forward, run: () => player.step(20) },
    { id: "first", group, icon: "first", words: "To the beginning", keys: ["Home"], reason: back, run: () => player.step(-Infinity) },
    { id: "last", group, icon: "last", words: "To the end of the branch", keys: ["End"], reason: forward, run: () => player.step(Infinity) },
    { id: "play", group, icon: "play", words: "Play, or stop playing", keys: ["Space"], reason: () => (player.isPlaying ? null : forward()), run: () => player.turn() },
    { id: "goto", group, icon: "link", words: "Go to a moment by its number", keys: ["g"], run: openGoto },
    { id: "first-violation", group, icon: "star", words: "To the first violation", keys: ["v"], reason: () => violationReason(session) ?? (firstViolation(session) === focus.moment ? "this is the first violation" : null), run: () => goToViolation(session) },
    { id: "next-violation", group, icon: "star", words: "To the next violation", keys: ["V"], reason: () => (nextViolation(session) < 0 ? "no violation comes after this moment" : null), run: () => session.travel(nextViolation(session)) },
    { id: "to-cause", group, icon: "back", words: "To what caused this event", keys: ["c"], reason: () => (cause() === NONE ? "nothing caused this event" : null), run: () => session.travel(cause()) },
    { id: "to-effect", group, icon: "forward", words: "To what this event caused", keys: ["e"], reason: () => (effect() === NONE ? "this event caused none that is known" : null), run: () => session.travel(effect()) },
    { id: "node-back", group, icon: "back", words: "The selected node's event before", keys: ["["], reason: selected, run: () => player.seek(-1, touches) },
    { id: "node-forward", group, icon: "forward", words: "The selected node's next event", keys: ["]"], reason: selected, run: () => player.seek(1, touches) },
    { id: "branch-back", group, icon: "branch", words: "The branch beside, made earlier", keys: ["Shift+ArrowLeft"], reason: () => (besideOf(-1) < 0 ? "no other branch leaves here" : null), run: () => session.travel(besideOf(-1)) },
    { id: "branch-forward", group, icon: "branch", words: "The branch beside, made later", keys: ["Shift+ArrowRight"], reason: () => (besideOf(1) < 0 ? "no other branch leaves here" : null), run: () => session.travel(besideOf(1)) },
    { id: "why-clear", group: "Show", icon: "close", words: "Show all events again", reason: () => (focus.chain ? null : "all are shown"), run: () => why.clear() },
  ];
}

/** @param {Desk} desk
 *  @returns {Command[]} */
function actCommands({ session }) {
  const group = "Do at this moment";
  const { focus, info } = session;
  const { refusal } = session.source;
  const name = () => info.nodes[focus.node]?.name ?? "";
  /** @param {number} by */
  const select = (by) => focus.change({ node: focus.node < 0 ? (by > 0 ? 0 : info.nodes.length - 1) : (focus.node + by + info.nodes.length) % info.nodes.length });
  /** @param {string} what
   *  @param {string} words
   *  @param {string[]} keys
   *  @returns {Command} */
  const toNode = (what, words, keys) => ({ id: what + "-selected", group, icon: what, words, keys, reason: () => selectedReason(session, what), run: () => session.act({ do: what, node: name() }) });
  return [
    { id: "select-next", group, icon: "node", words: "Select the next node", keys: ["n"], run: () => select(1) },
    { id: "select-previous", group, icon: "node", words: "Select the node before", keys: ["N"], run: () => select(-1) },
    { id: "deliver-next", group, icon: "deliver", words: "Deliver the first message (of the selected node)", keys: ["d"], reason: () => refusal ?? (firstWaiting(session, "inbox") < 0 ? "no message can be delivered" : null), run: () => session.act({ do: "deliver", id: firstWaiting(session, "inbox") }) },
    { id: "fire-next", group, icon: "fire", words: "Fire the first timer (of the selected node)", keys: ["f"], reason: () => refusal ?? (firstWaiting(session, "timers") < 0 ? "no timer can fire" : null), run: () => session.act({ do: "fire", id: firstWaiting(session, "timers") }) },
    toNode("start", "Start the selected node", ["s"]),
    toNode("crash", "Crash the selected node", ["x"]),
    toNode("crash_keeping", "Crash the selected node, its writes become durable first", ["X"]),
    toNode("restart", "Restart the selected node", ["r"]),
    toNode("pause", "Pause the selected node", ["p"]),
    toNode("resume", "Resume the selected node", ["P"]),
    toNode("durable", "The selected node's writes become durable", ["w"]),
    toNode("request", "The selected node's user asks what it has next", ["u"]),
    toNode("give_up", "The selected node's user gives up waiting", ["U"]),
  ];
}

/** @param {Desk} desk
 *  @returns {Command[]} */
function exploreCommands({ session, explore, jobs }) {
  const group = "Explore";
  /** @param {HTMLElement} made */
  const reasonOf = (made) => () => made.dataset.reason ?? null;
  return [
    { id: "random-run", group, icon: "random", words: "Random steps from here", keys: ["R"], reason: reasonOf(explore.run), run: () => explore.run.click() },
    { id: "predicate", group, icon: "edit", words: "Write a predicate", keys: ["="], reason: () => session.source.refusal, run: () => explore.field.input.focus() },
    { id: "run-until", group, icon: "run_until", words: "Random steps until the predicate holds", reason: reasonOf(explore.until), run: () => explore.until.click() },
    { id: "search", group, icon: "search", words: "Search the nearest state in which the predicate holds", reason: reasonOf(explore.search), run: () => explore.search.click() },
    { id: "minimise", group, icon: "minimise", words: "Minimise the way to this violation", reason: reasonOf(explore.minimise), run: () => explore.minimise.click() },
    { id: "job-cancel", group, icon: "close", words: "Cancel what runs", keys: ["Ctrl+."], reason: () => (jobs.isBusy ? null : "nothing runs"), run: () => jobs.cancel() },
    { id: "quick", group, icon: "forward", words: "Quick steps on or off: durable and users at once", keys: ["q"], reason: () => session.source.refusal, run: () => explore.quick.click() },
  ];
}

/** @param {Desk} desk
 *  @returns {Command[]} */
function showCommands({ session, diagram, left, right, events, comparison }) {
  const group = "Show";
  const unscaled = () => (session.branch.unit_us > 0 ? null : "this trace has no clock");
  return [
    { id: "zoom-in", group, icon: "zoom_in", words: "Zoom in", keys: ["+"], run: () => diagram.zoomAtFocus(1.4) },
    { id: "zoom-out", group, icon: "zoom_out", words: "Zoom out", keys: ["-"], run: () => diagram.zoomAtFocus(1 / 1.4) },
    { id: "zoom-fit", group, icon: "expand", words: "The whole branch", keys: ["0"], run: () => diagram.zoomToAll() },
    { id: "zoom-usual", group, icon: "search", words: "The usual size", keys: ["9"], run: () => diagram.zoomToUsual() },
    { id: "scale-time", group, icon: "time", words: "Times to scale, or one row for each event", keys: ["t"], reason: unscaled, run: () => diagram.turnScale() },
    { id: "tab-events", group, icon: "palette", words: "Events", keys: ["1"], run: () => left.show("events") },
    { id: "tab-history", group, icon: "branch", words: "History", keys: ["2"], run: () => left.show("history") },
    { id: "tab-nodes", group, icon: "node", words: "Nodes", keys: ["3"], run: () => right.show("nodes") },
    { id: "tab-inspector", group, icon: "search", words: "Inspector", keys: ["4", "i"], run: () => right.show("inspector") },
    { id: "tab-claims", group, icon: "holds", words: "Claims", keys: ["5"], run: () => right.show("claims") },
    { id: "find", group, icon: "search", words: "Find in titles", keys: ["/"], run: () => {
      left.show("events");
      events.search.focus();
      events.search.select();
    } },
    { id: "compare-mark", group, icon: "flag", words: "Mark this moment as A, to compare with", keys: ["a"], reason: () => session.source.refusal, run: () => comparison.mark() },
    { id: "compare-show", group, icon: "compare", words: "Compare A with this moment", keys: ["b"], reason: () => comparison.reason, run: () => comparison.show() },
    { id: "compare-base", group, icon: "compare", words: "Changes since A, or since the moment before", keys: ["A"], reason: () => comparison.reason, run: () => comparison.turnBase() },
    { id: "compare-close", group, icon: "close", words: "Close the comparison", reason: () => (comparison.isOpen ? null : "nothing is compared"), run: () => comparison.close() },
  ];
}

/** @param {Desk} desk
 *  @returns {Command[]} */
function pageCommands({ session, files, history, openPalette, openHelp }) {
  const group = "Page";
  const refused = () => session.source.refusal;
  return [
    { id: "save", group, icon: "save", words: "Save the way to this moment as a trace", keys: ["Ctrl+s"], reason: refused, run: () => files.save() },
    { id: "load", group, icon: "load", words: "Load a trace as a branch", keys: ["Ctrl+o"], reason: refused, run: () => files.choose() },
    { id: "share", group, icon: "share", words: "Share this moment", keys: ["S"], run: () => showShare(session) },
    { id: "export", group, icon: "export", words: "Export the way to this moment as one HTML file", keys: ["E"], reason: refused, run: () => files.exportPage() },
    { id: "rename-here", group, icon: "edit", words: "Name this branch", keys: ["B"], reason: refused, run: () => history.renameHere() },
    { id: "palette-open", group, icon: "palette", words: "Find anything that can be done", keys: ["Ctrl+k", ":"], run: openPalette },
    { id: "help-open", group, icon: "help", words: "The keys", keys: ["?"], run: openHelp },
  ];
}
