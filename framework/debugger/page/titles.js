// @ts-check
// The events' titles: asked for as they come into sight, and drafted from the columns until they are here.

import { Signal } from "./signal.js";
import { cutShort } from "./dom.js";

const TITLES_MAX = 20000;
const TITLE_LENGTH_MAX = 300;
const ASKED_AT_ONCE_MAX = 200;

export class Titles {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {Map<number, string>} */
    this.known = new Map();
    /** @type {number[]} */
    this.wanted = [];
    this.waiting = 0;
    this.isAsking = false;
    /** @type {Signal<null>} */
    this.came = new Signal();
  }

  /** The title, or a draft of it.
   *  @param {number} moment */
  title(moment) {
    return this.known.get(moment) ?? this.draft(moment);
  }

  /** @param {number} moment */
  draft(moment) {
    const { session } = this;
    const { columns } = session;
    const kind = session.kindAt(moment);
    const node = session.nodeName(columns.node[moment]);
    const peer = session.nodeName(columns.peer[moment]);
    const name = session.nameAt(moment);
    if (kind === "beginning") return "the beginning";
    if (kind === "deliver") return `${node} <- ${peer}  ${name}`;
    if (kind === "cut" || kind === "heal") return `${kind}  ${node} -> ${peer}`;
    if (kind === "drop" || kind === "duplicate" || kind === "undrop") return `${kind}  ${peer} -> ${node}  ${name}`;
    return `${node}  ${kind.replace("_", " ")} ${name}`.trim();
  }

  /** Asks for the titles of these moments once no others were wanted for a little while.
   *  @param {number[]} moments */
  want(moments) {
    // What others want, or wanted a little before, is not forgotten; the newest comes first.
    this.wanted = [...new Set([...moments, ...this.wanted])].filter((moment) => !this.known.has(moment)).slice(0, ASKED_AT_ONCE_MAX);
    if (!this.wanted.length) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.ask(), 60);
  }

  async ask() {
    if (this.isAsking) return;
    const asked = this.wanted;
    if (!asked.length) return;
    this.isAsking = true;
    try {
      const told = await this.session.source.titles(asked);
      if (this.known.size > TITLES_MAX) this.known.clear();
      asked.forEach((moment, at) => this.known.set(moment, cutShort(told[at] || this.draft(moment), TITLE_LENGTH_MAX)));
      this.wanted = this.wanted.filter((moment) => !this.known.has(moment));
      this.came.emit(null);
    } catch {
      // The drafts stay; the next scroll asks again.
      this.wanted = [];
    }
    this.isAsking = false;
    if (this.wanted.length) this.ask();
  }
}
