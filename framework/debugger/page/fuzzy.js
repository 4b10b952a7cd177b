// @ts-check
// How well what was typed fits a text: its letters have to be there in their order; the nearer and the earlier, the better.

/**
 * @param {string} typed in small letters
 * @param {string} text
 * @returns {number} below 0 if it does not fit
 */
export function fit(typed, text) {
  if (!typed) return 1;
  const wanted = typed.split(/\s+/).filter(Boolean);
  const low = text.toLowerCase();
  let total = 0;
  for (const word of wanted) {
    const score = fitWord(word, low);
    if (score < 0) return -1;
    total += score;
  }
  return total - low.length * 0.01;
}

/** @param {string} word
 *  @param {string} text */
function fitWord(word, text) {
  const at = text.indexOf(word);
  if (at >= 0) return 100 + word.length + (at === 0 ? 40 : isWordStart(text, at) ? 25 : 0) - at * 0.1;
  let score = 20;
  let place = -1;
  for (const letter of word) {
    const next = text.indexOf(letter, place + 1);
    if (next < 0) return -1;
    score += next === place + 1 ? 3 : isWordStart(text, next) ? 2 : -Math.min(4, (next - place) * 0.4);
    place = next;
  }
  return score > 0 ? score : -1;
}

/** @param {string} text
 *  @param {number} at */
function isWordStart(text, at) {
  return at === 0 || /[^a-z0-9]/.test(text[at - 1]);
}
