// @ts-check
// The icons, as strokes in a square of 16, and the buttons that carry them. To a browser each SVG element is a layer of its own;
// small buttons come by the hundred, so they have theirs as pictures in their backgrounds.

import { element } from "./dom.js";

/** Icons whose insides are filled. */
const FILLED = new Set(["play", "resume", "star"]);

/** @type {Record<string, string>} */
const ICON_STROKES = {
  first: "M4 3v10M12.5 3.5 7 8l5.5 4.5z",
  last: "M12 3v10M3.5 3.5 9 8l-5.5 4.5z",
  back: "M10 3 5 8l5 5",
  forward: "M6 3l5 5-5 5",
  play: "M5 3l8 5-8 5z",
  stop: "M5.5 3.5v9M10.5 3.5v9",
  deliver: "M8 2v7M5 6.5 8 9.5l3-3M2.5 10v3.5h11V10",
  drop: "M4 4l8 8M12 4l-8 8",
  duplicate: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  fire: "M8 4.5V8l2.5 1.5M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2",
  start: "M8 2v5.5M4.8 4.2a5.2 5.2 0 1 0 6.4 0",
  crash: "M9 1.5 4 9h4l-1 5.5L12 7H8z",
  crash_keeping: "M7 2 4 7h3l-.7 4L10 6H7.500zM9 10h5v4H9zM10.500 14v-2h2v2",
  restart: "M13 8a5 5 0 1 1-1.500-3.500M13 2v3h-3",
  pause: "M5.500 3.500v9M10.500 3.500v9",
  resume: "M5 3l8 5-8 5z",
  durable: "M3 3h8.500L13 4.500V13H3zM5.500 3v3.500h5V3M5.500 13V9.500h5V13",
  request: "M2.500 8 13.500 2.500 11 13.500 7.500 9.500zM7.500 9.500l6-7",
  give_up: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M4 12l8-8",
  cut: "M6.500 4 8 2.500a3 3 0 0 1 4.500 4.500L11 8.500M9.500 12 8 13.500A3 3 0 0 1 3.500 9L5 7.500M3 3l10 10",
  heal: "M7 9a3 3 0 0 0 4.500 0l2-2a3 3 0 0 0-4.500-4.500L8 3.500M9 7a3 3 0 0 0-4.500 0l-2 2A3 3 0 0 0 7 13.500l1-1",
  share: "M12 5.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4M4 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4M12 14.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4M5.800 7l4.400-2.500M5.800 9l4.400 2.500",
  save: "M8 2v8M5 7l3 3 3-3M3 13.500h10",
  load: "M8 10V2M5 5l3-3 3 3M3 13.500h10",
  export: "M9 2H4v12h8V5zM9 2v3h3M6 9h4M6 11.500h4",
  palette: "M3 4.500h10M3 8h10M3 11.500h6",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2M6.300 6.300a1.800 1.800 0 1 1 2.400 1.800c-.5.2-.7.5-.7 1M8 11.200v.3",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9M10.300 10.300 14 14",
  random: "M3 3h10v10H3zM6 6v.01M10 6v.01M6 10v.01M10 10v.01M8 8v.01",
  run_until: "M2 8h8M7 5l3 3-3 3M13 3v10",
  minimise: "M8 1.500v4M6 4l2 2 2-2M8 14.500v-4M6 12l2-2 2 2M2.500 8h11",
  compare: "M5 2.500v11M11 2.500v11M2.500 5 5 2.500 7.500 5M8.500 11l2.500 2.500 2.500-2.500",
  close: "M4 4l8 8M12 4l-8 8",
  chevron: "M6 4l4 4-4 4",
  branch: "M4.500 5.500v5M4.500 5.500a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400M4.500 13.900a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400M11.500 6.500a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400M11.500 6.500c0 3-7 1.500-7 4",
  star: "M8 1.800l1.900 4 4.300.6-3.100 3 .8 4.300L8 11.600l-3.900 2.100.8-4.300-3.100-3 4.300-.6z",
  holds: "M3 8.500 6.500 12 13 4.500",
  edit: "M3 13l.8-3L11 2.800l2.200 2.200L6 12.200zM9.500 4.300l2.200 2.200",
  time: "M8 2v12M5 4h6M6 8h4M4 12h8",
  zoom_in: "M8 3v10M3 8h10",
  zoom_out: "M3 8h10",
  link: "M3 8h9M9 5l3 3-3 3",
  node: "M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3",
  flag: "M4 14V2.500h8.500L10 5.500l2.500 3H4",
  expand: "M3 6V3h3M13 10v3h-3M3 3l4 4M13 13 9 9",
  copy: "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
};

/**
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", `icon icon-${name}${FILLED.has(name) ? " filled" : ""}`);
  drawing.setAttribute("aria-hidden", "true");
  const stroke = document.createElementNS(space, "path");
  stroke.setAttribute("d", ICON_STROKES[name] ?? ICON_STROKES.node);
  drawing.append(stroke);
  return drawing;
}

/** The looks of small buttons: which, and the theme's colour of their icons. Later ones win.
 *  @type {Array<[look: string, colour: "muted" | "text" | "accent" | "faint" | "warn"]>} */
const SMALL_LOOKS = [
  ["", "muted"],
  [".strong", "accent"],
  [".link-whole", "faint"],
  [":hover", "text"],
  [".link-cut", "warn"],
  ["[aria-disabled=true]", "faint"],
];

/** Makes the backgrounds of small buttons, in the theme's colours.
 *  @param {import("./theme.js").Theme} theme */
export function paintSmallIcons(theme) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  const paint = () => {
    const rules = Object.entries(ICON_STROKES).flatMap(([name, strokes]) => SMALL_LOOKS.map(([look, colour]) => {
      const fill = FILLED.has(name) ? theme.colours[colour] : "none";
      const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="14" height="14" viewBox="0 0 16 16" fill="${fill}" stroke="${theme.colours[colour]}" `
        + `stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"><path d="${strokes}"/></svg>`;
      return `button.small.small-${name}${look} { background-image: url("data:image/svg+xml,${encodeURIComponent(drawing)}"); }`;
    }));
    sheet.replaceSync(rules.join("\n"));
  };
  paint();
  theme.changed.on(paint);
}

/**
 * A button. One with only an icon has `label` for its name and tooltip. A refused click (the button has a reason) is told to
 * whoever listens for "refused" above it.
 * @param {{ testid?: string, icon?: string, text?: string, label: string, class?: string, run: (event: MouseEvent) => void }} wish
 * @param {HTMLElement[]} [inside] what it shows beside the icon and the text
 * @returns {HTMLElement}
 */
export function button(wish, inside = []) {
  const made = element("button", {
    type: "button",
    class: wish.class ?? "quiet",
    testid: wish.testid,
    "aria-label": wish.text || !wish.label ? null : wish.label,
    tip: wish.text === wish.label || !wish.label ? null : wish.label,
  });
  if (wish.icon && made.classList.contains("small")) made.classList.add("small-" + wish.icon);
  else if (wish.icon) made.append(icon(wish.icon));
  if (wish.text) made.append(element("span", { text: wish.text }));
  made.append(...inside);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    if (made.getAttribute("aria-disabled") === "true") {
      made.dispatchEvent(new CustomEvent("refused", { bubbles: true, detail: made.dataset.reason }));
    } else wish.run(event);
  });
  return made;
}
