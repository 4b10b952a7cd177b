// @ts-check
// One kind of news and those who want to hear it.

/** @template T */
export class Signal {
  constructor() {
    /** @type {Array<(news: T) => void>} */
    this.listeners = [];
  }

  /** @param {(news: T) => void} listener */
  on(listener) {
    this.listeners.push(listener);
  }

  /** @param {T} news */
  emit(news) {
    for (const listener of this.listeners) listener(news);
  }
}
