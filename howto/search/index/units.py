"""Bringing an index up to date with what a library's search returns.

A video is a group: a vector for each of its clips, in the order of `howto.search.units`. Its stamp
is the library's hash of these clips, so a video whose narration changed is embedded anew, one that
is gone is taken out, and all others are left alone.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import ItemError, LibraryBusy, LibraryError, RecipeMismatch
from howto.library import Library
from howto.recipe import Recipe
from howto.search.index.manifest import read_manifest
from howto.search.words import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.search.index.vectors import Found, VectorIndex

__all__ = [
    "Brought",
    "Filling",
    "bring_up_to_date",
    "candidates",
    "clips_changed",
    "clips_of",
    "is_up_to_date",
    "rows_of",
]

_CHANGED = "clips-changed"
_COMMIT_ROWS, _COMMIT_SECONDS = 20_000, 5.0
"""A kill loses no more work than this."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What an index is to hold.

    Attributes:
        folder: of the index.
        recipe, dim: of its vectors.
        spoken: only clips in which something is said have a vector.
        embed: number and id of a video, and its clips, to float32 (n, D), n >= 1; an ItemError
            leaves the video out.
        video_ids: tells the videos that can be embedded; None: all. Asked anew when the index is
            locked, for another process may have put in more meanwhile.
        wait: the most seconds that another process which writes the index is waited for; None: an
            hour.
    """

    folder: Path
    recipe: Recipe
    dim: int
    spoken: bool
    embed: "Callable[[str, Sequence[Candidate]], NDArray[np.float32]]"
    video_ids: Callable[[], Collection[str]] | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """An index that is up to date, and what was done to it.

    Attributes:
        index: None where it would be empty.
        added, removed: videos; one that changed counts as added.
        failed: id and cause of the videos that could not be embedded.
        renewed: why all of it was made anew: the keys of the recipe that differ, or what was
            damaged; '' where it was not.
        is_behind: another process is writing the index, so it is as it was before.
    """

    index: "VectorIndex | None"
    added: int = 0
    removed: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    renewed: str = ""
    is_behind: bool = False


def bring_up_to_date(
    library: Library,
    filling: Filling,
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Brought:
    """Embed new and changed videos, take out those that are gone, and open the index.

    Nothing is written where nothing changed. Each few seconds of work are kept, whatever happens
    then. An index of another recipe, or a damaged one, is made anew, and that is said.

    Args:
        on_progress: told of every video embedded.
        on_wait: called once where another process is writing the index and is waited for.

    Raises:
        LibraryBusy: it was waited for in vain, and there is no older index of the same recipe.
    """
    from howto.search.index.vectors import VectorIndex

    wanted = _wanted(library, filling)
    renewed = ""
    try:
        index = VectorIndex.open(filling.folder, filling.recipe)
    except LibraryError as error:
        index, renewed = None, _why(error)
    else:
        there = _stamps(index)
        if there == wanted:
            return Brought(index if wanted else None)
    try:
        return _written(library, filling, renewed, on_progress, on_wait)
    except LibraryBusy:
        if filling.wait is None or index is None or not index.manifest.live:
            raise
        return Brought(index, is_behind=True)


def clips_changed(facts: Mapping[str, str]) -> int:
    """How many clips were put into an index or taken out since it was made.

    Args:
        facts: of its manifest.
    """
    return int(facts.get(_CHANGED, 0))


def is_up_to_date(library: Library, filling: Filling) -> bool:
    """Whether an index holds all that it could; quick, and its vectors are not looked at."""
    try:
        manifest = read_manifest(filling.folder)
    except LibraryError:
        return False
    if manifest is None or manifest.recipe != filling.recipe:
        return False
    there = {name: group.stamp for name, group in manifest.groups.items()}
    return there == _wanted(library, filling)


def _why(error: LibraryError) -> str:
    cause = "made for another state" if isinstance(error, RecipeMismatch) else "damaged"
    return f"{cause}: {error}"


def _stamps(index: "VectorIndex | None") -> dict[str, str]:
    if index is None:
        return {}
    return {name: group.stamp for name, group in index.manifest.groups.items()}


def _wanted(library: Library, filling: Filling) -> dict[str, str]:
    """The stamp of each video that has clips and can be embedded, by id."""
    spoken = " AND caption <> ''" if filling.spoken else ""
    rows = library.connection.execute(
        "SELECT video_id, coalesce(clips_hash, '') FROM videos"  # noqa: S608
        " WHERE number IN (SELECT number FROM files)"
        f" AND EXISTS (SELECT 1 FROM clips WHERE clips.number = videos.number{spoken})"
    )
    able = filling.video_ids() if filling.video_ids is not None else None
    return {name: stamp for name, stamp in rows if able is None or name in able}


def _written(
    library: Library,
    filling: Filling,
    renewed: str,
    on_progress: Callable[[int, int, str], None] | None,
    on_wait: Callable[[], None] | None,
) -> Brought:
    from howto.search.index.writer import WAIT_SECONDS, IndexWriter

    show = on_progress or (lambda *_: None)
    failed = []
    wait = WAIT_SECONDS if filling.wait is None else filling.wait
    with IndexWriter(
        filling.folder, filling.recipe, filling.dim, anew=True, on_wait=on_wait, wait=wait
    ) as writer:
        # Looked at again: another process may have done it all while we waited, and the library may
        # hold others by now.
        wanted = _wanted(library, filling)
        before = dict(writer.groups)
        there = {name: group.stamp for name, group in before.items()}
        gone = there.keys() - wanted.keys()
        changed = clips_changed(writer.manifest.facts)
        for name in gone:
            changed += before[name].count
            writer.take_out(name)
        writer.keep(_CHANGED, str(changed))
        todo = sorted(name for name, stamp in wanted.items() if there.get(name) != stamp)
        paths = _paths(library, todo)
        rows, since = 0, time.monotonic()
        for done, name in enumerate(todo, start=1):
            clips = clips_of(library, name, spoken=filling.spoken)
            try:
                vectors = filling.embed(name, clips)
            except ItemError as error:
                failed.append((name, str(error)))
                if name in there:
                    writer.take_out(name)  # it is of what the video was
            else:
                writer.put(name, wanted[name], vectors)
                rows += len(vectors)
                changed += len(vectors)
            show(done, len(todo), paths[name])
            writer.keep(_CHANGED, str(changed))
            if rows >= _COMMIT_ROWS or time.monotonic() - since > _COMMIT_SECONDS:
                writer.commit()
                rows, since = 0, time.monotonic()
        if there:
            renewed = ""  # another process made it anew meanwhile
        if writer.groups != before or renewed or not there:
            writer.finish(lambda: show(len(todo), len(todo), "choosing cells"))
        index = writer.opened() if writer.groups else None
    return Brought(index, len(todo) - len(failed), len(gone), tuple(failed), renewed)


def _paths(library: Library, names: Collection[str]) -> dict[str, str]:
    """The first path of each video, for people."""
    paths = library.paths()
    return {name: paths[number][0] for name, number in library.numbers(names).items()}


# --- clips and rows ---


def clips_of(library: Library, video_id: str, *, spoken: bool) -> list[Candidate]:
    """The clips of a video in the order of their vectors, with score 0 each."""
    rows = library.connection.execute(
        "SELECT number, clip, start, end, caption FROM clips"
        " WHERE number = (SELECT number FROM videos WHERE video_id = ?) ORDER BY clip",
        (video_id,),
    )
    return [
        Candidate(number, start, end, caption, clip, 0.0, ())
        for number, clip, start, end, caption in rows
        if caption or not spoken
    ]


def rows_of(
    library: Library, index: "VectorIndex", clips: Set[int], *, spoken: bool
) -> "NDArray[np.int64] | None":
    """The rows of some clips, int64 (n,), in no order that counts; None where there are no clips.

    Those of a video that changed since the index was opened may be others: `candidates` leaves it
    out.

    Args:
        clips: their keys.
    """
    if not clips:
        return None
    import numpy as np

    said = " AND caption <> ''" if spoken else ""
    places = library.connection.execute(
        "WITH wanted AS (SELECT value FROM json_each(?)), placed AS ("  # noqa: S608
        " SELECT video_id, clip,"
        " row_number() OVER (PARTITION BY number ORDER BY clip) - 1 AS position"
        " FROM clips JOIN videos USING (number)"
        f" WHERE number IN (SELECT number FROM clips WHERE clip IN wanted){said})"
        " SELECT video_id, position FROM placed WHERE clip IN wanted",
        (json.dumps([*clips]),),
    )
    groups = index.manifest.groups
    rows = [
        groups[name].first + position
        for name, position in places
        if name in groups and position < groups[name].count
    ]
    return np.array(rows, np.int64)


def candidates(
    library: Library,
    index: "VectorIndex",
    found: "Found",
    scores: "NDArray[np.float64]",
    *,
    spoken: bool,
    matched: str,
) -> Iterator[Candidate]:
    """What was found in an index as spans of videos, best first.

    A video that changed since the index was opened is left out.

    Args:
        scores: (n,), 0..1, of what was found.
        matched: name of the signal.
    """
    places = index.places(found.rows)
    hashes = _hashes(library, {name for name, _ in places})
    said = " AND caption <> ''" if spoken else ""
    for (name, position), score in zip(places, scores.tolist(), strict=True):
        number, content = hashes.get(name, (0, None))
        if content != index.manifest.groups[name].stamp:
            continue
        clip, start, end, caption = library.connection.execute(
            f"SELECT clip, start, end, caption FROM clips WHERE number = ?{said}"  # noqa: S608
            " ORDER BY clip LIMIT 1 OFFSET ?",
            (number, position),
        ).fetchone()
        yield Candidate(number, start, end, caption, clip, score, (matched,))


def _hashes(library: Library, names: Collection[str]) -> dict[str, tuple[int, str]]:
    """Number and hash of the clips of each video."""
    rows = library.connection.execute(
        "SELECT video_id, number, coalesce(clips_hash, '') FROM videos"
        " WHERE video_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(names)),),
    )
    return {name: (number, content) for name, number, content in rows}
