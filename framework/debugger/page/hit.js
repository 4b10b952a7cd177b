// @ts-check
// What of the diagram is under the pointer.

import { arrowEnds } from "./draw_arrows.js";
import { glyphX } from "./draw_events.js";

const NEAR = 10;
const LOOKED_AT_MAX = 3000;

/**
 * The row of the event, arrow or gutter number under a point; null where there is none.
 * @param {import("./view.js").View} view
 * @param {import("./session.js").Session} session
 * @param {number} x
 * @param {number} y
 * @returns {{ row: number, part: "event" | "arrow" | "gutter" } | null}
 */
export function hit(view, session, x, y) {
  const { branch } = session;
  if (!branch.length) return null;
  const scene = { view, session };
  const near = view.nearest(y);
  const reach = Math.max(view.rowHeight / 2, 4);
  if (x < view.gutter) return Math.abs(view.y(near) - y) <= reach ? { row: near, part: "gutter" } : null;
  const around = Math.ceil(NEAR / view.rowHeight);
  let best = -1;
  let least = NEAR;
  for (let row = Math.max(0, near - around); row <= Math.min(branch.length - 1, near + around); row++) {
    const far = Math.hypot(glyphX(scene, row) - x, view.y(row) - y);
    if (far < least) [best, least] = [row, far];
  }
  if (best >= 0) return { row: best, part: "event" };
  least = 5;
  /** @param {number} row */
  const tryArrow = (row) => {
    if (branch.arrows.start(row) < 0) return;
    const ends = arrowEnds(scene, row);
    if (ends.isSelf || y < ends.fromY - 5 || y > ends.toY + 5) return;
    const far = distanceToLine(x, y, ends.fromX, ends.fromY, ends.toX, ends.toY);
    if (far < least) [best, least] = [row, far];
  };
  const last = Math.min(branch.length - 1, near + LOOKED_AT_MAX, view.rowAt(view.height));
  for (let row = near; row <= last; row++) tryArrow(row);
  branch.arrows.eachReaching(last, 400, tryArrow);
  return best >= 0 ? { row: best, part: "arrow" } : null;
}

/** @param {number} x
 *  @param {number} y
 *  @param {number} x0
 *  @param {number} y0
 *  @param {number} x1
 *  @param {number} y1 */
function distanceToLine(x, y, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const part = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x0 + part * dx - x, y0 + part * dy - y);
}
