// @ts-check
// What the reader looks at: the one piece of state that all panes share. It is written by `change` alone.

import { NONE } from "./columns.js";
import { Signal } from "./signal.js";

export class Focus {
  constructor() {
    this.moment = 0;
    /** The end of the branch that is shown. */
    this.leaf = 0;
    /** What changes are told against; NONE for the moment before. */
    this.base = NONE;
    this.markA = NONE;
    this.markB = NONE;
    /** The number of the selected node, or -1. */
    this.node = -1;
    /** The moments that are not dimmed, if any are. @type {Set<number> | null} */
    this.chain = null;
    /** @type {Signal<Set<string>>} */
    this.changed = new Signal();
  }

  /** @param {Partial<Pick<Focus, "moment" | "leaf" | "base" | "markA" | "markB" | "node" | "chain">>} wish */
  change(wish) {
    const names = new Set();
    for (const [name, value] of Object.entries(wish)) {
      if (/** @type {any} */ (this)[name] === value) continue;
      /** @type {any} */ (this)[name] = value;
      names.add(name);
    }
    if (names.size) this.changed.emit(names);
  }
}

/** Keeps the address's `#m=12` and the focus the same.
 *  @param {Focus} focus
 *  @param {(moment: number) => void} travel */
export function followAddress(focus, travel) {
  let waiting = 0;
  let known = location.hash;
  focus.changed.on((names) => {
    if (!names.has("moment")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      // Somebody wrote another address, and its event is on its way: it is not written over.
      if (location.hash !== known) return;
      if (momentOfAddress() !== focus.moment) history.replaceState(null, "", "#m=" + focus.moment);
      known = location.hash;
    }, 150);
  });
  addEventListener("hashchange", () => {
    known = location.hash;
    const moment = momentOfAddress();
    if (moment !== null && moment !== focus.moment) travel(moment);
  });
}

/** @returns {number | null} */
export function momentOfAddress() {
  const found = /[#&]m=(\d+)/.exec(location.hash);
  return found ? Number(found[1]) : null;
}
