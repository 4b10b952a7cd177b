// @ts-check
// The toolbar: where one is, the ways to other moments, what can be made of this one. Its buttons run the commands of the table.

import { element, setAttribute, setReason, setText, setTip } from "./dom.js";
import { button, icon } from "./icons.js";
import { SPEEDS } from "./player.js";
import { keyWords } from "./keys.js";

export class Toolbar {
  /**
   * @param {HTMLElement} place
   * @param {import("./session.js").Session} session
   * @param {import("./player.js").Player} player
   * @param {import("./diagram.js").Diagram} diagram
   */
  constructor(place, session, player, diagram) {
    this.place = place;
    this.session = session;
    this.player = player;
    this.diagram = diagram;
    /** @type {Array<{ made: HTMLElement, command: import("./acts.js").Command }>} */
    this.buttons = [];
    this.goto = /** @type {HTMLInputElement} */ (element("input", {
      type: "text", inputmode: "numeric", testid: "goto", "aria-label": "Go to a moment by its number", tip: "Go to a moment by its number (g)", autocomplete: "off",
      on: {
        keydown: (event) => event.key === "Enter" && this.leave(),
        focus: () => this.goto.select(),
        blur: () => this.showWhere(),
      },
    }));
    this.of = element("span");
    this.speed = /** @type {HTMLSelectElement} */ (element("select", {
      testid: "speed", "aria-label": "Moments a second when playing", tip: "Moments a second when playing", on: { change: () => player.setSpeed(Number(this.speed.value)) },
    }, ...SPEEDS.map((speed) => element("option", { value: speed, text: speed + "/s" }))));
    this.speed.value = String(player.speed);
  }

  /** @param {import("./acts.js").Command[]} commands */
  fill(commands) {
    const { session, place } = this;
    const byId = new Map(commands.map((command) => [command.id, command]));
    /** @param {string} id */
    const make = (id) => {
      const command = /** @type {import("./acts.js").Command} */ (byId.get(id));
      const key = command.keys?.[0];
      const made = button({ testid: id, icon: command.icon, label: command.words + (key ? ` (${keyWords(key)})` : ""), run: command.run });
      this.buttons.push({ made, command });
      return made;
    };
    const rule = () => element("span", { class: "rule", "aria-hidden": "true" });
    const title = element("span", { class: "session-title", text: session.info.title.slice(0, 200), tip: `${session.info.title}\n${session.info.command}`, testid: "title" });
    place.append(title, ...["first", "step-back", "play", "step-forward", "last"].map(make), this.speed,
      element("label", { class: "where" }, this.goto, this.of), make("first-violation"), rule(),
      ...["zoom-out", "zoom-in", "zoom-fit", "scale-time"].map(make), element("span", { class: "gap" }),
      ...["compare-mark", "compare-show"].map(make), rule(), ...["save", "load", "share", "export"].map(make), rule(), ...["palette-open", "help-open"].map(make));
    session.focus.changed.on((names) => (names.has("moment") || names.has("leaf") || names.has("markA")) && this.update());
    for (const news of [session.grew, session.renewed, this.player.changed, this.diagram.scaled]) news.on(() => this.update());
    this.update();
  }

  update() {
    const { player } = this;
    for (const { made, command } of this.buttons) {
      setReason(made, command.reason?.() ?? null);
      if (command.id === "play") this.showPlay(made, player.isPlaying);
      if (command.id === "compare-mark") made.classList.toggle("on", this.session.focus.markA === this.session.focus.moment);
      if (command.id === "scale-time") {
        made.classList.toggle("on", this.diagram.view.isToScale);
        setAttribute(made, "aria-pressed", String(this.diagram.view.isToScale));
      }
    }
    if (document.activeElement !== this.goto) this.showWhere();
  }

  /** @param {HTMLElement} made
   *  @param {boolean} isPlaying */
  showPlay(made, isPlaying) {
    const wanted = isPlaying ? "stop" : "play";
    if (!made.querySelector(".icon-" + wanted)) made.replaceChildren(icon(wanted));
    setTip(made, isPlaying ? "Stop (Space)" : "Play (Space)");
    setAttribute(made, "aria-pressed", String(isPlaying));
  }

  showWhere() {
    const { focus, columns } = this.session;
    this.goto.value = String(focus.moment);
    setText(this.of, "of " + (columns.count - 1));
  }

  /** Goes to the moment that is written in the field. */
  leave() {
    const written = this.goto.value.trim();
    this.goto.blur();
    if (/^\d+$/.test(written)) this.session.travel(Number(written));
    else this.session.failed.emit(`"${written.slice(0, 40)}" is not the number of a moment: there are 0 to ${this.session.columns.count - 1}.`);
  }
}
