// The library page: how much there is, how each stage ended, and why not better.

import { get, post } from "./api.js";
import { $, clock, counted, el } from "./dom.js";
import { look, tellOutcome } from "./indexing.js";

const page = $("library");

export async function show(onPlay) {
  const held = page.contains(document.activeElement) ? document.activeElement.id : "";
  let found;
  try {
    found = await get("/api/library");
  } catch (error) {
    page.replaceChildren(el("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  const parts = [
    el(
      "div",
      { class: "above" },
      el("h1", { dir: "auto" }, found.folder),
      el(
        "div",
        { class: "buttons" },
        el("span", { id: "outcome", class: "muted" }),
        el("button", { id: "look-again", onclick: () => refresh({}) }, "Look for new files"),
        found.failures.length
          ? el("button", { id: "try-again", onclick: () => refresh({ retry: true }) }, "Try the failed again")
          : null,
      ),
    ),
    figures(found.counts),
    stages(found.stages),
    reasons("Failed", found.failures, "Nothing failed."),
    found.skipped.length ? reasons("Left out, with a reason", found.skipped, "") : null,
    found.caption_problems.total ? problems(found.caption_problems) : null,
    found.features.length ? features(found.features) : null,
    await videos(onPlay),
  ];
  page.replaceChildren(...parts.filter(Boolean));
  if (held) $(held)?.focus({ preventScroll: true });
}

async function refresh(parameters) {
  tellOutcome("Looking …");
  await post("/api/refresh", parameters).then(look, (error) => tellOutcome(error.message));
}

function figures(counts) {
  const rows = [
    [counts.videos, counts.videos === 1 ? "file" : "files"],
    [clock(counts.seconds), "of video"],
    [counts.narrations, "narrated"],
    [counts.lines, "lines of narration"],
    [counts.clips, "moments to search"],
    [counts.chapters, "chapters"],
  ];
  const figure = ([value, name]) =>
    el("div", {}, el("dd", {}, typeof value === "number" ? value.toLocaleString("en") : value), el("dt", {}, name));
  return el("dl", { class: "figures" }, ...rows.filter(([value]) => value).map(figure));
}

function section(title, ...children) {
  return el("section", {}, el("h2", {}, title), ...children);
}

function stages(found) {
  const cell = (name, count) => el("td", { class: count && name === "failed" ? "failed" : "" }, count.toLocaleString("en"));
  const row = (one) => {
    const total = one.ok + one.skipped + one.failed;
    const bar = el("span", { class: "stacked", "aria-hidden": "true" });
    for (const state of ["ok", "skipped", "failed"].filter((name) => one[name])) {
      const part = el("span", { class: state });
      part.style.flexGrow = one[state] / total;
      bar.append(part);
    }
    return el("tr", {}, el("th", { scope: "row" }, one.stage), cell("ok", one.ok), cell("skipped", one.skipped), cell("failed", one.failed), el("td", { class: "wide" }, bar));
  };
  const head = ["stage", "done", "left out", "failed"].map((name) => el("th", { scope: "col" }, name));
  return section("Stages", el("table", {}, el("thead", {}, el("tr", {}, ...head, el("td", { class: "wide" }))), el("tbody", {}, ...found.map(row))));
}

function reasons(title, groups, none) {
  if (!groups.length) return section(title, el("p", { class: "muted" }, none));
  const one = (group) =>
    el(
      "details",
      { class: "reason" },
      el("summary", {}, el("span", { class: "number" }, String(group.total)), el("span", {}, group.meaning), el("code", {}, `${group.stage}: ${group.reason}`)),
      el(
        "ul",
        {},
        ...group.videos.map((video) => el("li", { dir: "auto" }, video.name, video.detail ? el("span", { class: "muted" }, `  ${video.detail}`) : null)),
        group.total > group.videos.length ? el("li", { class: "muted" }, `and ${group.total - group.videos.length} more: howto status lists them all`) : null,
      ),
    );
  return section(title, ...groups.map(one));
}

function problems(found) {
  const line = (one) => el("li", { dir: "auto" }, one.line === null ? one.source : `${one.source}, line ${one.line}`, el("span", { class: "muted" }, `  ${one.what}`));
  return section(
    "Captions that could not be read whole",
    el("details", { class: "reason" }, el("summary", {}, el("span", { class: "number" }, String(found.total)), el("span", {}, "places in caption files")), el("ul", {}, ...found.listed.map(line))),
  );
}

function features(found) {
  const row = (one) => {
    const lacking = Object.entries(one.tally).filter(([state]) => state !== "ok");
    const rest = lacking.map(([state, count]) => `${count} ${state}`).join(", ");
    return el("tr", {}, el("th", { scope: "row" }, one.backbone), el("td", {}, el("code", {}, one.set)), el("td", {}, counted(one.tally.ok ?? 0, "video")), el("td", { class: "wide muted" }, rest));
  };
  return section("Features", el("table", {}, el("tbody", {}, ...found.map(row))));
}

const AT_ONCE = 100;

function lasts(one) {
  if (!one.readable) return "cannot be read";
  return one.narrated ? clock(one.duration) : `${clock(one.duration)}, no narration`;
}

async function videos(onPlay) {
  const list = el("ul", { class: "videos" });
  const more = el("button", {}, "More");
  const row = (one) =>
    el(
      "li",
      {},
      el(
        "button",
        {
          class: "plain",
          disabled: !one.readable,
          onclick: (event) => onPlay({ video_id: one.video_id, video: one.name, start: 0, end: one.duration, caption: "" }, event.currentTarget),
        },
        el("span", { dir: "auto" }, one.name),
        el("span", { class: "muted" }, lasts(one)),
      ),
    );
  const add = async () => {
    const found = await get("/api/videos", { offset: list.childElementCount, count: AT_ONCE });
    list.append(...found.videos.map(row));
    more.hidden = list.childElementCount >= found.total;
  };
  more.addEventListener("click", add);
  await add();
  return section("Videos", list, more);
}
