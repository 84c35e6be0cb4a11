// Sliders, switches and choices, each by its address.

import {change} from "./connection.js";
import {element, shown} from "./dom.js";
import {lfoButton} from "./lfo.js";
import {notice} from "./notices.js";

const HELD = 700;  // milliseconds after a move in which the show's value is not taken

const controls = new Map();

/** Return where on its slider a value is, 0..1. */
export function shareOf({low, high, exponent, fine_above: upper}, value) {
  const place = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return upper ? 1 - (1 - place) ** (1 / exponent) : place ** (1 / exponent);
}

/** Return the value at a share of a slider, as round as the slider is fine there. */
export function valueAt(facts, share) {
  const {low, high, whole} = facts, part = Math.min(Math.max(share, 0), 1);
  const value = exactly(facts, part);
  if (whole || part === 0 || part === 1) return whole ? Math.round(value) : value;
  const step = Math.abs(exactly(facts, Math.min(part + 0.004, 1)) - exactly(facts, Math.max(part - 0.004, 0)));
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(step)), 0), 7);
  return Math.min(Math.max(Number(value.toFixed(digits)), low), high);
}

function exactly({low, high, exponent, fine_above: upper}, share) {
  const place = upper ? 1 - (1 - share) ** exponent : share ** exponent;
  return low + place * (high - low);
}

/** Make the control of an address, in place of one that was there. */
export function control(facts, options = {}) {
  const make = {number: slider, switch: toggle, choice}[facts.kind];
  const made = make({...facts, ...options});
  made.root.dataset.address = facts.address;
  controls.set(facts.address, made);
  return made.root;
}

/** Show what the controls are set to, and where those are that are on their way. */
export function update(values, now) {
  for (const [address, value] of Object.entries(values)) {
    controls.get(address)?.set(value, now[address] ?? value);
  }
}

function idOf(address) {
  return `control-${address.replaceAll("/", "-")}`;
}

function slider(facts) {
  const {address, label, low, high, whole} = facts, id = idOf(address);
  const range = element("input", {id, type: "range", min: 0, max: 1, step: "any"});
  const number = numberField(facts, `${label}, as a number`, (value) => set(value, true));
  const ghost = element("i", {className: "ghost", hidden: true});
  const help = element("p", {id: `${id}-help`, className: "help"}, facts.help);
  range.setAttribute("aria-describedby", help.id);
  let value = low, until = 0;

  const paint = () => {
    const share = shareOf(facts, value);
    range.value = share;
    range.setAttribute("aria-valuetext", shown(value));
    range.style.setProperty("--share", share);
    number.show(value);
  };
  const set = (asked, typed = false) => {
    value = asked;
    if (typed) until = performance.now() + HELD;
    paint();
    change(address, value);
  };
  const hold = () => { until = performance.now() + HELD; };
  range.oninput = () => {
    until = Math.max(until, performance.now() + HELD);
    const share = Number(range.value);
    set(valueAt(facts, share));
    range.value = share;  // a whole number does not pull the thumb from under the finger
  };
  range.onpointerdown = ({button}) => { if (button === 0) until = Infinity; };
  range.onpointerup = range.onpointercancel = range.onlostpointercapture = range.onblur = range.onchange = hold;
  range.ondblclick = () => { hold(); set(facts.default); };
  range.onkeydown = (event) => {
    const steps = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10}[event.key];
    if (!steps || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    hold();
    const next = valueAt(facts, shareOf(facts, value) + steps / 100);
    set(whole && next === value ? Math.min(Math.max(value + Math.sign(steps), low), high) : next);
  };
  const root = element("div", {className: "parameter"},
    element("div", {className: "head"}, element("label", {htmlFor: id}, label), element("span", {className: "tools"}, number.input)),
    element("div", {className: "track"}, range, ghost), help);
  if (facts.modulated) lfoButton(root, facts);
  return {
    root,
    set(asked, now) {
      const share = shareOf(facts, now);
      ghost.hidden = Math.abs(share - shareOf(facts, asked)) < 0.004;
      ghost.style.setProperty("--share", share);
      if (performance.now() < until || asked === value && number.clean) return;
      value = asked;
      paint();
    },
  };
}

/** Return a field for a number: Enter applies it, Escape leaves it; beyond its range it is cut. */
export function numberField({low, high, whole, address, label: name}, label, apply) {
  const input = element("input", {type: "text", inputMode: "decimal", className: "number", autocomplete: "off", id: `${idOf(address)}-number`});
  input.setAttribute("aria-label", label);
  const field = {
    input,
    clean: false,
    show(value) {
      field.value = value;
      field.clean = document.activeElement !== input;
      if (field.clean) input.value = shown(value);  // else the selection would be lost
    },
  };
  const back = () => {
    delete input.dataset.typed;
    input.removeAttribute("aria-invalid");
    input.value = shown(field.value);
  };
  input.onfocus = () => input.select();
  input.oninput = () => { input.dataset.typed = "yes"; };
  input.onchange = () => {
    const text = input.value.trim().replace(",", "."), value = Number(text);
    if (!text || Number.isNaN(value)) {
      input.setAttribute("aria-invalid", "true");
      notice(`${name}: “${input.value}” is no number`, {refused: true});
      return;
    }
    const cut = Math.min(Math.max(whole ? Math.round(value) : value, low), high);
    if (cut !== value) notice(`${name} goes from ${shown(low)} to ${shown(high)}: set to ${shown(cut)}`);
    field.value = cut;
    back();
    apply(cut);
  };
  input.onkeydown = (event) => {
    if (event.key === "Enter" && !input.dataset.typed) apply(field.value);
    if (event.key === "Escape") back();
  };
  input.onblur = () => { if (!input.hasAttribute("aria-invalid")) back(); };
  return field;
}

function toggle(facts) {
  const id = idOf(facts.address);
  const input = element("input", {id, type: "checkbox"});
  let until = 0;
  input.setAttribute("role", "switch");
  input.setAttribute("aria-describedby", `${id}-help`);
  input.onchange = () => { until = performance.now() + HELD; change(facts.address, input.checked); };
  const text = element("div", {}, element("label", {htmlFor: id}, facts.label), element("p", {id: `${id}-help`, className: "help"}, facts.help));
  const root = element("div", {className: "parameter switch"}, text, input);
  return {root, set(value) { if (performance.now() > until) input.checked = value; }};
}

const WORDS = {off: "nothing", beat: "the beat", bar: "the bar", "4bars": "four bars"};

function choice(facts) {
  const id = idOf(facts.address);
  const input = element("select", {id}, ...facts.choices.map((value) => element("option", {value}, WORDS[value] ?? value)));
  input.onchange = () => change(facts.address, input.value);
  const root = element("div", {className: "choice"}, element("label", {htmlFor: id}, facts.label), input);
  return {root, set(value) { if (document.activeElement !== input || input.value !== value) input.value = value; }};
}

/** Return a number without a slider. */
export function plainNumber(facts, label = facts.label) {
  const field = numberField(facts, label, (value) => change(facts.address, value));
  const name = element("label", {htmlFor: field.input.id}, label);
  field.input.removeAttribute("aria-label");
  const root = element("div", {className: "choice"}, name, field.input);
  root.dataset.address = facts.address;
  controls.set(facts.address, {root, set: (value) => field.show(value)});
  return root;
}

