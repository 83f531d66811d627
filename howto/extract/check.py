"""Feature files read again: is each there, of its recipe, of its shape, and finite?"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from howto.clip.stage import videos_of
from howto.errors import LibraryError
from howto.extract.choice import Wanted
from howto.extract.features import Features, NoFeatureFile, read
from howto.extract.stage import plan
from howto.extract.storage import Unreachable, is_folder_path
from howto.extract.store import SetEnd, StoredFeatures, feature_sets
from howto.library import Library
from howto.records import State

__all__ = ["BadFile", "Checked", "check_features", "forget_bad", "to_make_again"]

_MOST_IN_A_ROW = 20
"""An address that does not give so many files after each other is taken to be down."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """A feature file that has to be made again, or cannot be read.

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
        files: looked at.
        bad: those to do again.
        unreadable: those that cannot be read now, which says nothing of what is in them: nobody
            makes them again.
    """

    files: int
    bad: tuple[BadFile, ...]
    unreadable: tuple[BadFile, ...] = ()


def check_features(
    library: Library,
    backbones: Collection[str] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    *,
    only: str | None = None,
) -> Checked:
    """Read all feature files that a library should have.

    Args:
        backbones: only sets of these; None: all.
        on_progress: called with files read, files to read, and the id of the last one's video.
        only: only videos with a path that matches this glob.

    Raises:
        Unreachable: an address gave none of many files after each other.
    """
    sets = [
        stored
        for stored, _ in feature_sets(library)
        if backbones is None or stored.backbone in backbones
    ]
    numbers = None if only is None else videos_of(library, only)
    files = [one for one in _expected(library, sets) if numbers is None or one[1] in numbers]
    bad, unreadable, in_a_row = [], [], 0
    for done, (stored, number, video_id, end) in enumerate(files, start=1):
        try:
            what, in_a_row = _problem(stored, video_id, end), 0
        except Unreachable as error:
            in_a_row += 1
            if in_a_row == _MOST_IN_A_ROW and not is_folder_path(stored.folder):
                raise
            unreadable.append(BadFile(stored, number, video_id, str(error)))
        else:
            if what:
                bad.append(BadFile(stored, number, video_id, what))
        if on_progress:
            on_progress(done, len(files), video_id)
    return Checked(len(files), tuple(bad), tuple(unreadable))


def to_make_again(
    library: Library,
    wanted: Sequence[Wanted],
    bad: Collection[BadFile],
    *,
    only: str | None = None,
    limit: int | None = None,
    retry: bool = False,
) -> tuple[BadFile, ...]:
    """Those bad files that the next run with the same arguments would make, once forgotten.

    Others stay: files that were imported, files of another recipe, and of videos that are not here.

    Args:
        only, limit, retry: as for `howto.extract.stage.plan`.
    """
    void = [(one.stored.recipe, one.number) for one in bad]
    planned = plan(library, wanted, only=only, limit=limit, retry=retry, void=void)
    made = {(wanted[one].recipe, job.number) for job in planned.jobs for one in job.sets}
    return tuple(one for one in bad if (one.stored.recipe, one.number) in made)


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
    """What is wrong with a file, or ''.

    Raises:
        Unreachable: it cannot be read now; it may be as it should, so it is not given up.
    """
    path = stored.path(video_id)
    try:
        found = read(path)
    except Unreachable:
        raise
    except NoFeatureFile:
        return "missing"
    except LibraryError:
        return "damaged"
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
