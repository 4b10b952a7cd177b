// @ts-check
// The lanes: how each node is along the rows (running, paused, crashed, not there), and the term it is in as a wash behind.

import { STATUS } from "./branch.js";
import { FADE } from "./scene.js";

/** @param {import("./scene.js").Scene} scene */
export function drawLanes(scene) {
  const { view } = scene;
  for (let lane = 0; lane < view.lanes; lane++) {
    const x = view.x(lane);
    if (x < view.gutter - view.laneWidth || x > view.width + view.laneWidth) continue;
    drawTerms(scene, lane, x);
    drawStatus(scene, lane, x);
  }
}

/**
 * Calls `draw` for each stretch of rows in sight with one value, as pixels from and to, split where the future begins.
 * @param {import("./scene.js").Scene} scene
 * @param {import("./branch.js").Changes} changes
 * @param {number} before the value before the first change
 * @param {(value: number, from: number, to: number, isFuture: boolean) => void} draw
 */
function eachStretch(scene, changes, before, draw) {
  const { view, first, last, focusRow } = scene;
  const now = view.y(focusRow);
  let index = changes.after(first);
  let value = index > 0 ? changes.values[index - 1] : before;
  let from = first === 0 ? view.y(0) : -10;
  const bottom = last === view.branch.length - 1 ? Math.min(view.height + 10, view.y(last) + view.rowHeight / 2) : view.height + 10;
  for (;;) {
    const isLast = index >= changes.rows.length || changes.rows[index] > last;
    const to = isLast ? bottom : view.y(changes.rows[index]);
    if (to > from) {
      if (from < now && to > now) {
        draw(value, from, now, false);
        draw(value, now, to, true);
      } else draw(value, from, to, from >= now);
    }
    if (isLast) return;
    value = changes.values[index];
    from = to;
    index++;
  }
}

/** @param {import("./scene.js").Scene} scene
 *  @param {number} lane
 *  @param {number} x */
function drawTerms(scene, lane, x) {
  const { pen, view, colours, session } = scene;
  const wide = Math.min(view.laneWidth - 6, 64);
  eachStretch(scene, session.branch.terms[lane], -1, (value, from, to, isFuture) => {
    if (value < 0) return;
    const leads = value % 2 === 1;
    pen.fillStyle = colours.lane[(value >> 1) % 8];
    pen.globalAlpha = (leads ? 1 : 0.42) * (isFuture ? 0.45 : 1) * (scene.focus.chain ? 0.35 : 1);
    const width = leads ? wide : Math.min(wide, 14);
    pen.fillRect(x - width / 2, from, width, to - from);
  });
  pen.globalAlpha = 1;
}

/** @param {import("./scene.js").Scene} scene
 *  @param {number} lane
 *  @param {number} x */
function drawStatus(scene, lane, x) {
  const { pen, colours, session } = scene;
  eachStretch(scene, session.branch.statuses[lane], STATUS.away, (value, from, to, isFuture) => {
    pen.globalAlpha = isFuture ? FADE.future + 0.1 : 1;
    pen.beginPath();
    pen.moveTo(x, from);
    pen.lineTo(x, to);
    pen.lineWidth = 1.5;
    pen.strokeStyle = colours.faint;
    if (value === STATUS.paused) {
      pen.strokeStyle = colours.warn;
      pen.setLineDash([6, 5]);
    } else if (value === STATUS.crashed) {
      pen.strokeStyle = colours.bad;
      pen.lineWidth = 1;
      pen.globalAlpha *= 0.6;
      pen.setLineDash([1, 6]);
    } else if (value === STATUS.away) {
      pen.lineWidth = 1;
      pen.globalAlpha *= 0.5;
      pen.setLineDash([1, 4]);
    }
    pen.stroke();
    pen.setLineDash([]);
  });
  pen.globalAlpha = 1;
}
