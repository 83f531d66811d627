// How far the server is with new files, told by the server itself.

import { $, counted } from "./dom.js";

let seen = 0; // the last run whose end is known here
let first = true;

// onDone is called when a run has changed anything: while this page was open, or, where it does not
// show anything yet, since it was loaded.
export function listen(onDone, showsAnything) {
  let source = null;
  // A browser has six connections for all pages of a server: one that nobody looks at, or that is
  // kept to go back to, holds none.
  const follow = (wanted) => {
    if (wanted === Boolean(source)) return;
    source?.close();
    source = wanted ? opened(onDone, showsAnything) : null;
  };
  const look = () => follow(document.visibilityState === "visible");
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => follow(false));
  window.addEventListener("pageshow", look);
  look();
}

function opened(onDone, showsAnything) {
  const source = new EventSource("/api/events");
  source.addEventListener("building", (event) => showBuilding(JSON.parse(event.data)));
  source.addEventListener("indexing", (event) => {
    const now = JSON.parse(event.data);
    show(now);
    // Runs that began and ended while nobody looked are told when somebody does.
    if (now.state !== "looking" && now.run > seen) {
      seen = now.run;
      if (!first) {
        if (now.state === "failed") tell(`Looking at new files stopped: ${now.message}`);
        else tell(changes(now) ? `Brought up to date: ${changes(now)}.` : "Nothing is new.");
      }
      if (changes(now) && !(first && showsAnything())) onDone();
    }
    first = false;
  });
  return source;
}

export function tell(text) {
  $("said").textContent = text;
}

function changes(now) {
  const parts = ["new", "changed", "renamed", "removed"].filter((name) => now[name]);
  return parts.map((name) => `${now[name]} ${name}`).join(", ");
}

// What a search waits for.
function showBuilding(now) {
  $("building").hidden = now.done >= now.total;
  $("building-bar").max = now.total || 1;
  $("building-bar").value = now.done;
  $("building-text").textContent =
    `Getting ${counted(now.total, "video")} ready to search: ${now.done} done. ${now.item}`;
}

function show(now) {
  const box = $("indexing");
  const bar = $("indexing-bar");
  const shown = now.state === "failed" || (now.state === "looking" && now.total > 0);
  box.hidden = !shown;
  if (!shown) return;
  bar.hidden = now.state === "failed";
  bar.max = now.total || 1;
  bar.value = now.done;
  $("indexing-text").textContent =
    now.state === "failed"
      ? now.message
      : `Looking at ${counted(now.total, "new file")}: ${now.done} done. ${now.item}`;
}
