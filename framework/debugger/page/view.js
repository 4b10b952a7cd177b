// @ts-check
// Which part of the branch the diagram shows, and where rows and lanes stand on it.

export const ROW_HEIGHT_MIN = 0.5;
export const ROW_HEIGHT_MAX = 64;
export const ROW_HEIGHT_USUAL = 24;
const GUTTER_MIN = 52;
const GUTTER_OF_TIMES = 72;
const LANE_WIDTH_MIN = 50;

export class View {
  /** @param {import("./branch.js").Branch} branch
   *  @param {number} lanes */
  constructor(branch, lanes) {
    this.branch = branch;
    this.lanes = lanes;
    this.width = 0;
    this.height = 0;
    this.rowHeight = ROW_HEIGHT_USUAL;
    /** Row heights above the top edge. */
    this.top = 0;
    /** Pixels left of the left edge, where the lanes are wider than the canvas. */
    this.left = 0;
    this.isToScale = false;
    this.gutter = GUTTER_MIN;
  }

  /** Makes room at the left edge for the numbers of so many moments, or for their times.
   *  @param {number} count */
  makeGutter(count) {
    const numbers = String(count).length * 7.2 + 26;
    this.gutter = Math.round(Math.max(GUTTER_MIN, numbers, this.isToScale ? GUTTER_OF_TIMES : 0));
  }

  get laneWidth() {
    return Math.max(LANE_WIDTH_MIN, (this.width - this.gutter) / Math.max(1, this.lanes));
  }

  /** @param {number} lane */
  x(lane) {
    return this.gutter + this.laneWidth * (lane + 0.5) - this.left;
  }

  /** Where a row is, in row heights from the beginning.
   *  @param {number} row */
  place(row) {
    return this.isToScale && this.branch.unit_us > 0 ? this.branch.places[row] : row;
  }

  /** @param {number} row */
  y(row) {
    return (this.place(row) - this.top + 0.5) * this.rowHeight;
  }

  /** The last row that is not below `y`.
   *  @param {number} y */
  rowAt(y) {
    const place = y / this.rowHeight + this.top - 0.5;
    const { length, places } = this.branch;
    if (!(this.isToScale && this.branch.unit_us > 0)) return Math.max(0, Math.min(length - 1, Math.floor(place)));
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[middle] <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** The row nearest to `y`.
   *  @param {number} y */
  nearest(y) {
    const row = this.rowAt(y);
    const next = Math.min(this.branch.length - 1, row + 1);
    return Math.abs(this.y(next) - y) < Math.abs(this.y(row) - y) ? next : row;
  }

  /** How far the branch reaches, in row heights. */
  get extent() {
    return this.branch.length ? this.place(this.branch.length - 1) + 1 : 1;
  }

  /** Rows' heights that the canvas shows. */
  get span() {
    return this.height / this.rowHeight;
  }

  clamp() {
    const slack = Math.min(3, this.span / 4);
    this.top = Math.max(-0.5, Math.min(this.top, this.extent + slack - this.span));
    if (this.top < -0.5 || this.extent + slack <= this.span) this.top = -0.5;
    this.left = Math.max(0, Math.min(this.left, this.laneWidth * this.lanes + this.gutter - this.width));
  }

  /** @param {number} factor
   *  @param {number} y what stays where it is */
  zoom(factor, y) {
    const place = y / this.rowHeight + this.top;
    this.rowHeight = Math.max(ROW_HEIGHT_MIN, Math.min(ROW_HEIGHT_MAX, this.rowHeight * factor));
    this.top = place - y / this.rowHeight;
    this.clamp();
  }

  /** Scrolls sideways as little as it takes to have the lane in sight.
   *  @param {number} lane */
  revealLane(lane) {
    if (lane >= this.lanes) return;
    const x = this.x(lane);
    const half = this.laneWidth / 2;
    if (x - half < this.gutter) this.left -= this.gutter - (x - half);
    else if (x + half > this.width) this.left += x + half - this.width;
    this.clamp();
  }

  /** Scrolls as little as it takes to have the row in sight.
   *  @param {number} row
   *  @returns {boolean} whether it had to */
  reveal(row) {
    const place = this.place(row);
    const margin = Math.min(4, this.span / 4);
    const before = this.top;
    if (place < this.top - this.span || place > this.top + 2 * this.span) this.top = place - this.span / 2;
    else if (place < this.top + margin) this.top = place - margin;
    else if (place + 1 > this.top + this.span - margin) this.top = place + 1 - this.span + margin;
    this.clamp();
    return this.top !== before;
  }
}
