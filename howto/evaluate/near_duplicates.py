"""Videos that show the same pictures, found by perceptual hashes of a few frames.

A hash is 63 bits: a frame in grey, 32 x 32, and of its discrete cosine transform the 8 x 8 lowest
frequencies without the mean, each as above or below their median (as pHash, Zauner 2010, does).
Another size, codec, bit rate or brightness changes few of them.

Two videos are near-duplicates if their lengths differ by at most 2 per cent (or half a second), at
least three of their five frames can be told by their hashes (a black one cannot), and these differ
by at most 10 bits on average. A copy that was cut, mirrored or framed is not found.
"""

import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from howto.library import Library
from howto.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.run.local import Ended

__all__ = [
    "Hashed",
    "HashedVideos",
    "linked",
    "near_duplicates",
    "picture_hash",
    "same_pictures",
    "video_hashes",
]

Name = TypeVar("Name", bound=Hashable)

PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of a video's duration, where frames are hashed."""
BITS = 63
MOST_BITS = 10
"""Different on average, of frames that show the same. Unrelated ones differ by 31."""
LEAST_FRAMES = 3
LENGTHS = 0.02
SECONDS = 0.5
"""Lengths of near-duplicates differ by at most this share, or by these seconds."""

_SIDE, _LOW = 32, 8
_PLAIN = 2.0  # grey levels of 255; a picture that varies less (black, a fade) says nothing
_SHORT_SIDE = 64  # pixels; decoded frames are scaled to it first
_TIME_LIMIT = 60.0  # seconds a video
_FILE = "frame-hashes.db"

RECIPE = Recipe.of(hash="dct-63", places=PLACES, plain=_PLAIN, short_side=_SHORT_SIDE)


@dataclass(frozen=True, slots=True)
class Hashed:
    """What is known of one video.

    Attributes:
        hashes: of its frames at `PLACES`; None where a frame is too plain to be told.
    """

    duration: float
    hashes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class HashedVideos:
    """Of some videos, which can be compared by their pictures.

    Attributes:
        told: those that can, by id.
        plain: ids of those that show nothing to tell them by: black, sound only, or damaged.
        failed: ids of those that could not be looked at this time, with what happened; nothing is
            kept of these, so the next time they are tried again.
    """

    told: Mapping[str, Hashed]
    plain: tuple[str, ...]
    failed: Mapping[str, str]


def picture_hash(picture: "NDArray[np.uint8]") -> int | None:
    """The hash of a picture, 63 bits; None where it is nearly of one grey.

    Args:
        picture: uint8 (H, W, 3), RGB, of any size.
    """
    import cv2
    import numpy as np

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if small.std() < _PLAIN:
        return None
    low = cv2.dct(small)[:_LOW, :_LOW].flatten()[1:]
    above = low > np.median(low)
    return int("".join("1" if bit else "0" for bit in above), 2)


def same_pictures(one: Hashed, other: Hashed) -> bool:
    """Whether two videos are near-duplicates."""
    longest = max(one.duration, other.duration)
    if abs(one.duration - other.duration) > max(SECONDS, LENGTHS * longest):
        return False
    told = [
        (mine ^ theirs).bit_count()
        for mine, theirs in zip(one.hashes, other.hashes, strict=True)
        if mine is not None and theirs is not None
    ]
    return len(told) >= LEAST_FRAMES and sum(told) <= MOST_BITS * len(told)


def near_duplicates(hashed: Mapping[str, Hashed]) -> dict[str, str]:
    """Group videos by their pictures.

    Returns:
        Every video with the one that stands for its group, itself where it is alone. Groups grow
        through their members: two of one group need not be alike directly.
    """
    pairs = [(video, video) for video in hashed]
    order = sorted(hashed, key=lambda video: (hashed[video].duration, video))
    for place, video in enumerate(order):
        one = hashed[video]
        for other in order[place + 1 :]:
            longer = hashed[other].duration
            if longer - one.duration > max(SECONDS, LENGTHS * longer):
                break
            if same_pictures(one, hashed[other]):
                pairs.append((video, other))
    return linked(pairs)


def linked(sets: Iterable[Iterable[Name]]) -> dict[Name, Name]:
    """Join sets that have a member in common, until none have.

    Returns:
        Every member with the first member of its group, in the order given: two members lie in one
        group exactly where these are equal.
    """
    first: dict[Name, Name] = {}

    def root(name: Name) -> Name:
        while first[name] != name:
            first[name] = first[first[name]]
            name = first[name]
        return name

    order: dict[Name, int] = {}
    for members in sets:
        roots = set()
        for name in members:
            if name not in first:
                first[name] = name
                order[name] = len(order)
            roots.add(root(name))
        if roots:
            earliest = min(roots, key=order.__getitem__)
            for one in roots:
                first[one] = earliest
    return {name: root(name) for name in first}


def video_hashes(
    library: Library,
    video_ids: Collection[str],
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> HashedVideos:
    """The hashes of videos, from the library's state, or made and kept there.

    Args:
        video_ids: those without a file or a duration are left out.
        on_progress: told of each video that is decoded.
    """
    paths = library.paths()
    durations: dict[str, float] = {}
    files: dict[str, Path] = {}
    for video_id, number in library.numbers(video_ids).items():
        info = library.info(video_id)
        if info is not None and number in paths:
            durations[video_id] = info.duration
            files[video_id] = library.folder / paths[number][0]
    failed: dict[str, str] = {}
    with _kept(library.state) as kept:
        known = _read(kept, durations)
        missing = [video for video in files if video not in known]
        for done, ended in enumerate(_made(files, durations, missing), start=1):
            video = ended.item.video_id
            if ended.result is None:
                failed[video] = ended.detail or "the file cannot be read"
            else:
                known[video] = ended.result
                _write(kept, video, ended.result)
            if on_progress is not None:
                on_progress(done, len(missing), files[video].name)
    # 0 is a hash too, so `any` would not do.
    told = {video for video, hashes in known.items() if hashes != _NOTHING}
    return HashedVideos(
        {video: Hashed(durations[video], known[video]) for video in known if video in told},
        tuple(video for video in known if video not in told),
        failed,
    )


@dataclass(frozen=True, slots=True)
class _Item:
    video_id: str
    path: Path
    duration: float


_Hashes = tuple[int | None, ...]
_NOTHING: _Hashes = (None,) * len(PLACES)


def _made(
    files: Mapping[str, Path], durations: Mapping[str, float], missing: Sequence[str]
) -> "Iterator[Ended[_Item, _Hashes | None]]":
    """Hash the frames of videos, in processes of their own: a decoder may crash or hang."""
    from howto.run.local import run_local

    if not missing:
        return
    items = [_Item(video, files[video], durations[video]) for video in missing]
    yield from run_local(_hashes, items, time_limit=_TIME_LIMIT)


def _hashes(item: _Item) -> _Hashes | None:
    """None: the file cannot be read now, which says nothing of its pictures."""
    from howto.errors import ItemError, Reason
    from howto.media.frames import frames_at

    try:
        moments = [place * item.duration for place in PLACES]
        frames = frames_at(item.path, moments, short_side=_SHORT_SIDE)
    except ItemError as error:
        return None if error.reason is Reason.UNREADABLE_FILE else _NOTHING
    return tuple(picture_hash(frame) for frame in frames)


@contextmanager
def _kept(state: Path) -> Iterator[sqlite3.Connection]:
    """The file that keeps hashes: derived, and made anew where it is gone or of another recipe."""
    connection = sqlite3.connect(state / _FILE, timeout=60, isolation_level=None)
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS hashes"
            " (recipe TEXT, video_id TEXT, hashes TEXT, PRIMARY KEY (recipe, video_id))"
        )
        yield connection
    finally:
        connection.close()


def _read(kept: sqlite3.Connection, wanted: Collection[str]) -> dict[str, _Hashes]:
    rows = kept.execute("SELECT video_id, hashes FROM hashes WHERE recipe = ?", (RECIPE.short,))
    return {
        video: tuple(int(one, 16) if one != "-" else None for one in text.split())
        for video, text in rows
        if video in wanted
    }


def _write(kept: sqlite3.Connection, video: str, hashes: Sequence[int | None]) -> None:
    text = " ".join("-" if one is None else f"{one:x}" for one in hashes)
    kept.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", (RECIPE.short, video, text))
