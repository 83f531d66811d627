// Where a video shows each step of a list: a strip of scores for each, with its place marked.

import { ofVideo, post } from "./api.js";
import { $, clock, el } from "./dom.js";

let current = null; // id of the video that the steps are looked for in
let onStep = () => {};

export function setUp(whenChosen) {
  onStep = whenChosen;
  $("steps-form").addEventListener("submit", find);
}

// Another video is shown: what was found is of the one before.
export function of(videoId) {
  if (current === videoId) return;
  current = videoId;
  $("steps").replaceChildren();
  $("steps-said").textContent = "";
}

async function find(event) {
  event.preventDefault();
  const wanted = current;
  const steps = $("steps-list").value.split("\n").filter((line) => line.trim());
  $("steps-said").textContent = "Looking at every second …";
  $("steps").replaceChildren();
  try {
    const found = await post(ofVideo(wanted, "/steps"), {}, { steps });
    if (current === wanted) show(found);
  } catch (error) {
    if (current === wanted) $("steps-said").textContent = error.message;
  }
}

function show(found) {
  const trained = found.was_trained_on ? " It was trained on this very video." : "";
  $("steps-said").textContent =
    `By ${found.model}. Stronger colour: the step scores higher there, by its own scale.${trained}`;
  $("steps").replaceChildren(...found.steps.map((step) => el("li", {}, row(step, found.seconds))));
}

function row(step, seconds) {
  const strip = el("span", { class: "scores", "aria-hidden": "true" });
  for (const level of step.strip) {
    const part = el("span");
    part.style.opacity = 0.06 + 0.7 * level * level;
    strip.append(part);
  }
  const place = el("span", { class: "place" });
  place.style.insetInlineStart = `${(100 * (step.second + 0.5)) / seconds}%`;
  const said = `${clock(step.second)}`;
  return el(
    "button",
    { onclick: () => onStep(step) },
    el("span", { class: "time" }, said),
    el("span", { class: "said", dir: "auto" }, step.text),
    el("span", { class: "line" }, strip, place),
    step.note ? el("span", { class: "muted" }, step.note) : null,
  );
}
