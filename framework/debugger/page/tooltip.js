// @ts-check
// The one tooltip: shows the `data-reason` and `data-tip` of what the pointer or the keyboard is on.

import { element } from "./dom.js";

export class Tooltip {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.box = element("div", { class: "tooltip", role: "tooltip", id: "tooltip", hidden: true });
    place.append(this.box);
    /** @type {HTMLElement | null} */
    this.owner = null;
    this.waiting = 0;
    document.addEventListener("pointerover", (event) => this.consider(/** @type {Element} */ (event.target), 350));
    document.addEventListener("focusin", (event) => {
      const target = /** @type {Element} */ (event.target);
      if (target.matches?.(":focus-visible")) this.consider(target, 500);
    });
    document.addEventListener("focusout", () => this.hide());
    document.addEventListener("pointerdown", () => this.hide(), true);
    document.addEventListener("keydown", () => this.hide(), true);
    document.addEventListener("scroll", () => this.hide(), true);
  }

  /** @param {Element | null} target
   *  @param {number} delay_ms */
  consider(target, delay_ms) {
    const owner = /** @type {HTMLElement | null} */ (target?.closest?.("[data-tip],[data-reason]") ?? null);
    if (owner === this.owner) return;
    this.hide();
    this.owner = owner;
    if (owner) this.waiting = setTimeout(() => this.showFor(owner), delay_ms);
  }

  /** @param {HTMLElement} owner */
  showFor(owner) {
    if (!owner.isConnected) return;
    const words = [owner.dataset.tip, owner.dataset.reason && "Not now: " + owner.dataset.reason].filter(Boolean).join("\n");
    if (!words) return;
    const box = owner.getBoundingClientRect();
    this.showAt(words, box.left, box.bottom + 6, box.top - 6);
    owner.setAttribute("aria-describedby", "tooltip");
  }

  /**
   * @param {string} words
   * @param {number} x
   * @param {number} below where its top stands
   * @param {number} above where its bottom stands if there is no room below
   */
  showAt(words, x, below, above) {
    this.box.textContent = words;
    this.box.hidden = false;
    const open = document.querySelector("dialog[open]");
    const home = open ?? document.body;
    if (this.box.parentElement !== home) home.append(this.box);
    const { offsetWidth: width, offsetHeight: height } = this.box;
    this.box.style.left = Math.max(6, Math.min(x, innerWidth - width - 6)) + "px";
    this.box.style.top = (below + height > innerHeight - 4 ? Math.max(4, above - height) : below) + "px";
  }

  hide() {
    clearTimeout(this.waiting);
    this.owner?.removeAttribute("aria-describedby");
    this.owner = null;
    this.box.hidden = true;
  }
}
