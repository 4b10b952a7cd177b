// @ts-check
// The whole branch at a glance: where each node is busy, where it is violated, which part the diagram shows, where the focus is.

import { NOBODY } from "./columns.js";
import { traceStar } from "./shapes.js";

const SAMPLES_MAX = 200_000;

export class Minimap {
  /** @param {HTMLCanvasElement} canvas
   *  @param {import("./diagram.js").Diagram} diagram */
  constructor(canvas, diagram) {
    this.canvas = canvas;
    this.diagram = diagram;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    /** The densities, drawn once for each branch and size. */
    this.ground = document.createElement("canvas");
    this.drawnFor = "";
    this.shownFor = "";
    this.width = 0;
    this.height = 0;
    new ResizeObserver(() => {
      const box = canvas.getBoundingClientRect();
      this.width = box.width;
      this.height = box.height;
      const sharp = devicePixelRatio || 1;
      for (const target of [canvas, this.ground]) {
        target.width = Math.round(box.width * sharp);
        target.height = Math.round(box.height * sharp);
      }
      this.drawnFor = this.shownFor = "";
      this.draw();
    }).observe(canvas);
    diagram.drawn.on(() => this.draw());
    this.listen();
  }

  draw() {
    const { pen, diagram, canvas, width, height } = this;
    const { view, session, theme } = diagram;
    if (!width || !height || !session.branch.length) return;
    const { colours } = theme;
    const key = [session.branch.revision, width, height, view.isToScale, colours.back].join();
    if (key !== this.drawnFor) {
      this.drawGround();
      this.drawnFor = key;
    }
    const shown = [key, view.top, view.rowHeight, session.focus.moment, session.branch.violations.rows.length].join();
    if (shown === this.shownFor) return;
    this.shownFor = shown;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.ground, 0, 0);
    const sharp = canvas.width / width;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    const scale = height / view.extent;
    const top = Math.max(0, view.top * scale);
    const tall = Math.max(6, Math.min(height - top, view.span * scale));
    pen.fillStyle = colours.accentSoft;
    pen.globalAlpha = 0.55;
    pen.fillRect(0, top, width, tall);
    pen.globalAlpha = 1;
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 1;
    pen.strokeRect(0.5, Math.floor(top) + 0.5, width - 1, Math.max(5, Math.floor(tall) - 1));
    const focusRow = session.branch.row(session.focus.moment);
    if (focusRow >= 0) {
      pen.fillStyle = colours.accent;
      pen.fillRect(0, view.place(focusRow) * scale - 1, width, 2);
    }
    pen.fillStyle = colours.bad;
    const { rows } = session.branch.violations;
    const step = Math.max(1, Math.floor(rows.length / 300));
    for (let at = 0; at < rows.length; at += step) {
      const y = Math.max(5, Math.min(height - 5, view.place(rows[at]) * scale));
      pen.beginPath();
      traceStar(pen, width - 7, y, 5);
      pen.fill();
    }
  }

  drawGround() {
    const { ground, diagram, width, height } = this;
    const { view, session, theme } = diagram;
    const { columns, branch } = session;
    const { colours } = theme;
    const pen = /** @type {CanvasRenderingContext2D} */ (ground.getContext("2d", { alpha: false }));
    const sharp = ground.width / width;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.fillStyle = colours.raised;
    pen.fillRect(0, 0, width, height);
    const lanes = Math.max(1, view.lanes);
    const buckets = Math.max(1, Math.floor(height / 2));
    const counts = new Uint32Array(buckets * lanes);
    const step = Math.max(1, Math.floor(branch.length / SAMPLES_MAX));
    const { extent } = view;
    for (let row = 0; row < branch.length; row += step) {
      const node = columns.node[branch.path[row]];
      if (node === NOBODY || node >= lanes) continue;
      counts[Math.min(buckets - 1, Math.floor((view.place(row) / extent) * buckets)) * lanes + node]++;
    }
    let most = 1;
    for (const count of counts) if (count > most) most = count;
    const wide = (width - 8) / lanes;
    pen.fillStyle = colours.muted;
    for (let bucket = 0; bucket < buckets; bucket++) {
      for (let lane = 0; lane < lanes; lane++) {
        const count = counts[bucket * lanes + lane];
        if (!count) continue;
        pen.globalAlpha = 0.15 + 0.75 * (count / most);
        pen.fillRect(4 + lane * wide, (bucket * height) / buckets, Math.max(1, wide - 1), height / buckets);
      }
    }
    pen.globalAlpha = 1;
  }

  listen() {
    const { canvas, diagram } = this;
    let isHeld = false;
    /** @param {PointerEvent} event */
    const move = (event) => {
      const { view } = diagram;
      view.top = (event.offsetY / this.height) * view.extent - view.span / 2;
      diagram.scroll(0);
    };
    canvas.addEventListener("pointerdown", (event) => {
      isHeld = true;
      canvas.setPointerCapture(event.pointerId);
      move(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (isHeld) move(event);
    });
    canvas.addEventListener("pointerup", () => (isHeld = false));
    canvas.addEventListener("pointercancel", () => (isHeld = false));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      diagram.scroll((event.deltaY / diagram.view.rowHeight) * 2);
    }, { passive: false });
  }
}
