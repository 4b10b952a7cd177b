// @ts-check
// The branch that is shown: the way from the beginning to a leaf, one row for each moment, with what the drawing needs to know
// about it, kept up row by row as the branch grows and taken back only as far as another branch differs.

import { NONE, NO_NAME, NOBODY, FLAG } from "./columns.js";
import { SpanIndex } from "./span_index.js";

/** How a node is, from some row on. */
export const STATUS = { away: 0, running: 1, crashed: 2, paused: 3 };

/** Changes of one value along the rows: `rows` ascend, and `values[i]` holds from `rows[i]` on. */
export class Changes {
  constructor() {
    /** @type {number[]} */
    this.rows = [];
    /** @type {number[]} */
    this.values = [];
  }

  /** @param {number} row
   *  @param {number} value */
  add(row, value) {
    if (this.values[this.values.length - 1] === value) return;
    this.rows.push(row);
    this.values.push(value);
  }

  /** @param {number} row the first that is no more */
  truncate(row) {
    const keep = this.after(row - 1);
    this.rows.length = keep;
    this.values.length = keep;
  }

  /** How many of the changes are at the row or before it.
   *  @param {number} row */
  after(row) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] <= row) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class Branch {
  /** @param {import("./columns.js").Columns} columns
   *  @param {Record<string, number>} kind the number of each kind
   *  @param {number} node_count */
  constructor(columns, kind, node_count) {
    this.columns = columns;
    this.kind = kind;
    this.leaf = NONE;
    this.length = 0;
    this.path = new Uint32Array(0);
    /** The row of a moment, or -1 where it is not on this branch. */
    this.rows = new Int32Array(0);
    /** Where each row stands, in row heights from the top, if time is shown to scale. */
    this.places = new Float64Array(0);
    this.arrows = new SpanIndex();
    this.bars = new SpanIndex();
    this.violations = new Changes();
    this.statuses = Array.from({ length: node_count }, () => new Changes());
    /** The term and whether the node leads, as term * 2 + leads; -1 for no term. */
    this.terms = Array.from({ length: node_count }, () => new Changes());
    this.unit_us = 0;
    this.revision = 0;
  }

  /** Shows the branch that ends at `leaf`.
   *  @param {number} leaf */
  show(leaf) {
    const { columns } = this;
    if (this.leaf === leaf) return;
    this.reserve();
    // Walk up until a moment that is shown already, and keep everything up to there.
    let many = 0;
    let kept = 0;
    for (let moment = leaf; moment !== NONE; moment = columns.parent[moment]) {
      if (this.rows[moment] >= 0) {
        kept = this.rows[moment] + 1;
        break;
      }
      many++;
    }
    if (kept < this.length) this.truncate(kept);
    let moment = leaf;
    for (let row = kept + many - 1; row >= kept; row--, moment = columns.parent[moment]) {
      this.path[row] = moment;
      this.rows[moment] = row;
    }
    this.length = kept + many;
    for (let row = kept; row < this.length; row++) this.take(row);
    this.leaf = leaf;
    this.place();
    this.revision++;
  }

  /** @param {number} moment */
  row(moment) {
    return moment < this.rows.length ? this.rows[moment] : -1;
  }

  reserve() {
    const { room } = this.columns;
    if (this.rows.length >= room) return;
    const rows = new Int32Array(room).fill(-1);
    rows.set(this.rows);
    this.rows = rows;
    const path = new Uint32Array(room);
    path.set(this.path);
    this.path = path;
  }

  /** @param {number} length */
  truncate(length) {
    for (let row = length; row < this.length; row++) this.rows[this.path[row]] = -1;
    this.length = length;
    this.arrows.truncate(length);
    this.bars.truncate(length);
    this.violations.truncate(length);
    for (const changes of this.statuses) changes.truncate(length);
    for (const changes of this.terms) changes.truncate(length);
  }

  /** Takes what the row's event tells.
   *  @param {number} row */
  take(row) {
    const { columns, kind } = this;
    const moment = this.path[row];
    const what = columns.kind[moment];
    const node = columns.node[moment];
    const travels = what === kind.deliver || what === kind.drop || what === kind.duplicate;
    this.arrows.push(travels ? this.row(columns.cause[moment]) : -1);
    this.bars.push(columns.answers[moment] === NONE ? -1 : this.row(columns.answers[moment]));
    if (columns.flags[moment] & FLAG.violation) this.violations.add(row, row);
    if (node === NOBODY || node >= this.statuses.length) return;
    const statuses = this.statuses[node];
    const status = statuses.values[statuses.values.length - 1] ?? STATUS.away;
    if (what === kind.crash) statuses.add(row, STATUS.crashed);
    else if (what === kind.pause) statuses.add(row, STATUS.paused);
    else if (what === kind.start || what === kind.restart || what === kind.resume) statuses.add(row, STATUS.running);
    else if (status === STATUS.away && (what === kind.deliver || what === kind.fire)) statuses.add(row, STATUS.running);
    const term = columns.term[moment];
    const isStep = what === kind.deliver || what === kind.fire || what === kind.start || what === kind.restart || what === kind.request;
    if (isStep) this.terms[node].add(row, term === NO_NAME ? -1 : term * 2 + (columns.flags[moment] & FLAG.leads ? 1 : 0));
    else if (what === kind.crash) this.terms[node].add(row, -1);
  }

  /** Places the rows by their times: a mean step is one row high, and no two rows are nearer than a quarter of one. */
  place() {
    const { columns, path, length } = this;
    if (this.places.length < length) this.places = new Float64Array(this.path.length);
    const total_us = length > 1 ? columns.at_us[path[length - 1]] - columns.at_us[path[0]] : 0;
    this.unit_us = total_us > 0 ? total_us / (length - 1) : 0;
    let place = 0;
    for (let row = 0; row < length; row++) {
      const exact = this.unit_us > 0 ? columns.at_us[path[row]] / this.unit_us : row;
      place = row === 0 ? exact : Math.max(place + 0.25, exact);
      this.places[row] = place;
    }
  }
}
