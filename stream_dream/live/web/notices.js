// Notices: the last one over the picture, where it covers no control; all of them in the log.

import {$, element, setText} from "./dom.js";

const MOST = 100;
const SHOWN = 12000;  // milliseconds; the log keeps it

let timer = 0;
let message;          // the show's last message; undefined until it is known

/** Show a line and keep it in the log. */
export function notice(text, {refused = false, quiet = false} = {}) {
  if (!text) return;
  const time = element("time", {}, new Date().toLocaleTimeString());
  const entry = element("li", {className: refused ? "refused" : ""}, time, " ", element("span", {}, text));
  $("log").prepend(entry);
  while ($("log").children.length > MOST) $("log").lastChild.remove();
  $("no-log").hidden = true;
  setText($("log-count"), String($("log").children.length));
  if (quiet) return;
  $("notice-text").textContent = text;
  $("notice").classList.remove("empty");
  $("notice").classList.toggle("refused", refused);
  clearTimeout(timer);
  timer = setTimeout(dismiss, SHOWN);
}

/** Show the show's message when it changes; one from before this page was opened is only kept. */
export function follow(text) {
  if (text !== message) notice(text, {quiet: message === undefined});
  message = text;
}

function dismiss() {
  clearTimeout(timer);
  $("notice").classList.add("empty");
  $("notice-text").textContent = "";
}

$("dismiss").onclick = dismiss;
