// @ts-check
// The small shapes that tell kinds of events apart without colour. Each adds to the current path or draws itself around a point.

/** @param {CanvasRenderingContext2D} pen
 *  @param {number} x
 *  @param {number} y
 *  @param {number} r */
export function traceStar(pen, x, y, r) {
  for (let point = 0; point < 10; point++) {
    const turn = -Math.PI / 2 + (point * Math.PI) / 5;
    const far = point % 2 ? r * 0.45 : r;
    if (point === 0) pen.moveTo(x + Math.cos(turn) * far, y + Math.sin(turn) * far);
    else pen.lineTo(x + Math.cos(turn) * far, y + Math.sin(turn) * far);
  }
  pen.closePath();
}

/** @param {CanvasRenderingContext2D} pen
 *  @param {number} x
 *  @param {number} y
 *  @param {number} r */
export function traceCross(pen, x, y, r) {
  pen.moveTo(x - r, y - r);
  pen.lineTo(x + r, y + r);
  pen.moveTo(x + r, y - r);
  pen.lineTo(x - r, y + r);
}

/** @param {CanvasRenderingContext2D} pen
 *  @param {number} x
 *  @param {number} y
 *  @param {number} r */
export function traceCircle(pen, x, y, r) {
  pen.moveTo(x + r, y);
  pen.arc(x, y, r, 0, Math.PI * 2);
}

/** The head of an arrow that comes from (`fromX`, `fromY`), its tip `gap` before (`x`, `y`).
 *  @param {CanvasRenderingContext2D} pen
 *  @param {number} fromX
 *  @param {number} fromY
 *  @param {number} x
 *  @param {number} y
 *  @param {number} gap
 *  @param {number} size */
export function traceHead(pen, fromX, fromY, x, y, gap, size) {
  const far = Math.hypot(x - fromX, y - fromY) || 1;
  const ux = (x - fromX) / far;
  const uy = (y - fromY) / far;
  const tipX = x - ux * gap;
  const tipY = y - uy * gap;
  const baseX = tipX - ux * size;
  const baseY = tipY - uy * size;
  pen.moveTo(tipX, tipY);
  pen.lineTo(baseX - uy * size * 0.45, baseY + ux * size * 0.45);
  pen.lineTo(baseX + uy * size * 0.45, baseY - ux * size * 0.45);
  pen.closePath();
}

/**
 * Draws the glyph of an event of the kind named, with the fill and stroke that are set.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} kind
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {string} back what shows inside of open shapes
 */
export function drawGlyph(pen, kind, x, y, r, back) {
  pen.beginPath();
  switch (kind) {
    case "deliver":
      traceCircle(pen, x, y, r * 0.72);
      pen.fill();
      return;
    case "fire":
      traceCircle(pen, x, y, r);
      paintOpen(pen, back);
      pen.beginPath();
      pen.moveTo(x, y - r * 0.6);
      pen.lineTo(x, y);
      pen.lineTo(x + r * 0.5, y + r * 0.3);
      pen.stroke();
      return;
    case "request":
      pen.moveTo(x - r * 0.9, y - r);
      pen.lineTo(x + r, y);
      pen.lineTo(x - r * 0.9, y + r);
      pen.closePath();
      pen.fill();
      return;
    case "start":
    case "resume":
      pen.moveTo(x - r * 0.7, y - r * 0.9);
      pen.lineTo(x + r, y);
      pen.lineTo(x - r * 0.7, y + r * 0.9);
      pen.closePath();
      paintOpen(pen, back);
      return;
    case "restart":
    case "replace":
      traceCircle(pen, x, y, r);
      paintOpen(pen, back);
      pen.beginPath();
      pen.arc(x, y, r * 0.5, -0.5, Math.PI * 1.3);
      pen.stroke();
      return;
    case "crash":
      traceCircle(pen, x, y, r * 1.1);
      paintBack(pen, back);
      pen.beginPath();
      traceCross(pen, x, y, r * 0.9);
      pen.stroke();
      return;
    case "pause":
      traceCircle(pen, x, y, r * 1.1);
      paintBack(pen, back);
      pen.beginPath();
      pen.moveTo(x - r * 0.4, y - r * 0.8);
      pen.lineTo(x - r * 0.4, y + r * 0.8);
      pen.moveTo(x + r * 0.4, y - r * 0.8);
      pen.lineTo(x + r * 0.4, y + r * 0.8);
      pen.stroke();
      return;
    case "durable":
      pen.rect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
      paintOpen(pen, back);
      pen.beginPath();
      pen.rect(x - r * 0.35, y, r * 0.7, r * 0.8);
      pen.stroke();
      return;
    case "give_up":
      traceCircle(pen, x, y, r);
      paintOpen(pen, back);
      pen.beginPath();
      pen.moveTo(x - r * 0.7, y + r * 0.7);
      pen.lineTo(x + r * 0.7, y - r * 0.7);
      pen.stroke();
      return;
    case "drop":
      traceCross(pen, x, y, r * 0.75);
      pen.stroke();
      return;
    case "duplicate":
      traceCircle(pen, x - r * 0.45, y, r * 0.7);
      traceCircle(pen, x + r * 0.45, y, r * 0.7);
      pen.stroke();
      return;
    case "cut":
      pen.moveTo(x - r * 0.2, y - r);
      pen.lineTo(x - r * 0.8, y + r);
      pen.moveTo(x + r * 0.8, y - r);
      pen.lineTo(x + r * 0.2, y + r);
      pen.stroke();
      return;
    case "heal":
    case "undrop":
      pen.moveTo(x - r, y - r * 0.35);
      pen.lineTo(x + r, y - r * 0.35);
      pen.moveTo(x - r, y + r * 0.35);
      pen.lineTo(x + r, y + r * 0.35);
      pen.stroke();
      return;
    default:
      traceCircle(pen, x, y, r * 0.5);
      pen.stroke();
  }
}

/** @param {CanvasRenderingContext2D} pen
 *  @param {string} back */
function paintOpen(pen, back) {
  paintBack(pen, back);
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen
 *  @param {string} back */
function paintBack(pen, back) {
  const fill = pen.fillStyle;
  pen.fillStyle = back;
  pen.fill();
  pen.fillStyle = fill;
}
