// @ts-check
// Dialogs: a head with a title and a cross, a body below. Escape and a click beside it close it.

import { element, cutShort } from "./dom.js";
import { button } from "./icons.js";

/** More text than this makes browsers slow to lay it out. */
const WHOLE_TEXT_MAX = 200_000;

export class Dialog {
  /** @param {string} testid
   *  @param {string} title
   *  @param {string} [look] its class */
  constructor(testid, title, look) {
    this.body = element("div", { class: "dialog-body" });
    this.title = element("span", { text: cutShort(title, 200) });
    this.box = /** @type {HTMLDialogElement} */ (element("dialog", { testid, class: look, "aria-label": title },
      element("div", { class: "dialog-head" }, this.title, button({ testid: testid + "-close", icon: "close", label: "Close", run: () => this.close() })),
      this.body));
    closeBeside(this.box);
  }

  /** @param {Array<Node>} content what it shows */
  open(...content) {
    this.body.replaceChildren(...content);
    document.body.append(this.box);
    if (!this.box.open) this.box.showModal();
  }

  close() {
    this.box.close();
  }
}

/** Lets a click beside a dialog close it, and takes a closed one out of the page.
 *  @param {HTMLDialogElement} box */
export function closeBeside(box) {
  box.addEventListener("pointerdown", (event) => {
    if (event.target !== box) return;
    const { left, right, top, bottom } = box.getBoundingClientRect();
    if (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom) box.close();
  });
  box.addEventListener("close", () => box.remove());
}

/** Shows a text that elsewhere is cut.
 *  @param {string} title
 *  @param {string} text */
export function showWhole(title, text) {
  const dialog = new Dialog("whole", title);
  const left = text.length - WHOLE_TEXT_MAX;
  const shown = element("pre", { class: "whole-text", tabindex: "0", testid: "whole-text", text: left > 0 ? text.slice(0, WHOLE_TEXT_MAX) : text });
  if (left > 0) dialog.open(element("p", { class: "quiet-words", text: `The first ${WHOLE_TEXT_MAX} of ${text.length} characters:` }), shown);
  else dialog.open(shown);
}

/** Asks for one line of text.
 *  @param {{ testid: string, title: string, text: string, label: string, hint: string, run: (text: string) => void }} wish */
export function askLine(wish) {
  const dialog = new Dialog(wish.testid + "-dialog", wish.title);
  const line = /** @type {HTMLInputElement} */ (element("input", { type: "text", class: "grow", "aria-label": wish.label, testid: wish.testid + "-input", spellcheck: "false", value: wish.text, maxlength: "200" }));
  const done = () => {
    dialog.close();
    wish.run(line.value.trim());
  };
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter") done();
  });
  dialog.open(
    element("div", { class: "row" }, line, button({ testid: wish.testid + "-save", text: "Keep", label: "Keep", class: "firm primary", run: done })),
    element("p", { class: "quiet-words", text: wish.hint }));
  line.focus();
  line.select();
}
