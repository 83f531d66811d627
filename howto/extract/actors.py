"""The stage `extract` on a Ray cluster: each actor is an `Extractor`, which writes feature files.

The machines of the cluster see the same files under the same paths: the videos, the weights, and
the folder of the features. That a machine has another folder there, or may not write at the
address, is told before it makes anything; and a file counts when it is seen from here, too.
"""

import functools
import math
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from howto import plugins
from howto.errors import Reason, RecipeMismatch
from howto.extract.choice import Choice, Wanted, wanted_for
from howto.extract.features import feature_path
from howto.extract.stage import Extractor, Job, Made
from howto.extract.storage import Shared, check_place, is_folder_path, shared
from howto.extract.store import SetEnd
from howto.recipe import Recipe
from howto.records import State
from howto.run.engine import Engine
from howto.run.ray_actors import run_ray

__all__ = ["made_on_ray"]

_LOADING_SECONDS = 3600.0
"""In which a machine has loaded its backbones, with everything that it has to fetch for that."""
_SLOWER = 60.0
"""Seconds for one of video and each backbone: far more than any needs on one slow core."""


def made_on_ray(
    engine: Engine,
    wanted: Sequence[Wanted],
    root: Path,
    jobs: Iterable[Job],
    *,
    owner: str,
    batch: int,
    workers: int | None,
    time_limit: float,
) -> Iterator[Made]:
    """Write the features that videos lack, on the actors of a cluster.

    Args:
        wanted: the feature sets, of installed backbones. Each actor constructs its own: what this
            process has loaded of them stays here.
        root: the folder or address under which feature files are written.
        owner: as for `howto.extract.storage.shared`.
        batch, time_limit: as for `Extractor`, each actor of which has one decoder.
        workers: actors; None: as many as there is room for.

    Yields:
        Each video when its files are in place, seen from here; one whose actor was lost too often
        has failed.

    Raises:
        RecipeMismatch: a machine would make other features.
        LibraryError: a machine has another folder under the root's path, or may not write at its
            address; or the folder is gone from this machine.
        HowtoError: as `run_ray`.
    """
    asked = tuple(_asked(one) for one in wanted)
    longest = functools.partial(_longest, time_limit)
    with shared(root, owner) as place:
        make = functools.partial(_Worker, asked, place, batch, time_limit)
        for ended in run_ray(make, jobs, engine, workers=workers, time_limit=longest):
            if ended.result is not None:
                yield _seen_from_here(ended.result, wanted, place)
            else:
                end = SetEnd(State.FAILED, ended.reason, ended.detail)
                yield Made(ended.item, dict.fromkeys(ended.item.sets, end))


def _longest(time_limit: float, job: Job) -> float:
    """The seconds after which an actor is taken to hang outside of its decoder."""
    if not job.duration:
        return math.inf
    return _LOADING_SECONDS + time_limit + _SLOWER * job.duration * len(job.sets)


def _seen_from_here(made: Made, wanted: Sequence[Wanted], place: Shared) -> Made:
    """What was made, without those files that a machine has for itself alone."""
    if not is_folder_path(place.place):
        return made  # the server took them
    ends = dict(made.ends)
    for one, end in made.ends.items():
        path = feature_path(place.place, wanted[one].name, wanted[one].recipe, made.job.video_id)
        if end.state == State.OK and not _is_there(path):
            place.check()  # it may be this machine that lost the folder
            detail = (
                f"{made.machine} wrote {path}, which is not there from this machine: is "
                f"{place.place} still mounted on {made.machine}?"
            )
            ends[one] = SetEnd(State.FAILED, Reason.UNREADABLE_FILE, detail)
    return replace(made, ends=ends)


def _is_there(path: Path) -> bool:
    """A file is there, by the server of its folder where this machine remembers that it is not."""
    if path.is_file():
        return True
    try:
        return path in path.parent.iterdir()
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A feature set as it travels: how to make it, and the recipe that it must come to."""

    choice: Choice
    device: str
    recipe: Recipe


def _asked(one: Wanted) -> _Asked:
    choice = Choice(
        (one.name,),
        precision=one.precision,
        weights={one.name: one.weights} if one.weights is not None else {},
        protocol="authors" if one.sizing == "coded" else "displayed",
    )
    return _Asked(choice, one.device, one.recipe)


class _Worker:
    """In an actor: backbones that stay loaded."""

    def __init__(
        self, asked: Sequence[_Asked], place: Shared, batch: int, time_limit: float
    ) -> None:
        self._place = place
        place.check()
        check_place(place.place)
        wanted = [_wanted_here(one) for one in asked]
        self._extractor = Extractor(
            wanted, place.place, batch=batch, workers=1, time_limit=time_limit
        )

    def work(self, job: Job, _time_limit: float) -> tuple[Made, Reason | None, str]:
        self._place.check()  # writing would make a folder anew that is not mounted any more
        encoders = self._extractor.encoders
        before = [one.seconds for one in encoders]
        made = self._extractor.extract(job)
        computed = {one: encoders[one].seconds - before[one] for one in job.sets}
        return replace(made, computed=computed, machine=platform.node()), None, ""


def _wanted_here(asked: _Asked) -> Wanted:
    """The feature set on this machine; refused where its features would be others."""
    (name,) = asked.choice.backbones
    found = wanted_for(plugins.create("backbones", name), name, asked.choice, asked.device)
    if found.recipe != asked.recipe:
        raise RecipeMismatch(
            f"{name} on a machine of the cluster is not what it is here: "
            f"{', '.join(found.recipe.differences(asked.recipe))}. Install the same versions and "
            "put the same weights there"
        )
    return found
