// @ts-check
// Tabs over panes, and the dividers between the columns.

import { element, setAttribute, setText } from "./dom.js";
import { Signal } from "./signal.js";

export class Tabs {
  /**
   * @param {HTMLElement} bar
   * @param {Array<{ name: string, text: string, body: HTMLElement }>} tabs
   */
  constructor(bar, tabs) {
    this.tabs = tabs.map((tab) => {
      const badge = element("span", { class: "count", hidden: true });
      const made = element("button", { type: "button", role: "tab", class: "tab", testid: "tab-" + tab.name, "aria-controls": tab.body.id, on: { click: () => this.show(tab.name) } }, element("span", { text: tab.text }), badge);
      made.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.stopPropagation();
        const at = this.tabs.findIndex((other) => other.name === tab.name);
        const next = this.tabs[(at + (event.key === "ArrowRight" ? 1 : this.tabs.length - 1)) % this.tabs.length];
        this.show(next.name);
        next.made.focus();
      });
      bar.append(made);
      return { ...tab, made, badge };
    });
    this.shown = "";
    /** Told the name of the tab that came up. @type {Signal<string>} */
    this.turned = new Signal();
    this.show(tabs[0].name);
  }

  /** @param {string} name */
  show(name) {
    this.shown = name;
    for (const tab of this.tabs) {
      const isShown = tab.name === name;
      setAttribute(tab.made, "aria-selected", String(isShown));
      setAttribute(tab.made, "tabindex", isShown ? "0" : "-1");
      tab.body.hidden = !isShown;
    }
    this.turned.emit(name);
  }

  /** A number beside a tab's name, or none.
   *  @param {string} name
   *  @param {string} words
   *  @param {boolean} isBad */
  count(name, words, isBad) {
    for (const tab of this.tabs) {
      if (tab.name !== name) continue;
      tab.badge.hidden = !words;
      setText(tab.badge, words);
      tab.badge.classList.toggle("bad", isBad);
    }
  }
}

/** Lets a divider set the width of the column beside it, by dragging or by the arrow keys.
 *  @param {HTMLElement} divider
 *  @param {HTMLElement} panes
 *  @param {string} variable
 *  @param {1 | -1} direction 1 if the column is left of the divider */
export function divide(divider, panes, variable, direction) {
  const column = /** @type {HTMLElement} */ (direction > 0 ? divider.previousElementSibling : divider.nextElementSibling);
  /** @param {number} width */
  const set = (width) => panes.style.setProperty(variable, Math.max(160, Math.min(innerWidth * 0.45, width)) + "px");
  divider.addEventListener("pointerdown", (event) => {
    const from = event.clientX;
    const width = column.offsetWidth;
    divider.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ moved) => set(width + (moved.clientX - from) * direction);
    divider.addEventListener("pointermove", move);
    divider.addEventListener("pointerup", () => divider.removeEventListener("pointermove", move), { once: true });
  });
  divider.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.stopPropagation();
    set(column.offsetWidth + (event.key === "ArrowRight" ? 16 : -16) * direction);
  });
}
