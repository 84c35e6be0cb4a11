// MIDI: that of this device, played through the page, and what its knobs move.

import {on, send} from "./connection.js";
import {$, element, press, setText} from "./dom.js";

const TOGETHER = 15;  // milliseconds for which moves of knobs are collected
// No device, but all programs at once.
const THROUGH = /midi through/i;
// Ports that connect programs (IAC, loopMIDI) return what is sent to them: lamps would move what
// they show.
const RETURN = 200;   // milliseconds
// One clock may come by several ports: the first counts until it is silent.
const SILENT = 500;   // milliseconds
const ON = 64;        // from there on, control changes of a button mean that it is down
const CLOCK = 0xf8, START = 0xfa, CONTROL_CHANGE = 0xb0, PITCH_BEND = 0xe0, SENSING = 0xfe, SYSTEM_EXCLUSIVE = 0xf0;

let access = null;
let learning = false;
let state = null;
let waiting = [];
let timer = 0;
let bindings = "";
let clock = {port: "", time: -SILENT};
const lit = new Map();  // when each lamp was sent last

function say(text) {
  setText($("midi-text"), text);
}

async function open() {
  try {
    access = await navigator.requestMIDIAccess();
  } catch {
    say("The browser may not use MIDI: allow it for this page.");
    return;
  }
  access.onstatechange = ports;
  ports();
}

/** Return the inputs, or the outputs, of devices. */
function devices(all) {
  return [...all.values()].filter(({name}) => !THROUGH.test(name));
}

function ports() {
  const inputs = devices(access.inputs);
  for (const input of inputs) input.onmidimessage = (event) => take([...event.data], input.id);
  press($("midi-open"), true);
  send({midi: []});  // the answer is the lamps: of a device that was just plugged in, too
  say(inputs.length ? `Plays: ${inputs.map((input) => input.name).join(", ")}` : "No MIDI device is plugged in here.");
}

/** Return whether a tick or a start comes from another port than the clock that runs. */
function isOfAnother(status, port) {
  if (status !== CLOCK && status !== START) return false;
  const now = performance.now();
  if (port !== clock.port && now - clock.time < SILENT) return true;
  if (status === CLOCK) clock = {port, time: now};
  return false;
}

function take(bytes, port) {
  const [status, number, value] = bytes;
  if (status === SENSING || status === SYSTEM_EXCLUSIVE || isOfAnother(status, port)) return;
  if (performance.now() - lit.get(bytes.join()) < RETURN) return;
  const last = waiting.at(-1);
  // Of a knob's moves the last one counts; a button's press and release both do.
  const kind = status & 0xf0;
  const again = last?.[0] === status && (kind === PITCH_BEND || kind === CONTROL_CHANGE && last[1] === number);
  if (again && (last[2] < ON) === (value < ON)) waiting.pop();
  waiting.push(bytes);
  if (status === CLOCK) flush();
  else timer ||= setTimeout(flush, TOGETHER);
}

function flush() {
  clearTimeout(timer);
  timer = 0;
  const bytes = waiting.flat();
  waiting = [];
  for (let start = 0; start < bytes.length; start += 300) send({midi: bytes.slice(start, start + 300)});
}

function light({lamps}) {
  if (!access) return;
  const now = performance.now();
  for (const [lamp, time] of lit) if (now - time >= RETURN) lit.delete(lamp);
  for (const lamp of lamps) lit.set(lamp.join(), now);
  for (const output of devices(access.outputs)) {
    for (const lamp of lamps) {
      try { output.send(lamp); } catch { /* a lamp that this device has not */ }
    }
  }
}

/* ---- Learn: touch a control, move a knob ---- */

function learn(on) {
  learning = on;
  press($("learn"), on);
  document.body.classList.toggle("learning", on);
  if (!on) send({learn: null});
  show();
}

function touched(event) {
  if (!learning) return;
  if (event.key === "Escape") {
    learn(false);
    $("learn").focus();
    return;
  }
  const target = event.target instanceof Element && event.target.closest("[data-address]");
  if (!target || event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  if (event.type !== "click") send({learn: target.dataset.address});
}

// Before the control itself: what is touched is learned, not used.
for (const type of ["pointerdown", "click", "keydown"]) document.addEventListener(type, touched, {capture: true});

function show() {
  if (!state) return;
  const of = Object.fromEntries(Object.entries(state.bindings).map(([source, address]) => [address, source]));
  for (const node of document.querySelectorAll("[data-address]")) {
    const address = node.dataset.address, mark = address === state.learning ? "move a knob" : of[address];
    if (learning && mark) node.dataset.midi = mark;
    else delete node.dataset.midi;
    node.classList.toggle("waits-for-midi", learning && address === state.learning);
  }
  const text = state.learning ? `Move a knob for ${state.learning}.` : state.message;
  setText($("learn-text"), text || (learning ? "Touch a control." : "Press Learn, touch a control here, then move a knob."));
  const key = JSON.stringify(state.bindings);
  if (key === bindings) return;
  bindings = key;
  $("bindings").replaceChildren(...Object.entries(state.bindings).map(([source, address]) => {
    const remove = element("button", {type: "button"}, "Remove");
    remove.setAttribute("aria-label", `Remove ${source} from ${address}`);
    remove.onclick = () => {
      send({unbind: source});
      $("learn").focus();
    };
    return element("li", {}, element("span", {}, source), element("span", {}, address), remove);
  }));
}

on("midi", (told) => {
  state = told.midi;
  $("midi").hidden = !state;
  show();
});
on("lamps", light);
on("opened", () => { if (access) send({midi: []}); });

$("learn").onclick = () => learn(!learning);
$("midi-open").hidden = !navigator.requestMIDIAccess;
if (navigator.requestMIDIAccess) $("midi-open").onclick = open;
else if (isSecureContext) say("This browser has no MIDI: take Chrome, Edge or Firefox, or start the show with --midi.");
else say("A browser plays MIDI on https alone: start the show with --https, or with --midi.");
