"""How often a search finds the right moment of a video, beside what a guesser would find.

A hit is right by one of these criteria, against any of the true moments of its query:

- `video`: it lies in a video that holds one;
- `centre`: the middle of the hit lies inside a true moment, its ends included;
- `IoU 0.3`, `IoU 0.5`, `IoU 0.7`: intersection over union with a true moment is at least that.

R@K is the share of queries with a right hit among the first K.

Chance is what the same hits would find if they lay anywhere: of each query, every one of the first
K hits keeps its length l and is laid, independently of the others, into a video drawn in proportion
to its duration d, at a start drawn evenly from 0 to d - l (a hit longer than the video covers it).
It is computed exactly, not drawn. A search that gives few or short hits has a low chance, one that
gives whole videos a high one; so a signal is to be read against its own.

Intervals resample videos. A query with answers in several videos belongs to each of them by an
equal share, and counts in a resample by the share of it that was drawn.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from howto.evaluate.ranks import RESAMPLES, Interval, drawn_videos

__all__ = [
    "CRITERIA",
    "KS",
    "Asked",
    "Criterion",
    "Found",
    "MomentScores",
    "Searched",
    "Span",
    "chance_at",
    "gain",
    "interval_over_groups",
    "intervals_over_groups",
    "measure",
    "overlap",
]

KS = (1, 5)
"""K of R@K."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one video.

    Attributes:
        video: its id.
        start, end: seconds.
    """

    video: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a hit is right.

    Attributes:
        least: of the intersection over union; for the other kinds 0.
    """

    name: str
    kind: Literal["video", "centre", "iou"]
    least: float = 0.0


CRITERIA = (
    Criterion("video", "video"),
    Criterion("centre", "centre"),
    Criterion("IoU 0.3", "iou", 0.3),
    Criterion("IoU 0.5", "iou", 0.5),
    Criterion("IoU 0.7", "iou", 0.7),
)


@dataclass(frozen=True)
class Searched:
    """The videos that a query was asked of: all of a library, or one.

    Attributes:
        durations: seconds by video id, each above 0.
    """

    durations: Mapping[str, float]

    @cached_property
    def seconds(self) -> float:
        """Of all of them together."""
        return sum(self.durations.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """One query: where its answers lie, and what a search gave.

    Attributes:
        truths: its true moments, at least one, in videos of `searched`.
        hits: best first.
    """

    truths: tuple[Span, ...]
    hits: tuple[Span, ...]
    searched: Searched


@dataclass(frozen=True, slots=True)
class Found:
    """R@K by one criterion.

    Attributes:
        recall: a fraction, with its interval over videos.
        chance: what a guesser would have; see the module.
        right: (Q,) 1.0 where one of the first K hits is right, else 0.0.
    """

    recall: Interval
    chance: float
    right: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MomentScores:
    """How well queries were answered.

    Attributes:
        groups: of each query those that its true moments lie in; a group is videos that are much
            alike, by the id of one of them. Intervals resample these.
        found: by the name of the criterion, then by K.
    """

    groups: tuple[frozenset[str], ...]
    found: Mapping[str, Mapping[int, Found]]

    @property
    def queries(self) -> int:
        """How many."""
        return len(self.groups)

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; recalls are fractions."""
        return {
            "queries": self.queries,
            "groups_of_videos": len(frozenset().union(*self.groups)),
            **{
                f"R@{k}": {
                    name: {
                        "value": by_k[k].recall.value,
                        "low": by_k[k].recall.low,
                        "high": by_k[k].recall.high,
                        "chance": by_k[k].chance,
                    }
                    for name, by_k in self.found.items()
                }
                for k in KS
            },
        }


def overlap(one: Span, other: Span) -> float:
    """Intersection over union of two spans, 0 to 1; 0 in different videos and of no length."""
    if one.video != other.video:
        return 0.0
    common = min(one.end, other.end) - max(one.start, other.start)
    both = (one.end - one.start) + (other.end - other.start) - common
    return common / both if common > 0 else 0.0


def _is_right(hit: Span, truth: Span, criterion: Criterion) -> bool:
    if criterion.kind == "video":
        return hit.video == truth.video
    if criterion.kind == "centre":
        middle = (hit.start + hit.end) / 2
        return hit.video == truth.video and truth.start <= middle <= truth.end
    return overlap(hit, truth) >= criterion.least


def chance_at(asked: Asked, k: int, criterion: Criterion) -> float:
    """How likely a guesser has a right hit among its first k, 0 to 1; see the module.

    Raises:
        ValueError: a true moment lies in a video that was not searched.
    """
    missed = 1.0
    for hit in asked.hits[:k]:
        missed *= 1.0 - _chance_of_one(hit.end - hit.start, asked, criterion)
    return 1.0 - missed


def _chance_of_one(length: float, asked: Asked, criterion: Criterion) -> float:
    by_video: dict[str, list[Span]] = {}
    for truth in asked.truths:
        by_video.setdefault(truth.video, []).append(truth)
    share = 0.0
    for video, truths in by_video.items():
        if video not in asked.searched.durations:
            raise ValueError(f"a true moment lies in the video {video}, which was not searched")
        duration = asked.searched.durations[video]
        inside = min(length, duration)
        starts = [_right_starts(inside, truth, criterion) for truth in truths]
        share += duration * _share_covered(starts, duration - inside)
    return min(share / asked.searched.seconds, 1.0)


def _right_starts(length: float, truth: Span, criterion: Criterion) -> tuple[float, float]:
    """From where to where a span of a length may start to be right; the first is the larger one
    where nowhere."""
    if criterion.kind == "video":
        return -np.inf, np.inf
    if criterion.kind == "centre":
        return truth.start - length / 2, truth.end - length / 2
    # IoU >= t means: the common part c has c >= t (l + d - c).
    own = truth.end - truth.start
    common = criterion.least * (length + own) / (1 + criterion.least)
    if common > min(length, own) or common == 0:
        return np.inf, -np.inf
    return truth.start + common - length, truth.end - common


def _share_covered(parts: Sequence[tuple[float, float]], room: float) -> float:
    """The share of 0..room that lies in any of the parts; of no room, whether 0 does."""
    if room <= 0:
        return float(any(low <= 0 <= high for low, high in parts))
    covered, reached = 0.0, 0.0
    for low, high in sorted(parts):
        low, high = max(low, reached), min(high, room)
        if high > low:
            covered += high - low
            reached = high
    return covered / room


def measure(
    asked: Sequence[Asked], group_of: Callable[[str], str] = lambda video: video
) -> MomentScores:
    """Add up how well queries were answered.

    Args:
        group_of: of a video's id, the id that stands for all that are much like it.

    Raises:
        ValueError: there is no query, or one has no true moment, or one in a video not searched.
    """
    if not asked or not all(one.truths for one in asked):
        raise ValueError("no query, or one without a true moment")
    groups = tuple(frozenset(group_of(truth.video) for truth in one.truths) for one in asked)
    cells = [(criterion, k) for criterion in CRITERIA for k in KS]
    right = [_right(asked, k, criterion) for criterion, k in cells]
    found: dict[str, dict[int, Found]] = {criterion.name: {} for criterion in CRITERIA}
    recalls = intervals_over_groups(np.stack(right, axis=1), groups)
    for (criterion, k), own, recall in zip(cells, right, recalls, strict=True):
        chance = float(np.mean([chance_at(one, k, criterion) for one in asked]))
        found[criterion.name][k] = Found(recall, chance, own)
    return MomentScores(groups, found)


def _right(asked: Sequence[Asked], k: int, criterion: Criterion) -> NDArray[np.float64]:
    """(Q,) 1.0 where one of the first k hits is right."""
    return np.array(
        [
            any(_is_right(hit, truth, criterion) for hit in one.hits[:k] for truth in one.truths)
            for one in asked
        ],
        np.float64,
    )


def interval_over_groups(
    values: NDArray[np.float64],
    groups: Sequence[Set[str]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of a value over queries, with an interval from resampling groups of videos.

    Args:
        values: (Q,).
        groups, resamples, seed: as for `intervals_over_groups`, whose interval this is.
    """
    return intervals_over_groups(values[:, None], groups, resamples=resamples, seed=seed)[0]


def intervals_over_groups(
    values: NDArray[np.float64],
    groups: Sequence[Set[str]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """The means of several values over the same queries, with intervals from resampling groups of
    videos; what was drawn is the same for all.

    Args:
        values: (Q, C).
        groups: of each query, at least one.
        seed: of the resampling; the same gives the same intervals.

    Returns:
        Of each of the C values the mean and the 2.5th and 97.5th percentiles of it. With one group
        the interval is the mean alone: nothing can be said about others.
    """
    numbers: dict[str, int] = {}
    belongs = [
        (query, numbers.setdefault(group, len(numbers)), 1 / len(own))
        for query, own in enumerate(groups)
        for group in sorted(own)
    ]
    queries, columns, shares = (np.array(one) for one in zip(*belongs, strict=True))
    sums = np.stack([np.bincount(columns, shares * one[queries]) for one in values.T], axis=1)
    counts = np.bincount(columns, shares)
    means = np.concatenate(
        [
            (times @ sums) / (times @ counts)[:, None]
            for times in drawn_videos(len(sums), resamples, seed)
        ]
    )
    bounds = np.percentile(means, [2.5, 97.5], axis=0).T
    return [
        Interval(float(mean), float(low), float(high))
        for mean, (low, high) in zip(values.mean(axis=0), bounds, strict=True)
    ]


def gain(one: MomentScores, other: MomentScores, *, criterion: str, k: int) -> Interval:
    """How much more `one` finds than `other` did, of the same queries in the same order.

    Returns:
        The difference of R@K, with the interval of the paired differences.

    Raises:
        ValueError: they are not of the same queries.
    """
    if one.groups != other.groups:
        raise ValueError("scores of different queries cannot be compared")
    more = one.found[criterion][k].right - other.found[criterion][k].right
    return interval_over_groups(more, one.groups)
