"""Scores of a model on what a benchmark's reader gave: clips and captions, steps, moments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isinf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import ItemError, Reason, UsageError
from howto.evaluate.benchmarks.found import Found
from howto.evaluate.benchmarks.sets import MomentQuery, RetrievalSet, StepSet, StepTask, StepVideo
from howto.evaluate.localise import (
    Localisation,
    VideoSteps,
    assign_free,
    assign_ordered,
    chance_free,
    chance_ordered,
    judged,
    pooled,
    truth_of,
)
from howto.evaluate.moments import KS, Asked, MomentScores, Searched, Span, measure
from howto.joint.locate import seconds_seen
from howto.joint.opened import OpenedModel
from howto.library import Library
from howto.train.pack_source import Lost

__all__ = [
    "OnProgress",
    "StepScores",
    "clip_embeddings",
    "feature_embeddings",
    "moment_scores",
    "proposals",
    "quiet",
    "step_scores",
    "text_embeddings",
]

OnProgress = Callable[[int, int, str], None]
"""Called with the number of the video that is looked at, how many there are, and its name."""

_PAST_ANY_END = 1e9
"""Seconds: where a whole video ends, for what has to be finite."""

_BLOCK = 1024  # clips embedded together
_SHORTEST = 2.0  # seconds, of a proposal
_LONGER = sqrt(2)  # each length of proposals, times the one before
_STEP = 0.25  # of its length, from one proposal to the next
_MOST_OVERLAP = 0.5  # intersection over union of two hits of one query
_CAPTIONS = 1024  # embedded together


def quiet(number: int, todo: int, video: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class StepScores:
    """Recall of steps by both assignments.

    Attributes:
        ordered: each step gets a second of its own, in the order of the steps: the published
            protocol.
        free: each step gets its best second.
    """

    ordered: Localisation
    free: Localisation

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; recalls are fractions."""
        return {"ordered": _localisation(self.ordered), "free": _localisation(self.free)}


def _localisation(found: Localisation) -> dict[str, Any]:
    return {
        "recall": found.recall.value,
        "interval": [found.recall.low, found.recall.high],
        "chance": found.chance,
        "videos": found.videos,
        "tasks": {
            task.task: {
                "recall": task.recall,
                "chance": task.chance,
                "videos": task.videos,
                "present": task.present,
                "matched": task.matched,
            }
            for task in found.tasks
        },
    }


# --- retrieval ---


def text_embeddings(model: OpenedModel, captions: Sequence[str]) -> NDArray[np.float32]:
    """Captions as float32 (Q, D), some at a time."""
    parts = [
        model.embed_text(captions[first : first + _CAPTIONS])
        for first in range(0, len(captions), _CAPTIONS)
    ]
    return np.concatenate([np.empty((0, model.dim), np.float32), *parts])


def feature_embeddings(asked: RetrievalSet, model: OpenedModel) -> NDArray[np.float32]:
    """Clips of a set with ready features as float32 (N, D).

    Raises:
        UsageError: the model takes other features.
    """
    streams = asked.streams or ()
    wanted = tuple(model.streams.values())
    found = tuple(stream.shape[1] for stream in streams)
    if found != wanted:
        files = ", ".join(path.name for path in asked.about.files)
        raise UsageError(
            f"{files}: the clips have features of lengths {_told(found)}, and {model.name!r} takes "
            f"{_told(wanted)} ({', '.join(model.streams)}). Score it on the videos of a library "
            "instead: --features library"
        )
    parts = [
        model.embed_features([stream[first : first + _BLOCK] for stream in streams])
        for first in range(0, len(asked.clips), _BLOCK)
    ]
    return np.concatenate([np.empty((0, model.dim), np.float32), *parts])


def _told(lengths: Sequence[int]) -> str:
    return " and ".join(map(str, lengths)) or "none"


def clip_embeddings(
    places: Sequence[Found],
    model: OpenedModel,
    library: Library,
    on_progress: OnProgress = quiet,
) -> tuple[dict[int, NDArray[np.float32]], list[Lost]]:
    """Clips of a library's videos, each video opened once.

    Args:
        places: of each clip.

    Returns:
        The embedding (D,) of each clip by its number, and the videos that have no features or end
        before a clip.
    """
    of_video: dict[str, list[int]] = {}
    for number, place in enumerate(places):
        of_video.setdefault(place.video_id, []).append(number)
    found: dict[int, NDArray[np.float32]] = {}
    lost = []
    for current, (video_id, numbers) in enumerate(of_video.items(), start=1):
        on_progress(current, len(of_video), video_id)
        info = library.info(video_id)
        end = info.duration if info is not None and info.duration > 0 else inf
        lost += [_outside(video_id, places[n].start, end) for n in numbers if places[n].start > end]
        numbers = [number for number in numbers if places[number].start <= end]
        spans = [_finite(places[number].start, places[number].end) for number in numbers]
        try:
            embeddings = model.embed_spans(library, video_id, np.array(spans))
        except ItemError as error:
            lost.append(Lost(video_id, str(error.reason), str(error)))
            continue
        found.update(zip(numbers, embeddings, strict=True))
    return found, lost


def _outside(video: str, start: float, end: float) -> Lost:
    return Lost(video, "outside_video", f"{video} ends at {end:g} s, before {start:g} s")


def _finite(start: float, end: float) -> tuple[float, float]:
    return start, min(end, _PAST_ANY_END)


# --- steps ---


def step_scores(
    asked: StepSet,
    places: Mapping[str, Found],
    model: OpenedModel,
    library: Library,
    on_progress: OnProgress = quiet,
) -> tuple[StepScores | None, list[StepVideo], list[Lost]]:
    """Find the steps of each task in its videos, second by second.

    Args:
        places: of the set's videos, by their names there; others are left out.

    Returns:
        The recall (None where no video that could be scored shows a step), the videos that were
        scored, and those that could not be.
    """
    tasks = {task.task_id: task for task in asked.tasks}
    said = {
        task_id: model.embed_text(tasks[task_id].steps)
        for task_id in dict.fromkeys(video.task_id for video in asked.videos)
    }
    ordered, free, scored, lost = [], [], [], []
    for current, video in enumerate(asked.videos, start=1):
        on_progress(current, len(asked.videos), video.video)
        place = places.get(video.video)
        if place is None:
            continue
        try:
            spans = seconds_seen(library, model, place.video_id, place.start, place.end)
            scores = said[video.task_id] @ model.embed_spans(library, place.video_id, spans).T
            both = _judged(video, tasks[video.task_id], scores)
        except ItemError as error:
            lost.append(Lost(video.video, str(error.reason), str(error)))
            continue
        ordered.append(both[0])
        free.append(both[1])
        scored.append(video)
    if not any(one.present for one in ordered):
        return None, scored, lost
    return StepScores(pooled(ordered), pooled(free)), scored, lost


def _judged(
    video: StepVideo, task: StepTask, scores: NDArray[np.float32]
) -> tuple[VideoSteps, VideoSteps]:
    steps, seconds = scores.shape
    truth = truth_of(video.spans, steps, seconds)
    ordered, free = assign_ordered(scores), assign_free(scores)
    name = f"{task.task_id} {task.title}" if task.title != task.task_id else task.title
    return (
        judged(name, video.video, ordered, truth, chance_ordered(steps, seconds)),
        judged(name, video.video, free, truth, chance_free(steps, seconds)),
    )


# --- moments ---


def proposals(duration: float, unit: float | None = None) -> NDArray[np.float64]:
    """The stretches of a video that are ranked, float64 (N, 2), seconds.

    Without a grid: lengths of 2 s and on by factors of the square root of 2, each starting every
    quarter of its length, and the whole video. With one: all stretches of whole units, of which
    the last may end after the video: so it does in what people marked, too.

    Args:
        duration: above 0.
    """
    if unit is not None:
        edges = [number * unit for number in range(ceil(duration / unit) + 1)]
        pairs = [(a, b) for place, a in enumerate(edges) for b in edges[place + 1 :]]
        return np.array(pairs, np.float64)
    lengths = [_SHORTEST]
    while lengths[-1] * _LONGER < duration:
        lengths.append(lengths[-1] * _LONGER)
    parts = [np.array([[0.0, duration]])]
    for length in lengths:
        if length < duration:
            starts = np.arange(0.0, duration - length + 1e-9, length * _STEP)
            parts.append(np.stack([starts, starts + length], axis=1))
    return np.concatenate(parts)


def _length(video_id: str, model: OpenedModel, library: Library) -> float:
    """Seconds of a video: of its file, else of what the model sees of it."""
    info = library.info(video_id)
    if info is not None and info.duration > 0:
        return info.duration
    seen = model.seen_until(library, video_id)
    if isinf(seen):
        raise ItemError(
            Reason.NO_FEATURES, f"one feature for all of {video_id}, and nobody knows its length"
        )
    return seen


def moment_scores(
    queries: Sequence[MomentQuery],
    places: Mapping[str, Found],
    model: OpenedModel,
    library: Library,
    unit: float | None = None,
    on_progress: OnProgress = quiet,
) -> tuple[MomentScores | None, list[MomentQuery], list[Lost]]:
    """Rank the stretches of each query's video, and measure what comes first.

    Of two that overlap by an intersection over union of more than 0.5 the lower-ranked is left out.

    Args:
        places: of the videos, by their names in the set; queries of others are left out.
        unit: as for `proposals`.

    Returns:
        The figures (None where no query could be scored), the queries that were in their order,
        and the videos that could not be.
    """
    of_video: dict[str, list[MomentQuery]] = {}
    for query in queries:
        if query.video in places:
            of_video.setdefault(query.video, []).append(query)
    asked, scored, lost = [], [], []
    for current, (video, some) in enumerate(of_video.items(), start=1):
        on_progress(current, len(of_video), video)
        place = places[video]
        try:
            end = min(place.end, _length(place.video_id, model, library))
            if end <= place.start:
                lost.append(_outside(video, place.start, end))
                continue
            asked += _asked(video, some, replace(place, end=end), model, library, unit)
        except ItemError as error:
            lost.append(Lost(video, str(error.reason), str(error)))
            continue
        scored += some
    if not asked:
        return None, scored, lost
    # Stretches cut from one video are much alike: intervals take them together, by the last place.
    cut_from = {query.video: query.places[-1].video for query in scored}
    return measure(asked, cut_from.__getitem__), scored, lost


def _asked(
    video: str,
    queries: Sequence[MomentQuery],
    place: Found,
    model: OpenedModel,
    library: Library,
    unit: float | None,
) -> list[Asked]:
    spans = proposals(place.end - place.start, unit)
    # A truth that ends past the file is kept: it was marked on another copy of the video.
    ends = (end for query in queries for _, end in query.spans)
    duration = max(float(spans[:, 1].max()), *ends)
    shown = model.embed_spans(library, place.video_id, spans + place.start)
    said = model.embed_text([query.query for query in queries])
    searched = Searched({video: duration})
    asked = []
    for query, scores in zip(queries, said @ shown.T, strict=True):
        truths = tuple(Span(video, start, end) for start, end in query.spans)
        hits = tuple(Span(video, *map(float, spans[one])) for one in _best(spans, scores))
        asked.append(Asked(truths, hits, searched))
    return asked


def _best(spans: NDArray[np.float64], scores: NDArray[np.float32]) -> list[int]:
    """The best spans by their scores that overlap little, as many as are measured."""
    left = np.argsort(-scores, kind="stable")
    chosen: list[int] = []
    while len(left) and len(chosen) < max(KS):
        first = int(left[0])
        chosen.append(first)
        start, end = spans[first]
        common = np.minimum(spans[left, 1], end) - np.maximum(spans[left, 0], start)
        both = (spans[left, 1] - spans[left, 0]) + (end - start) - common
        left = left[np.maximum(common, 0) <= _MOST_OVERLAP * both]
    return chosen
