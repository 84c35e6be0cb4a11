"use strict";

const $ = (id) => document.getElementById(id);
const MINUTE = 60;
const BARS = ["level", "bass", "mid", "high", "onset", "beat"];
const HEARD = {waiting: "Waiting for sound", silent: "Silence", lost: "The sound card is gone: trying again"};
const SEND_EVERY = 40;  // milliseconds: 25 messages a second while a slider moves
let socket = null;
let delay = 500;
let inputs = new Map();
let held = null;        // the slider being moved, which ignores the show's values
let heldUntil = 0;
let frames = [];
let target = 0;
let film;               // undefined until the first status
let said = "";

/* ---- to the show ---- */

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

const waiting = new Map();
let timer = 0;

function change(name, value) {
  waiting.set(name, value);
  if (!timer) flush();
}

function flush() {
  timer = 0;
  if (!waiting.size) return;
  send({set: Object.fromEntries(waiting)});
  waiting.clear();
  timer = setTimeout(flush, SEND_EVERY);
}

/* ---- from the show ---- */

function connect() {
  const address = new URL("control", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = "";
  socket = new WebSocket(address);
  socket.onopen = () => {
    delay = 500;
    frames = [];
    veil("Waiting for the first picture");
    play();
    list();
  };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = () => {
    veil("The show does not answer: trying again");
    say("Connection lost");
    setTimeout(connect, delay);
    delay = Math.min(delay * 1.6, 5000);
    ask();
  };
}

async function ask() {
  // A WebSocket does not say why it was refused.
  try {
    const answer = await fetch("healthz");
    if (answer.status === 401) veil("Open the link with the token again: the show printed it");
    if (answer.status === 429) veil("Too many wrong tokens: wait a minute");
  } catch { /* unreachable: connect() retries anyway */ }
}

function take(message) {
  if (message.error) note(message.error);
  if (message.form) build(message.form);
  if (message.status) update(message);
}

function build(form) {
  $("looks").replaceChildren(...form.looks.map((name) => {
    const button = element("button", {type: "button"}, name);
    button.dataset.look = name;
    button.setAttribute("aria-pressed", "false");
    button.append(element("small", {hidden: true}, "preparing"));
    button.onclick = () => send({preset: name});
    return button;
  }));
  held = null;
  inputs = new Map(form.parameters.map((parameter) => [parameter.name, parameter.kind === "switch" ? toggle(parameter) : slider(parameter)]));
  $("parameters").replaceChildren(...[...inputs.values()].map((parameter) => parameter.root));
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function slider(parameter) {
  const id = "parameter-" + parameter.name;
  const input = element("input", {
    id, name: parameter.name, type: "range", min: parameter.low, max: parameter.high, step: parameter.step,
  });
  const output = element("output", {htmlFor: id});
  output.setAttribute("aria-live", "off");  // screen readers read out the slider's value
  const help = element("p", {id: id + "-help"}, parameter.help);
  input.setAttribute("aria-describedby", help.id);
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(parameter.step) + 1e-9)));
  const paint = (value) => {
    output.value = Number(value).toFixed(digits);
    const part = (value - parameter.low) / (parameter.high - parameter.low);
    input.style.setProperty("--part", `calc(.625rem + ${part} * (100% - 1.25rem))`);
  };
  const hold = () => { held = parameter.name; heldUntil = performance.now() + 700; };
  input.oninput = () => { hold(); paint(input.value); change(parameter.name, Number(input.value)); };
  input.onpointerdown = () => { held = parameter.name; heldUntil = Infinity; };
  input.onpointerup = input.onpointercancel = input.onchange = hold;
  input.ondblclick = () => { input.value = parameter.default; input.oninput(); };
  const root = element("div", {className: "parameter"},
    element("div", {className: "head"}, element("label", {htmlFor: id}, parameter.label), output), input, help);
  const set = (value) => {
    if (held === parameter.name && performance.now() < heldUntil) return;
    input.value = value;
    paint(value);
  };
  return {root, set};
}

function toggle(parameter) {
  const id = "parameter-" + parameter.name;
  const input = element("input", {id, name: parameter.name, type: "checkbox"});
  input.setAttribute("role", "switch");
  input.setAttribute("aria-describedby", id + "-help");
  input.onchange = () => change(parameter.name, input.checked);
  const text = element("div", {}, element("label", {htmlFor: id}, parameter.label), element("p", {id: id + "-help"}, parameter.help));
  const root = element("div", {className: "parameter switch"}, text, input);
  return {root, set: (value) => { if (!waiting.has(parameter.name)) input.checked = value; }};
}

function update({parameters, look, looks, frozen, status, frames: news}) {
  for (const [name, value] of Object.entries(parameters)) inputs.get(name)?.set(value);
  for (const button of $("looks").children) {
    const name = button.dataset.look;
    button.setAttribute("aria-pressed", String(name === look));
    button.hidden = !looks.includes(name);  // it cannot be dreamed
    button.lastChild.hidden = status.ready.includes(name);
  }
  press("freeze", frozen);
  press("record", status.recording !== null);
  $("frozen-badge").hidden = !frozen;
  $("film-badge").hidden = status.recording === null;
  $("film-badge").textContent = status.recording === null ? "" : "Recording";
  $("film-badge").title = status.recording ?? "";
  meter("fps", number(status.fps, 1), status.target_fps ? ` / ${number(status.target_fps, 0)}` : "");
  meter("latency", number(status.latency_ms, 0), " ms");
  meter("dropped", status.captured ? number(100 * status.dropped / status.captured, 1) : "0", " %");
  $("dropped").title = `${status.dropped} of ${status.captured} frames`;
  $("camera").textContent = status.camera;
  $("camera").className = status.camera;
  if (film !== undefined && film !== status.recording) setTimeout(list, 600);
  film = status.recording;
  target = status.target_fps > 0 ? 1000 / status.target_fps : 0;
  frames.push(...news);
  hear(status.sound);
  say(`Camera ${status.camera}. Look ${look}.` + (frozen ? " Frozen." : "") +
    (film ? " Recording." : "") + (status.sound?.state === "lost" ? " Sound lost." : "") + (status.message ? ` ${status.message}` : ""));
  if (status.message !== shownMessage) note(shownMessage = status.message);
  draw();
}

function hear(sound) {
  $("sound").hidden = !sound;
  if (!sound) return;
  if (!$("bars").children.length) {
    $("bars").append(...BARS.map((name) => element("div", {}, element("i"), element("span", {}, name))));
  }
  BARS.forEach((name, place) => {
    $("bars").children[place].firstChild.style.setProperty("--level", sound.curves[name] ?? 0);
  });
  const text = HEARD[sound.state] ?? (sound.tempo ? `${sound.tempo.toFixed(0)} beats a minute` : "No clear beat");
  if ($("heard").textContent !== text) $("heard").textContent = text;
  $("heard").classList.toggle("lost", sound.state === "lost");
}

let shownMessage = "";

function press(action, on) {
  document.querySelector(`[data-action=${action}]`).setAttribute("aria-pressed", String(on));
}

function number(value, digits) {
  return value === null ? "–" : value.toFixed(digits);
}

function meter(id, text, unit) {
  $(id).replaceChildren(text, element("small", {}, unit));
}

function say(text) {
  // Only changes: a screen reader would repeat the rest.
  if (text !== said) $("state").textContent = said = text;
}

let noteTimer = 0;

function note(text) {
  $("note").textContent = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { $("note").textContent = ""; }, 6000);
}

/* ---- the picture ---- */

let tries = 0;

function play() {
  $("picture").src = `stream.mjpeg?${++tries}`;
}

function veil(text) {
  $("veil").textContent = text;
  $("veil").hidden = !text;
}

$("picture").onload = () => { $("picture").classList.remove("waiting"); veil(""); };
$("picture").onerror = async () => {
  const tried = tries;
  try {
    const answer = await fetch("stream.mjpeg", {method: "HEAD"});
    if (answer.status === 503) veil("Too many watch the picture already: close one of its pages");
  } catch { /* the WebSocket reports it */ }
  setTimeout(() => { if (tried === tries && socket?.readyState === WebSocket.OPEN) play(); }, 3000);
};
$("fill").hidden = !document.fullscreenEnabled;
$("fill").onclick = () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen();
};

/* ---- frame times ---- */

function draw() {
  const last = frames.length ? frames[frames.length - 1][0] : 0;
  let old = 0;
  while (old < frames.length && frames[old][0] < last - MINUTE) old++;
  if (old) frames.splice(0, old);
  if (document.hidden) return;
  const canvas = $("graph"), scale = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, width, height);
  // One column per pixel, with its worst frame: no stutter is averaged away.
  const worst = new Float64Array(Math.ceil(width / scale));
  let greatest = 0;
  for (const [time, milliseconds] of frames) {
    const column = Math.min(worst.length - 1, Math.floor((1 - (last - time) / MINUTE) * worst.length));
    worst[column] = Math.max(worst[column], milliseconds);
    greatest = Math.max(greatest, milliseconds);
  }
  const top = Math.max(greatest * 1.1, target * 2, 1);
  for (let column = 0; column < worst.length; column++) {
    const part = worst[column] / top;
    pen.fillStyle = style.getPropertyValue(target && worst[column] > target * 1.5 ? "--bad" : "--good");
    pen.fillRect(column * scale, height * (1 - part), Math.max(1, scale), height * part);
  }
  if (target) {
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.fillRect(0, Math.round(height * (1 - target / top)), width, Math.max(1, Math.round(scale / 2)));
  }
  const text = frames.length ? `longest ${greatest.toFixed(0)} ms` : "";
  if ($("worst").textContent !== text) $("worst").textContent = text;
}

/* ---- files ---- */

async function list() {
  let files;
  try {
    const answer = await fetch("recordings");
    if (!answer.ok) return;
    files = await answer.json();
  } catch { return; }
  $("no-files").hidden = files.length > 0;
  $("files").hidden = files.length === 0;
  const shown = files.slice(0, 200).map(({name, bytes, modified}) => {
    const link = element("a", {href: "recordings/" + encodeURIComponent(name), download: name},
      element("span", {}, name), element("span", {}, amount(bytes)));
    link.title = new Date(modified).toLocaleString();
    return element("li", {}, link);
  });
  const key = JSON.stringify(files);
  if ($("files").dataset.key === key) return;  // keeps the focus
  $("files").dataset.key = key;
  $("files").replaceChildren(...shown);
}

function amount(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

for (const button of document.querySelectorAll("[data-action]")) {
  button.onclick = () => {
    send({press: button.dataset.action});
    if (button.dataset.action === "snapshot") setTimeout(list, 1000);
  };
}
setInterval(() => { if (!document.hidden) list(); }, 10000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) list(); });
connect();
