// The page of a live show.

import {connect, on, send} from "./connection.js";
import * as controls from "./controls.js";
import * as decks from "./decks.js";
import {$, element, memory, press, setText} from "./dom.js";
import * as files from "./files.js";
import * as keys from "./keys.js";
import * as lfo from "./lfo.js";
import * as meters from "./meters.js";
import "./midi.js";
import {follow, log, notice} from "./notices.js";
import {Player} from "./picture.js";
import "./scenes.js";
import * as tempo from "./tempo.js";

const REFUSED = {503: "Too many watch the picture already: close one of its pages"};

let refused = "";     // why there is no picture
let trouble = "Waiting for the show";
let film;             // undefined until the first status
let described = "";   // the form that the controls are made of
let focused = null;   // what had the focus when the show was lost

/* ---- the picture ---- */

const player = new Player($("picture"), (state) => {
  if (state === "playing") $("picture").classList.remove("waiting");
  refused = REFUSED[state] ?? "";
  veil();
});

function veil() {
  const text = trouble || refused || ($("picture").classList.contains("waiting") ? "Waiting for the first picture" : "");
  setText($("veil").firstElementChild, text);
  $("veil").hidden = !text;
}

$("fill").hidden = !document.fullscreenEnabled;
$("fill").onclick = () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen();
};

// The focus is never behind the picture where that stays at the top.
new ResizeObserver(() => {
  const sticky = getComputedStyle($("stage")).position === "sticky";
  document.documentElement.style.scrollPaddingTop = sticky ? `${$("stage").offsetHeight + 8}px` : "";
}).observe($("stage"));

/* ---- messages ---- */

on("opened", () => {
  meters.forget();
  player.again();
  files.list();
});
on("trouble", (told) => {
  const wasAlive = !$("controls").inert;
  if (trouble !== told.trouble && wasAlive && !told.alive) focused = document.activeElement;
  trouble = told.trouble;
  document.body.classList.toggle("lost", !told.alive);
  $("controls").inert = !told.alive;
  if (told.alive && document.activeElement === document.body) focused?.focus({preventScroll: true});
  veil();
});
on("form", ({form: {camera, ...form}}) => {
  phone(camera);
  const key = JSON.stringify(form);
  if (described === key) return;  // as after a lost connection: focus and open forms stay
  described = key;
  lfo.describe(form.lfo);
  decks.build(form);
  tempo.build(form);
  keys.build(form);
});
on("log", (message) => log(message.log));
on("error", (message) => notice(message.error, {refused: true}));
on("notice", (message) => notice(message.notice, {refused: message.refused}));
on("values", (state) => {
  const {values, frozen, status} = state;
  controls.update({...values, bpm: state.bpm}, state.now);
  for (const [name, lit] of Object.entries({freeze: frozen, record: status.recording !== null, fade_to_black: values.light === 0})) {
    press(document.querySelector(`[data-press=${name}]`), lit);
  }
  for (const button of document.querySelectorAll("[data-switch]")) press(button, values[button.dataset.switch]);
  for (const name of ["undo", "redo"]) {
    document.querySelector(`[data-press=${name}]`).setAttribute("aria-disabled", String(!state[name]));
  }
  badges(state);
  meters.update(status, state.frames);
  if (film !== undefined && film !== status.recording) setTimeout(files.list, 600);
  film = status.recording;
  tell(state);
  follow(status.message);
});

function badges({values, frozen, status}) {
  const found = [];
  if (status.recording !== null) found.push("Recording");
  if (frozen) found.push("Frozen");
  if (values.blackout) found.push("Blackout");
  else if (values.light < 1) found.push(values.light === 0 ? "Faded to black" : `Light ${Math.round(100 * values.light)} %`);
  if (values.bypass) found.push("Source");
  const key = found.join();
  if ($("badges").dataset.key === key) return;
  $("badges").dataset.key = key;
  $("badges").replaceChildren(...found.map((text) => element("span", {className: text === "Recording" ? "badge film" : "badge"}, text)));
}

/** Tell a screen reader what has changed. */
function tell({look, frozen, values, status}) {
  const parts = [`Camera ${status.camera}.`, `Look ${look}.`];
  if (frozen) parts.push("Frozen.");
  if (values.blackout) parts.push("Blackout.");
  if (status.recording !== null) parts.push("Recording.");
  if (status.sound?.state === "lost") parts.push("Sound lost.");
  setText($("state"), parts.join(" "));
}

function phone(link) {
  $("phone").hidden = !link;
  if (!link) return;
  $("phone-link").href = link;
  const {protocol, hostname} = new URL(link);
  $("phone-scan").hidden = protocol !== "https:" || ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
  $("phone-needs").hidden = !$("phone-scan").hidden;
  showCode();
}

function showCode() {
  const shown = $("phone").open && !$("phone-scan").hidden;
  if (shown && !$("phone-code").src) $("phone-code").src = "camera.svg";
  $("phone-code").hidden = !shown;
}

$("phone").ontoggle = showCode;

for (const button of document.querySelectorAll("[data-press]")) {
  button.dataset.address = button.dataset.press;
  button.onclick = () => {
    if (!send({press: button.dataset.press})) notice("Not done: there is no connection to the show", {refused: true});
    if (button.dataset.press === "snapshot") setTimeout(files.list, 1000);
  };
}
for (const box of document.querySelectorAll("details")) {
  box.open = memory.get(`open ${box.id}`) === "yes";
  box.addEventListener("toggle", () => memory.set(`open ${box.id}`, box.open ? "yes" : "no"));
}
connect();
