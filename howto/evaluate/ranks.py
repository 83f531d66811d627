"""Ranks and recall of retrieval, exact on ties, with intervals over videos.

A query has one answer among the candidates. `better` counts candidates that score strictly higher
than the answer, `tied` those that score the same, the answer included. The rule `average` of ties:
R@K is what random tie-breaking gives on average, clip((K - better) / tied, 0, 1), and the rank is
1 + better + (tied - 1) / 2. So a scorer that gives all candidates one score gets exactly chance.

Intervals resample *videos*: clips of one video are much alike, and queries drawn one by one would
make results look surer than they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "Ranks", "interval_over_videos", "joined", "ranks_of"]

RESAMPLES = 2000
"""Of videos, for an interval."""

_ROWS = 1024  # of the score matrix that are looked at together


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where the answers of Q queries stand.

    Attributes:
        better: int64 (Q,), candidates above the answer.
        tied: int64 (Q,), candidates level with it, itself included: 1 or more.
        num_candidates: int64 (Q,), all of them, the answer included.
    """

    better: NDArray[np.int64]
    tied: NDArray[np.int64]
    num_candidates: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.better)

    def hits_at(self, k: int) -> NDArray[np.float64]:
        """How likely each answer is among the first k, (Q,), 0 to 1; its mean is R@K."""
        return np.clip((k - self.better) / self.tied, 0.0, 1.0)

    def recall_at(self, k: int) -> float:
        """R@K, a fraction.

        Raises:
            ValueError: there are no queries.
        """
        return float(self._some(self.hits_at(k)).mean())

    @property
    def ranks(self) -> NDArray[np.float64]:
        """The rank of each answer, (Q,); 1 is best."""
        return 1 + self.better + (self.tied - 1) / 2

    @property
    def median_rank(self) -> float:
        """The median of the ranks. Raises ValueError where there are no queries."""
        return float(np.median(self._some(self.ranks)))

    def chance_at(self, k: int) -> float:
        """R@K of a scorer that knows nothing. Raises ValueError where there are no queries."""
        return float(np.minimum(k / self._some(self.num_candidates), 1.0).mean())

    @property
    def chance_median_rank(self) -> float:
        """The median rank of a scorer that gives all candidates one score."""
        return float(np.median((self._some(self.num_candidates) + 1) / 2))

    def _some(self, values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(self):
            raise ValueError("no query, so no recall")
        return values.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 per cent interval.

    Attributes:
        value: of the sample itself.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """All of it lies on one side of 0."""
        return self.low > 0 or self.high < 0


def ranks_of(scores: ArrayLike, answers: ArrayLike) -> Ranks:
    """Rank the answer of each query among all candidates.

    Args:
        scores: (Q, N), higher is better; infinities are scores.
        answers: whole numbers (Q,), the column of each query's answer.

    Raises:
        ValueError: a NaN, with the row it is in; shapes that do not fit; an answer that is no
            column.
    """
    table, columns = np.asarray(scores), np.asarray(answers)
    _check(table, columns)
    better = np.empty(len(table), np.int64)
    tied = np.empty(len(table), np.int64)
    for first in range(0, len(table), _ROWS):
        rows = slice(first, first + _ROWS)
        part = table[rows]
        if np.isnan(part).any():
            row = first + int(np.flatnonzero(np.isnan(part).any(axis=1))[0])
            raise ValueError(f"row {row} of the scores holds a NaN")
        own = np.take_along_axis(part, columns[rows, None], axis=1)
        better[rows] = (part > own).sum(axis=1)
        tied[rows] = (part == own).sum(axis=1)
    return Ranks(better, tied, np.full(len(table), table.shape[1], np.int64))


def _check(scores: NDArray[np.generic], answers: NDArray[np.generic]) -> None:
    if scores.ndim != 2 or answers.shape != (len(scores),):
        raise ValueError(
            f"expected scores (Q, N) and answers (Q,), got {scores.shape} and {answers.shape}"
        )
    if len(answers) and not (answers.min() >= 0 and answers.max() < scores.shape[1]):
        raise ValueError(f"an answer is no column of 0..{scores.shape[1] - 1}")


def joined(parts: Sequence[Ranks]) -> Ranks:
    """The ranks of several sets of queries as those of one."""
    names = ("better", "tied", "num_candidates")
    empty = np.empty(0, np.int64)
    return Ranks(*(np.concatenate([empty, *(getattr(p, name) for p in parts)]) for name in names))


def interval_over_videos(
    values: ArrayLike, video_of: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of a value over queries, with an interval from resampling videos.

    Args:
        values: (Q,), such as `Ranks.hits_at`.
        video_of: (Q,), the video of each query.
        seed: of the resampling; the same gives the same interval.

    Returns:
        The mean and the 2.5th and 97.5th percentiles of it. With one video the interval is the
        mean alone: nothing can be said about others.

    Raises:
        ValueError: no value, or not as many videos.
    """
    numbers, videos = np.asarray(values, np.float64), np.asarray(video_of)
    if numbers.shape != videos.shape or not len(numbers):
        raise ValueError(f"expected as many values as videos, got {len(numbers)}, {len(videos)}")
    own = np.unique(videos, return_inverse=True)[1]
    sums = np.bincount(own, numbers)
    counts = np.bincount(own)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(numbers.mean()), float(low), float(high))
