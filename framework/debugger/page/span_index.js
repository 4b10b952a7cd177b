// @ts-check
// Finds the spans (arrows, bars) that reach into a stretch of rows from beyond its end, without looking at all of them.
// A span ends at a row and starts at an earlier one; the index keeps the smallest start of each block of 32 rows, of each
// block of 32 such blocks, and so on, and skips every block whose smallest start is beyond the stretch.

const SPAN_NONE = 0x7fffffff;

export class SpanIndex {
  constructor() {
    this.length = 0;
    /** `levels[0]` has the start of the span that ends at each row; each further one the least of 32 of the one below. */
    this.levels = [0, 1, 2, 3, 4].map(() => new Int32Array(64).fill(SPAN_NONE));
  }

  /** @param {number} start the row where the span that ends at the next row starts, or -1 if none ends there */
  push(start) {
    const value = start < 0 ? SPAN_NONE : start;
    let place = this.length++;
    for (let level = 0; level < this.levels.length; level++, place >>= 5) {
      let array = this.levels[level];
      if (place >= array.length) {
        const bigger = new Int32Array(array.length * 2).fill(SPAN_NONE);
        bigger.set(array);
        this.levels[level] = array = bigger;
      }
      if (level === 0 || array[place] > value) array[place] = value;
      else break;
    }
  }

  /** @param {number} row
   *  @returns {number} the start of the span that ends at the row, or -1 */
  start(row) {
    const value = this.levels[0][row];
    return value === SPAN_NONE ? -1 : value;
  }

  /** @param {number} length */
  truncate(length) {
    const kept = this.levels[0].slice(0, length);
    this.length = 0;
    for (const array of this.levels) array.fill(SPAN_NONE);
    for (const start of kept) this.push(start === SPAN_NONE ? -1 : start);
  }

  /**
   * Calls `visit` with the end row of each span that ends after `bottom` and starts at it or before, up to `limit` of them.
   * @param {number} bottom
   * @param {number} limit
   * @param {(end: number) => void} visit
   */
  eachReaching(bottom, limit, visit) {
    const { levels, length } = this;
    let row = bottom + 1;
    let left = limit;
    while (row < length && left > 0) {
      // The biggest block that begins at this row and has nothing for us is skipped in one go.
      let level = 0;
      let isSkipped = false;
      for (level = levels.length - 1; level > 0; level--) {
        const size = 5 * level;
        if ((row & ((1 << size) - 1)) === 0 && levels[level][row >> size] > bottom) {
          row += 1 << size;
          isSkipped = true;
          break;
        }
      }
      if (isSkipped) continue;
      if (levels[0][row] <= bottom) {
        visit(row);
        left--;
      }
      row++;
    }
  }
}
