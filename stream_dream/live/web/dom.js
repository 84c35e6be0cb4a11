// Small helpers for the page's elements.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Set a text only if it changes: a screen reader would repeat it. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function press(button, on) {
  button.setAttribute("aria-pressed", String(Boolean(on)));
}

/** Return a number as people write it: four digits at most. */
export function shown(value) {
  const number = Number(value);
  return String(Number(Math.abs(number) < 1 ? number.toFixed(4) : number.toPrecision(4)));
}

/** Read and write a setting of this browser; without storage nothing is remembered. */
export const memory = {
  get(name) {
    try { return localStorage.getItem(`stream_dream.${name}`); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(`stream_dream.${name}`, value); } catch { /* private window */ }
  },
};
