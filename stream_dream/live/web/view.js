// The bare picture, for a projector or OBS.

import {REASONS} from "./connection.js";
import {$, setText} from "./dom.js";
import {Player} from "./picture.js";

const CROWDED = "Too many watch the picture already: close one of its pages";
const IDLE = 2000;  // milliseconds
let timer = 0;

new Player($("picture"), (state) => setText($("why"), state === 503 ? CROWDED : REASONS[state] ?? ""));

function moved() {
  document.body.classList.remove("idle");
  clearTimeout(timer);
  timer = setTimeout(() => document.body.classList.add("idle"), IDLE);
}

function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
}

async function stayAwake() {
  try { await navigator.wakeLock?.request("screen"); } catch { /* the battery is low */ }
}

document.addEventListener("pointermove", moved);
document.addEventListener("dblclick", fill);
document.addEventListener("keydown", (event) => { if (event.key === "f") fill(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) stayAwake(); });
moved();
stayAwake();
