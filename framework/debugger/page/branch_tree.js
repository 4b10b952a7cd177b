// @ts-check
// How the branches hang together: which branch each one leaves, where, and how many steps are its own.

import { NONE } from "./columns.js";

/**
 * @typedef {{ leaf: number, name: string, isNamed: boolean, violation: string | null, fork: number, steps: number,
 *   depth: number }} BranchRow `fork` is the moment that it leaves another branch at, or NONE
 */

/**
 * The branches in the order in which a tree is read: each after the one that it leaves, those that leave it earlier first.
 * @param {import("./columns.js").Columns} columns
 * @param {import("./source.js").BranchInfo[]} branches
 * @returns {BranchRow[]}
 */
export function branchRows(columns, branches) {
  /** The number of the branch that each moment is on, first come. */
  const owner = new Int32Array(columns.count).fill(-1);
  /** @type {Array<BranchRow & { above: number, below: number[] }>} */
  const rows = [];
  /** @type {number[]} */
  const tops = [];
  for (const branch of branches) {
    if (branch.leaf >= columns.count) continue;
    const number = rows.length;
    let moment = branch.leaf;
    let steps = 0;
    while (moment !== NONE && owner[moment] < 0) {
      owner[moment] = number;
      moment = columns.parent[moment];
      steps++;
    }
    const above = moment === NONE ? -1 : owner[moment];
    rows.push({
      leaf: branch.leaf, name: branch.name, isNamed: branch.is_named, violation: branch.violation,
      fork: moment, steps: moment === NONE ? steps - 1 : steps, depth: above < 0 ? 0 : rows[above].depth + 1, above, below: [],
    });
    if (above < 0) tops.push(number);
    else rows[above].below.push(number);
  }
  /** @type {BranchRow[]} */
  const sorted = [];
  const waiting = tops.reverse();
  while (waiting.length) {
    const row = rows[/** @type {number} */ (waiting.pop())];
    sorted.push(row);
    row.below.sort((a, b) => rows[b].fork - rows[a].fork || b - a);
    waiting.push(...row.below);
  }
  return sorted;
}
