// The moments found, each with its picture, its time and its words.

import { $, clock, el, marked, picture, webLink } from "./dom.js";

const list = $("hits");

export function show(found, onPlay) {
  fill(found.hits.map((hit) => item(hit, found, onPlay)));
}

// The card that has the focus keeps it, where its moment is still among them.
function fill(items) {
  const held = document.activeElement;
  const isOurs = list.contains(held);
  list.replaceChildren(...items);
  if (isOurs) sameAs(held)?.focus({ preventScroll: true });
}

export function showVideos(videos, onPlay) {
  const card = (one) => {
    const moment = { video_id: one.video_id, video: one.name, start: 0, end: one.duration, caption: "" };
    return el(
      "li",
      { class: "hit" },
      el(
        "button",
        { class: "open", ...named(moment), onclick: (event) => onPlay(moment, event.currentTarget) },
        shot(picture(one.video_id, one.duration / 2, 180), clock(one.duration)),
        el(
          "span",
          { class: "text" },
          el("span", { class: "caption", dir: "auto" }, one.title || one.name),
          el("span", { class: "video", dir: "auto" }, one.title ? one.name : one.narrated ? "" : "no narration yet"),
        ),
      ),
    );
  };
  fill(videos.map(card));
}

export const buttons = () => [...list.querySelectorAll(".open")];

const named = (moment) => ({ "data-video": moment.video_id, "data-start": moment.start });

// The card of a moment, where it is among those shown.
export function cardOf(moment) {
  return buttons().find(
    (one) => one.dataset.video === moment.video_id && Number(one.dataset.start) === moment.start,
  );
}

// A card itself, or the one that stands for its moment now.
export function sameAs(card) {
  if (card.isConnected) return card;
  return cardOf({ video_id: card.dataset.video, start: Number(card.dataset.start) }) ?? null;
}

export function mark(button) {
  for (const one of buttons()) one.setAttribute("aria-current", one === button);
}

// One step down or up the list; into it from elsewhere.
export function move(step) {
  const all = buttons();
  const place = all.indexOf(document.activeElement);
  const next = place < 0 ? (step > 0 ? 0 : all.length - 1) : place + step;
  all[next]?.focus();
}

// The time lies on the picture.
function shot(frame, time) {
  frame.append(el("span", { class: "time" }, time));
  return el("span", { class: "shot" }, frame);
}

function item(hit, found, onPlay) {
  const inside = [
    shot(
      hit.has_media
        ? picture(hit.video_id, hit.at, 180)
        : el("span", { class: "frame" }, el("span", { class: "none" }, "captions only")),
      `${clock(hit.start)} – ${clock(hit.end)}`,
    ),
    el(
      "span",
      { class: "text" },
      hit.caption
        ? el("span", { class: "caption", dir: "auto" }, ...marked(hit.caption, found.terms))
        : el("span", { class: "caption muted" }, "nothing is said"),
      el("span", { class: "video", dir: "auto" }, hit.video),
      why(hit, found.signals),
    ),
  ];
  if (!hit.has_media) {
    const link = webLink(hit.address, ...inside);
    link.classList.add("open");
    Object.assign(link.dataset, { video: hit.video_id, start: hit.start });
    return el("li", { class: "hit" }, link);
  }
  const play = (event) => onPlay(hit, event.currentTarget);
  const button = el("button", { class: "open", ...named(hit), onclick: play }, ...inside);
  return el("li", { class: "hit" }, button);
}

// The score, where the words were found, and what each signal made of it where there are several.
function why(hit, signals) {
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span"));
  bar.firstChild.style.inlineSize = `${Math.round(hit.score * 100)}%`;
  const places = hit.matched.filter((place) => place === "chapter" || place === "title");
  const parts = [`score ${hit.score.toFixed(2)}`];
  if (places.length) parts.push(`in the ${places.join(" and the ")}`);
  if (signals.length > 1) {
    for (const [signal, rank] of Object.entries(hit.ranks)) parts.push(`${signal} #${rank}`);
  }
  const whole = parts.map((part) => part.replaceAll(" ", "\u00a0")); // lines break between them alone
  return el("span", { class: "why" }, bar, whole.join(", "));
}
