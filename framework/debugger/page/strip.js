// @ts-check
// Strips: a protocol's own one-line pictures of a node's state, as rows of labelled cells in up to eight tones.

import { element, patch, setAttribute, setText, setTip } from "./dom.js";

const CELLS_MAX = 400;

/**
 * @typedef {{ title: string, cells: Array<{ label: string, tone: number, text: string }> }} Strip
 */

/** Shows a node's strips in `place`.
 *  @param {HTMLElement} place
 *  @param {Strip[]} strips */
export function showStrips(place, strips) {
  patch(place, strips, (strip, at) => at + strip.title, createStrip, (row, strip) => {
    setText(row.children[0], strip.title, 24);
    setTip(row.children[0], strip.title);
    const { cells } = strip;
    const cut = cells.length - CELLS_MAX;
    patch(row.children[1], cells.slice(-CELLS_MAX), (_, at) => at, createCell, (cell, shown) => {
      setAttribute(cell, "class", `cell wash-${((shown.tone % 8) + 8) % 8}`);
      setText(cell, shown.label, 16);
      setTip(cell, shown.label + (shown.text ? "\n" + shown.text : ""));
    });
    setAttribute(row.children[1], "aria-label", `${strip.title}: ${cells.length} cells` + (cut > 0 ? `, the last ${CELLS_MAX} shown` : ""));
  });
}

function createStrip() {
  return element("div", { class: "strip" }, element("span", { class: "strip-title" }), element("div", { class: "cells", role: "list" }));
}

function createCell() {
  return element("span", { class: "cell", role: "listitem" });
}
