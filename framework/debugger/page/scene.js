// @ts-check
// What one drawing of the diagram goes by: made anew for each frame, read by all that draw.

/**
 * @typedef {{ pen: CanvasRenderingContext2D, view: import("./view.js").View, session: import("./session.js").Session,
 *   focus: import("./focus.js").Focus, colours: import("./theme.js").Colours, font: string,
 *   focusRow: number, first: number, last: number, hovered: number, isLive: boolean }} Scene
 */

/** How much of a colour is left for what is after the focused moment, and for what is not on the chain looked at. */
export const FADE = { future: 0.32, dim: 0.1 };

/** How opaque the event of a row is drawn.
 *  @param {Scene} scene
 *  @param {number} row */
export function opacity(scene, row) {
  const { chain } = scene.focus;
  if (chain) return chain.has(scene.session.branch.path[row]) ? 1 : FADE.dim;
  return row > scene.focusRow ? FADE.future : 1;
}

/** The tone (0 to 7) of what has a name, so that one kind of message is one colour.
 *  @param {number} name */
export function toneOf(name) {
  return name % 8;
}
