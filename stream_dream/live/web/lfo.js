// The LFO of a slider, in a small form below it.

import {on, send} from "./connection.js";
import {element, shown} from "./dom.js";

const open = new Map();  // by address: shows an LFO in its button and its form
let parts = {};          // facts on shape, rate and depth
let lfos = {};

/** Take the facts on the parts of LFOs; earlier buttons are forgotten. */
export function describe(facts) {
  parts = Object.fromEntries(facts.map((part) => [part.address.split("/").pop(), part]));
  open.clear();
}

/** Add a button to a slider that opens its LFO. */
export function lfoButton(root, {address, label}) {
  const button = element("button", {type: "button", className: "lfo-button"});
  const form = element("div", {className: "lfo", hidden: true, id: `lfo-${address.replace("/", "-")}`});
  button.append(wave());
  button.setAttribute("aria-label", `LFO of ${label}`);
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", form.id);
  form.setAttribute("role", "group");
  form.setAttribute("aria-label", `LFO of ${label}`);
  root.querySelector(".tools").prepend(button);
  root.append(form);
  let fields = null;
  const show = () => {
    const lfo = lfos[address];
    button.classList.toggle("on", lfo?.depth > 0);
    button.title = lfo?.depth > 0 ? `LFO: ${lfo.shape}, every ${shown(lfo.every)} ${lfo.unit}` : "LFO";
    fields?.show(lfo);
  };
  button.onclick = () => {
    fields ??= build(form, address);
    form.hidden = !form.hidden;
    button.setAttribute("aria-expanded", String(!form.hidden));
    show();
  };
  open.set(address, show);
  show();
}

function wave() {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg"), line = document.createElementNS(space, "path");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  line.setAttribute("d", "M3 12c3-9 6-9 9 0s6 9 9 0");
  picture.append(line);
  return picture;
}

function build(form, address) {
  const id = (name) => `${form.id}-${name}`;
  const choice = (name) => element("select", {id: id(name)}, ...parts[name].choices.map((value) => element("option", {value}, value)));
  const running = element("input", {id: id("on"), type: "checkbox"});
  running.setAttribute("role", "switch");
  const shape = choice("shape"), unit = choice("unit");
  const every = element("input", {id: id("every"), type: "text", inputMode: "decimal", className: "number", value: "4"});
  const depth = element("input", {id: id("depth"), type: "range", min: 0.02, max: 1, step: 0.02, value: 0.5});
  unit.setAttribute("aria-label", "Unit of the rate");
  const labelled = (text, ...inputs) => element("div", {className: "choice"}, element("label", {htmlFor: inputs[0].id}, text), ...inputs);
  form.append(labelled("LFO on", running), labelled("Shape", shape), labelled("Every", every, unit), labelled("Depth", depth));
  let until = 0;
  const paint = () => depth.style.setProperty("--share", (depth.value - depth.min) / (depth.max - depth.min));
  paint();
  const tell = () => {
    until = performance.now() + 700;
    const low = parts.every.low, high = parts.every.high;
    const rate = Math.min(Math.max(Number(every.value.replace(",", ".")) || 4, low), high);
    every.value = shown(rate);
    const values = {shape: shape.value, unit: unit.value, every: rate, depth: running.checked ? Number(depth.value) : 0};
    send({set: Object.fromEntries(Object.entries(values).map(([name, value]) => [`lfo/${address}/${name}`, value]))});
  };
  running.onchange = tell;
  for (const input of [shape, unit, every, depth]) input.onchange = () => { if (running.checked) tell(); };
  depth.oninput = () => { until = performance.now() + 700; paint(); };
  return {
    show(lfo) {
      if (performance.now() < until || document.activeElement === every) return;
      running.checked = lfo?.depth > 0;
      if (!running.checked) return;  // it is being set up
      shape.value = lfo.shape;
      unit.value = lfo.unit;
      every.value = shown(lfo.every);
      depth.value = lfo.depth;
      paint();
    },
  };
}

on("lfos", (state) => {
  lfos = state.lfos;
  for (const show of open.values()) show();
});
