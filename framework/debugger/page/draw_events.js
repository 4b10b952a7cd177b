// @ts-check
// The events: a glyph for each at its node's lane, its label beside, numbers in the gutter, the focused row, stars at violations.

import { NOBODY, NO_NAME, FLAG } from "./columns.js";
import { opacity, toneOf } from "./scene.js";
import { drawGlyph, traceStar } from "./shapes.js";
import { LOST_AT } from "./draw_arrows.js";

const LABEL_ROW_HEIGHT_MIN = 13;
const LABEL_HEIGHT = 12;
const LABEL_WIDTH_MAX = 130;

/** Where the glyph of a row's event is.
 *  @param {{ view: import("./view.js").View, session: import("./session.js").Session }} scene
 *  @param {number} row */
export function glyphX(scene, row) {
  const { view, session } = scene;
  const { columns, kind, branch } = session;
  const moment = branch.path[row];
  const node = columns.node[moment];
  if (node === NOBODY || node >= view.lanes) return view.gutter;
  const what = columns.kind[moment];
  const peer = columns.peer[moment];
  if (peer >= view.lanes || peer === node) return view.x(node);
  if (what === kind.drop || what === kind.duplicate || what === kind.undrop) return view.x(peer) + (view.x(node) - view.x(peer)) * LOST_AT;
  if (what === kind.cut || what === kind.heal) return (view.x(node) + view.x(peer)) / 2;
  return view.x(node);
}

/** @param {import("./scene.js").Scene} scene */
export function drawEvents(scene) {
  if (scene.view.rowHeight < 5) drawDots(scene);
  else drawGlyphs(scene);
  drawStars(scene);
}

/** @param {import("./scene.js").Scene} scene */
function drawDots(scene) {
  const { pen, view, session, colours, first, last } = scene;
  const { columns, branch, kind } = session;
  const size = Math.max(1.5, Math.min(4, view.rowHeight));
  for (let row = first; row <= last; row++) {
    const moment = branch.path[row];
    const what = columns.kind[moment];
    const name = columns.name[moment];
    pen.globalAlpha = opacity(scene, row);
    pen.fillStyle = what === kind.crash || what === kind.drop ? colours.bad : name === NO_NAME ? colours.muted : colours.tones[toneOf(name)];
    const wide = what === kind.deliver || what === kind.fire ? size : size * 2.5;
    pen.fillRect(glyphX(scene, row) - wide / 2, view.y(row) - size / 2, wide, size);
  }
  pen.globalAlpha = 1;
}

/** @param {import("./scene.js").Scene} scene */
function drawGlyphs(scene) {
  const { pen, view, session, colours, first, last } = scene;
  const { columns, branch, kind } = session;
  const radius = Math.max(2.5, Math.min(5.5, view.rowHeight * 0.24));
  const isLabelled = view.rowHeight >= LABEL_ROW_HEIGHT_MIN;
  pen.font = scene.font;
  pen.textBaseline = "middle";
  /** Where the last label of each lane stands: with times to scale, the next may be too near. @type {number[]} */
  const labelled = [];
  for (let row = first; row <= last; row++) {
    const moment = branch.path[row];
    const what = columns.kind[moment];
    const name = columns.name[moment];
    const x = glyphX(scene, row);
    const y = view.y(row);
    pen.globalAlpha = opacity(scene, row);
    let colour = name === NO_NAME ? colours.muted : colours.tones[toneOf(name)];
    if (what === kind.crash || what === kind.drop) colour = colours.bad;
    else if (what === kind.pause || what === kind.cut) colour = colours.warn;
    if (what === kind.cut || what === kind.heal) drawPartition(scene, moment, y, what === kind.cut);
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.5;
    drawGlyph(pen, session.info.kinds[what] ?? "", x, y, radius, colours.back);
    const lane = columns.node[moment];
    if (!isLabelled || y - (labelled[lane] ?? -100) < LABEL_HEIGHT) continue;
    labelled[lane] = y;
    drawLabel(scene, row, x, y, colour);
  }
  pen.globalAlpha = 1;
}

/** @param {import("./scene.js").Scene} scene
 *  @param {number} moment
 *  @param {number} y
 *  @param {boolean} isCut */
function drawPartition(scene, moment, y, isCut) {
  const { pen, view, session, colours } = scene;
  const { columns } = session;
  if (columns.peer[moment] >= view.lanes) return;
  pen.strokeStyle = isCut ? colours.warn : colours.faint;
  pen.lineWidth = 1.2;
  pen.setLineDash(isCut ? [2, 3] : [7, 3]);
  pen.beginPath();
  pen.moveTo(view.x(columns.node[moment]), y);
  pen.lineTo(view.x(columns.peer[moment]), y);
  pen.stroke();
  pen.setLineDash([]);
}

/** Beside the glyph, on the side that no line comes from: each row has one event, so labels never meet.
 *  @param {import("./scene.js").Scene} scene
 *  @param {number} row
 *  @param {number} x
 *  @param {number} y
 *  @param {string} colour */
function drawLabel(scene, row, x, y, colour) {
  const { pen, view, session, colours } = scene;
  const { columns, branch, kind } = session;
  const moment = branch.path[row];
  const what = columns.kind[moment];
  const node = columns.node[moment];
  const peer = columns.peer[moment];
  const isPlain = what === kind.deliver || what === kind.fire || what === kind.request;
  const word = session.info.kinds[what]?.replace("_", " ") ?? "";
  const text = isPlain ? session.nameAt(moment) || word : what === kind.drop || what === kind.duplicate ? `${word} ${session.nameAt(moment)}` : word;
  const comesFromLeft = peer < node && peer !== NOBODY;
  let side = comesFromLeft || peer === NOBODY || peer === node ? 1 : -1;
  if (what === kind.drop || what === kind.duplicate || what === kind.undrop) side = -side;
  const roomRight = view.width - x - 14;
  const roomLeft = x - view.gutter - 14;
  // In rows of its own a label may reach over the lanes beside.
  const wide = view.isToScale ? view.laneWidth - 18 : Math.max(view.laneWidth - 18, LABEL_WIDTH_MAX);
  const wanted = Math.min(wide, pen.measureText(text.slice(0, 60)).width);
  if (side > 0 ? roomRight < wanted && roomLeft > roomRight : roomLeft < wanted && roomRight > roomLeft) side = -side;
  const room = Math.min(wide, side > 0 ? roomRight : roomLeft);
  const fitted = fitLabel(pen, text, room);
  if (!fitted) return;
  pen.textAlign = side > 0 ? "left" : "right";
  pen.lineWidth = 3.5;
  pen.lineJoin = "round";
  pen.strokeStyle = colours.back;
  const alpha = pen.globalAlpha;
  pen.globalAlpha = Math.min(1, alpha * 2);
  pen.strokeText(fitted, x + side * 10, y + 0.5);
  pen.globalAlpha = Math.min(1, alpha * 1.9);
  pen.fillStyle = what === kind.crash || what === kind.drop ? colour : colours.text;
  pen.fillText(fitted, x + side * 10, y + 0.5);
  pen.globalAlpha = alpha;
}

/** As much of the text as fits; nothing if that is next to nothing.
 *  @param {CanvasRenderingContext2D} pen
 *  @param {string} text
 *  @param {number} room */
export function fitLabel(pen, text, room) {
  const short = text.length > 60 ? text.slice(0, 60) : text;
  if (pen.measureText(short).width <= room) return short;
  let keep = Math.floor((short.length * room) / pen.measureText(short).width);
  while (keep > 1 && pen.measureText(short.slice(0, keep) + "…").width > room) keep--;
  return keep > 1 ? short.slice(0, keep) + "…" : "";
}

/** @param {import("./scene.js").Scene} scene */
function drawStars(scene) {
  const { pen, view, session, colours, first, last } = scene;
  const { columns, branch } = session;
  const { violations } = branch;
  for (let at = violations.after(first - 1); at < violations.rows.length && violations.rows[at] <= last; at++) {
    const row = violations.rows[at];
    const y = view.y(row);
    pen.globalAlpha = Math.max(0.5, opacity(scene, row));
    pen.fillStyle = colours.bad;
    pen.fillRect(view.gutter, y - 0.5, view.width, 1);
    pen.beginPath();
    traceStar(pen, glyphX(scene, row), y, 8);
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = colours.back;
    pen.stroke();
  }
  if (view.rowHeight >= 5) {
    pen.fillStyle = colours.warn;
    for (let row = first; row <= last; row++) {
      if (columns.flags[branch.path[row]] & FLAG.differs) pen.fillRect(view.gutter - 3, view.y(row) - 4, 2, 8);
    }
  }
  pen.globalAlpha = 1;
}

/** The band behind the focused row.
 *  @param {import("./scene.js").Scene} scene */
export function drawFocusBand(scene) {
  const { pen, view, colours, focusRow } = scene;
  const y = view.y(focusRow);
  if (y < -view.rowHeight || y > view.height + view.rowHeight) return;
  const height = Math.max(3, Math.min(view.rowHeight, 26));
  pen.fillStyle = colours.accentSoft;
  pen.fillRect(0, y - height / 2, view.width, height);
}

/** Numbers of moments (or times), the focused one and the marks, over a plain ground at the left edge.
 *  @param {import("./scene.js").Scene} scene */
export function drawGutter(scene) {
  const { pen, view, session, focus, colours, first, last, focusRow } = scene;
  const { branch, columns } = session;
  pen.font = scene.font;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  const step = stepFor(17 / view.rowHeight);
  const [a, b] = [branch.row(focus.markA), branch.row(focus.markB)];
  const taken = [focusRow, a, b].filter((row) => row >= 0).map((row) => view.y(row));
  pen.fillStyle = colours.muted;
  let lowest = -100;
  for (let row = Math.ceil(first / step) * step; row <= last; row += step) {
    const y = view.y(row);
    const isNear = y - lowest < 14 || taken.some((place) => Math.abs(y - place) < 16);
    if (isNear) continue;
    lowest = y;
    pen.globalAlpha = row > focusRow ? 0.6 : 1;
    pen.fillText(view.isToScale ? shortTime(columns.at_us[branch.path[row]]) : String(branch.path[row]), view.gutter - 16, y);
  }
  drawGutterStars(scene);
  drawPill(scene, focusRow, String(focus.moment), colours.accent);
  if (a >= 0) drawPill(scene, a, a === focusRow ? "A " + focus.moment : "A", colours.good);
  if (b >= 0) drawPill(scene, b, b === focusRow ? "B " + focus.moment : "B", colours.warn);
}

/** @param {import("./scene.js").Scene} scene */
function drawGutterStars(scene) {
  const { pen, view, session, colours, first, last } = scene;
  const { violations } = session.branch;
  pen.globalAlpha = 1;
  pen.fillStyle = colours.bad;
  for (let at = violations.after(first - 1); at < violations.rows.length && violations.rows[at] <= last; at++) {
    pen.beginPath();
    traceStar(pen, view.gutter - 5, view.y(violations.rows[at]), 5);
    pen.fill();
  }
}

/** @param {import("./scene.js").Scene} scene
 *  @param {number} row
 *  @param {string} text
 *  @param {string} colour */
function drawPill(scene, row, text, colour) {
  const { pen, view, colours } = scene;
  const y = view.y(row);
  if (y < -12 || y > view.height + 12) return;
  const width = Math.max(18, pen.measureText(text).width + 10);
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(Math.max(1, view.gutter - 11 - width), y - 8, width, 16, 4);
  pen.fill();
  pen.fillStyle = colours.back;
  pen.fillText(text, Math.max(1 + width, view.gutter - 11) - 5, y + 0.5);
}

/** The least of 1, 2, 5, 10, 20, … that is not below the number.
 *  @param {number} least */
function stepFor(least) {
  let step = 1;
  for (let turn = 0; step < least; turn++) step *= turn % 3 === 1 ? 2.5 : 2;
  return step;
}

/** @param {number} time_us */
export function shortTime(time_us) {
  if (time_us >= 1e6) return (time_us / 1e6).toFixed(2) + "s";
  if (time_us >= 1e3) return (time_us / 1e3).toFixed(1) + "ms";
  return Math.round(time_us) + "us";
}

/** The line through the moments that are the answer to why.
 *  @param {import("./scene.js").Scene} scene
 *  @param {Set<number>} moments */
export function drawWhy(scene, moments) {
  const { pen, view, session, colours } = scene;
  const rows = [...moments].map((moment) => session.branch.row(moment)).filter((row) => row >= 0).sort((a, b) => a - b);
  pen.strokeStyle = colours.warn;
  pen.lineJoin = "round";
  pen.lineWidth = 2;
  pen.globalAlpha = 0.7;
  pen.beginPath();
  for (const row of rows) pen.lineTo(glyphX(scene, row), Math.max(-2000, Math.min(view.height + 2000, view.y(row))));
  pen.stroke();
  pen.globalAlpha = 1;
}

/** The causes of an event as one heavy line, and what it caused as thin ones.
 *  @param {import("./scene.js").Scene} scene
 *  @param {number} moment */
export function drawChain(scene, moment) {
  const { pen, view, session, colours } = scene;
  const { columns, branch } = session;
  const chain = columns.causes(moment, 200).map((cause) => branch.row(cause)).filter((row) => row >= 0);
  if (!chain.length) return;
  const clip = (/** @type {number} */ y) => Math.max(-2000, Math.min(view.height + 2000, y));
  pen.strokeStyle = colours.accent;
  pen.lineJoin = "round";
  pen.lineWidth = 2.5;
  pen.globalAlpha = 0.85;
  pen.beginPath();
  chain.forEach((row, at) => {
    const [x, y] = [glyphX(scene, row), clip(view.y(row))];
    // The event that a message comes from is in the sender's lane, whatever its own glyph is.
    if (at === 0) pen.moveTo(x, y);
    else pen.lineTo(x, y);
  });
  pen.stroke();
  pen.lineWidth = 1.5;
  pen.globalAlpha = 0.6;
  pen.beginPath();
  for (const later of columns.effects(moment).slice(0, 100)) {
    const row = branch.row(later);
    if (row < 0) continue;
    pen.moveTo(glyphX(scene, chain[0]), clip(view.y(chain[0])));
    pen.lineTo(glyphX(scene, row), clip(view.y(row)));
  }
  pen.stroke();
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  pen.beginPath();
  for (const row of chain) {
    pen.moveTo(glyphX(scene, row) + 8, clip(view.y(row)));
    pen.arc(glyphX(scene, row), clip(view.y(row)), 8, 0, Math.PI * 2);
  }
  pen.stroke();
}
