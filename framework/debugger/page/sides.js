// @ts-check
// The table of a comparison: a line for each field that differs, its value at A beside that at B.

import { element, patch, setText, setTip } from "./dom.js";

const LINES_MAX = 600;
const SIDE_VALUE_MAX = 240;

/** @typedef {{ name: string, changes: Array<{ path: string, before: string | null, after: string | null }> }} ComparedNode */
/** @typedef {{ key: string, look: string, text: string }} SideCell */

/** @param {HTMLElement} place
 *  @param {ComparedNode[]} nodes
 *  @param {number} a
 *  @param {number} b */
export function showSides(place, nodes, a, b) {
  /** @type {SideCell[]} */
  const cells = [{ key: "h", look: "head", text: "" }, { key: "ha", look: "head", text: "at A, " + a }, { key: "hb", look: "head", text: "at B, " + b }];
  let lines = 0;
  for (const node of nodes) {
    if (!node.changes?.length) continue;
    cells.push({ key: "n" + node.name, look: "node", text: `${node.name} (${node.changes.length})` });
    for (const change of node.changes) {
      if (lines++ >= LINES_MAX) break;
      const key = node.name + "\n" + change.path;
      cells.push({ key: "p" + key, look: "path", text: change.path || "how it is" }, sideCell("a" + key, "side-a", change.before), sideCell("b" + key, "side-b", change.after));
    }
  }
  if (!lines) cells.push({ key: "none", look: "node", text: "No node differs." });
  if (lines > LINES_MAX) cells.push({ key: "more", look: "node", text: `${lines - LINES_MAX} more are not shown.` });
  showCells(place, cells);
}

/** @param {HTMLElement} place
 *  @param {{ only_a?: string[], only_b?: string[] }} flight */
export function showFlight(place, flight) {
  const [onlyA, onlyB] = [flight.only_a ?? [], flight.only_b ?? []];
  /** @type {SideCell[]} */
  const cells = [{ key: "n", look: "node", text: onlyA.length || onlyB.length ? "Messages on their way in only one of them" : "The same messages are on their way in both." }];
  const many = Math.min(LINES_MAX, Math.max(onlyA.length, onlyB.length));
  for (let at = 0; at < many; at++) {
    cells.push({ key: "p" + at, look: "path", text: at === 0 ? "in flight" : "" }, sideCell("a" + at, "side-a", onlyA[at] ?? ""), sideCell("b" + at, "side-b", onlyB[at] ?? ""));
  }
  showCells(place, cells);
}

/** @param {string} key
 *  @param {string} look
 *  @param {string | null} value
 *  @returns {SideCell} */
function sideCell(key, look, value) {
  return value === null ? { key, look: look + " quiet-words", text: "is not there" } : { key, look, text: value };
}

/** @param {HTMLElement} place
 *  @param {SideCell[]} cells */
function showCells(place, cells) {
  patch(place, cells, (cell) => cell.key + "\t" + cell.look, (cell) => element("div", { class: cell.look }), (made, cell) => {
    setText(made, cell.text, SIDE_VALUE_MAX);
    setTip(made, cell.text.length > SIDE_VALUE_MAX ? cell.text : null);
  });
}
