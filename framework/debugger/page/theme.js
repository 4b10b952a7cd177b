// @ts-check
// The colours of the style sheet, as the canvases need them: read again when the system turns to dark or light.

import { Signal } from "./signal.js";

/**
 * @typedef {{ back: string, raised: string, line: string, text: string, muted: string, faint: string, accent: string,
 *   accentSoft: string, bad: string, warn: string, good: string, tones: string[], lane: string[] }} Colours
 */

export class Theme {
  constructor() {
    /** @type {Signal<null>} */
    this.changed = new Signal();
    this.colours = readColours();
    this.isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.colours = readColours();
      this.changed.emit(null);
    });
  }
}

/** @returns {Colours} */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const read = (name) => style.getPropertyValue("--" + name).trim() || "#888";
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  return {
    back: read("back"),
    raised: read("raised"),
    line: read("line"),
    text: read("text"),
    muted: read("muted"),
    faint: read("faint"),
    accent: read("accent"),
    accentSoft: read("accent-soft"),
    bad: read("bad"),
    warn: read("warn"),
    good: read("good"),
    tones: eight.map((tone) => read("tone-" + tone)),
    lane: eight.map((tone) => read("wash-" + tone)),
  };
}
