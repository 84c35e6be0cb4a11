// Scenes: stored under a name, recalled by a button.

import {on, send} from "./connection.js";
import {$, element, press} from "./dom.js";

let known = "";
let asked = null;  // the name of a scene that was sent; it stays in the field if it is refused
let editing = false;

on("scenes", ({scenes, waiting}) => {
  if (scenes.includes(asked)) {
    if ($("scene-name").value.trim() === asked) $("scene-name").value = "";
    asked = null;
  }
  const key = JSON.stringify([scenes, editing]);
  if (key !== known) {
    known = key;
    $("scenes").replaceChildren(...scenes.map(entry));
    $("no-scenes").hidden = scenes.length > 0;
    $("edit-scenes").hidden = scenes.length === 0;
  }
  for (const button of $("scenes").querySelectorAll("[data-scene]")) {
    button.classList.toggle("waits", waiting.scene === button.dataset.scene);
  }
});

function entry(name) {
  const recall = element("button", {type: "button"}, name);
  Object.assign(recall.dataset, {scene: name, address: `scene/${name}`});
  recall.onclick = () => send({press: `scene/${name}`});
  if (!editing) return element("li", {}, recall);
  const remove = element("button", {type: "button", className: "remove"}, "Remove");
  remove.setAttribute("aria-label", `Remove the scene ${name}`);
  remove.onclick = () => {
    send({set: {forget: name}});
    $("edit-scenes").focus();
  };
  return element("li", {className: "edited"}, recall, remove);
}

$("store").onsubmit = (event) => {
  event.preventDefault();
  if (send({set: {store: $("scene-name").value}})) asked = $("scene-name").value.trim();
};
$("edit-scenes").onclick = () => {
  editing = !editing;
  press($("edit-scenes"), editing);
  known = "";
};
