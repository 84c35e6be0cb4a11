// Recordings and snapshots to fetch.

import {on} from "./connection.js";
import {$, element, setText} from "./dom.js";

/** Fetch the list of files and show it. */
export async function list() {
  let files;
  try {
    const answer = await fetch("recordings");
    if (!answer.ok) return;
    files = await answer.json();
  } catch { return; }
  $("no-files").hidden = files.length > 0;
  $("files").hidden = files.length === 0;
  const key = JSON.stringify(files);
  if ($("files").dataset.key === key) return;  // keeps the focus
  $("files").dataset.key = key;
  $("files").replaceChildren(...files.map(({name, bytes, modified}) => {
    const link = element("a", {href: `recordings/${encodeURIComponent(name)}`, download: name},
      element("span", {}, name), element("span", {}, amount(bytes)));
    link.title = new Date(modified).toLocaleString();
    return element("li", {}, link);
  }));
}

function amount(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Fetch the list while somebody sees it and the show answers. */
function look() {
  if (!document.hidden && !$("controls").inert) list();
}

on("status", ({status}) => {
  setText($("no-files"), status.recording ? `Recording ${status.recording}` : "None yet: press Record or Snapshot.");
});
setInterval(look, 10000);
document.addEventListener("visibilitychange", look);
