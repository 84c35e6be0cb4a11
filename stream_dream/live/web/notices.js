// Notices: the last one over the picture, where it covers no control; the log, of the show and of this page.

import {$, element, setText} from "./dom.js";

const MOST = 100;
const SHOWN = 12000;  // milliseconds; the log keeps it

let timer = 0;
let message;          // the show's last message; undefined until it is known
const logged = new Set();  // lines of the show that are here already

/** Show a line over the picture and keep it in the log. */
export function notice(text, {refused = false} = {}) {
  keep(text, refused, new Date());
  show(text, refused);
}

/** Keep lines of the show's log, `[time, warns, text]`; a page that has lost the show gets some again. */
export function log(lines) {
  for (const [time, warns, text] of lines) {
    const line = `${time} ${text}`;
    if (logged.has(line)) continue;
    logged.add(line);
    if (logged.size > 2 * MOST) logged.delete(logged.keys().next().value);
    keep(text, warns, new Date(1000 * time));
  }
}

/** Show the show's message when it changes; not one from before this page was opened. */
export function follow(text) {
  if (text && message !== undefined && text !== message) show(text, false);
  message = text;
}

function keep(text, refused, date) {
  const today = date.toDateString() === new Date().toDateString();
  const time = element("time", {}, today ? date.toLocaleTimeString() : date.toLocaleString());
  const entry = element("li", {className: refused ? "refused" : ""}, time, " ", element("span", {}, text));
  $("log").prepend(entry);
  while ($("log").children.length > MOST) $("log").lastChild.remove();
  $("no-log").hidden = true;
  setText($("log-count"), String($("log").children.length));
}

function show(text, refused) {
  $("notice-text").textContent = text;
  $("notice").classList.remove("empty");
  $("notice").classList.toggle("refused", refused);
  clearTimeout(timer);
  timer = setTimeout(dismiss, SHOWN);
}

function dismiss() {
  clearTimeout(timer);
  $("notice").classList.add("empty");
  $("notice-text").textContent = "";
}

$("dismiss").onclick = dismiss;
