// @ts-check
// The help: every command that has a key, by groups, and what the mouse does.

import { element } from "./dom.js";
import { Dialog } from "./dialog.js";
import { keyWords } from "./keys.js";

const MOUSE = [
  ["Wheel", "Scroll the diagram"],
  ["Ctrl wheel", "Zoom the diagram"],
  ["Shift wheel", "Scroll sideways"],
  ["Drag", "Move the diagram"],
  ["Click", "Go to the event"],
  ["Point at", "Its causes and effects"],
  ["Click a value", "Why is it so?"],
];

/** @param {import("./acts.js").Command[]} commands
 *  @param {string | null} requestHelp */
export function showHelp(commands, requestHelp) {
  /** @type {Map<string, HTMLElement>} */
  const groups = new Map();
  for (const command of commands) {
    if (!command.keys?.length) continue;
    let group = groups.get(command.group);
    if (!group) {
      group = element("section", {}, element("h3", { text: command.group }));
      groups.set(command.group, group);
    }
    group.append(line(command.words, command.keys.map(keyWords)));
  }
  const mouse = element("section", {}, element("h3", { text: "Mouse" }), ...MOUSE.map(([key, words]) => line(words, [key])));
  const escape = groups.get("Show");
  if (escape) escape.append(line("Show all events again; close what is open", ["Esc"]));
  const dialog = new Dialog("help", "Keys", "wide-dialog");
  dialog.open(
    element("div", { class: "keys" }, ...groups.values(), mouse),
    element("p", { class: "quiet-words", text: requestHelp ? "Requests are written " + requestHelp : "" }));
}

/** @param {string} words
 *  @param {string[]} keys */
function line(words, keys) {
  return element("div", { class: "key-line" }, element("span", { text: words }), element("span", { class: "key-names" }, ...keys.map((key) => element("kbd", { text: key }))));
}
