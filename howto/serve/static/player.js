// The player: a video at a moment, its words as a caption track, and what is said around it.

import { get, ofVideo, post } from "./api.js";
import { $, clock, el, picture, webLink } from "./dom.js";
import * as steps from "./steps.js";

const SHORTEST_PIECE = 5; // seconds, as far as the video goes
const LONGEST_PIECE = 60;

const video = $("video");
let playing = null; // {video_id, start, end, caption} and, once known, `details`
let offset = 0; // second of the video at which the clock of what is played shows 0
let encodes = false; // pieces were asked for, for this video
let encoding = null; // the piece that is waited for; who waits no more tells the server so
let onPlay = () => {};
let onClose = () => {};

export function setUp(whenPlaying, whenClosed, whenLiked) {
  onPlay = whenPlaying;
  onClose = whenClosed;
  steps.setUp((step) =>
    play({ ...playing, start: step.second, end: step.second + 1, caption: step.text }),
  );
  $("like").addEventListener("click", () => whenLiked(playing.video_id, here()));
  $("close").addEventListener("click", dismiss);
  $("encode").addEventListener("click", playPiece);
  video.addEventListener("loadedmetadata", begin);
  video.addEventListener("error", () => {
    if (video.getAttribute("src")) offerPiece("Your browser cannot play this file");
  });
  $("around").addEventListener("keydown", moveAlong);
}

export const isOpen = () => !$("player").hidden;

export function close() {
  if (!isOpen()) return;
  empty();
  playing = null;
  $("player").hidden = true;
  document.body.classList.remove("plays");
}

// The person closed it.
export function dismiss() {
  close();
  onClose();
}

// Play a moment: {video_id, video, start, end, caption}.
export async function play(moment) {
  const same = playing?.details && playing.video_id === moment.video_id;
  const details = same ? playing.details : null;
  playing = { ...moment, details };
  encodes = encodes && same;
  encoding?.abort();
  open();
  describe(moment.video);
  onPlay(moment);
  try {
    if (!details) {
      empty();
      const found = await get(ofVideo(moment.video_id));
      if (playing?.video_id !== moment.video_id) return; // another was chosen meanwhile
      playing.details = found;
    }
    await show(same);
  } catch (error) {
    cannot(error.message, false);
  }
  if (playing) around();
}

// Where there is one column the player comes first: for the eye, and in the order of Tab.
function open() {
  if (!isOpen()) {
    if (matchMedia("(max-width: 60rem)").matches) $("found").before($("player"));
    else $("found").after($("player"));
  }
  $("player").hidden = false;
  document.body.classList.add("plays");
  const stage = video.parentElement.getBoundingClientRect();
  if (stage.top < 0 || stage.bottom > window.innerHeight) $("player").scrollIntoView();
}

async function show(same) {
  const { details } = playing;
  describe(details.title || details.name);
  chapters(details.chapters);
  steps.of(details.video_id);
  $("like").hidden = !details.has_media;
  if (!details.has_media) {
    cannot("Only the captions of this video were collected.", false);
    $("cannot-why").append(" ", webLink(details.address, "Watch it where it is"));
  } else if (encodes) {
    await playPiece();
  } else if (!details.plays) {
    offerPiece("Browsers do not play this kind of file");
  } else if (same && !$("cannot").hidden) {
    offerPiece("Your browser cannot play this file");
  } else if (same && video.readyState > 0) {
    begin();
  } else {
    // A browser's clock counts from the container's zero, which may lie before its start.
    const shift = details.start_time;
    load(`/media/videos/${encodeURIComponent(details.video_id)}`, -shift, shift ? { shift } : {});
  }
}

function describe(name) {
  $("playing-name").textContent = name;
  $("playing-when").textContent = `${clock(playing.start)} to ${clock(playing.end)}`;
  $("playing-words").textContent = playing.caption;
}

function load(source, from, piece) {
  $("cannot").hidden = true;
  offset = from;
  const words = el("track", {
    kind: "captions",
    label: "Words",
    srclang: playing.details.language || "und",
    src: `${ofVideo(playing.video_id, "/captions.vtt")}?${new URLSearchParams(piece)}`,
    default: true,
  });
  video.replaceChildren(words);
  video.src = source;
}

// At the moment's second; a browser that lets no page begin by itself leaves that to the person.
function begin() {
  if (!playing) return;
  video.currentTime = Math.max(0, playing.start - offset);
  video.play().catch(() => {});
}

export const again = begin;

// The second of the video that is shown now; of one that cannot be played, where its moment begins.
// Rounded down, so that the end of a video is inside it.
function here() {
  const isShown = video.readyState > 0 && !video.error;
  const seconds = isShown ? offset + video.currentTime : playing.start;
  return Math.max(0, Math.floor(10 * seconds) / 10);
}

export function toggle() {
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

export function skip(seconds) {
  video.currentTime = Math.max(0, video.currentTime + seconds);
}

function empty() {
  encoding?.abort();
  offset = 0;
  $("like").hidden = true;
  video.pause();
  video.removeAttribute("src");
  video.replaceChildren();
  video.load();
  $("cannot").hidden = true;
  $("around").replaceChildren();
  $("chapters-box").hidden = true;
}

// What cannot be played, and what can be done.

function cannot(why, canEncode) {
  $("cannot").hidden = false;
  $("cannot-why").textContent = why;
  $("encode").hidden = !canEncode;
  $("encode").disabled = false;
}

function piece() {
  const { start, end, details } = playing;
  const until = Math.min(Math.max(end, start + SHORTEST_PIECE), start + LONGEST_PIECE);
  return { start, end: details.duration > start ? Math.min(until, details.duration) : until };
}

function offerPiece(why) {
  if (!playing?.details) return;
  const { codec, container } = playing.details;
  const { start, end } = piece();
  const kind = [codec, container && `in ${container}`].filter(Boolean).join(" ");
  cannot(kind ? `${why} (${kind}).` : `${why}.`, !encodes);
  $("encode").textContent = `Encode ${clock(start)} to ${clock(end)} anew and play it`;
}

async function playPiece() {
  encodes = true;
  const wanted = playing;
  const stretch = piece();
  cannot(`Encoding ${clock(stretch.start)} to ${clock(stretch.end)} …`, false);
  encoding = new AbortController();
  const { signal } = encoding;
  try {
    const made = await post(ofVideo(wanted.video_id, "/piece"), stretch, undefined, signal);
    if (playing !== wanted) return;
    load(made.address, made.start, stretch);
    $("playing-when").textContent += ", encoded anew";
  } catch (error) {
    if (playing === wanted && !signal.aborted) cannot(`It could not be encoded: ${error.message}`, true);
  }
}

// What is said around it.

async function around() {
  const wanted = playing;
  const found = await get(ofVideo(wanted.video_id, "/moments"), { around: wanted.start }).catch(
    () => ({ moments: [] }),
  );
  if (playing !== wanted) return;
  const hasMedia = wanted.details?.has_media;
  $("around").replaceChildren(...found.moments.map((one) => el("li", {}, neighbour(one, hasMedia))));
  const strip = $("around");
  const current = strip.querySelector('[aria-current="true"]');
  if (current) strip.scrollLeft = current.parentElement.offsetLeft - strip.clientWidth / 3;
}

function neighbour(one, hasMedia) {
  const { video_id, start, end } = playing;
  const now = one.start < end && one.end > start;
  return el(
    "button",
    {
      "aria-current": now ? "true" : false,
      onclick: () => play({ ...playing, start: one.start, end: one.end, caption: one.caption }),
    },
    hasMedia ? picture(video_id, (one.start + one.end) / 2, 90) : null,
    el("span", { class: "time" }, clock(one.start)),
    el("span", { class: "said", dir: "auto" }, one.caption || "nothing is said"),
  );
}

function chapters(found) {
  $("chapters-box").hidden = !found.length;
  const chip = (one) =>
    el(
      "button",
      { onclick: () => play({ ...playing, start: one.start, end: one.end, caption: one.title }) },
      el("span", { class: "time" }, clock(one.start)),
      el("span", { dir: "auto" }, one.title),
    );
  $("chapters").replaceChildren(...found.map((one) => el("li", {}, chip(one))));
}

function moveAlong(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const buttons = [...$("around").querySelectorAll("button")];
  const place = buttons.indexOf(event.target.closest("button"));
  if (!step || place < 0) return;
  event.preventDefault();
  event.stopPropagation();
  buttons[place + step]?.focus();
}
