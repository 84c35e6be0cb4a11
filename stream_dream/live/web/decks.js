// Two decks with their looks and sliders, and the mixer between them; one deck for who needs no more.

import {change, on, send} from "./connection.js";
import {control, plainNumber} from "./controls.js";
import {$, element, memory, press, setText} from "./dom.js";

const DECKS = ["a", "b"];
// What has a place of its own; every other parameter of the show is under Dream.
const PLACES = {fader: "fader-place", light: "light-place", fade: "fade-place", fade_unit: "fade-place", quantize: "quantize-place"};
const FIRST = new Set(["strength", "reactivity", "zoom", "turn", "pan_x", "pan_y", "throw"]);
const BUTTONS = new Set(["blackout", "bypass"]);
const LABELS = {fader: "Cross-fader", light: "Light", fade: "Fade over", fade_unit: "Unit", quantize: "Changes wait for"};

let two = memory.get("two decks") === "yes";
let front = "a";
let looks = [];

/** Build looks, sliders and mixer from the form. */
export function build(form) {
  looks = form.looks.map((look) => look.name);
  const modulated = new Set(form.modulated);
  for (const place of new Set(Object.values(PLACES))) $(place).replaceChildren();
  for (const place of ["first-sliders", "stage-sliders"]) $(place).replaceChildren();
  for (const facts of form.stage) {
    if (BUTTONS.has(facts.address)) continue;
    const named = {...facts, label: LABELS[facts.address] ?? facts.label, modulated: modulated.has(facts.address)};
    const place = $(PLACES[facts.address] ?? (FIRST.has(facts.address) ? "first-sliders" : "stage-sliders"));
    place.append(facts.address === "fade" ? plainNumber(named) : control(named));
  }
  const there = new Set(form.stage.map((facts) => facts.address));
  for (const button of document.querySelectorAll("[data-switch]")) button.hidden = !there.has(button.dataset.switch);
  $("fader-place").firstElementChild.classList.add("fader");
  for (const deck of DECKS) {
    const root = $(`deck-${deck}`);
    root.querySelector(".looks").replaceChildren(...form.looks.map((look, place) => tile(look, place, deck)));
    slidersOf(deck).replaceChildren(...form.deck[deck].map((facts) => control({...facts, modulated: modulated.has(facts.address)})));
  }
  arrange();
}

function tile({name, description}, place, deck) {
  const number = place < 9 ? element("b", {ariaHidden: "true"}, String(place + 1)) : "";
  const picture = element("img", {alt: "", hidden: true, decoding: "async"});
  const button = element("button", {type: "button", className: "look", title: description},
    element("span", {className: "thumb"}, picture, number), element("span", {className: "name"}, name), element("small", {hidden: true}));
  Object.assign(button.dataset, {look: name, address: `${deck}/preset/${name}`});
  press(button, false);
  button.onclick = () => send({preset: name, deck});
  const line = $(`deck-${deck}`).querySelector(".look-line");
  button.onpointerenter = button.onfocus = () => { line.dataset.pointed = name; describe(deck); };
  button.onpointerleave = button.onblur = () => { delete line.dataset.pointed; describe(deck); };
  return button;
}

/** Show the description of the look that is pointed at, or of the deck's own. */
function describe(deck) {
  const root = $(`deck-${deck}`), line = root.querySelector(".look-line");
  const name = line.dataset.pointed ?? root.dataset.look;
  const button = [...root.querySelectorAll(".look")].find((one) => one.dataset.look === name);
  setText(line, button ? button.title || name : "");
}

const sliders = Object.fromEntries(DECKS.map((deck) => [deck, $(`deck-${deck}`).querySelector(".sliders")]));

function slidersOf(deck) {
  return sliders[deck];
}

/** Load a look by its number, from 1, into the deck that is not in front. */
export function loadOther(number) {
  if (number <= looks.length) send({preset: looks[number - 1], deck: front === "a" ? "b" : "a"});
}

function arrange() {
  document.body.classList.toggle("two", two);
  press($("two"), two);
  for (const node of document.querySelectorAll(".vj")) node.hidden = !two;
  for (const deck of DECKS) {
    const root = $(`deck-${deck}`), visible = two || deck === front;
    root.hidden = sliders[deck].hidden = !visible;
    setText($(`deck-${deck}-title`), two ? `Deck ${deck.toUpperCase()}` : "Look");
    root.querySelector(".tag").hidden = !two || deck !== front;
    move(sliders[deck], two ? root : $("first-sliders").parentNode, two ? null : $("first-sliders").nextSibling);
  }
  // With two decks the meters are at the end of the panel: the decks take their place.
  move($("desk"), two ? $("panel") : $("main"), null);
}

/** Move a node into another, before a child or to the end; what is there already keeps focus and drag. */
function move(node, parent, before) {
  if (node.parentNode !== parent) parent.insertBefore(node, before);
}

$("two").onclick = () => {
  two = !two;
  memory.set("two decks", two ? "yes" : "no");
  arrange();
};

on("decks", (state) => {
  if (state.front !== front) {
    front = state.front;
    arrange();
  }
  for (const deck of DECKS) {
    const root = $(`deck-${deck}`);
    root.dataset.look = state.decks[deck];
    for (const button of root.querySelectorAll(".look")) show(button, deck, state);
    describe(deck);
  }
  for (const button of document.querySelectorAll("[data-press=cut], [data-press=auto_fade]")) {
    const name = button.dataset.press === "cut" ? "cut" : "fade";
    button.classList.toggle("waits", state.waiting.fader === name);
  }
});

function show(button, deck, {decks, looks: present, waiting, status}) {
  const name = button.dataset.look, [thumb, , note] = button.children, picture = thumb.firstChild;
  press(button, decks[deck] === name);
  button.hidden = !present.includes(name);  // it cannot be dreamed
  button.classList.toggle("waits", waiting[deck] === name);
  const text = waiting[deck] === name ? "waits" : status.ready.includes(name) ? "" : "preparing";
  note.hidden = !text;
  setText(note, text);
  const revision = status.thumbnails?.[name];
  if (revision !== undefined && picture.dataset.revision !== String(revision)) {
    picture.dataset.revision = revision;
    picture.onload = () => { picture.hidden = false; };
    picture.onerror = () => { picture.hidden = true; };
    picture.src = `thumbnails/${encodeURIComponent(name)}.jpg?${revision}`;
  }
}

for (const button of document.querySelectorAll("[data-switch]")) {
  button.dataset.address = button.dataset.switch;
  button.onclick = () => change(button.dataset.switch, button.getAttribute("aria-pressed") !== "true");
}
