// Meters of the show, the curves of its sound, and its frame times.

import {$, element, setText} from "./dom.js";

const MINUTE = 60;
const BARS = ["level", "bass", "mid", "high", "onset", "beat"];
const HEARD = {waiting: "Waiting for sound", silent: "Silence", lost: "The sound card is gone: trying again"};
let frames = [];
let target = 0;

/** Forget the frame times: the show's clock may be another one. */
export function forget() {
  frames = [];
}

export function update(status, news) {
  meter("fps", number(status.fps, 1), status.target_fps ? ` / ${number(status.target_fps, 0)}` : "");
  meter("latency", number(status.latency_ms, 0), " ms");
  meter("dropped", status.captured ? number(100 * status.dropped / status.captured, 1) : "0", " %");
  $("dropped").title = `${status.dropped} of ${status.captured} frames`;
  setText($("camera"), status.camera);
  $("camera").className = status.camera;
  target = status.target_fps > 0 ? 1000 / status.target_fps : 0;
  frames.push(...news);
  hear(status.sound);
  send(status.outputs);
  draw();
}

/** List where the picture is sent, and whether it arrives. */
function send(outputs) {
  const key = JSON.stringify(outputs), list = $("outputs");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.hidden = !Object.keys(outputs).length;
  list.replaceChildren(...Object.entries(outputs).map(([name, state]) =>
    element("li", {}, element("span", {}, name), " ", element("b", {className: state === "sending" ? "ok" : "dark"}, state))));
}

function number(value, digits) {
  return value === null ? "–" : value.toFixed(digits);
}

function meter(id, text, unit) {
  if ($(id).textContent !== text + unit) $(id).replaceChildren(text, element("small", {}, unit));
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
  setText($("heard"), text);
  $("heard").classList.toggle("lost", sound.state === "lost");
}

function draw() {
  const last = frames.length ? frames[frames.length - 1][0] : 0;
  let old = 0;
  while (old < frames.length && frames[old][0] < last - MINUTE) old++;
  if (old) frames.splice(0, old);
  if (document.hidden) return;
  const canvas = $("graph"), scale = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  pen.clearRect(0, 0, width, height);
  // One column per pixel, with its worst frame: no stutter is averaged away.
  const worst = new Float64Array(Math.max(1, Math.ceil(width / scale)));
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
  setText($("worst"), frames.length ? `longest ${greatest.toFixed(0)} ms` : "");
}
