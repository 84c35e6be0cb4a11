// The WebSocket to the show: it is opened again until the show wants another token, and what was moved
// meanwhile is sent again.

const SEND_EVERY = 40;  // milliseconds: 25 messages a second while a slider moves
const SILENT = 2000;    // milliseconds without a message, or a frame, after which a show is veiled
const GIVEN_UP = 10000; // milliseconds of silence after which a connection is opened anew
const REPEATED = 3000;  // moves of the last milliseconds before a silence may not have arrived
const OLD = 15000;      // a move from before a device slept is no news
const PATIENCE = 5000;  // milliseconds for an answer to why a socket was closed

/** Why the show lets a page in no more, by HTTP status. */
export const REASONS = {
  401: "This page's token is no longer valid: open it anew by the link that the show printed",
  429: "Too many wrong tokens: wait a minute",
};

const handlers = [];
const waiting = new Map();  // values to send, by address
const moved = new Map();    // values that were sent lately, with their time
let socket = null;
let delay = 500;
let timer = 0;
let heard = performance.now();
let opened = false;
let age = null;             // of the newest frame, in seconds
let reason = "";            // why the show lets nobody in
let shown;

/** Call `handler` with each message that has the key. */
export function on(key, handler) {
  handlers.push([key, handler]);
}

/** Send a message; return whether there is a connection. */
export function send(message) {
  const open = socket?.readyState === WebSocket.OPEN;
  if (open) socket.send(JSON.stringify(message));
  return open;
}

/** Set what is at an address, at most 25 times a second. */
export function change(address, value) {
  waiting.set(address, value);
  moved.set(address, {value, time: performance.now(), date: Date.now()});
  if (!timer) flush();
}

function flush() {
  timer = 0;
  if (!waiting.size) return;
  send({set: Object.fromEntries(waiting)});
  waiting.clear();
  timer = setTimeout(flush, SEND_EVERY);
}

/** Begin; messages go to the handlers, and `{alive, trouble}` whenever that changes. */
export function connect() {
  open();
  setInterval(check, 250);
}

function open() {
  const address = new URL("control", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = "";
  socket = new WebSocket(address);
  socket.onopen = () => {
    delay = 500;
    reason = "";
    const recent = ({time, date}) => time > heard - REPEATED && Date.now() - date < OLD;
    const again = [...moved].filter(([, move]) => opened && recent(move));
    if (again.length) send({set: Object.fromEntries(again.map(([name, move]) => [name, move.value]))});
    moved.clear();
    opened = true;
    tell({opened: true});
  };
  socket.onmessage = (event) => {
    heard = performance.now();
    const message = JSON.parse(event.data);
    if ("age" in message) age = message.age;
    tell(message);
    check();
  };
  socket.onclose = async () => {
    const status = await httpStatus();
    reason = REASONS[status] ?? "";
    if (status === 401) return;  // a forgotten page would fill the show's log
    setTimeout(open, delay);
    delay = Math.min(delay * 1.6, 5000);
  };
}

function tell(message) {
  for (const [key, handler] of handlers) if (key in message) handler(message);
}

function check() {
  const now = performance.now(), silent = now - heard > SILENT;
  if (now - heard > GIVEN_UP && socket.readyState === WebSocket.OPEN) socket.close();
  for (const [name, {time}] of moved) if (!silent && now - time > REPEATED) moved.delete(name);
  let trouble = "";
  if (reason) trouble = reason;
  else if (silent && !opened) trouble = "Waiting for the show";
  else if (silent) trouble = "The show does not answer: trying again";
  else if (opened && age === null) trouble = "Waiting for the first picture";
  else if (age > SILENT / 1000) trouble = "The show hangs: its picture stands still";
  const alive = opened && !silent && !reason && !(age > SILENT / 1000);
  if (shown?.trouble === trouble && shown.alive === alive) return;
  shown = {alive, trouble};
  tell(shown);
}

/** Return the HTTP status of the show, as a WebSocket does not say why it was closed; 0 if there is no answer. */
export async function httpStatus() {
  try {
    return (await fetch("healthz", {signal: AbortSignal.timeout(PATIENCE)})).status;
  } catch {
    return 0;
  }
}
