// @ts-check
// Why a field has its value: asks for the chain of moments that led to it, and dims all others.

import { Signal } from "./signal.js";

/**
 * @typedef {{ moment: number, title: string, words: string }} WhyStep
 * @typedef {{ moment: number, node: string, path: string, chain: WhyStep[] }} WhyAnswer
 */

export class Why {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {WhyAnswer | null} */
    this.told = null;
    this.asked = 0;
    /** @type {Signal<null>} */
    this.changed = new Signal();
    session.focus.changed.on((names) => {
      // Another one put the dimming to an end.
      if (names.has("chain") && session.focus.chain === null && this.told) this.clear();
    });
  }

  /** @param {string} node
   *  @param {string} path */
  async ask(node, path) {
    const { session } = this;
    const asked = ++this.asked;
    const { moment } = session.focus;
    try {
      const { chain } = await session.source.why(moment, node, path);
      if (asked !== this.asked) return;
      this.told = { moment, node, path, chain };
      this.changed.emit(null);
      session.focus.change({ chain: new Set([moment, ...chain.map((/** @type {WhyStep} */ step) => step.moment)]) });
    } catch (error) {
      session.failed.emit(/** @type {Error} */ (error).message);
    }
  }

  clear() {
    this.asked++;
    const isNews = this.told !== null;
    this.told = null;
    this.session.focus.change({ chain: null });
    if (isNews) this.changed.emit(null);
  }
}
