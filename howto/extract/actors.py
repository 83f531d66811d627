"""The stage `extract` on a Ray cluster: each actor is an `Extractor`, which writes feature files.

The machines of the cluster see the same files under the same paths: the videos, the weights, and
the folder of the features.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from howto.errors import Reason, RecipeMismatch
from howto.extract.choice import Choice, Wanted, wanted_for
from howto.extract.stage import Extractor, Job, Made
from howto.extract.store import SetEnd
from howto.records import State
from howto.run.engine import Engine
from howto.run.ray_actors import run_ray

__all__ = ["made_on_ray"]


def made_on_ray(
    engine: Engine,
    wanted: Sequence[Wanted],
    root: Path,
    jobs: Iterable[Job],
    *,
    batch: int,
    workers: int | None,
    time_limit: float,
) -> Iterator[Made]:
    """Write the features that videos lack, on the actors of a cluster.

    Args:
        wanted: the feature sets, not loaded.
        root: the folder or address under which feature files are written.
        batch, time_limit: as for `Extractor`, each actor of which has one decoder.
        workers: actors; None: as many as there is room for.

    Yields:
        Each video when its files are in place; one whose actor was lost too often has failed.

    Raises:
        RecipeMismatch: a machine would make other features.
        HowtoError: as `run_ray`.
    """
    make = functools.partial(_Worker, tuple(wanted), root, batch, time_limit)
    for ended in run_ray(make, jobs, engine, workers=workers, time_limit=time_limit):
        if ended.result is not None:
            yield ended.result
        else:
            end = SetEnd(State.FAILED, ended.reason, ended.detail)
            yield Made(ended.item, dict.fromkeys(ended.item.sets, end))


class _Worker:
    """In an actor: backbones that stay loaded."""

    def __init__(self, wanted: Sequence[Wanted], root: Path, batch: int, time_limit: float) -> None:
        for one in wanted:
            _check_same(one)
        self._extractor = Extractor(wanted, root, batch=batch, workers=1, time_limit=time_limit)

    def work(self, job: Job, _time_limit: float) -> tuple[Made, Reason | None, str]:
        return self._extractor.extract(job), None, ""


def _check_same(one: Wanted) -> None:
    """Refuse to make features under a recipe that they would not have."""
    choice = Choice(
        (one.name,),
        precision=one.precision,
        weights={one.name: one.weights} if one.weights is not None else {},
        protocol="authors" if one.sizing == "coded" else "displayed",
    )
    here = wanted_for(one.backbone, one.name, choice, one.device).recipe
    if here != one.recipe:
        raise RecipeMismatch(
            f"{one.name} on a machine of the cluster is not what it is here: "
            f"{', '.join(here.differences(one.recipe))}. Install the same versions and put the "
            "same weights there"
        )
