// @ts-check
// The messages on their way, and the users' operations: every line of the diagram that goes from one row to another. Lines of
// one look are gathered and drawn together.

import { NONE } from "./columns.js";
import { FADE, toneOf } from "./scene.js";
import { traceHead, traceCircle } from "./shapes.js";

/** Lines that only pass through: more than these say nothing. */
const REACHING_MAX = 120;

/** The part of the way at which a lost or doubled message's line ends. */
export const LOST_AT = 0.72;

/** Looks of lines. `flight`: sent before the focused moment, and arriving after it. */
const LOOK = { past: 0, flight: 1, future: 2, dim: 3, strong: 4 };

/** @param {import("./scene.js").Scene} scene */
export function drawArrows(scene) {
  const batches = new Batches();
  const { branch } = scene.session;
  for (let row = scene.first; row <= scene.last; row++) {
    if (branch.arrows.start(row) >= 0) addArrow(scene, batches, row);
  }
  branch.arrows.eachReaching(scene.last, REACHING_MAX, (row) => addArrow(scene, batches, row));
  if (scene.view.rowHeight >= 5) addStubs(scene, batches);
  batches.draw(scene);
}

/** The ends of the line of the message that arrives (is lost, is doubled) at a row.
 *  @param {import("./scene.js").Scene | { view: import("./view.js").View, session: import("./session.js").Session }} scene
 *  @param {number} row */
export function arrowEnds(scene, row) {
  const { view, session } = scene;
  const { columns, branch, kind } = session;
  const moment = branch.path[row];
  const start = branch.arrows.start(row);
  const from = view.x(columns.peer[moment]);
  const to = view.x(columns.node[moment]);
  const isWhole = columns.kind[moment] === kind.deliver;
  const isSelf = from === to;
  return { start, fromX: from, fromY: view.y(start), toX: isWhole || isSelf ? to : from + (to - from) * LOST_AT, toY: view.y(row), isWhole, isSelf };
}

/** @param {import("./scene.js").Scene} scene
 *  @param {Batches} batches
 *  @param {number} row */
function addArrow(scene, batches, row) {
  const { view, session, focus, focusRow } = scene;
  const { columns, branch, kind } = session;
  const moment = branch.path[row];
  if (columns.peer[moment] >= view.lanes || columns.node[moment] >= view.lanes) return;
  const ends = arrowEnds(scene, row);
  let look = LOOK.past;
  if (focus.chain) look = focus.chain.has(moment) && focus.chain.has(branch.path[ends.start]) ? LOOK.strong : LOOK.dim;
  else if (ends.start > focusRow) look = LOOK.future;
  else if (row > focusRow) look = LOOK.flight;
  const batch = batches.batch(look, toneOf(columns.name[moment]));
  if (ends.isSelf) {
    const bow = Math.min(22, view.laneWidth * 0.3);
    batch.bows.push(ends.fromX, ends.fromY, bow, ends.toY);
    return;
  }
  batch.line(view, ends.fromX, ends.fromY, ends.toX, ends.toY);
  const isDetailed = view.rowHeight >= 5;
  if (columns.kind[moment] === kind.duplicate || (isDetailed && ends.isWhole && isDoubled(session, moment))) {
    batch.line(view, ends.fromX, ends.fromY + 3, ends.toX, ends.toY + 3);
  }
  if (isDetailed && ends.isWhole && ends.toY > -20 && ends.toY < view.height + 20) {
    batch.heads.push(ends.fromX, ends.fromY, ends.toX, ends.toY);
  }
  if (look === LOOK.flight && isDetailed) {
    const y = view.y(focusRow) + view.rowHeight / 2;
    const part = (y - ends.fromY) / (ends.toY - ends.fromY);
    if (part > 0 && part < 1) batch.rings.push(ends.fromX + (ends.toX - ends.fromX) * part, y);
  }
}

/** Whether what arrives was doubled on this branch before.
 *  @param {import("./session.js").Session} session
 *  @param {number} moment */
function isDoubled(session, moment) {
  const { columns, branch, kind } = session;
  let looked = 0;
  for (let other = columns.effect[columns.cause[moment]]; other !== NONE && looked < 40; other = columns.nextEffect[other], looked++) {
    if (columns.kind[other] !== kind.duplicate || columns.node[other] !== columns.node[moment]) continue;
    if (columns.name[other] === columns.name[moment] && branch.row(other) >= 0 && other < moment) return true;
  }
  return false;
}

/** What was sent on this branch and does not arrive on it: the messages known from other branches, and those in the inboxes.
 *  @param {import("./scene.js").Scene} scene
 *  @param {Batches} batches */
function addStubs(scene, batches) {
  const { session, first, last, isLive } = scene;
  const { columns, branch, kind } = session;
  /** @type {Set<number>} */
  const drawn = new Set();
  for (let row = first; row <= last; row++) {
    const moment = branch.path[row];
    if (columns.effect[moment] === NONE) continue;
    let looked = 0;
    for (let later = columns.effect[moment]; later !== NONE && looked < 60; later = columns.nextEffect[later], looked++) {
      if (columns.kind[later] !== kind.deliver) continue;
      const message = columns.message[later];
      if (drawn.has(message) || isOnBranch(session, moment, message)) continue;
      drawn.add(message);
      addStub(scene, batches, row, columns.peer[later], columns.node[later], columns.name[later]);
    }
  }
  if (!isLive) return;
  for (const node of session.now.nodes ?? []) {
    for (const message of node.inbox ?? []) {
      const row = branch.row(message.sent_at);
      if (row < first || row > last || drawn.has(message.id) || isOnBranch(session, message.sent_at, message.id)) continue;
      const name = session.info.names.indexOf(message.name);
      addStub(scene, batches, row, session.nodeNumber(message.from), session.nodeNumber(node.name), Math.max(0, name));
    }
  }
}

/** Whether a message sent at a moment arrives, or is lost, on the branch that is shown.
 *  @param {import("./session.js").Session} session
 *  @param {number} sent
 *  @param {number} message */
function isOnBranch(session, sent, message) {
  const { columns, branch, kind } = session;
  for (let later = columns.effect[sent]; later !== NONE; later = columns.nextEffect[later]) {
    if (columns.message[later] === message && columns.kind[later] !== kind.duplicate && branch.row(later) >= 0) return true;
  }
  return false;
}

/** @param {import("./scene.js").Scene} scene
 *  @param {Batches} batches
 *  @param {number} row
 *  @param {number} from
 *  @param {number} to
 *  @param {number} name */
function addStub(scene, batches, row, from, to, name) {
  const { view, focus, focusRow } = scene;
  if (from < 0 || to < 0 || from >= view.lanes || to >= view.lanes || from === to) return;
  const look = focus.chain ? LOOK.dim : row > focusRow ? LOOK.future : LOOK.flight;
  const batch = batches.batch(look, toneOf(name));
  const x = view.x(from);
  const y = view.y(row);
  const far = Math.sign(to - from) * Math.min(view.laneWidth * 0.45, 40 + Math.abs(to - from) * 6);
  const drop = Math.min(view.rowHeight * 0.6, 14) * (1 - 0.09 * Math.abs(to - from));
  batch.line(view, x, y, x + far, y + drop);
  batch.rings.push(x + far, y + drop);
}

/** Lines of one look and tone. */
class Batch {
  constructor() {
    /** @type {number[]} */
    this.lines = [];
    /** @type {number[]} */
    this.heads = [];
    /** @type {number[]} */
    this.rings = [];
    /** @type {number[]} */
    this.bows = [];
  }

  /** Adds the part of a line that is in sight: dashes along a million pixels would take long.
   *  @param {import("./view.js").View} view
   *  @param {number} x0
   *  @param {number} y0
   *  @param {number} x1
   *  @param {number} y1 */
  line(view, x0, y0, x1, y1) {
    const top = -40;
    const bottom = view.height + 40;
    if ((y0 < top && y1 < top) || (y0 > bottom && y1 > bottom)) return;
    const slope = y1 === y0 ? 0 : (x1 - x0) / (y1 - y0);
    if (y0 < top) {
      x0 += (top - y0) * slope;
      y0 = top;
    }
    if (y1 > bottom) {
      x1 += (bottom - y1) * slope;
      y1 = bottom;
    }
    this.lines.push(x0, y0, x1, y1);
  }
}

class Batches {
  constructor() {
    /** @type {Array<Batch | undefined>} */
    this.all = [];
  }

  /** @param {number} look
   *  @param {number} tone */
  batch(look, tone) {
    return (this.all[look * 8 + tone] ??= new Batch());
  }

  /** @param {import("./scene.js").Scene} scene */
  draw(scene) {
    const { pen, colours, view } = scene;
    const thin = view.rowHeight < 5;
    // What matters most is drawn last.
    for (const look of [LOOK.dim, LOOK.future, LOOK.past, LOOK.flight, LOOK.strong]) {
      pen.globalAlpha = [thin ? 0.45 : 0.85, 0.9, FADE.future * (thin ? 0.6 : 1), FADE.dim, 1][look];
      pen.lineWidth = look === LOOK.strong ? 2 : thin ? 0.75 : 1;
      for (let tone = 0; tone < 8; tone++) {
        const batch = this.all[look * 8 + tone];
        if (!batch) continue;
        pen.strokeStyle = pen.fillStyle = colours.tones[tone];
        pen.setLineDash(look === LOOK.flight && !thin ? [5, 4] : []);
        strokeLines(pen, batch);
        pen.setLineDash([]);
        pen.beginPath();
        const { heads, rings } = batch;
        for (let at = 0; at < heads.length; at += 4) traceHead(pen, heads[at], heads[at + 1], heads[at + 2], heads[at + 3], 4.5, 8);
        pen.fill();
        if (!rings.length) continue;
        pen.beginPath();
        for (let at = 0; at < rings.length; at += 2) traceCircle(pen, rings[at], rings[at + 1], 3);
        pen.fillStyle = colours.back;
        pen.fill();
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }
}

/** Each line is stroked by itself: where hundreds that cross are one path, software looks for all their crossings.
 *  @param {CanvasRenderingContext2D} pen
 *  @param {Batch} batch */
function strokeLines(pen, batch) {
  const { lines, bows } = batch;
  for (let at = 0; at < lines.length; at += 4) {
    pen.beginPath();
    pen.moveTo(lines[at], lines[at + 1]);
    pen.lineTo(lines[at + 2], lines[at + 3]);
    pen.stroke();
  }
  pen.beginPath();
  for (let at = 0; at < bows.length; at += 4) {
    const [x, top, bow, bottom] = [bows[at], bows[at + 1], bows[at + 2], bows[at + 3]];
    pen.moveTo(x, top);
    pen.bezierCurveTo(x + bow, top, x + bow, bottom, x + 4, bottom);
  }
  pen.stroke();
}

/** The users' operations, as bars beside their lanes from the request to the answer.
 *  @param {import("./scene.js").Scene} scene */
export function drawOperations(scene) {
  const { pen, view, session, colours, first, last, focusRow } = scene;
  const { columns, branch } = session;
  /** @param {number} row */
  const bar = (row) => {
    const start = branch.bars.start(row);
    const node = columns.node[branch.path[row]];
    if (start < 0 || node >= view.lanes) return;
    const top = Math.max(-10, view.y(start));
    const bottom = Math.min(view.height + 10, view.y(row));
    pen.globalAlpha = scene.focus.chain ? FADE.dim * 2 : start > focusRow ? FADE.future : 0.75;
    pen.fillStyle = colours.accentSoft;
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.rect(view.x(node) - 4.5, top, 9, Math.max(1, bottom - top));
    pen.fill();
    if (view.rowHeight >= 3) pen.stroke();
  };
  for (let row = first; row <= last; row++) bar(row);
  branch.bars.eachReaching(last, 60, bar);
  pen.globalAlpha = 1;
}
