// @ts-check
// Making elements and patching lists of them. Every string goes in as text, never as markup.

/**
 * @typedef {{ class?: string, text?: string, tip?: string | null, testid?: string, on?: Record<string, (event: any) => void>,
 *   [attribute: string]: any }} Props
 */

/**
 * An element with its attributes, listeners and children. `tip` is what the tooltip says.
 * @param {string} tag
 * @param {Props} [props]
 * @param {Array<Node | null | undefined>} children
 * @returns {HTMLElement}
 */
export function element(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name === "tip") made.dataset.tip = value;
    else if (name === "testid") made.dataset.testid = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, /** @type {any} */ (listener));
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/**
 * Makes the children of `parent` those of `items`, in their order, keeping what is there already under the same key. Where
 * elements are alike, those whose items are gone show new ones: making many takes longer than all else.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T, index: number) => string | number} key
 * @param {(item: T) => HTMLElement} create
 * @param {(made: any, item: T, index: number) => void} [update]
 * @param {boolean} [areAlike] whether `update` sets all that differs between two items
 */
export function patch(parent, items, key, create, update, areAlike = false) {
  /** @type {Map<string, any>} */
  const old = new Map();
  for (const child of /** @type {any} */ (parent).children) old.set(child.patchKey, child);
  const names = items.map((item, index) => String(key(item, index)));
  /** @type {string[]} */
  let spare = [];
  if (areAlike) {
    const kept = new Set(names);
    spare = [...old.keys()].filter((name) => !kept.has(name));
  }
  /** @type {any} */
  let place = parent.firstElementChild;
  items.forEach((item, index) => {
    const name = names[index];
    const known = old.has(name) ? name : spare.shift() ?? name;
    const made = old.get(known) ?? create(item);
    old.delete(known);
    made.patchKey = name;
    if (update) update(made, item, index);
    if (made === place) place = place.nextElementSibling;
    else parent.insertBefore(made, place);
  });
  for (const gone of old.values()) gone.remove();
}

/**
 * Sets the text if it is another one; a longer one than `limit` is cut, and the tooltip has more of it.
 * @param {HTMLElement} target
 * @param {string} text
 * @param {number} [limit]
 */
export function setText(target, text, limit = 400) {
  const shown = cutShort(text, limit);
  if (target.textContent !== shown) target.textContent = shown;
}

/**
 * @param {string} text
 * @param {number} limit
 */
export function cutShort(text, limit) {
  return text.length > limit ? text.slice(0, limit - 1) + "…" : text;
}

/**
 * @param {HTMLElement} target
 * @param {string} name
 * @param {string | null | undefined} value null takes the attribute away
 */
export function setAttribute(target, name, value) {
  if (value === null || value === undefined) {
    if (target.hasAttribute(name)) target.removeAttribute(name);
  } else if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/**
 * @param {HTMLElement} target
 * @param {string | null} tip
 */
export function setTip(target, tip) {
  setAttribute(target, "data-tip", tip === null ? null : cutShort(tip, 1000));
}

/**
 * Lets the button be used (null), or says why it can not. It stays reachable, so that the reason can be read.
 * @param {HTMLElement} button
 * @param {string | null | undefined} reason
 */
export function setReason(button, reason) {
  setAttribute(button, "aria-disabled", reason ? "true" : null);
  setAttribute(button, "data-reason", reason || null);
}
