"""Raw scores of a model as shares in 0..1, by what unrelated queries find in the same library.

A dot product says little by itself: some models give 0.2 to 0.3 to everything, some queries come
near to everything, and in a large library something is always near. So:

1. A score is measured against what the same query gives to the library at large: how many standard
   deviations it lies above the mean over a sample of the clips ("it stands out by z").
2. Some hundred captions of everyday things, which nobody asked for, are put to the same library,
   and how far the best clip of each stands out is kept: the empirical null distribution.
3. The score of a clip is the share of these unrelated captions whose best clip stands out less.

So at 0.9, one in ten unrelated queries would find a clip that stands out as much. Where the library
does show one of the unrelated things, the null reaches too high and scores are too careful.
Between the values of the null it is linear, beyond the highest it falls off exponentially, so the
score always grows with the dot product.

Needs numpy alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto.search.index.exact import scores
from howto.search.query import Query

if TYPE_CHECKING:
    from howto.search.index.vectors import VectorIndex
    from howto.search.vector_signal import Embedder

__all__ = [
    "CONFIDENT",
    "UNRELATED",
    "AnyNull",
    "Null",
    "NullOfNormal",
    "Sample",
    "measure_null",
    "measure_null_of_pictures",
]

CONFIDENT = 0.9
"""From this score on a match is called one: one unrelated query in ten gets as far."""

_SAMPLE = 1024  # clips over which a query's mean and deviation are taken
_FEWEST = 20  # unrelated captions of known words, below which there is no null
_TAIL_SHARE = 0.1  # of the null: its highest values say how fast it falls off
_LEAST_DEVIATION = 1e-6
_FEWEST_VIDEOS = 5
_PICTURES = 40  # clips that stand for unrelated pictures

UNRELATED = tuple(
    line.strip()
    for line in """
    a lighthouse on a cliff
    a parrot on a branch
    a football match in a stadium
    a judge in a courtroom
    a snowy mountain peak
    an aeroplane taking off
    a crowd at a concert
    a surfer on a wave
    a train in a station
    a desert at noon
    a newspaper on a desk
    fireworks over a city
    a horse running in a field
    a submarine under the ice
    a ballet dancer on stage
    a fisherman in a boat
    a lion in the grass
    a skyscraper at night
    an astronaut in space
    a church with a tower
    a violin in an orchestra
    a motorway with many cars
    a penguin on a beach
    a wedding in a garden
    a volcano with smoke
    a chess game in a park
    a teacher in a classroom
    a windmill by a river
    a camel in the sand
    a boxer in a ring
    a map of the world
    a castle on a hill
    a swimming pool with children
    a police car in the street
    a whale in the sea
    a farmer on a tractor
    a telescope under the stars
    a market with fruit
    a waterfall in a forest
    a skier in the snow
    a harbour with ships
    a doctor in a hospital
    a statue in a square
    a bridge over a valley
    a dog chasing a ball
    a cat asleep on a sofa
    a rainbow after the rain
    a soldier in uniform
    a circus with a clown
    a bicycle race in the hills
    a queue at an airport
    a library full of books
    a cave with bats
    an owl in a tree
    a golf player on a lawn
    a campfire in the dark
    a balloon in the sky
    a politician giving a speech
    an elephant drinking water
    a taxi in the rain
    a pianist at a piano
    a museum with paintings
    a spider in its web
    a football fan with a flag
    a beach at sunset
    a helicopter landing
    a tennis player serving
    a village in winter
    a monkey eating a banana
    a factory with robots
    a jungle with snakes
    a choir in a church
    a shark among fish
    a baby in a pram
    a bus full of people
    a courtyard with a fountain
    a storm over the sea
    a photographer with a camera
    a rocket launch
    a cow on a meadow
    """.strip().splitlines()
)
"""Captions of what instructional videos seldom show."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Clips spread over a library, to see what a query gives to the library at large.

    Attributes:
        vectors: float16 (n, D), n >= 1.
    """

    vectors: NDArray[np.float16]

    @classmethod
    def of(cls, index: "VectorIndex") -> "Sample":
        """The sample of an index, always the same."""
        return cls(index.sample(_SAMPLE))

    def standing_out(
        self, queries: NDArray[np.float32], raw: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """How far scores stand out, in standard deviations of their query.

        Args:
            queries: float32 (Q, D).
            raw: float32 (Q, n), dot products of each query with something.
        """
        large = scores(self.vectors, queries).astype(np.float64)
        deviation = np.maximum(large.std(axis=0), _LEAST_DEVIATION)
        found: NDArray[np.float64] = (raw - large.mean(axis=0)[:, None]) / deviation[:, None]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """How far the best clips of unrelated captions stand out.

    Attributes:
        values: float64 (n,), ascending.
    """

    values: NDArray[np.float64]

    def share(self, standing_out: ArrayLike) -> NDArray[np.float64]:
        """The share of unrelated captions whose best clip stands out less, inside 0..1; growing."""
        given = np.asarray(standing_out, np.float64)
        values, count = self.values, len(self.values)
        middles = (np.arange(count) + 0.5) / count
        inside = np.interp(given, values, middles)
        edge = 0.5 / count
        fall = self._fall()
        above = 1 - edge * np.exp(-np.maximum(given - values[-1], 0) / fall)
        below = edge * np.exp(-np.maximum(values[0] - given, 0) / fall)
        found: NDArray[np.float64] = np.where(
            given > values[-1], above, np.where(given < values[0], below, inside)
        )
        return found

    def _fall(self) -> float:
        """The mean by which the highest values exceed the least of them."""
        highest = self.values[-max(2, round(_TAIL_SHARE * len(self.values))) :]
        return max(float((highest - highest[0]).mean()), _LEAST_DEVIATION)

    def rounded(self) -> list[float]:
        """The values as they are kept beside an index."""
        return [round(value, 4) for value in self.values.tolist()]

    @classmethod
    def of(cls, values: ArrayLike) -> "Null":
        """A null of values in any order."""
        return cls(np.sort(np.asarray(values, np.float64)))


@dataclass(frozen=True, slots=True)
class NullOfNormal:
    """What the best of so many clips would be if a query's scores were normal: where no unrelated
    query could be put to the library.

    Attributes:
        count: of clips.
    """

    count: int

    def share(self, standing_out: ArrayLike) -> NDArray[np.float64]:
        """The chance that the best of `count` normal values is less; growing."""
        flat = np.atleast_1d(np.asarray(standing_out, np.float64))
        below = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in flat.tolist()])
        return below**self.count


class AnyNull(Protocol):
    """What raw scores are compared with."""

    def share(self, standing_out: ArrayLike) -> NDArray[np.float64]:
        """How far scores stand out, as 0..1; growing."""
        ...


def measure_null(
    index: "VectorIndex", embedder: "Embedder", others: Sequence[str] = ()
) -> Null | None:
    """Put unrelated captions to an index.

    Args:
        others: captions to be put to it where the model knows words of too few of `UNRELATED`.

    Returns:
        None where it knows too few of these, too.
    """
    for captions in (UNRELATED, others):
        # A known "a" or "on" is no known thing.
        things = [" ".join(Query.parse(caption).terms) for caption in captions]
        known = embedder.known_words(things, as_query=True) if things else ()
        asked = [one for one, is_known in zip(captions, known, strict=True) if is_known]
        if len(asked) >= _FEWEST:
            queries = embedder.embed_text(asked[: len(UNRELATED)], as_query=True)
            best = [index.search(query, 1).scores for query in queries]
            return Null.of(Sample.of(index).standing_out(queries, np.stack(best))[:, 0])
    return None


def measure_null_of_pictures(index: "VectorIndex") -> Null | None:
    """Put clips of the index to all videos but their own.

    Returns:
        None where there are too few clips or videos to say anything.
    """
    names = set(index.manifest.groups)
    if index.manifest.live < _FEWEST or len(names) < _FEWEST_VIDEOS:
        return None
    rows = index.spread(_PICTURES)
    sample, found = Sample.of(index), []
    for row, (name, _) in zip(rows.tolist(), index.places(rows), strict=True):
        query = np.asarray(index.vectors[row], np.float32)
        best = index.search(query, 1, names=names - {name}).scores
        found.append(sample.standing_out(query[None], best[None])[0, 0])
    return Null.of(found)
