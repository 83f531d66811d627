"""Where a benchmark's videos lie in a library, and which of them a model was trained on."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

from howto.collect.lists import youtube_id
from howto.evaluate.benchmarks.sets import Place
from howto.library import Library

__all__ = ["Found", "LibraryVideos", "video_keys"]

_YOUTUBE = "youtube-"


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of a video of a library.

    Attributes:
        video_id: the library's.
        start, end: seconds; the end of a whole video is infinity.
    """

    video_id: str
    start: float = 0.0
    end: float = inf


class LibraryVideos:
    """The videos of a library by all names that a benchmark may have for them.

    A video is known by its id, by its YouTube id, or by its file's name without ending where just
    one video has it.
    """

    def __init__(self, library: Library) -> None:
        rows = dict(library.connection.execute("SELECT number, video_id FROM videos"))
        self._ids = frozenset(rows.values())
        self._named: dict[str, set[str]] = {}
        for number, paths in library.paths().items():
            for path in paths:
                self._named.setdefault(Path(path).stem, set()).add(rows[number])

    def find(self, places: Iterable[Place]) -> Found | str:
        """The first of these places that is in the library; else why none is."""
        why = "the library has no such video"
        for place in places:
            for name in (place.video, f"{_YOUTUBE}{place.video}"):
                if name in self._ids:
                    return Found(name, place.start, place.end)
            named = sorted(self._named.get(place.video, ()))
            if len(named) == 1:
                return Found(named[0], place.start, place.end)
            if named:
                why = f"{len(named)} different videos have files named {place.video}"
        return why


def video_keys(names: Iterable[str]) -> frozenset[str]:
    """Names of videos so that one video has one: of YouTube's the eleven characters alone."""
    return frozenset(youtube_id(name) or name for name in names)
