// @ts-check
// The space-time diagram: a lane for each node, time down, the branch through the focus. Only what is in sight is drawn.

import { View, ROW_HEIGHT_USUAL } from "./view.js";
import { drawLanes } from "./draw_lanes.js";
import { drawArrows, drawOperations } from "./draw_arrows.js";
import { drawEvents, drawFocusBand, drawGutter, drawChain, drawWhy } from "./draw_events.js";
import { hit } from "./hit.js";
import { Signal } from "./signal.js";

export class Diagram {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./session.js").Session} session
   * @param {import("./theme.js").Theme} theme
   * @param {import("./tooltip.js").Tooltip} tooltip
   * @param {import("./titles.js").Titles} titles
   */
  constructor(canvas, session, theme, tooltip, titles) {
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.session = session;
    this.theme = theme;
    this.tooltip = tooltip;
    this.titles = titles;
    this.view = new View(session.branch, session.info.nodes.length);
    /** The moment under the pointer, or -1. */
    this.hovered = -1;
    this.isWaiting = false;
    /** Told when time is shown to scale, or no more. @type {Signal<null>} */
    this.scaled = new Signal();
    /** Told after each drawing. @type {Signal<null>} */
    this.drawn = new Signal();
    this.font = "11px " + getComputedStyle(document.body).fontFamily;
    session.focus.changed.on((names) => {
      if (!names.has("moment")) this.drawSoon();
    });
    session.due.on(() => {
      this.reveal();
      this.drawSoon();
    });
    session.grew.on(() => this.drawSoon());
    theme.changed.on(() => this.drawSoon());
    new ResizeObserver(() => this.fit()).observe(/** @type {Element} */ (canvas.parentElement));
    this.listen();
  }

  fit() {
    const { canvas, view, session } = this;
    const focusY = view.height ? view.y(session.branch.row(session.focus.moment)) : -1;
    const isInSight = focusY >= 0 && focusY <= view.height;
    const box = canvas.getBoundingClientRect();
    const sharp = devicePixelRatio || 1;
    canvas.width = Math.round(box.width * sharp);
    canvas.height = Math.round(box.height * sharp);
    view.width = canvas.width / sharp;
    view.height = canvas.height / sharp;
    view.clamp();
    if (isInSight) this.reveal();
    this.draw();
  }

  reveal() {
    const { branch, columns, focus } = this.session;
    const row = branch.row(focus.moment);
    if (row < 0 || !this.view.width) return;
    this.view.reveal(row);
    this.view.revealLane(columns.node[focus.moment]);
  }

  drawSoon() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  draw() {
    const { pen, view, session, theme } = this;
    const { branch, focus } = session;
    if (!view.width || !view.height || !branch.length) return;
    view.makeGutter(session.columns.count);
    view.clamp();
    const sharp = this.canvas.width / view.width;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.fillStyle = theme.colours.back;
    pen.fillRect(0, 0, view.width, view.height);
    /** @type {import("./scene.js").Scene} */
    const scene = {
      pen,
      view,
      session,
      focus,
      colours: theme.colours,
      font: this.font,
      focusRow: Math.max(0, branch.row(focus.moment)),
      first: Math.max(0, view.rowAt(-30)),
      last: view.rowAt(view.height + 30),
      hovered: this.hovered,
      isLive: !session.isBehind && session.now !== null,
    };
    pen.save();
    pen.beginPath();
    pen.rect(view.gutter - 4, 0, view.width, view.height);
    drawFocusBand(scene);
    pen.clip();
    drawLanes(scene);
    drawOperations(scene);
    drawArrows(scene);
    if (focus.chain) drawWhy(scene, focus.chain);
    else if (this.hovered >= 0) drawChain(scene, this.hovered);
    drawEvents(scene);
    pen.restore();
    drawGutter(scene);
    this.drawn.emit(null);
  }

  /** @param {number} factor
   *  @param {number} [y] */
  zoom(factor, y = this.view.height / 2) {
    this.view.zoom(factor, y);
    this.drawSoon();
  }

  /** Zooms around the focused row if it is in sight.
   *  @param {number} factor */
  zoomAtFocus(factor) {
    const y = this.view.y(Math.max(0, this.session.branch.row(this.session.focus.moment)));
    this.zoom(factor, y >= 0 && y <= this.view.height ? y : undefined);
  }

  /** Rows as high as at first, the focused one in sight. */
  zoomToUsual() {
    this.zoomAtFocus(ROW_HEIGHT_USUAL / this.view.rowHeight);
    this.reveal();
  }

  /** Shows the whole branch, as far as that is possible. */
  zoomToAll() {
    this.view.zoom(this.view.height / ((this.view.extent + 2) * this.view.rowHeight), 0);
    this.view.top = -1;
    this.drawSoon();
  }

  /** Rows by order, or their times to scale. */
  turnScale() {
    this.view.isToScale = !this.view.isToScale;
    this.reveal();
    this.drawSoon();
    this.scaled.emit(null);
  }

  /** @param {number} rows
   *  @param {number} pixels */
  scroll(rows, pixels = 0) {
    this.view.top += rows;
    this.view.left += pixels;
    this.view.clamp();
    this.drawSoon();
  }

  listen() {
    const { canvas, view } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.unhover();
      const unit = event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? view.height : 1;
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY * unit * 0.0025), event.offsetY);
      else if (event.shiftKey) this.scroll(0, event.deltaY * unit);
      else this.scroll((event.deltaY * unit) / view.rowHeight, event.deltaX * unit);
    }, { passive: false });
    /** @type {{ x: number, y: number, top: number, left: number, isMoved: boolean } | null} */
    let grip = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      grip = { x: event.clientX, y: event.clientY, top: view.top, left: view.left, isMoved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!grip) {
        this.hover(event);
        return;
      }
      const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
      if (!grip.isMoved && Math.hypot(dx, dy) < 4) return;
      grip.isMoved = true;
      this.unhover();
      canvas.classList.add("dragged");
      view.top = grip.top - dy / view.rowHeight;
      view.left = grip.left - dx;
      view.clamp();
      this.drawSoon();
    });
    canvas.addEventListener("pointerup", (event) => {
      const isClick = grip !== null && !grip.isMoved;
      grip = null;
      canvas.classList.remove("dragged");
      if (isClick) this.click(event);
    });
    canvas.addEventListener("pointercancel", () => (grip = null));
    canvas.addEventListener("pointerleave", () => this.unhover());
  }

  /** @param {PointerEvent} event */
  click(event) {
    const { session, view } = this;
    const found = hit(view, session, event.offsetX, event.offsetY);
    // One event stands in each row, so a click beside it means it too where rows are high enough to aim at.
    const row = found?.row ?? (view.rowHeight >= 10 ? view.nearest(event.offsetY) : -1);
    if (row < 0) return;
    if (session.focus.chain && !found) session.focus.change({ chain: null });
    session.travel(session.branch.path[row]);
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const { session, view, canvas } = this;
    const found = hit(view, session, event.offsetX, event.offsetY);
    const moment = found ? session.branch.path[found.row] : -1;
    canvas.style.cursor = found ? "pointer" : "default";
    if (moment === this.hovered) return;
    this.hovered = moment;
    this.drawSoon();
    if (moment < 0) {
      this.tooltip.hide();
      return;
    }
    this.titles.want([moment]);
    this.tooltip.hide();
    this.tooltip.showAt(this.describe(moment), event.clientX + 14, event.clientY + 14, event.clientY - 10);
  }

  unhover() {
    if (this.hovered < 0) return;
    this.hovered = -1;
    this.tooltip.hide();
    this.drawSoon();
  }

  /** @param {number} moment */
  describe(moment) {
    const { session } = this;
    const { columns } = session;
    const lines = [`${moment}  ${this.titles.title(moment)}`];
    const causes = columns.causes(moment, 200).length - 1;
    if (causes > 0) lines.push(`after ${causes} ${causes === 1 ? "cause" : "causes"}; sent or set at ${columns.cause[moment]}`);
    const effects = columns.effects(moment).length;
    if (effects) lines.push(`led to ${effects} ${effects === 1 ? "event" : "events"}`);
    if (session.isViolation(moment)) lines.push("violation: " + (session.info.violations.find((one) => one.moment === moment)?.name ?? "an invariant"));
    return lines.join("\n");
  }
}
