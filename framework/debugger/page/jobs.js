// @ts-check
// The one job that runs on the server: started, looked after ten times a second, cancelled, and followed to what it found.

import { Signal } from "./signal.js";

const LOOK_AGAIN_MS = 100;

export class Jobs {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** The running job's number, or -1. */
    this.running = -1;
    this.isStarting = false;
    /** Somebody cancelled it before its number was known. */
    this.isUnwanted = false;
    /** What it is called. */
    this.title = "";
    /** What was told of it last: how far it is, or how it ended. */
    this.words = "";
    /** @type {Signal<null>} */
    this.changed = new Signal();
  }

  get isBusy() {
    return this.running >= 0 || this.isStarting;
  }

  /** @param {string} title
   *  @param {any} wish what the server is asked */
  async start(title, wish) {
    if (this.isBusy) return;
    this.isStarting = true;
    this.isUnwanted = false;
    this.title = title;
    this.say("begins");
    try {
      const { job } = await this.session.source.startJob(wish);
      this.running = job;
      this.isStarting = false;
      if (this.isUnwanted) await this.cancel();
      else this.say("begins");
      await this.watch(job);
    } catch (error) {
      this.session.failed.emit(/** @type {Error} */ (error).message);
      this.say("failed");
    }
    this.running = -1;
    this.isStarting = false;
    this.changed.emit(null);
  }

  /** @param {string} words */
  say(words) {
    this.words = words;
    this.changed.emit(null);
  }

  /** @param {number} job */
  async watch(job) {
    for (;;) {
      const told = await this.session.source.job(job);
      const done = told.done ? Number(told.done).toLocaleString("en") : "";
      if (told.state === "running") this.say([done, told.words].filter(Boolean).join(", "));
      else if (told.state === "found") {
        this.say(told.words || "found");
        await this.session.extend(async () => ({ moment: told.moment, moments: 0 }));
        return;
      } else if (told.state === "failed") {
        this.session.failed.emit(told.words || "The job failed.");
        this.say("failed");
        return;
      } else {
        this.say((told.state === "cancelled" ? "cancelled" : "not found") + (told.words ? ": " + told.words : ""));
        return;
      }
      await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
    }
  }

  async cancel() {
    if (this.running < 0) {
      this.isUnwanted = this.isStarting;
      return;
    }
    try {
      await this.session.source.cancelJob(this.running);
      this.say("is being cancelled");
    } catch (error) {
      this.session.failed.emit(/** @type {Error} */ (error).message);
    }
  }
}
