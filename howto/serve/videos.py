"""The videos that the page may show: which file an id stands for, and what is said in it when.

A client names a video by its id, never by a path, and gets a file of the library or nothing.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from howto.collect.kept import addresses_of, at_second
from howto.errors import MediaError, Reason
from howto.library import Library
from howto.records import Line, MediaInfo
from howto.search.phrases import named
from howto.serve.settings import Settings
from howto.transcribe.write import to_vtt

__all__ = [
    "MEDIA_TYPES",
    "NoVideo",
    "Place",
    "as_json",
    "captions",
    "listed",
    "moments_around",
    "place_of",
    "shown_paths",
]

MEDIA_TYPES: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    # Browsers refuse to try `video/quicktime`, and it is the same container.
    ".mov": "video/mp4",
    ".qt": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
"""Suffix to the type under which a browser tries to play it. Of others it is not even tried."""

_CODECS = frozenset({"h264", "vp8", "vp9", "av1", "hevc"})
_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuva420p"})
_PROFILES_WITH_MORE = frozenset({"vp9", "av1", "hevc"})
"""Codecs that browsers play with more than 8 bits a colour, too."""


class NoVideo(Exception):
    """There is no such video here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video is.

    Attributes:
        number: the library's short key of it.
        name: its path relative to the folder that is served.
        path: its file, absolute; None where only its captions were collected.
        info: None where it could not be probed.
        address: where it is on the web, for a collected video; '' for others.
    """

    number: int
    video_id: str
    name: str
    path: Path | None
    info: MediaInfo | None
    address: str

    def checked(self, library: Library, settings: Settings) -> tuple[Path, os.stat_result]:
        """Its file, if it is one that may be served.

        Raises:
            MediaError: NO_MEDIA: there is none here; UNREADABLE_FILE: it is gone, no plain file,
                or a link to a place outside the library.
        """
        if self.path is None:
            raise MediaError(Reason.NO_MEDIA, "only its captions were collected")
        try:
            real = self.path.resolve(strict=True)
            status = real.stat()
        except OSError as error:
            raise MediaError(Reason.UNREADABLE_FILE, error.strerror or str(error)) from error
        inside = real.is_relative_to(library.folder) or real.is_relative_to(library.state.resolve())
        if not (inside or settings.follow_links):
            raise MediaError(
                Reason.UNREADABLE_FILE,
                "a link to a place outside the library; howto serve --follow-links shows those too",
            )
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(Reason.UNREADABLE_FILE, "no plain file")
        return real, status


def shown_paths(library: Library, folder: Path) -> dict[int, str]:
    """First path of each video inside the folder, relative to the library's; by video number."""
    prefix = _prefix(library, folder)
    paths = library.paths()
    inside = {
        number: next((path for path in of_video if path.startswith(prefix)), None)
        for number, of_video in paths.items()
    }
    return {number: path for number, path in inside.items() if path is not None}


def _prefix(library: Library, folder: Path) -> str:
    inside = folder.relative_to(library.folder).as_posix()
    return "" if inside == "." else f"{inside}/"


def place_of(library: Library, settings: Settings, video_id: str) -> Place:
    """Where a video is.

    Raises:
        NoVideo: the folder has no video of this id.
    """
    number = library.numbers([video_id]).get(video_id)
    prefix = _prefix(library, settings.folder)
    paths = library.paths_of(number) if number is not None else []
    path = next((path for path in paths if path.startswith(prefix)), None)
    if number is None or path is None:
        raise NoVideo(video_id)
    address, has_media = addresses_of(library, [number]).get(number, ("", True))
    return Place(
        number=number,
        video_id=video_id,
        name=path.removeprefix(prefix),
        path=library.folder / path if has_media else None,
        info=library.info(video_id),
        address=address,
    )


def as_json(library: Library, place: Place) -> dict[str, Any]:
    """What the page says of a video. Times in seconds."""
    title, duration = library.connection.execute(
        "SELECT title, coalesce(duration, 0) FROM videos WHERE number = ?", (place.number,)
    ).fetchone()
    chapters = library.connection.execute(
        "SELECT start, end, title FROM chapters WHERE number = ? ORDER BY start", (place.number,)
    )
    narration = library.narration(place.number)
    return {
        "video_id": place.video_id,
        "name": named(place.name),
        "title": title,
        "duration": round(duration, 3),
        "start_time": max(0.0, round(place.info.start_time, 3)) if place.info else 0.0,
        "address": at_second(place.address, 0) if place.address else "",
        "has_media": place.path is not None,
        "plays": place.path is not None and _may_play(place.path, place.info),
        "container": place.path.suffix.lower() if place.path is not None else "",
        "codec": place.info.video_codec if place.info else "",
        "width": place.info.width if place.info else 0,
        "height": place.info.height if place.info else 0,
        "language": (narration.language or "") if narration else "",
        "num_lines": len(narration.lines) if narration else 0,
        "chapters": [
            {"start": round(start, 3), "end": round(end, 3), "title": text}
            for start, end, text in chapters
        ],
    }


def _may_play(path: Path, info: MediaInfo | None) -> bool:
    """Whether it makes sense that a browser tries. What it has not, the browser itself says."""
    if info is None or path.suffix.lower() not in MEDIA_TYPES or info.video_codec not in _CODECS:
        return False
    return info.pixel_format in _PIXELS or info.video_codec in _PROFILES_WITH_MORE


def captions(
    library: Library,
    place: Place,
    start: float = 0.0,
    end: float = float("inf"),
    shift: float = 0.0,
) -> str:
    """What is said, as WebVTT; an empty file where nothing is known to be said.

    Args:
        start, end: of a piece of the video in seconds; times count from `start`.
        shift: seconds by which all is later, for a player whose clock counts from before the
            container's start.
    """
    found = library.narration(place.number)
    if found is None:
        return "WEBVTT\n"
    later = shift - start
    lines = tuple(
        Line(max(line.start, start) + later, min(line.end, end) + later, line.text)
        for line in found.lines
        if line.end > start and line.start < end
    )
    return to_vtt(replace(found, lines=lines))


def moments_around(
    library: Library, place: Place, around: float, count: int
) -> list[dict[str, Any]]:
    """The clips of a video nearest to a moment, in order of time: what is said just before it, then
    and after.

    Args:
        around: seconds.
        count: how many before it, and how many after.
    """
    columns = "SELECT start, end, caption FROM clips WHERE number = ?"
    before = library.connection.execute(
        f"{columns} AND start <= ? ORDER BY start DESC, end DESC LIMIT ?",
        (place.number, around, count + 1),
    ).fetchall()
    after = library.connection.execute(
        f"{columns} AND start > ? ORDER BY start, end LIMIT ?",
        (place.number, around, count),
    ).fetchall()
    return [
        {"start": round(start, 3), "end": round(end, 3), "caption": caption}
        for start, end, caption in (*reversed(before), *after)
    ]


def listed(library: Library, settings: Settings, offset: int, count: int) -> dict[str, Any]:
    """The videos of the folder, some at a time, by path."""
    prefix = _prefix(library, settings.folder)
    paths = sorted(shown_paths(library, settings.folder).items(), key=lambda one: one[1])
    rows = {
        number: values
        for number, *values in library.connection.execute(
            "SELECT number, video_id, title, coalesce(duration, 0), info IS NOT NULL,"
            " narrations.number IS NOT NULL FROM videos LEFT JOIN narrations USING (number)"
        )
    }
    videos = []
    for number, path in paths[offset : offset + count]:
        video_id, title, duration, readable, narrated = rows[number]
        videos.append(
            {
                "video_id": video_id,
                "name": named(path.removeprefix(prefix)),
                "title": title,
                "duration": round(duration, 3),
                "readable": bool(readable),
                "narrated": bool(narrated),
            }
        )
    readable = sum(bool(rows[number][3]) for number, _ in paths)
    return {"total": len(paths), "readable": readable, "videos": videos}
