// How far the server is with new files, asked for while somebody looks at the page.

import { get } from "./api.js";
import { $, counted } from "./dom.js";

// A browser has six connections for all pages of a server: a question that is answered at once leaves
// them to searches, pictures and videos, where a stream of events would hold one for each page.
const OFTEN = 500; // milliseconds between two looks while something goes on
const SELDOM = 2000;
const PATIENCE = 20_000; // for one answer: one that never comes is no end of looking

let seen = null; // the last run whose end is known here
let turn = 0; // counts looks: the end of an older one begins no other
let timer = 0;
let onDone = () => {};

// whenDone is called when a run has changed anything. Wait for it before anything is shown: what is
// shown then is known to be as new as the run that is known.
export function listen(whenDone) {
  onDone = whenDone;
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") look();
    else clearTimeout(timer);
  });
  return look();
}

// Now, and then again and again, as long as the page is to be seen.
export async function look() {
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  const now = await get("/api/indexing", {}, AbortSignal.timeout(PATIENCE)).catch(() => null);
  if (mine !== turn) return;
  if (now) told(now);
  if (document.visibilityState !== "visible") return;
  const goesOn = now && (now.state === "looking" || isBuilding(now.building));
  timer = setTimeout(look, goesOn ? OFTEN : SELDOM);
}

function told(now) {
  showBuilding(now.building);
  show(now);
  if (now.state === "looking") {
    seen ??= now.run - 1;
    return;
  }
  // Runs that began and ended while nobody looked are told when somebody does.
  const isNews = seen !== null && now.run > seen;
  seen = now.run;
  if (isNews) tellEnd(now);
}

async function tellEnd(now) {
  if (changes(now)) await onDone(); // which shows the page anew: what is told there comes after
  if (now.state === "failed") tellOutcome(`Looking at new files stopped: ${now.message}`);
  else tellOutcome(changes(now) ? `Brought up to date: ${changes(now)}.` : "Nothing is new.");
}

export function tell(text) {
  $("said").textContent = text;
}

// Also for the eye, where the library page is open.
export function tellOutcome(text) {
  tell(text);
  $("outcome")?.replaceChildren(text);
}

function changes(now) {
  const parts = ["new", "changed", "renamed", "removed"].filter((name) => now[name]);
  return parts.map((name) => `${now[name]} ${name}`).join(", ");
}

const isBuilding = (building) => building.done < building.total;

// What a search waits for.
function showBuilding(now) {
  $("building").hidden = !isBuilding(now);
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
