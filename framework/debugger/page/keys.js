// @ts-check
// Binds the keys of the commands. Where text is written, and while a dialog is open, keys keep their own meaning.

const KEY_WORDS = /** @type {Record<string, string>} */ ({
  ArrowUp: "Up", ArrowDown: "Down", ArrowLeft: "Left", ArrowRight: "Right", PageUp: "Page Up", PageDown: "Page Down", Escape: "Esc",
});

export class Keys {
  /** @param {import("./acts.js").Command[]} commands
   *  @param {(reason: string) => void} refuse
   *  @param {() => void} escape */
  constructor(commands, refuse, escape) {
    /** @type {Map<string, import("./acts.js").Command>} */
    this.bound = new Map();
    for (const command of commands) for (const key of command.keys ?? []) this.bound.set(key, command);
    addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
      const isWriting = isWritable(event.target);
      if (event.key === "Escape") {
        if (isWriting) /** @type {HTMLElement} */ (event.target).blur();
        else escape();
        return;
      }
      const key = keyOf(event);
      if (isWriting && !key.startsWith("Ctrl+k")) return;
      // A button that is focused is pressed by these, and a list of choices is walked by the others.
      if ((key === "Space" || key === "Enter") && isPressable(event.target)) return;
      const command = this.bound.get(key);
      if (!command) return;
      event.preventDefault();
      const reason = command.reason?.() ?? null;
      if (reason === null) command.run();
      else if (!event.repeat) refuse(`${command.words}: ${reason}.`);
    });
  }
}

/** The name of the key that is pressed, as the table has it.
 *  @param {KeyboardEvent} event */
export function keyOf(event) {
  const key = event.key === " " ? "Space" : event.key;
  const isLong = key.length > 1;
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + (event.shiftKey && isLong ? "Shift+" : "")
    + (event.ctrlKey || event.metaKey ? key.toLowerCase() : key);
}

/** A key as people call it.
 *  @param {string} key */
export function keyWords(key) {
  if (key === "+") return key;
  return key.split("+").map((part) => KEY_WORDS[part] ?? (part.length === 1 && part !== part.toLowerCase() ? "Shift " + part : part)).join(" ");
}

/** @param {EventTarget | null} target */
function isWritable(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox" && target.type !== "button";
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** @param {EventTarget | null} target */
function isPressable(target) {
  return target instanceof HTMLElement && target.matches("button, summary, a, input, select");
}
