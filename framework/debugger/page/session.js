// @ts-check
// The session as the page knows it: its columns, the branch that is shown, what there is at the focused moment. All that goes
// to another moment or makes new ones passes through here.

import { Columns, NONE, NO_NAME, NOBODY, FLAG } from "./columns.js";
import { Branch } from "./branch.js";
import { Signal } from "./signal.js";

const ASK_AHEAD_MS = 20;
/** So long what shows a moment waits for what the server tells of it: mostly that is here at once, and one painting shows it
 *  all. */
const PATIENCE_MS = 50;

export class Session {
  /**
   * @param {import("./source.js").LiveSource} source
   * @param {import("./focus.js").Focus} focus
   * @param {import("./source.js").SessionInfo} info
   * @param {ArrayBuffer} columns what /api/columns?from=0 answered
   */
  constructor(source, focus, info, columns) {
    this.source = source;
    this.focus = focus;
    this.info = info;
    this.columns = new Columns();
    this.columns.append(columns);
    /** The number of each kind. @type {Record<string, number>} */
    this.kind = Object.fromEntries(info.kinds.map((name, at) => [name, at]));
    this.branch = new Branch(this.columns, this.kind, info.nodes.length);
    /** What the server told about the focused moment; of an older one while `isBehind`. @type {any} */
    this.now = null;
    this.isBehind = true;
    /** @type {Map<string, any>} */
    this.cache = new Map();
    /** @type {AbortController | null} */
    this.asking = null;
    /** The moment that is likely to be gone to next, as it is asked for ahead. */
    this.ahead = { key: "", told: Promise.resolve(null), waiting: 0 };
    /** Which way the last step went. */
    this.direction = 1;
    /** Acts are done one after the other. @type {Promise<any>} */
    this.acting = Promise.resolve();
    this.renewing = 0;
    /** How often new moments were made: what was asked for before may not know of them. */
    this.made = 0;
    /** Whether what follows from a step is done at once. */
    this.isQuick = false;
    /** @type {Signal<null>} */
    this.grew = new Signal();
    /** Another moment is to be shown: with what the server told of it, if that did not take long. @type {Signal<null>} */
    this.due = new Signal();
    this.patience = 0;
    /** @type {Signal<any>} */
    this.arrived = new Signal();
    /** @type {Signal<null>} */
    this.renewed = new Signal();
    /** @type {Signal<string>} */
    this.failed = new Signal();
  }

  /** The number of a node by its name, or -1.
   *  @param {string} name */
  nodeNumber(name) {
    return this.info.nodes.findIndex((node) => node.name === name);
  }

  /** @param {number} node */
  nodeName(node) {
    return node === NOBODY ? "" : this.info.nodes[node]?.name ?? `node ${node}`;
  }

  /** The name of the message, timer or request of a moment, or "".
   *  @param {number} moment */
  nameAt(moment) {
    const name = this.columns.name[moment];
    return name === NO_NAME ? "" : this.info.names[name] ?? "";
  }

  /** @param {number} moment */
  kindAt(moment) {
    return this.info.kinds[this.columns.kind[moment]] ?? "";
  }

  /** @param {number} moment */
  isViolation(moment) {
    return (this.columns.flags[moment] & FLAG.violation) !== 0;
  }

  /**
   * Goes to a moment, on the branch shown if it is there.
   * @param {number} moment
   * @param {number} [leaf] the end of the branch to show it on
   */
  travel(moment, leaf) {
    const { columns, focus, branch } = this;
    if (!(moment >= 0 && moment < columns.count)) {
      this.failed.emit(`There is no moment ${moment}: the last is ${columns.count - 1}.`);
      return;
    }
    const end = columns.leafBelow(leaf ?? (branch.row(moment) >= 0 ? focus.leaf : moment));
    branch.show(end);
    this.isBehind = focus.moment !== moment || this.isBehind;
    if (moment !== focus.moment) this.direction = moment < focus.moment ? -1 : 1;
    focus.change({ moment, leaf: end });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.due.emit(null), PATIENCE_MS);
    this.askMoment();
  }

  /** Measures the changes against another moment; NONE for the one before.
   *  @param {number} base */
  measureFrom(base) {
    this.focus.change({ base });
    this.isBehind = true;
    this.askMoment();
  }

  /** @param {number} moment */
  momentKey(moment) {
    return moment + "/" + this.focus.base;
  }

  async askMoment() {
    const { focus } = this;
    const { moment } = focus;
    this.asking?.abort();
    const known = this.cache.get(this.momentKey(moment));
    if (known) {
      this.accept(known);
      return;
    }
    const asking = new AbortController();
    this.asking = asking;
    try {
      const told = await this.fetchMoment(moment, asking.signal);
      if (focus.moment === moment && this.asking === asking) this.accept(told);
    } catch (error) {
      if (/** @type {Error} */ (error).name !== "AbortError") this.failed.emit(/** @type {Error} */ (error).message);
    }
  }

  /** @param {number} moment
   *  @param {AbortSignal} [signal] */
  async fetchMoment(moment, signal) {
    const { base } = this.focus;
    const { made } = this;
    const key = this.momentKey(moment);
    const known = this.cache.get(key);
    if (known) return known;
    const ahead = this.ahead.key === key ? await this.ahead.told : null;
    if (ahead) return ahead;
    const told = await this.source.moment(moment, base === NONE ? null : base, signal);
    if (made !== this.made) return told;
    this.cache.set(key, told);
    if (this.cache.size > 64) this.cache.delete(/** @type {string} */ (this.cache.keys().next().value));
    return told;
  }

  /** @param {any} told */
  accept(told) {
    if (this.now === told && !this.isBehind) return;
    this.now = told;
    this.isBehind = false;
    clearTimeout(this.patience);
    this.due.emit(null);
    this.arrived.emit(told);
    this.askAhead();
  }

  /** Asks for the moment one step further, so that it is here when the next step is made. */
  askAhead() {
    clearTimeout(this.ahead.waiting);
    this.ahead.waiting = setTimeout(() => {
      const { branch, focus } = this;
      const row = branch.row(focus.moment) + this.direction;
      if (row < 0 || row >= branch.length || focus.base !== NONE) return;
      const moment = branch.path[row];
      const key = this.momentKey(moment);
      if (this.cache.has(key) || this.ahead.key === key) return;
      const told = this.fetchMoment(moment).catch(() => null);
      this.ahead = { key, told, waiting: 0 };
      told.then(() => {
        if (this.ahead.key === key) this.ahead.key = "";
      });
    }, ASK_AHEAD_MS);
  }

  /** Does something at the focused moment, and goes to where it leads.
   *  @param {import("./source.js").Act} act
   *  @param {boolean} [quick] */
  act(act, quick = this.isQuick) {
    return this.extend(() => this.source.act(this.focus.moment, act, quick));
  }

  /** @param {number} steps
   *  @param {number} seed */
  random(steps, seed) {
    return this.extend(() => this.source.random(this.focus.moment, steps, seed));
  }

  /** Has new moments made, after what is being made already, and goes to the last of them.
   *  @param {() => Promise<import("./source.js").Grown>} make */
  extend(make) {
    this.acting = this.acting.then(async () => {
      try {
        const grown = await make();
        this.made++;
        this.ahead.key = "";
        await this.follow(grown.moment);
      } catch (error) {
        this.failed.emit(/** @type {Error} */ (error).message);
      }
    });
    return this.acting;
  }

  /** Takes over what is new, and goes to a moment of it.
   *  @param {number} moment */
  async follow(moment) {
    // Names and terms come with the moments that have them.
    const [columns, info] = await Promise.all([
      this.source.columns(this.columns.count),
      this.source.session(),
      this.fetchMoment(moment).catch(() => null),
    ]);
    this.info = info;
    if (this.columns.append(columns) > 0) {
      // What was told of other moments is not all any more: they have new children, and what they sent has arrived.
      for (const key of [...this.cache.keys()]) if (key !== this.momentKey(moment)) this.cache.delete(key);
      this.grew.emit(null);
      this.renewed.emit(null);
    }
    this.travel(moment);
  }

  /** Asks for the session's lists again, soon. */
  renew() {
    if (this.source.refusal) return;
    clearTimeout(this.renewing);
    this.renewing = setTimeout(async () => {
      try {
        this.info = await this.source.session();
        this.renewed.emit(null);
      } catch (error) {
        this.failed.emit(/** @type {Error} */ (error).message);
      }
    }, 120);
  }
}
