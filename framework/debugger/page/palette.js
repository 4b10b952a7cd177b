// @ts-check
// The command palette: everything that can be done now, found by typing some letters of it.

import { element, patch, setAttribute, setText, setTip } from "./dom.js";
import { icon } from "./icons.js";
import { closeBeside } from "./dialog.js";
import { fit } from "./fuzzy.js";
import { placeCommands, possibleActs } from "./acts.js";
import { keyWords } from "./keys.js";

const CHOICES_MAX = 60;
const OWN_COMMANDS = ["palette-open"];

export class Palette {
  /** @param {import("./session.js").Session} session
   *  @param {import("./acts.js").Command[]} commands
   *  @param {(reason: string) => void} refuse */
  constructor(session, commands, refuse) {
    this.session = session;
    this.commands = commands;
    this.refuse = refuse;
    /** @type {import("./acts.js").Command[]} */
    this.all = [];
    /** @type {import("./acts.js").Command[]} */
    this.shown = [];
    this.at = 0;
    this.input = /** @type {HTMLInputElement} */ (element("input", {
      type: "text", testid: "palette-input", placeholder: "What to do, where to go", "aria-label": "What to do", role: "combobox", "aria-expanded": "true", "aria-controls": "choices", spellcheck: "false", autocomplete: "off",
      on: { input: () => this.filter(), keydown: (event) => this.press(event) },
    }));
    this.list = element("div", { class: "choices", role: "listbox", id: "choices", "aria-label": "What can be done" });
    this.note = element("div", { class: "note", hidden: true });
    this.box = /** @type {HTMLDialogElement} */ (element("dialog", { class: "palette", testid: "palette", "aria-label": "What to do" }, this.input, this.list, this.note));
    closeBeside(this.box);
  }

  open() {
    if (this.box.open) return;
    this.all = [...this.commands.filter((command) => !OWN_COMMANDS.includes(command.id)), ...possibleActs(this.session), ...placeCommands(this.session)];
    this.input.value = "";
    document.body.append(this.box);
    this.box.showModal();
    this.input.focus();
    this.filter();
  }

  filter() {
    const typed = this.input.value.trim().toLowerCase();
    const found = typed ? this.search(typed) : this.all;
    this.shown = found.slice(0, CHOICES_MAX);
    this.at = 0;
    const left = found.length - this.shown.length;
    this.note.hidden = found.length > 0 && left === 0;
    setText(this.note, found.length ? `${left} more: type to find them` : "Nothing like that can be done here.");
    this.update();
    this.list.scrollTop = 0;
  }

  /** @param {string} typed */
  search(typed) {
    /** @type {Array<{ command: import("./acts.js").Command, score: number }>} */
    const scored = [];
    const goto = /^\d+$/.test(typed) && Number(typed) < this.session.columns.count ? [this.gotoCommand(Number(typed))] : [];
    for (const command of this.all) {
      const score = fit(typed, command.words);
      if (score > 0) scored.push({ command, score: score - (command.reason?.() ? 30 : 0) });
    }
    scored.sort((a, b) => b.score - a.score);
    return [...goto, ...scored.map((one) => one.command)];
  }

  /** @param {number} moment
   *  @returns {import("./acts.js").Command} */
  gotoCommand(moment) {
    return { id: "moment-" + moment, group: "Move", icon: "link", words: `Go to moment ${moment}`, run: () => this.session.travel(moment) };
  }

  update() {
    patch(this.list, this.shown, (command) => command.id, (command) => this.create(command), (row, command, index) => {
      const reason = command.reason?.() ?? null;
      setAttribute(row, "aria-disabled", reason ? "true" : null);
      setAttribute(row, "aria-selected", String(index === this.at));
      setText(row.children[2], reason ?? "", 120);
      setTip(row.children[2], reason && reason.length > 40 ? reason : null);
      if (index === this.at) setAttribute(this.input, "aria-activedescendant", row.id);
    });
  }

  /** @param {import("./acts.js").Command} command */
  create(command) {
    const row = element("div", { class: "choice", role: "option", id: "choice-" + command.id, testid: "palette-item-" + command.id },
      icon(command.icon ?? "node"), element("span", { class: "words", text: command.words }), element("span", { class: "reason" }),
      ...(command.keys ?? []).slice(0, 1).map((key) => element("kbd", { text: keyWords(key) })));
    row.addEventListener("click", () => this.choose(command));
    row.addEventListener("pointermove", () => {
      const index = this.shown.indexOf(command);
      if (index < 0 || index === this.at) return;
      this.at = index;
      this.update();
    });
    return row;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const many = this.shown.length;
    if (event.key === "Enter") {
      event.preventDefault();
      if (many) this.choose(this.shown[this.at]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp" || event.key === "PageDown" || event.key === "PageUp") {
      event.preventDefault();
      if (!many) return;
      const by = event.key.startsWith("Page") ? 8 : 1;
      const next = this.at + (event.key.endsWith("Down") ? by : -by);
      this.at = by === 1 ? (next + many) % many : Math.max(0, Math.min(many - 1, next));
      this.update();
      this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    }
  }

  /** @param {import("./acts.js").Command} command */
  choose(command) {
    const reason = command.reason?.() ?? null;
    if (reason) {
      this.refuse(`${command.words}: ${reason}.`);
      return;
    }
    this.box.close();
    command.run();
  }
}
