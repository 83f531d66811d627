// The page: what the address says is what is shown, and what is shown can be reached by keyboard.

import { get } from "./api.js";
import { $, clock, counted, el } from "./dom.js";
import * as hits from "./hits.js";
import { listen, tell } from "./indexing.js";
import * as library from "./library.js";
import * as player from "./player.js";

const START_WITH = 24; // videos shown before anything is searched for

let chosen = null; // what was clicked, and gets the focus back
let asked = null; // what is asked for the list of moments, which anything newer ends
let isStale = false; // files changed while the player was open

// The address is the state: ?q=words&min_score=0.5&top=20&by=words,pictures

const FILTERS = { min_score: "min-score", top: "top", video: "video-glob", longer_than: "longer-than", after: "after", without: "without", model: "model" };
const USUAL = { min_score: "0", top: "20", model: "auto" };

function parameters() {
  const said = new URLSearchParams(location.search);
  const kept = {};
  for (const name of ["q", "by", "like", "at", ...Object.keys(FILTERS)]) {
    if (said.get(name)) kept[name] = said.get(name);
  }
  return kept;
}

function go(address) {
  history.pushState(null, "", address);
  return show();
}

async function show() {
  const moment = momentOf(location);
  player.close();
  chosen = null;
  if (location.pathname !== "/library") fill(parameters());
  await showPage();
  // Meanwhile another address may have been gone to.
  if (moment && momentOf(location)?.address === moment.address) resume(moment);
}

// Files have changed: what is shown is asked for again. What is being typed stays as it is, and so
// does a list beside an open player, until that is closed.
function renew() {
  isStale = player.isOpen();
  return isStale ? null : showPage();
}

async function showPage() {
  isStale = false;
  const inLibrary = location.pathname === "/library";
  $("library").hidden = !inLibrary;
  $("found").hidden = inLibrary;
  for (const link of document.querySelectorAll("nav a")) {
    link.setAttribute("aria-current", inLibrary ? "page" : "false");
  }
  if (inLibrary) {
    document.title = "howto: library";
    asked?.abort();
    $("found").removeAttribute("aria-busy");
    return library.show(play);
  }
  const wanted = parameters();
  $("unlike").hidden = !wanted.like;
  document.title = wanted.q ? `${wanted.q} – howto` : "howto";
  return wanted.q?.trim() || wanted.like ? search(wanted) : start();
}

function fill(wanted) {
  $("q").value = wanted.q ?? "";
  for (const [name, id] of Object.entries(FILTERS)) $(id).value = wanted[name] ?? USUAL[name] ?? "";
  showScore();
  const by = (wanted.by ?? "").split(",");
  for (const box of document.querySelectorAll("#signals input")) box.checked = by.includes(box.value);
  // They stay folded: what was found is to be seen first.
  const set = ["by", ...Object.keys(FILTERS)].filter((name) => wanted[name]).length;
  $("filters-set").textContent = set ? `(${set} set)` : "";
}

const isNarrow = () => matchMedia("(max-width: 40rem)").matches;

function showScore() {
  $("min-score-shown").textContent = Number($("min-score").value).toFixed(2);
}

// What can be asked for here: only that is offered.
async function offerWays() {
  const { signals, models } = await get("/api/ways").catch(() => ({ signals: [], models: [] }));
  const box = (signal) =>
    el("label", {}, el("input", { type: "checkbox", name: "by", value: signal }), signal);
  $("signals").append(...signals.map(box));
  $("signals").hidden = signals.length < 2;
  $("model").replaceChildren(...["auto", ...models].map((name) => el("option", {}, name)));
  $("model-box").hidden = models.length < 2;
  $("like-box").hidden = !models.length;
}

// The moment that plays is in the address, too: &play=ID&from=12.5&until=15

const MOMENT = ["play", "from", "until"];

function momentOf({ search, href }) {
  const said = new URLSearchParams(search);
  const [start, end] = ["from", "until"].map((name) => Number(said.get(name)));
  if (!said.get("play") || !(start >= 0)) return null;
  const video_id = said.get("play");
  return { video_id, video: "", start, end: end > start ? end : start + 1, caption: "", address: href };
}

function resume(moment) {
  const card = hits.cardOf(moment);
  if (card?.matches("button")) card.click(); // and no link to elsewhere
  else play(moment, null);
}

function remember(moment) {
  const said = new URLSearchParams(location.search);
  for (const name of MOMENT) said.delete(name);
  if (moment) {
    const { video_id, start, end } = moment;
    for (const [name, value] of Object.entries({ play: video_id, from: start, until: end })) said.set(name, value);
  }
  history.replaceState(null, "", said.size ? `${location.pathname}?${said}` : location.pathname);
}

// What was asked for before is waited for no more, and changes nothing when it comes.
function begin() {
  asked?.abort();
  asked = new AbortController();
  $("found").setAttribute("aria-busy", "true");
  return asked.signal;
}

// Of what is newest only.
function end() {
  $("found").removeAttribute("aria-busy");
  if (!chosen) return;
  chosen = hits.sameAs(chosen); // the player was opened meanwhile, from a list that is gone
  hits.mark(chosen);
}

async function search(wanted) {
  const signal = begin();
  $("count").textContent = "Searching …";
  try {
    const found = await get("/api/search", wanted, signal);
    if (signal.aborted) return;
    problem("");
    const subject = found.hits.length ? counted(found.hits.length, "moment") : "No moment";
    const relation = wanted.like && !wanted.q ? "like" : "for";
    const besides = wanted.like && wanted.q ? ", like the picture" : "";
    $("count").replaceChildren(`${subject} ${relation} `, el("q", { dir: "auto" }, found.query), besides);
    $("nearest").hidden = found.confident || !found.hits.length;
    $("scores").hidden = !found.hits.length;
    $("nothing").hidden = found.hits.length > 0;
    tell($("count").textContent);
    hits.show(found, play);
    const notes = found.why ? [found.why, ...found.notes] : found.notes;
    $("notes").replaceChildren(...notes.map((note) => el("li", { dir: "auto" }, note)));
  } catch (error) {
    if (signal.aborted) return;
    problem(error.message);
    $("count").textContent = "";
    sayNothing();
    hits.show({ hits: [] }, play);
    $("notes").replaceChildren();
  }
  end();
}

async function start() {
  const signal = begin();
  $("notes").replaceChildren();
  sayNothing();
  try {
    const found = await get("/api/videos", { count: START_WITH }, signal);
    if (signal.aborted) return;
    problem("");
    const shown = found.videos.filter((one) => one.readable);
    $("count").textContent = found.readable ? counted(found.readable, "video") : "There are no videos here yet";
    hits.showVideos(shown, play);
    const notes = [];
    if (found.readable > shown.length) {
      notes.push(`The first ${shown.length} by name: search, or see the library for all.`);
    }
    if (found.total > found.readable) {
      notes.push(`${counted(found.total - found.readable, "file")} could not be read; the library page says why.`);
    }
    $("notes").replaceChildren(...notes.map((note) => el("li", {}, note)));
  } catch (error) {
    if (signal.aborted) return;
    problem(error.message);
  }
  end();
}

// What is said about moments, where none were looked for.
function sayNothing() {
  for (const id of ["nearest", "nothing", "scores"]) $(id).hidden = true;
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function play(moment, button) {
  chosen = button;
  hits.mark(button);
  return player.play(moment);
}

// Forms and links.

// Filters are kept, also before anything is searched for; so is the picture that is searched with.
function submitted(event) {
  event.preventDefault();
  if (isNarrow() && $("filters").open) fold($("filters"));
  const { like, at } = parameters();
  return go(addressOf(like ? { like, at: at ?? "0" } : {}));
}

// The moments are below it.
function fold(details) {
  if (details.contains(document.activeElement)) details.querySelector("summary").focus();
  details.open = false;
}

function addressOf(picture) {
  const said = new URLSearchParams(picture);
  const text = $("q").value.trim();
  if (text) said.set("q", text);
  for (const [name, id] of Object.entries(FILTERS)) {
    const value = $(id).value;
    if (value && value !== USUAL[name]) said.set(name, value);
  }
  const by = [...document.querySelectorAll("#signals input:checked")].map((box) => box.value);
  if (by.length) said.set("by", by.join(","));
  return said.size ? `/?${said}` : "/";
}

// With the filters of the list it was found in. Left out is what only words have, or keeps pictures out.
function liked(videoId, at) {
  const { q, by, model, ...filters } = parameters();
  const said = new URLSearchParams({ ...filters, like: videoId, at });
  if (model && model !== "none") said.set("model", model);
  if (by?.split(",").includes("pictures")) said.set("by", by);
  go(`/?${said}`);
}

function followed(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(event.currentTarget.getAttribute("href"));
}

// Keys.

const SINGLE_KEYS = "howto-single-keys"; // kept by the browser: "off" for who speaks to it, or slips
const TYPING = "input:not([type=range], [type=checkbox]), textarea, select";

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const at = event.target;
  if (event.key === "Escape") return escaped(at);
  if (at.matches(TYPING)) {
    if (at === $("q") && event.key === "ArrowDown") act(event, () => hits.move(1));
    return;
  }
  if (event.key.length === 1 && !$("single-keys").checked) return;
  const inVideo = at.matches("video, summary, input");
  const keys = {
    "/": () => ($("q").focus(), $("q").select()),
    "?": () => $("keys").showModal(),
    l: () => go("/library"),
    ArrowDown: inVideo ? null : () => hits.move(1),
    ArrowUp: inVideo ? null : () => hits.move(-1),
    ...(player.isOpen() && {
      k: player.toggle,
      r: player.again,
      p: toPlayer,
      ArrowLeft: inVideo ? null : () => player.skip(-5),
      ArrowRight: inVideo ? null : () => player.skip(5),
    }),
  };
  if (keys[event.key]) act(event, keys[event.key]);
}

function act(event, what) {
  event.preventDefault();
  what();
}

function escaped(at) {
  if (at === $("q")) at.blur();
  else if (player.isOpen()) player.dismiss();
}

// To the player, and from it back to the moment that plays.
function toPlayer() {
  if ($("player").contains(document.activeElement)) chosen?.focus();
  else $("player").focus();
}

function played(moment) {
  remember(moment);
  tell(`Playing ${moment.video || "the moment"} from ${clock(moment.start)}.`);
}

function closed() {
  remember(null);
  hits.mark(null);
  chosen?.focus();
  chosen?.scrollIntoView({ block: "nearest" }); // where it had the focus already, that scrolls not
  chosen = null;
  if (isStale) renew();
}

function setUpKeys() {
  let kept = null; // a browser that keeps nothing refuses to be asked
  try {
    kept = window.localStorage;
  } catch {}
  $("single-keys").checked = kept?.getItem(SINGLE_KEYS) !== "off";
  $("single-keys").addEventListener("change", (event) =>
    kept?.setItem(SINGLE_KEYS, event.target.checked ? "on" : "off"),
  );
}

player.setUp(played, closed, liked);
setUpKeys();
$("search").addEventListener("submit", submitted);
$("filter-form").addEventListener("submit", submitted);
$("min-score").addEventListener("input", showScore);
$("to-player").addEventListener("click", (event) => act(event, () => $("player").focus()));
$("unlike").addEventListener("click", () => go(addressOf({})));
$("show-keys").addEventListener("click", () => $("keys").showModal());
for (const link of document.querySelectorAll("a[data-view]")) link.addEventListener("click", followed);
document.addEventListener("keydown", pressed);
window.addEventListener("popstate", show);
await listen(renew);
await offerWays();
await show();
document.documentElement.dataset.ready = "true";
