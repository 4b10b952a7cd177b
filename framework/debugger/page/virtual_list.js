// @ts-check
// A list of very many rows of one height: only the rows in sight have elements, and those are used again as it scrolls.

import { element } from "./dom.js";

/** Browsers do not lay out boxes much higher than this. */
const HEIGHT_MAX = 15_000_000;

export class VirtualList {
  /**
   * @param {HTMLElement} scroller
   * @param {{ rowHeight: number, count: () => number, create: () => HTMLElement,
   *   update: (row: any, index: number) => void, shown?: (first: number, last: number) => void }} wish
   */
  constructor(scroller, wish) {
    this.scroller = scroller;
    this.wish = wish;
    this.spacer = element("div", { class: "virtual-spacer" });
    scroller.append(this.spacer);
    /** @type {HTMLElement[]} */
    this.pool = [];
    /** The index that each element of the pool shows. @type {number[]} */
    this.indices = [];
    this.isWaiting = false;
    this.height = 0;
    /** How far it is scrolled: kept, because asking the browser right after a change makes it lay out the page at once. */
    this.real = 0;
    scroller.addEventListener("scroll", () => {
      this.real = scroller.scrollTop;
      this.drawSoon();
    });
    new ResizeObserver(() => {
      this.height = scroller.clientHeight;
      this.real = scroller.scrollTop;
      this.drawSoon();
    }).observe(scroller);
  }

  drawSoon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw(false);
    });
  }

  /** How far the whole list reaches, and the part of it that the scroller stands for. */
  scale() {
    const whole = this.wish.count() * this.wish.rowHeight;
    const shown = Math.min(whole, HEIGHT_MAX);
    const factor = whole > HEIGHT_MAX ? (whole - this.height) / (HEIGHT_MAX - this.height) : 1;
    return { whole, shown, factor };
  }

  /** @param {boolean} isChanged whether rows may show something else than before */
  draw(isChanged) {
    const { wish, real } = this;
    const { rowHeight } = wish;
    const count = wish.count();
    const { shown, factor } = this.scale();
    const height = shown + "px";
    if (this.spacer.style.height !== height) this.spacer.style.height = height;
    const top = real * factor;
    const first = Math.max(0, Math.floor(top / rowHeight) - 2);
    const last = Math.min(count - 1, Math.ceil((top + this.height) / rowHeight) + 2);
    const size = Math.ceil(this.height / rowHeight) + 6;
    while (this.pool.length < size) {
      const made = wish.create();
      made.hidden = true;
      this.spacer.append(made);
      this.pool.push(made);
      this.indices.push(-1);
    }
    for (let slot = 0; slot < this.pool.length; slot++) {
      // The index in [first, first + pool) that this element has.
      const length = this.pool.length;
      const index = first + ((((slot - first) % length) + length) % length);
      const made = this.pool[slot];
      if (index > last) {
        if (!made.hidden) made.hidden = true;
        this.indices[slot] = -1;
        continue;
      }
      if (this.indices[slot] !== index || isChanged) {
        this.indices[slot] = index;
        wish.update(made, index);
      }
      if (made.hidden) made.hidden = false;
      const place = `translateY(${index * rowHeight - top + real}px)`;
      if (made.style.transform !== place) made.style.transform = place;
    }
    if (wish.shown && last >= first) wish.shown(first, last);
  }

  /** Scrolls as little as it takes to have the row in sight, with some rows around it.
   *  @param {number} index */
  reveal(index) {
    const { rowHeight } = this.wish;
    if (!this.height) this.height = this.scroller.clientHeight;
    const { factor, shown } = this.scale();
    const top = this.real * factor;
    const place = index * rowHeight;
    const margin = Math.min(3 * rowHeight, this.height / 3);
    let wanted = top;
    const isFar = place < top - this.height || place > top + 2 * this.height;
    if (isFar) wanted = place - this.height / 2;
    else if (place < top + margin) wanted = place - margin;
    else if (place + rowHeight > top + this.height - margin) wanted = place + rowHeight - this.height + margin;
    if (wanted !== top) {
      this.spacer.style.height = shown + "px";
      this.real = Math.max(0, Math.min(shown - this.height, Math.round(wanted / factor)));
      this.scroller.scrollTop = this.real;
    }
  }
}
