"""Queries whose answers are known: those a person wrote down, and what a library itself says.

A file of queries is a CSV with the columns `query`, `video`, `start` and `end`, and `kind` if
wanted (such as seen or said); others are left alone. Rows of the same query are several moments
that answer it. Without a file, the titles of chapters, the names of the tasks that videos were
collected for, and the titles of videos are queries: what they name is what they are asked for. And
each line of narration is one, for pictures alone: the word index would find it in itself.
"""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from howto.errors import UsageError
from howto.evaluate.moments import Span
from howto.library import Library
from howto.records import Problem
from howto.search.query import STOP_WORDS, Query

__all__ = [
    "COLUMNS",
    "KnownVideo",
    "OwnQuery",
    "caption_queries",
    "known_videos",
    "library_queries",
    "read_queries",
]

COLUMNS = ("query", "video", "start", "end")
PAST_END = 1.0
"""Seconds that a moment may end after its video: people round up, and containers disagree."""

# Under an hour any number of minutes, such as 90:00; after hours, as after minutes, less than 60.
_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]?\d(?:\.\d+)?)")
_TELLS_NOTHING = frozenset(
    "intro introduction outro conclusion chapter part untitled video end start beginning".split()
)


@dataclass(frozen=True, slots=True)
class KnownVideo:
    """A video that can be asked for.

    Attributes:
        number: the library's short key.
        paths: relative to the library's folder, sorted, at least one.
        duration: seconds, above 0.
    """

    video_id: str
    number: int
    paths: tuple[str, ...]
    duration: float


@dataclass(frozen=True, slots=True)
class OwnQuery:
    """A query and the moments that answer it.

    Attributes:
        kind: `chapter`, `task`, `title`, `caption`, or what its file says (`query` by default).
        truths: at least one, none of length 0.
    """

    text: str
    kind: str
    truths: tuple[Span, ...]


def known_videos(library: Library) -> dict[str, KnownVideo]:
    """The videos with a file whose length is known, by id, in order of path."""
    paths = library.paths()
    rows = library.connection.execute(
        "SELECT number, video_id, duration FROM videos WHERE info IS NOT NULL AND duration > 0"
    )
    found = [
        KnownVideo(video_id, number, tuple(paths[number]), duration)
        for number, video_id, duration in rows
        if number in paths
    ]
    return {video.video_id: video for video in sorted(found, key=lambda video: video.paths)}


def read_queries(
    path: Path, videos: Mapping[str, KnownVideo]
) -> tuple[list[OwnQuery], list[Problem]]:
    """Read a file of queries.

    Args:
        videos: by id. A row names one by its path in the library, by its file name where only one
            video has that, or by its id.

    Returns:
        The queries in the order of the file, and the rows that are none, which are left out: with
        an unknown video, or times that are none, in the wrong order or past the end.

    Raises:
        UsageError: there is no such file, it is no CSV with these columns, or no row of it is a
            query.
    """
    named = _names(videos)
    problems: list[Problem] = []
    rows: list[tuple[str, str, Span]] = []
    for line, row in _rows(path):
        try:
            rows.append(_query(row, named, videos))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    if not rows:
        why = f": line {problems[0].line}: {problems[0].what}" if problems else ""
        raise UsageError(f"{path} holds no query that can be asked{why}")
    return _merged(rows), problems


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a file with their lines; cells that are missing are ''."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(f"{path}: no column {missing[0]!r}; expected {', '.join(COLUMNS)}")
            for row in reader:
                yield reader.line_num, {name: text.strip() for name, text in row.items() if name}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (UnicodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from error


def _query(
    row: Mapping[str, str], named: Mapping[str, Sequence[str]], videos: Mapping[str, KnownVideo]
) -> tuple[str, str, Span]:
    """What a row says: the query, its kind, and a moment.

    Raises:
        ValueError: it says nothing that can be asked.
    """
    if not row["query"]:
        raise ValueError("there is no query")
    found = named.get(row["video"], ())
    if not found:
        raise ValueError(f"there is no video {row['video']!r} in the library")
    if len(found) > 1:
        raise ValueError(f"{len(found)} videos are named {row['video']!r}; give the path")
    video = videos[found[0]]
    start, end = _seconds(row["start"]), _seconds(row["end"])
    if end <= start:
        raise ValueError(f"it ends at {row['end']}, not after its start at {row['start']}")
    if end > video.duration + PAST_END:
        raise ValueError(f"it ends at {row['end']}, and the video after {video.duration:.2f} s")
    span = Span(video.video_id, start, min(end, video.duration))
    if span.end <= span.start:
        raise ValueError(f"it starts at {row['start']}, where the video ends")
    return row["query"], row.get("kind") or "query", span


def _seconds(text: str) -> float:
    """Seconds, or a clock such as 1:02.5. Raises ValueError where it is neither."""
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hours, minutes, seconds = clock.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text!r} is no time; expected seconds or a clock such as 1:02.5")
    return value


def _names(videos: Mapping[str, KnownVideo]) -> dict[str, list[str]]:
    """What a row may call a video: path, file name and id, each with the videos it can mean."""
    paths: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for video in videos.values():
        for path in video.paths:
            paths[path] = [video.video_id]
            found = names.setdefault(path.rsplit("/", 1)[-1], [])
            if video.video_id not in found:
                found.append(video.video_id)
    return {**names, **paths, **{video_id: [video_id] for video_id in videos}}


def _merged(rows: Iterable[tuple[str, str, Span]]) -> list[OwnQuery]:
    """One query for all rows of the same words and kind, whatever their case."""
    texts: dict[tuple[str, str], str] = {}
    truths: dict[tuple[str, str], list[Span]] = {}
    for text, kind, span in rows:
        key = " ".join(text.casefold().split()), kind
        texts.setdefault(key, text)
        spans = truths.setdefault(key, [])
        if span not in spans:
            spans.append(span)
    return [OwnQuery(texts[key], key[1], tuple(spans)) for key, spans in truths.items()]


def library_queries(library: Library, videos: Mapping[str, KnownVideo]) -> list[OwnQuery]:
    """What a library says of its videos: chapters, tasks and titles, in the order of `videos`.

    A task or a title is asked for in the whole of its videos. Names that tell nothing (Intro,
    Chapter 3) are left out.
    """
    place = {video_id: number for number, video_id in enumerate(videos)}
    kinds = (_chapters(library), _tasks(library), _titles(library))
    found = []
    for rows in kinds:
        known = (row for row in rows if row[2].video in videos and _tells(row[0]))
        whole = ((text, kind, _inside(span, videos)) for text, kind, span in known)
        found += sorted(
            (row for row in whole if row[2].end > row[2].start),
            key=lambda row: (place[row[2].video], row[2].start),
        )
    return _merged(found)


_Row = tuple[str, str, Span]


def _chapters(library: Library) -> Iterator[_Row]:
    for title, video_id, start, end in library.connection.execute(
        "SELECT chapters.title, video_id, start, end FROM chapters JOIN videos USING (number)"
    ):
        yield title, "chapter", Span(video_id, start, end)


def _tasks(library: Library) -> Iterator[_Row]:
    for name, video_id in library.connection.execute(
        "SELECT tasks.name, video_id FROM hits JOIN tasks USING (task)"
        " JOIN candidates USING (candidate)"
    ):
        yield name, "task", Span(video_id, 0.0, math.inf)


def _titles(library: Library) -> Iterator[_Row]:
    for title, video_id in library.connection.execute("SELECT title, video_id FROM videos"):
        yield title, "title", Span(video_id, 0.0, math.inf)


def _inside(span: Span, videos: Mapping[str, KnownVideo]) -> Span:
    return Span(span.video, span.start, min(span.end, videos[span.video].duration))


def _tells(name: str) -> bool:
    """Whether a name says what is shown."""
    if not name.strip():
        return False
    terms = Query.parse(name).terms
    return any(
        not (term.isdigit() or term in STOP_WORDS or term in _TELLS_NOTHING) for term in terms
    )


def caption_queries(library: Library, videos: Mapping[str, KnownVideo]) -> list[OwnQuery]:
    """The lines of narration, each asked for in its own span: for signals that do not read it."""
    of_number = {video.number: video for video in videos.values()}
    rows = library.connection.execute(
        "SELECT number, start, end, caption FROM clips WHERE caption <> '' ORDER BY number, start"
    )
    spans = (
        (caption, "caption", Span(of_number[number].video_id, start, end))
        for number, start, end, caption in rows
        if number in of_number and end > start
    )
    return _merged(row for row in spans if _tells(row[0]))
