"""What one media file and its companions say: the function that runs in a worker, once for each
video.

It returns what it found, its failures included, and writes nothing: only the driver writes
library.db.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from howto.collect.kept import Known
from howto.errors import ItemError, Reason
from howto.recipe import Recipe
from howto.records import Chapter, MediaInfo, Narration, Outcome, Stage, State, Video
from howto.transcribe.ask import NO_SOURCE, Wish, ask, make_sources, recipe_of

__all__ = ["Findings", "Task", "chapters_of", "content_id", "examine"]

_EDGE_BYTES = 1 << 20
_ID_DIGITS = 20
_INFO_JSON_BYTES = 64 << 20
_LONGEST_TIME = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Task:
    """One video to look at.

    Attributes:
        video: with its path and caption files; its `info` is given where probing was already done.
        info_json: yt-dlp's description beside it, or None.
        companions: the text that changes when a companion does; part of the narration's recipe.
        wish: how narration is wanted, of sources that do not listen.
        known: what its source said, of a collected video.
    """

    video: Video
    info_json: Path | None
    companions: str
    wish: Wish = field(default_factory=Wish)
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about one video."""

    info: MediaInfo | None
    title: str
    description: str
    chapters: tuple[Chapter, ...]
    narration: Narration | None
    recipe: Recipe
    outcomes: tuple[Outcome, ...]


def content_id(path: Path) -> str:
    """The id of a local file: a hash of its size and its first and last MiB. Renaming keeps it.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(0, size - _EDGE_BYTES)):
            file.seek(start)
            digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()[:_ID_DIGITS]


def examine(task: Task) -> Findings:
    """Probe a video and read the narration that lies beside it or inside it."""
    video = task.video
    info, probed = (video.info, _ok(video, Stage.PROBE)) if video.info else _probe(video)
    described = task.known or _described(task.info_json)
    if info is None:
        recipe = recipe_of(NO_SOURCE, task.wish, task.companions)
        return Findings(None, "", "", (), None, recipe, (probed,))
    answer = ask(replace(video, info=info), make_sources(task.wish), task.wish.ends)
    return Findings(
        info=info,
        title=described.title or info.title,
        description=described.description or info.description,
        chapters=_within(described.chapters or info.chapters, info.duration),
        narration=answer.narration,
        recipe=recipe_of(answer.source, task.wish, task.companions),
        outcomes=(probed, answer.outcome),
    )


def _probe(video: Video) -> tuple[MediaInfo | None, Outcome]:
    from howto.media.probe import probe

    try:
        return probe(video.path), _ok(video, Stage.PROBE)
    except ItemError as error:
        # Sound alone is a right thing to have in a folder; it just gives no moments to look at.
        state = State.SKIPPED if error.reason == Reason.NO_VIDEO_STREAM else State.FAILED
        return None, Outcome(video.video_id, Stage.PROBE, state, error.reason, error.detail)


def _ok(video: Video, stage: Stage) -> Outcome:
    return Outcome(video.video_id, stage, State.OK)


@dataclass(frozen=True, slots=True)
class _Description:
    title: str = ""
    description: str = ""
    chapters: tuple[Chapter, ...] = ()


def _described(info_json: Path | None) -> _Description:
    """What a .info.json says of the video; nothing where it is damaged: it only adds to it."""
    if info_json is None:
        return _Description()
    try:
        with info_json.open("rb") as file:
            described = json.loads(file.read(_INFO_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return _Description()
    if not isinstance(described, dict):
        return _Description()
    return _Description(
        title=_text(described.get("title")),
        description=_text(described.get("description")),
        chapters=tuple(chapters_of(described.get("chapters"))),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def chapters_of(rows: Any) -> list[Chapter]:
    """Read chapters as yt-dlp has them; what has no title or no times is left out."""
    chapters = []
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        start, end, title = row.get("start_time"), row.get("end_time"), _text(row.get("title"))
        if title and _is_time(start) and _is_time(end):
            chapters.append(Chapter(float(start), float(end), title))
    return chapters


def _is_time(value: Any) -> TypeGuard[float]:
    # Compared before anything else is done with it: JSON may hold integers of any length.
    return isinstance(value, int | float) and 0 <= value <= _LONGEST_TIME


def _within(chapters: tuple[Chapter, ...], duration: float) -> tuple[Chapter, ...]:
    """The chapters that lie in the video, cut to its length."""
    return tuple(
        replace(chapter, start=max(0.0, chapter.start), end=min(chapter.end, duration))
        for chapter in chapters
        if max(0.0, chapter.start) < min(chapter.end, duration)
    )
