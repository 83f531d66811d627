"""Feature files read again: is each there, of its recipe, of its shape, and finite?"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from howto.errors import LibraryError
from howto.extract.features import Features, read
from howto.extract.store import SetEnd, StoredFeatures, feature_sets
from howto.library import Library
from howto.records import State

__all__ = ["BadFile", "Checked", "check_features", "forget_bad"]


@dataclass(frozen=True, slots=True)
class BadFile:
    """A feature file that has to be made again.

    Attributes:
        stored: its feature set.
        number: the library's short key of its video.
        what: is wrong with it.
    """

    stored: StoredFeatures
    number: int
    video_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        files: read.
        bad: those to do again.
    """

    files: int
    bad: tuple[BadFile, ...]


def check_features(
    library: Library,
    backbones: Collection[str] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Checked:
    """Read all feature files that a library should have.

    Args:
        backbones: only sets of these; None: all.
        on_progress: called with files read, files to read, and the id of the last one's video.
    """
    sets = [
        stored
        for stored, _ in feature_sets(library)
        if backbones is None or stored.backbone in backbones
    ]
    files = list(_expected(library, sets))
    bad = []
    for done, (stored, number, video_id, end) in enumerate(files, start=1):
        if what := _problem(stored, video_id, end):
            bad.append(BadFile(stored, number, video_id, what))
        if on_progress:
            on_progress(done, len(files), video_id)
    return Checked(len(files), tuple(bad))


def forget_bad(library: Library, bad: Collection[BadFile]) -> None:
    """Take bad files and their rows away, so that the next run makes them again."""
    for one in bad:
        one.stored.path(one.video_id).unlink(missing_ok=True)
    with library.writing():
        for one in bad:
            one.stored.take_out(one.number)


def _expected(
    library: Library, sets: list[StoredFeatures]
) -> Iterator[tuple[StoredFeatures, int, str, SetEnd]]:
    ids = dict(library.connection.execute("SELECT number, video_id FROM videos"))
    for stored in sets:
        for number, end in stored.ends().items():
            if end.state == State.OK:
                yield stored, number, ids[number], end


def _problem(stored: StoredFeatures, video_id: str, end: SetEnd) -> str:
    """What is wrong with a file, or ''."""
    path = stored.path(video_id)
    try:
        found = read(path)
    except LibraryError:
        return "damaged" if path.exists() else "missing"
    if found.video_id != video_id:
        return f"of another video, {found.video_id}"
    if found.recipe != stored.recipe:
        return f"another recipe: {'; '.join(found.recipe.differences(stored.recipe))}"
    return _bad_values(found, stored, end)


def _bad_values(found: Features, stored: StoredFeatures, end: SetEnd) -> str:
    shape = (end.num_features, stored.recipe.parts["dim"])
    if found.features.shape != shape or len(found.times) != shape[0]:
        return f"features {found.features.shape} with {len(found.times)} times, expected {shape}"
    if not np.isfinite(found.features).all():
        return "features that are not finite"
    if not np.isfinite(found.times).all() or (np.diff(found.times) < 0).any():
        return "times that are not finite, or go back"
    return ""
