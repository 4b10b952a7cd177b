// @ts-check
// The legend under the diagram: the shapes of the kinds of events that this session has.

import { element } from "./dom.js";
import { drawGlyph, traceStar } from "./shapes.js";

const LEGEND_KINDS = ["deliver", "fire", "request", "drop", "duplicate", "crash", "restart", "pause", "cut", "heal", "durable"];
const KIND_WORDS = /** @type {Record<string, string>} */ ({ deliver: "message arrives", fire: "timer fires", drop: "lost", duplicate: "doubled", durable: "writes durable", cut: "link cut", heal: "link healed" });
const SAMPLE_SIZE = { width: 18, height: 14 };

/** @param {HTMLElement} place
 *  @param {import("./theme.js").Theme} theme
 *  @param {import("./session.js").Session} session */
export function showLegend(place, theme, session) {
  let shown = "";
  const draw = () => {
    const kinds = kindsOf(session);
    const wanted = kinds.join();
    if (wanted === shown) return;
    shown = wanted;
    place.replaceChildren(...kinds.map((kind) => legendKey(theme, kind, KIND_WORDS[kind] ?? kind)));
  };
  theme.changed.on(() => {
    shown = "";
    draw();
  });
  session.renewed.on(draw);
  draw();
}

/** The kinds that occur.
 *  @param {import("./session.js").Session} session */
function kindsOf(session) {
  const { columns, info } = session;
  const occurs = new Uint8Array(256);
  for (let moment = 0; moment < columns.count; moment++) occurs[columns.kind[moment]] = 1;
  const kinds = LEGEND_KINDS.filter((kind) => occurs[info.kinds.indexOf(kind)]);
  return info.violations.length ? ["violation", ...kinds] : kinds;
}

/** @param {import("./theme.js").Theme} theme
 *  @param {string} kind
 *  @param {string} words */
function legendKey(theme, kind, words) {
  const { colours } = theme;
  const { width, height } = SAMPLE_SIZE;
  const sharp = devicePixelRatio || 1;
  const canvas = /** @type {HTMLCanvasElement} */ (element("canvas", { width: width * sharp, height: height * sharp, "aria-hidden": "true" }));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(sharp, sharp);
  pen.lineWidth = 1.5;
  const isBad = kind === "crash" || kind === "drop" || kind === "violation";
  pen.strokeStyle = pen.fillStyle = isBad ? colours.bad : kind === "pause" || kind === "cut" ? colours.warn : colours.tones[0];
  if (kind === "violation") {
    pen.beginPath();
    traceStar(pen, width / 2, height / 2, 6);
    pen.fill();
  } else drawGlyph(pen, kind, width / 2, height / 2, 5, colours.back);
  return element("span", { class: "key" }, canvas, element("span", { text: words }));
}
