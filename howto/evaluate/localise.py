"""Step localisation: which second of a video shows which step of a task, and how often it is right.

The steps of a task come in an order. `assign_ordered` gives each step exactly one second so that
the seconds grow strictly and the scores sum to the most that is possible; what lies between is
background. `assign_free` gives each step its best second, whatever the others get.

Recall is pooled, as CrossTask does (Zhukov et al., CVPR 2019, arXiv:1903.08225): the matched steps
of all videos of a task over the present ones, then the plain mean over tasks. A step is present in
a video where at least one second of it is; it is matched where its assigned second is such a one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto.errors import ItemError, Reason
from howto.evaluate.ranks import RESAMPLES, Interval

__all__ = [
    "Localisation",
    "StepSpan",
    "TaskRecall",
    "VideoSteps",
    "assign_free",
    "assign_ordered",
    "chance_free",
    "chance_ordered",
    "judged",
    "pooled",
    "truth_of",
]


@dataclass(frozen=True, slots=True)
class StepSpan:
    """Where a video shows a step, as people marked it.

    Attributes:
        step: numbered from 1.
        start, end: seconds.
    """

    step: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class VideoSteps:
    """How many steps of one video were found.

    Attributes:
        present: steps that the video shows.
        matched: those of them whose assigned second shows them.
        by_chance: those that a scorer that knows nothing would match, on average.
    """

    task: str
    video_id: str
    present: int
    matched: int
    by_chance: float


@dataclass(frozen=True, slots=True)
class TaskRecall:
    """The pooled recall of one task.

    Attributes:
        videos: those in which a step is present.
        present, matched: summed over its videos.
        chance: recall of a scorer that knows nothing, a fraction.
    """

    task: str
    videos: int
    present: int
    matched: int
    chance: float

    @property
    def recall(self) -> float:
        """A fraction."""
        return self.matched / self.present


@dataclass(frozen=True, slots=True)
class Localisation:
    """Recall over all tasks.

    Attributes:
        tasks: those with a step that is present, in order of their names.
        recall: the mean over tasks, a fraction; the interval is from resampling the videos of each
            task.
        chance: the same mean for a scorer that knows nothing.
        videos: how many were scored, those in which no step is present among them.
    """

    tasks: tuple[TaskRecall, ...]
    recall: Interval
    chance: float
    videos: int


def assign_ordered(scores: ArrayLike) -> NDArray[np.int64]:
    """Give each step one second, strictly growing, with the highest sum of scores.

    Args:
        scores: (S, T), of each step at each second, finite; higher is better.

    Returns:
        int64 (S,), the second of each step; among equal sums the earliest seconds.

    Raises:
        ItemError: FEWER_SECONDS_THAN_STEPS, where no such assignment exists.
        ValueError: not two axes, or a score that is not finite.
    """
    table = _checked(scores)
    steps, seconds = table.shape
    if seconds < steps:
        raise ItemError(
            Reason.FEWER_SECONDS_THAN_STEPS,
            f"{steps} steps in {seconds} s; an ordered assignment gives each step its own second",
        )
    # With u = second - step, strictly growing seconds are a u that does not fall, and every u of
    # 0..T-S is possible for every step.
    shifted = [row[step : step + seconds - steps + 1] for step, row in enumerate(table)]
    best = [np.zeros(seconds - steps + 1)]
    for row in shifted:
        best.append(row + np.maximum.accumulate(best[-1]))
    found = np.empty(steps, np.int64)
    end = seconds - steps + 1
    for step in reversed(range(steps)):
        u = int(best[step + 1][:end].argmax())
        found[step] = u + step
        end = u + 1
    return found


def assign_free(scores: ArrayLike) -> NDArray[np.int64]:
    """Give each step its best second, the earliest among equals.

    Args:
        scores: (S, T), as for `assign_ordered`.

    Returns:
        int64 (S,).

    Raises:
        ItemError: FEWER_SECONDS_THAN_STEPS, where there is no second at all.
        ValueError: not two axes, or a score that is not finite.
    """
    table = _checked(scores)
    if len(table) and not table.shape[1]:
        raise ItemError(Reason.FEWER_SECONDS_THAN_STEPS, "there is no second to give to a step")
    return table.argmax(axis=1).astype(np.int64) if len(table) else np.empty(0, np.int64)


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, np.float64)
    if table.ndim != 2:
        raise ValueError(f"expected scores (S, T), got shape {table.shape}")
    if not np.isfinite(table).all():
        step, second = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"the score of step {step + 1} at {second} s is {table[step, second]}")
    return table


def truth_of(spans: Iterable[StepSpan], steps: int, seconds: int) -> NDArray[np.bool_]:
    """Which seconds of a video show which step.

    A span covers the seconds floor(start) .. ceil(end) - 1; what lies before 0 or past the end is
    cut off, so a step that lies past the end altogether is not present.

    Args:
        steps: S, of the task.
        seconds: T, of the video.

    Returns:
        bool (S, T); a row of False is a step that the video does not show.

    Raises:
        ValueError: a step that is none of 1..S, or a span that ends before it starts.
    """
    truth = np.zeros((steps, seconds), bool)
    for one in spans:
        if not 1 <= one.step <= steps:
            raise ValueError(f"step {one.step} is none of 1..{steps}")
        if not 0 <= one.end - one.start < math.inf:
            raise ValueError(f"step {one.step}: end {one.end:g} s, start {one.start:g} s")
        first, end = math.floor(one.start), math.ceil(one.end)
        truth[one.step - 1, max(first, 0) : max(end, 0)] = True
    return truth


def chance_free(steps: int, seconds: int) -> NDArray[np.float64]:
    """How likely each step gets each second, where every second is as likely: (S, T)."""
    return np.full((steps, seconds), 1 / seconds if seconds else 0.0)


def chance_ordered(steps: int, seconds: int) -> NDArray[np.float64]:
    """How likely each step gets each second, where every ordered assignment is as likely: (S, T).

    Step s (from 0) is at second t in C(t, s) C(T - 1 - t, S - 1 - s) of the C(T, S) assignments.
    All zeros where there are fewer seconds than steps.
    """
    if seconds < steps:
        return np.zeros((steps, seconds))
    log_factorial = np.concatenate([[0.0], np.log(np.arange(1, seconds + 1)).cumsum()])

    def log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
        # Where k > n the answer is no number of ways; the index is kept inside and then thrown out.
        ways = log_factorial[n] - log_factorial[k] - log_factorial[np.maximum(n - k, 0)]
        return np.where(k <= n, ways, -np.inf)

    second, step = np.arange(seconds)[None], np.arange(steps)[:, None]
    ways = log_choose(second, step) + log_choose(seconds - 1 - second, steps - 1 - step)
    return np.exp(ways - log_choose(np.array(seconds), np.array(steps)))


def judged(
    task: str,
    video_id: str,
    assigned: NDArray[np.int64],
    truth: NDArray[np.bool_],
    chance: NDArray[np.float64],
) -> VideoSteps:
    """Compare what was assigned in one video with what it shows.

    Args:
        assigned: (S,), as `assign_ordered` or `assign_free` gives it.
        truth: (S, T), as `truth_of` gives it.
        chance: (S, T), as `chance_ordered` or `chance_free` gives it.
    """
    matched = truth[np.arange(len(truth)), assigned]
    return VideoSteps(
        task, video_id, int(truth.any(axis=1).sum()), int(matched.sum()), float(chance[truth].sum())
    )


def pooled(
    videos: Sequence[VideoSteps], *, resamples: int = RESAMPLES, seed: int = 0
) -> Localisation:
    """Recall of each task over its videos, and the mean over tasks.

    Args:
        seed: of the resampling; the same gives the same interval.

    Raises:
        ValueError: no video shows any step.
    """
    of_task: dict[str, list[VideoSteps]] = {}
    for one in sorted(videos, key=lambda one: one.task):
        if one.present:
            of_task.setdefault(one.task, []).append(one)
    if not of_task:
        raise ValueError("no video shows a step, so there is no recall")
    tasks = tuple(_task(name, some) for name, some in of_task.items())
    rng = np.random.default_rng(seed)
    drawn = np.mean([_resampled(some, resamples, rng) for some in of_task.values()], axis=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = float(np.mean([task.recall for task in tasks]))
    return Localisation(
        tasks,
        Interval(value, float(low), float(high)),
        float(np.mean([task.chance for task in tasks])),
        len(videos),
    )


def _task(name: str, videos: Sequence[VideoSteps]) -> TaskRecall:
    present = sum(one.present for one in videos)
    matched = sum(one.matched for one in videos)
    return TaskRecall(
        name, len(videos), present, matched, sum(one.by_chance for one in videos) / present
    )


def _resampled(
    videos: Sequence[VideoSteps], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The pooled recall of one task, of so many draws of its videos."""
    counts = np.array([(one.matched, one.present) for one in videos])
    drawn = counts[rng.integers(0, len(videos), (resamples, len(videos)))].sum(axis=1)
    share: NDArray[np.float64] = drawn[:, 0] / drawn[:, 1]
    return share
