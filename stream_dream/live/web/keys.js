// The keys of the show's window, on the page.

import {send} from "./connection.js";
import {loadOther} from "./decks.js";
import {$, element, memory} from "./dom.js";

const NAMES = {" ": "space", ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", "=": "+", _: "-"};
const TYPES = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";
const OF_SLIDERS = new Set(["up", "down", "left", "right"]);
const ON_THIS_PAGE = {"Shift 1 - 9": "look of the other deck", f: "full screen", "h ?": "these keys"};

let known = new Set();
let steps = new Set();  // keys that go on while they are held; others would flicker
let clicked = null;  // a button that has the focus from a click: who clicked it plays on with keys
let taken = false;   // the space bar was the show's: its release is no click

/** List the keys of the form. */
export function build(form) {
  known = new Set(Object.keys(form.keys).flatMap((keys) => keys.split(" ")));
  steps = new Set(form.steps);
  const all = Object.entries({...form.keys, ...ON_THIS_PAGE});
  $("key-list").replaceChildren(...all.map(([keys, does]) => element("div", {},
    element("dt", {}, ...keys.split(" ").map((key) => key === "-" && keys !== "+ -" ? " – " : element("kbd", {}, key))), element("dd", {}, does))));
}

/** Return the name of a key that the show knows and nothing under the focus needs. */
function nameOf(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || target.closest(TYPES)) return "";
  const key = event.key, name = NAMES[key] ?? (key.length === 1 ? key.toLowerCase() : "");
  const needy = target.closest("button, summary, a, input");
  if (name === "space" && needy && needy !== clicked) return "";
  if (OF_SLIDERS.has(name) && target.closest("input[type=range]")) return "";
  return name;
}

document.addEventListener("keydown", (event) => {
  if (!event.repeat) taken = false;
  if ($("keys").open || $("controls").inert || memory.get("keys") === "off") return;
  const name = nameOf(event);
  if (!name) return;
  if (event.repeat && !steps.has(name)) {
    if (known.has(name)) event.preventDefault();
    return;
  }
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  if (digit && event.shiftKey) loadOther(Number(digit));
  else if (name === "h" || name === "?") open();
  else if (name === "f") $("fill").click();
  else if (digit || /^[1-9]$/.test(name)) send({key: digit ?? name});
  else if (OF_SLIDERS.has(name) || known.has(name)) send({key: name});
  else return;
  taken = name === "space";
  event.preventDefault();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " " && taken) event.preventDefault();
});
document.addEventListener("pointerdown", (event) => { clicked = event.target.closest?.("button, summary"); });
document.addEventListener("focusin", (event) => { if (event.target !== clicked) clicked = null; });

function open() {
  $("keys-on").checked = memory.get("keys") !== "off";
  $("keys").showModal();
}

$("open-keys").onclick = open;
$("keys-on").onchange = () => memory.set("keys", $("keys-on").checked ? "on" : "off");
