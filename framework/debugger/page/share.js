// @ts-check
// The ways to give a moment to somebody else: a link, a command line, a test in Rust.

import { element, setText } from "./dom.js";
import { button } from "./icons.js";
import { copyText } from "./clipboard.js";
import { Dialog } from "./dialog.js";

/** @param {import("./session.js").Session} session */
export async function showShare(session) {
  const { focus, source } = session;
  const { moment } = focus;
  const dialog = new Dialog("share-dialog", `Share moment ${moment}`);
  const link = location.href.split("#")[0] + "#m=" + moment;
  const command = copied("command", "Command line, opens the way to this moment anywhere", "…");
  const rust = copied("rust", "Test in Rust, goes the same way", "…");
  dialog.open(
    copied("link", source.refusal ? "Link, to this file" : "Link, as long as this debugger runs", link),
    command, rust);
  const shown = /** @type {HTMLElement[]} */ ([command, rust].map((part) => part.lastElementChild));
  try {
    const answer = await source.share(moment);
    setText(shown[0], answer.command, 100_000);
    if (answer.needs_file) command.append(element("p", { class: "quiet-words", text: `It reads ${answer.needs_file}: Save writes it.` }));
    setText(shown[1], answer.rust, 100_000);
  } catch (error) {
    for (const part of [command, rust]) {
      const words = element("p", { class: "quiet-words", text: /** @type {Error} */ (error).message });
      part.lastElementChild?.replaceWith(words);
      part.querySelector("button")?.remove();
    }
  }
}

/** A text with a button that copies it.
 *  @param {string} name
 *  @param {string} title
 *  @param {string} text */
function copied(name, title, text) {
  const shown = element("pre", { testid: "share-" + name, tabindex: "0", text });
  const copy = button({ testid: "copy-" + name, icon: "copy", text: "Copy", label: "Copy", class: "firm", run: async () => {
    const isDone = await copyText(shown.textContent ?? "");
    setText(/** @type {HTMLElement} */ (copy.lastElementChild), isDone ? "Copied" : "Select it and copy by hand");
    setTimeout(() => setText(/** @type {HTMLElement} */ (copy.lastElementChild), "Copy"), 2000);
  } });
  return element("section", { class: "copied" }, element("div", { class: "copied-head" }, element("span", { text: title }), copy), shown);
}
