"""An audit sheet: random pairs with their frames on one page, for a person to judge.

The page needs no network and no other file. Everything on it that comes from a video is text,
whatever is written in it.
"""

import base64
import html
import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from howto.clip.pairs_store import StoredPair, read_pairs
from howto.errors import ItemError, UsageError
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Line
from howto.search.phrases import clock

__all__ = ["AuditCard", "Audited", "audit", "audit_page", "check_audit", "sample_pairs"]

_SHORT_SIDE = 135  # pixels
_JPEG_QUALITY = 80
_BEFORE_END = 0.05  # seconds; the picture shown at a clip's end is the next clip's first
_JUDGEMENTS = (("yes", "y"), ("no", "n"), ("unsure", "u"))


@dataclass(frozen=True, slots=True)
class AuditCard:
    """One pair to judge.

    Attributes:
        before, after: the lines said before and after the pair's own, '' at the video's ends.
        pictures: JPEG files of its start, middle and end; none where they cannot be decoded.
        problem: why there are none.
    """

    stored: StoredPair
    before: str
    after: str
    pictures: tuple[bytes, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """What was written: the page, how many pairs are on it, and those without pictures."""

    path: Path
    pairs: int
    problems: tuple[str, ...]


def check_audit(count: int, path: Path) -> None:
    """Refuse a sheet that cannot be written, before any work is done.

    Raises:
        UsageError: fewer than one pair, another suffix than .html, or no such folder.
    """
    if count < 1:
        raise UsageError(f"an audit of {count} pairs: at least 1 is needed")
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"the audit sheet is a page: --sheet takes a file ending in .html: {path}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.absolute().parent}")


def audit(
    library: Library,
    recipe: Recipe,
    count: int,
    path: Path,
    *,
    seed: int = 0,
    numbers: frozenset[int] | None = None,
) -> Audited:
    """Write the sheet for a set of pairs.

    Args:
        recipe: of the set.
        count: how many pairs; all where there are fewer.
        path: the page; an existing one is replaced.
        seed: the same seed chooses the same pairs.
        numbers: only pairs of these videos.

    Raises:
        UsageError: as `check_audit`, or the page cannot be written.
    """
    check_audit(count, path)
    chosen = sample_pairs(read_pairs(library, recipe, numbers), count, seed)
    cards = _cards(library, chosen)
    _write(path, audit_page(cards, recipe))
    problems = tuple(f"{card.stored.video}: {card.problem}" for card in cards if card.problem)
    return Audited(path, len(cards), problems)


def sample_pairs(pairs: Iterable[StoredPair], count: int, seed: int = 0) -> list[StoredPair]:
    """Choose pairs at random, each with the same chance, reading them once.

    Returns:
        In a random order too: whoever judges the first ones only has judged a sample.
    """
    chance = random.Random(seed)  # noqa: S311 a sample, no secret
    held: list[StoredPair] = []
    for index, one in enumerate(pairs):
        if index < count:
            held.append(one)
        elif (place := chance.randint(0, index)) < count:
            held[place] = one
    chance.shuffle(held)
    return held


def _cards(library: Library, chosen: Sequence[StoredPair]) -> list[AuditCard]:
    pictures = _pictures(library, chosen)
    lines = {
        one.number: narration.lines if (narration := library.narration(one.number)) else ()
        for one in chosen
    }
    return [
        AuditCard(
            one,
            *_neighbours(lines[one.number], one.pair.first, one.pair.last),
            *pictures[one.number, one.position],
        )
        for one in chosen
    ]


def _neighbours(lines: tuple[Line, ...], first: int, last: int) -> tuple[str, str]:
    before = lines[first - 1].text if 0 < first <= len(lines) else ""
    after = lines[last + 1].text if -1 <= last < len(lines) - 1 else ""
    return before, after


@dataclass(frozen=True, slots=True)
class _Task:
    """One video with the clips to show of it."""

    number: int
    path: Path
    clips: tuple[tuple[int, float, float], ...]  # position, start, end


_Shown = dict[tuple[int, int], tuple[tuple[bytes, ...], str]]


def _pictures(library: Library, chosen: Sequence[StoredPair]) -> _Shown:
    """Pictures and problem of each pair, by its video's number and its position."""
    from howto.run.local import run_local

    by_video: dict[int, list[StoredPair]] = {}
    for one in chosen:
        by_video.setdefault(one.number, []).append(one)
    tasks = [
        _Task(
            number,
            library.folder / group[0].video,
            tuple((one.position, one.pair.start, one.pair.end) for one in group),
        )
        for number, group in by_video.items()
    ]
    shown: _Shown = {}
    for ended in run_local(_pictures_of, tasks):
        found, problem = ended.result or ({}, ended.detail or str(ended.reason))
        for position, _, _ in ended.item.clips:
            shown[ended.item.number, position] = found.get(position, ()), problem
    return shown


def _pictures_of(task: _Task) -> tuple[dict[int, tuple[bytes, ...]], str]:
    """Start, middle and end of each clip as JPEG, by position; or why there are none."""
    from howto.media.frames import frames_at

    moments = [moment for _, start, end in task.clips for moment in _moments(start, end)]
    try:
        frames = frames_at(task.path, moments, _SHORT_SIDE)
    except ItemError as error:
        return {}, str(error)
    per_clip = len(frames) // len(task.clips)
    return {
        position: tuple(_jpeg(frame) for frame in frames[index * per_clip :][:per_clip])
        for index, (position, _, _) in enumerate(task.clips)
    }, ""


def _moments(start: float, end: float) -> tuple[float, float, float]:
    return start, (start + end) / 2, max(start, end - _BEFORE_END)


def _jpeg(picture: object) -> bytes:
    import cv2
    import numpy as np

    image = cv2.cvtColor(np.asarray(picture, np.uint8), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


# The page.


def audit_page(cards: Sequence[AuditCard], recipe: Recipe) -> str:
    """Write the page as HTML.

    Args:
        recipe: of the pairs; its short hash stands on the page and in the file of judgements.
    """
    template = Template(files("howto.clip").joinpath("audit.html").read_text(encoding="utf-8"))
    clipper = recipe.parts["clipper"]["name"]
    return template.substitute(
        title=html.escape(f"{len(cards)} pairs by {clipper}, set {recipe.short}"),
        recipe=html.escape(recipe.short),
        cards="\n".join(_card_html(number, card) for number, card in enumerate(cards, start=1)),
    )


def _card_html(number: int, card: AuditCard) -> str:
    one, pair = card.stored, card.stored.pair
    quality = "" if pair.quality is None else f"{pair.quality:.2f}"
    columns = {
        "video": one.video,
        "video-id": one.video_id,
        "position": one.position,
        "start": pair.start,
        "end": pair.end,
        "quality": quality,
        "caption": pair.caption,
    }
    data = " ".join(f'data-{name}="{_escaped(value)}"' for name, value in columns.items())
    moment = f"{clock(pair.start)} - {clock(pair.end)}"
    others = "".join(f"<li>{_escaped(text)}</li>" for text in pair.candidates[1:])
    return f"""<article class="card" {data}>
<div class="pictures">{_pictures_html(card)}</div>
<p class="where"><b>{number}</b> {_escaped(one.video)} <span>{moment}</span>
{f'<span class="quality">quality {quality}</span>' if quality else ""}</p>
<p class="near">{_escaped(card.before)}</p>
<p class="caption" id="caption-{number}">{_escaped(pair.caption)}</p>
{f'<ul class="near">{others}</ul>' if others else ""}
<p class="near">{_escaped(card.after)}</p>
<fieldset aria-describedby="caption-{number}"><legend>Is it seen?</legend>
{_choices_html(number)}
</fieldset>
</article>"""


def _pictures_html(card: AuditCard) -> str:
    if not card.pictures:
        return f'<p class="none">no pictures: {_escaped(card.problem)}</p>'
    return "".join(
        f'<img alt="{when} of the clip" src="data:image/jpeg;base64,'
        f'{base64.b64encode(picture).decode()}">'
        for when, picture in zip(("start", "middle", "end"), card.pictures, strict=True)
    )


def _choices_html(number: int) -> str:
    return "\n".join(
        f'<label><input type="radio" name="pair-{number}" value="{value}"> {value}'
        f" <kbd>{key}</kbd></label>"
        for value, key in _JUDGEMENTS
    )


def _escaped(value: object) -> str:
    # A path's bytes that are no text cannot be written as UTF-8.
    return html.escape(str(value).encode(errors="backslashreplace").decode())


def _write(path: Path, page: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
