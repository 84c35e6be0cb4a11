// The beat: its pace, and a light that follows it.

import {on} from "./connection.js";
import {plainNumber} from "./controls.js";
import {$} from "./dom.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const lights = [...$("beats").children];
let bpm = 0, beat = 0, at = 0, lit = -1, drawing = false;

export function build(form) {
  const facts = form.others.find((one) => one.address === "bpm");
  $("bpm-place").replaceChildren(plainNumber({...facts, label: "BPM"}));
}

on("beat", (state) => {
  [bpm, beat, at] = [state.bpm, state.beat, performance.now()];
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
});

function draw(now) {
  drawing = !document.hidden && now - at < 2000;
  const count = Math.floor(beat + (now - at) / 60000 * bpm), on = drawing && !still.matches ? count % 4 : -1;
  if (on !== lit) {
    lit = on;
    lights.forEach((light, place) => light.classList.toggle("lit", place === on));
  }
  if (drawing) requestAnimationFrame(draw);
}
