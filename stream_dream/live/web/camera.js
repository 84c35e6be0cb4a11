// This device's camera, sent to the show as JPEGs.

import {REASONS, httpStatus} from "./connection.js";
import {$, press, setText} from "./dom.js";

const EVERY = 1000 / 25;  // milliseconds
const AHEAD = 2;          // pictures under way; more would only queue
const QUALITY = 0.8;
const NO_CAMERA = 4000, BUSY = 4001;
// The show holds the place of a connection that broke for a few seconds.
const KEPT = 12000;       // milliseconds
const PROBLEMS = {
  NotAllowedError: "The browser may not use the camera: allow it for this page, then press Start.",
  NotFoundError: "This device has no camera.",
  NotReadableError: "Another program uses the camera: close it, then press Start.",
};

const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", {alpha: false});
const video = $("preview");
let stream = null;
let socket = null;
let facing = "environment";
let ahead = 0, sent = 0, due = 0, encoding = false, counted = 0, since = 0, timer = 0;
let taken = -Infinity;    // when the show took a picture last

function say(text) {
  setText($("state"), text);
}

async function start() {
  if (!navigator.mediaDevices) {
    say("The browser gives the camera to https pages alone. Start the show with --https, and open its link here again.");
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: {facingMode: {ideal: facing}, width: {ideal: 1280}, height: {ideal: 720}},
    });
  } catch (error) {
    stop(PROBLEMS[error.name] ?? `The camera does not start: ${error.message}`);
    return;
  }
  const [track] = stream.getVideoTracks();
  track.onended = () => stop("The device has taken the camera away: press Start.");
  video.srcObject = stream;
  video.hidden = false;
  video.classList.toggle("mirrored", facing === "user");
  await video.play();
  press($("start"), true);
  setText($("start"), "Stop");
  stayAwake();
  connect();
  clearInterval(timer);
  timer = setInterval(picture, EVERY / 2);
}

function stop(text = "Stopped.") {
  clearInterval(timer);
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = video.srcObject = null;
  video.hidden = true;
  press($("start"), false);
  setText($("start"), "Start");
  setText($("sent"), "");
  if (text) say(text);
  socket?.close();
}

function connect() {
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  const address = new URL("camera", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = "";
  socket = new WebSocket(address);
  socket.onopen = () => { ahead = 0; say("The show sees what this camera sees."); };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.taken) { taken = performance.now(); ahead = Math.max(0, ahead - 1); count(); }
    if (message.error) say(`The show says: ${message.error}.`);
  };
  socket.onclose = async ({code}) => {
    const mayReturn = performance.now() - taken < KEPT;
    if (code === NO_CAMERA || (code === BUSY && !mayReturn)) stop("");
    if (!stream) return;
    say("The show does not answer: trying again.");
    if (await httpStatus() === 401) stop(`${REASONS[401]}.`);
    setTimeout(() => { if (stream) connect(); }, 1500);
  };
}

/** Send a picture if it is time, and the show has taken those before. */
function picture() {
  const now = performance.now();
  if (encoding || now < due || ahead >= AHEAD || socket?.readyState !== WebSocket.OPEN || !video.videoWidth) return;
  if (stream.getVideoTracks()[0].muted) return;  // by a call: the last picture would stand still
  due = Math.max(due + EVERY, now);
  const scale = Math.min(1, Number($("side").value) / Math.max(video.videoWidth, video.videoHeight));
  const width = Math.round(video.videoWidth * scale), height = Math.round(video.videoHeight * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  pen.drawImage(video, 0, 0, width, height);
  encoding = true;
  canvas.toBlob((jpeg) => {
    encoding = false;
    if (!jpeg || socket?.readyState !== WebSocket.OPEN) return;
    ahead += 1;
    socket.send(jpeg);
  }, "image/jpeg", QUALITY);
}

function count() {
  sent += 1;
  const passed = performance.now() - since;
  if (passed < 1000) return;
  const rate = (sent - counted) / passed * 1000;
  if (since) setText($("sent"), `${rate.toFixed(0)} pictures a second, ${canvas.width} by ${canvas.height}`);
  since = performance.now();
  counted = sent;
}

async function stayAwake() {
  try { await navigator.wakeLock?.request("screen"); } catch { /* the battery is low */ }
}

$("start").onclick = () => { if (stream) stop(); else start(); };
$("turn").onclick = async () => {
  facing = facing === "user" ? "environment" : "user";
  setText($("turn"), facing === "user" ? "Use the back camera" : "Use the front camera");
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  await start();
};
document.addEventListener("visibilitychange", () => { if (stream && !document.hidden) { stayAwake(); video.play(); } });
if (!navigator.mediaDevices) start();
