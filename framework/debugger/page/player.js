// @ts-check
// Steps along the branch that is shown, one by one or playing.

import { Signal } from "./signal.js";

/** Moments a second. */
export const SPEEDS = [1, 2, 5, 10, 30, 100, 1000];

export class Player {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.speed = 5;
    this.isPlaying = false;
    this.waiting = 0;
    /** @type {Signal<null>} */
    this.changed = new Signal();
    session.failed.on(() => this.stop());
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
  }

  get row() {
    return this.session.branch.row(this.session.focus.moment);
  }

  /** Goes so many rows on (or back), to the end at most.
   *  @param {number} by */
  step(by) {
    const { session } = this;
    const last = session.branch.length - 1;
    const row = Math.max(0, Math.min(last, this.row + by));
    if (row !== this.row) session.travel(session.branch.path[row]);
  }

  /** Goes to the nearest row in a direction whose moment is wanted.
   *  @param {1 | -1} by
   *  @param {(moment: number) => boolean} isWanted
   *  @returns {boolean} whether there is one */
  seek(by, isWanted) {
    const { path, length } = this.session.branch;
    for (let row = this.row + by; row >= 0 && row < length; row += by) {
      if (!isWanted(path[row])) continue;
      this.session.travel(path[row]);
      return true;
    }
    return false;
  }

  /** Why there is no step back, or null. */
  backReason() {
    return this.row > 0 ? null : "this is the beginning";
  }

  /** Why there is no step forward, or null. */
  forwardReason() {
    return this.row < this.session.branch.length - 1 ? null : "this is the end of the branch; do something to a node to go on";
  }

  turn() {
    if (this.isPlaying) this.stop();
    else this.play();
  }

  play() {
    if (this.isPlaying || this.forwardReason()) return;
    this.isPlaying = true;
    this.changed.emit(null);
    this.tick();
  }

  stop() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    clearTimeout(this.waiting);
    this.changed.emit(null);
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.changed.emit(null);
  }

  tick() {
    const pause_ms = Math.max(20, 1000 / this.speed);
    // What was asked for last has to be here first, so that every moment shown is whole.
    if (!this.session.isBehind) this.step(Math.max(1, Math.round((this.speed * pause_ms) / 1000)));
    if (this.forwardReason()) {
      this.stop();
      return;
    }
    this.waiting = setTimeout(() => this.tick(), pause_ms);
  }
}
