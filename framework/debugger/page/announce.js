// @ts-check
// What the page says beside what it shows: toasts for what went wrong, and a live region for a screen reader.

import { element, setText, cutShort } from "./dom.js";
import { button } from "./icons.js";

export class Announcer {
  /** @param {HTMLElement} place where toasts stand
   *  @param {HTMLElement} live the live region */
  constructor(place, live) {
    this.place = place;
    this.live = live;
    this.waiting = 0;
    document.addEventListener("refused", (event) => this.toast(/** @type {CustomEvent} */ (event).detail, "note"));
  }

  /**
   * Tells a screen reader, once nothing newer came for a moment.
   * @param {string} words
   */
  tell(words) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => setText(this.live, words, 600), 120);
  }

  /**
   * @param {string} words
   * @param {"error" | "note"} [kind]
   */
  toast(words, kind = "error") {
    const shown = cutShort(String(words || "this can not be done here"), 500);
    for (const old of this.place.children) if (old.firstChild?.textContent === shown) old.remove();
    while (this.place.children.length >= 3) this.place.firstElementChild?.remove();
    const made = element("div", { class: "toast " + kind, testid: "toast", role: kind === "error" ? "alert" : "status" });
    made.append(element("span", { text: shown }));
    made.append(button({ icon: "close", label: "Dismiss", class: "quiet small", testid: "toast-close", run: () => made.remove() }));
    this.place.append(made);
    setTimeout(() => made.remove(), kind === "error" ? 12000 : 5000);
  }
}
