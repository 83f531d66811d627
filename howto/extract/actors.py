"""The stage `extract` on a Ray cluster: each actor is an `Extractor`, which writes feature files.

The machines of the cluster see the same files under the same paths: the videos, the weights, and
the folder of the features.
"""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from howto import plugins
from howto.errors import Reason, RecipeMismatch
from howto.extract.choice import Choice, Wanted, wanted_for
from howto.extract.stage import Extractor, Job, Made
from howto.extract.store import SetEnd
from howto.recipe import Recipe
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
        wanted: the feature sets, of installed backbones. Each actor constructs its own: what this
            process has loaded of them stays here.
        root: the folder or address under which feature files are written.
        batch, time_limit: as for `Extractor`, each actor of which has one decoder.
        workers: actors; None: as many as there is room for.

    Yields:
        Each video when its files are in place; one whose actor was lost too often has failed.

    Raises:
        RecipeMismatch: a machine would make other features.
        HowtoError: as `run_ray`.
    """
    asked = tuple(_asked(one) for one in wanted)
    make = functools.partial(_Worker, asked, root, batch, time_limit)
    # A video may take as long as it does; it is its decoder that may not be silent.
    for ended in run_ray(make, jobs, engine, workers=workers, time_limit=math.inf):
        if ended.result is not None:
            yield ended.result
        else:
            end = SetEnd(State.FAILED, ended.reason, ended.detail)
            yield Made(ended.item, dict.fromkeys(ended.item.sets, end))


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

    def __init__(self, asked: Sequence[_Asked], root: Path, batch: int, time_limit: float) -> None:
        wanted = [_wanted_here(one) for one in asked]
        self._extractor = Extractor(wanted, root, batch=batch, workers=1, time_limit=time_limit)

    def work(self, job: Job, _time_limit: float) -> tuple[Made, Reason | None, str]:
        encoders = self._extractor.encoders
        before = [one.seconds for one in encoders]
        made = self._extractor.extract(job)
        computed = {one: encoders[one].seconds - before[one] for one in job.sets}
        return replace(made, computed=computed), None, ""


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
