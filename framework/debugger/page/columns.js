// @ts-check
// The columns of the moments: a value for each moment in typed arrays, and the links that follow from them (children, arrivals).

export const NONE = 0xffffffff;
export const NO_NAME = 0xffff;
export const NOBODY = 0xff;

/** What the bits of `flags` say. */
export const FLAG = { violation: 1, leads: 2, differs: 4, made: 8, opened: 16 };

export class Columns {
  constructor() {
    this.count = 0;
    this.room = 0;
    this.at_us = new Float64Array(0);
    this.parent = new Uint32Array(0);
    this.cause = new Uint32Array(0);
    this.answers = new Uint32Array(0);
    this.message = new Uint32Array(0);
    this.name = new Uint16Array(0);
    this.term = new Uint16Array(0);
    this.kind = new Uint8Array(0);
    this.node = new Uint8Array(0);
    this.peer = new Uint8Array(0);
    this.flags = new Uint8Array(0);
    /** The first child of a moment, the last, and the next child of its parent: moments, or NONE. */
    this.child = new Uint32Array(0);
    this.lastChild = new Uint32Array(0);
    this.sibling = new Uint32Array(0);
    /** The newest moment caused by a moment, and the next older one with the same cause. */
    this.effect = new Uint32Array(0);
    this.nextEffect = new Uint32Array(0);
  }

  /**
   * Takes what /api/columns answered. Moments that are here already are skipped.
   * @param {ArrayBuffer} answer
   * @returns {number} how many are new
   */
  append(answer) {
    if (answer.byteLength < 8) throw new Error("the columns are cut short: reload the page");
    const head = new DataView(answer);
    const many = head.getUint32(0, true);
    const first = head.getUint32(4, true);
    if (answer.byteLength < 8 + many * 32) throw new Error("the columns are cut short: reload the page");
    if (first > this.count) throw new Error(`the columns begin at ${first}, not at ${this.count}: reload the page`);
    const skip = this.count - first;
    if (many <= skip) return 0;
    this.reserve(first + many);
    let place = 8;
    /** @param {any} View
     *  @param {any} column */
    const take = (View, column) => {
      column.set(new View(answer, place, many).subarray(skip), this.count);
      place += many * View.BYTES_PER_ELEMENT;
    };
    take(Float64Array, this.at_us);
    for (const column of [this.parent, this.cause, this.answers, this.message]) take(Uint32Array, column);
    for (const column of [this.name, this.term]) take(Uint16Array, column);
    for (const column of [this.kind, this.node, this.peer, this.flags]) take(Uint8Array, column);
    const before = this.count;
    this.count = first + many;
    this.link(before);
    return this.count - before;
  }

  /** @param {number} wanted */
  reserve(wanted) {
    if (wanted <= this.room) return;
    const room = Math.max(wanted + 256, Math.ceil(this.room * 1.5));
    for (const [name, column] of Object.entries(this)) {
      if (!ArrayBuffer.isView(column)) continue;
      const bigger = new /** @type {any} */ (column.constructor)(room);
      bigger.set(/** @type {any} */ (column).subarray(0, this.count));
      /** @type {any} */ (this)[name] = bigger;
    }
    this.room = room;
  }

  /** @param {number} from the first moment that is not linked yet */
  link(from) {
    const { count, parent, cause, child, lastChild, sibling, effect, nextEffect } = this;
    child.fill(NONE, from, count);
    lastChild.fill(NONE, from, count);
    sibling.fill(NONE, from, count);
    effect.fill(NONE, from, count);
    nextEffect.fill(NONE, from, count);
    for (let moment = from; moment < count; moment++) {
      const above = parent[moment];
      if (above < moment) {
        if (child[above] === NONE) child[above] = moment;
        else sibling[lastChild[above]] = moment;
        lastChild[above] = moment;
      }
      const source = cause[moment];
      if (source < moment) {
        nextEffect[moment] = effect[source];
        effect[source] = moment;
      }
    }
  }

  /** @param {number} moment */
  children(moment) {
    const found = [];
    for (let child = this.child[moment]; child !== NONE; child = this.sibling[child]) found.push(child);
    return found;
  }

  /**
   * What the moment caused, oldest first.
   * @param {number} moment
   */
  effects(moment) {
    const found = [];
    for (let later = this.effect[moment]; later !== NONE && found.length < 10000; later = this.nextEffect[later]) found.push(later);
    return found.reverse();
  }

  /**
   * This moment, its cause, that one's cause, and so on.
   * @param {number} moment
   * @param {number} [limit]
   */
  causes(moment, limit = 500) {
    const chain = [];
    for (let at = moment; at < this.count && chain.length < limit; at = this.cause[at]) chain.push(at);
    return chain;
  }

  /**
   * The end of the branch that one comes to from here by the first child each time.
   * @param {number} moment
   */
  leafBelow(moment) {
    while (this.child[moment] !== NONE) moment = this.child[moment];
    return moment;
  }
}
