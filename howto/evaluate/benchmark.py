"""A model scored on a published data set: read it, find its videos, leave out what was trained on.

Clips come with ready features, as the HowTo100M authors give them, or are stretches of the videos
of a library whose features `howto extract` makes. Nothing is downloaded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from howto import plugins
from howto.contracts import Benchmark
from howto.errors import UsageError
from howto.evaluate.benchmarks.files import check_split
from howto.evaluate.benchmarks.found import Found, LibraryVideos, video_keys
from howto.evaluate.benchmarks.score import (
    OnProgress,
    StepScores,
    clip_embeddings,
    feature_embeddings,
    moment_scores,
    quiet,
    step_scores,
    text_embeddings,
)
from howto.evaluate.benchmarks.sets import (
    BenchmarkClip,
    BenchmarkSet,
    MomentQuery,
    MomentSet,
    RetrievalSet,
    StepSet,
    StepVideo,
)
from howto.evaluate.moments import MomentScores
from howto.evaluate.ranks import Ties
from howto.evaluate.retrieval import RetrievalResult, result_of_embeddings
from howto.joint.opened import OpenedModel
from howto.library import Library
from howto.search.phrases import counted
from howto.train.pack_source import Lost

__all__ = ["BenchmarkResult", "evaluate_benchmark", "read_benchmark"]

_SLACK_SECONDS = 2.0
"""By how much a file's length may differ from what the release says."""

_Item = TypeVar("_Item", BenchmarkClip, StepVideo, MomentQuery)


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkResult:
    """How a model did.

    Attributes:
        benchmark, split, model: their names.
        protocol: `retrieval`, `steps` or `moments`; says of what kind the scores are.
        from_features: the clips' features were ready; otherwise they are a library's.
        scored: what was scored, in the order of the scores: what was lost or shared is not in it.
        videos: that it has.
        shared: videos that the model was trained on, left out, as the benchmark names them.
        lost: what else could not be scored, with the reason.
        notes: what a person who reads the figures has to know.
        files: that were read.
    """

    benchmark: str
    split: str
    protocol: str
    model: str
    from_features: bool
    scored: BenchmarkSet
    scores: RetrievalResult | StepScores | MomentScores
    videos: int
    shared: tuple[str, ...]
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values; recalls are fractions."""
        return {
            "benchmark": self.benchmark,
            "split": self.split,
            "protocol": self.protocol,
            "model": self.model,
            "features": "ready" if self.from_features else "library",
            "files": [str(path) for path in self.files],
            "videos": self.videos,
            "shared_with_training": {"videos": len(self.shared), "ids": list(self.shared)},
            "lost": dict(Counter(one.reason for one in self.lost)),
            "notes": list(self.notes),
            **self.scores.as_json(),
        }


def read_benchmark(
    name: str,
    data: Path,
    *,
    split: str | None = None,
    features: bool | None = None,
    trust_pickle: bool = False,
) -> tuple[Benchmark, str, BenchmarkSet]:
    """Read a benchmark by its name.

    Args:
        name: of a plugin, such as `youcook2` or `moments:tacos`.
        split: None: the benchmark's first.
        data, features, trust_pickle: as `howto.contracts.Benchmark.read`.

    Returns:
        The benchmark, the split, and what the files hold.

    Raises:
        UsageError: as `howto.contracts.Benchmark.read`.
        PluginError: there is no such benchmark.
    """
    benchmark: Benchmark = plugins.create("benchmarks", name)
    chosen = benchmark.splits[0] if split is None else split
    check_split(benchmark.name, benchmark.splits, chosen)
    return benchmark, chosen, benchmark.read(data, chosen, features, trust_pickle)


def evaluate_benchmark(
    benchmark: str,
    model: OpenedModel,
    *,
    data: Path,
    library: Library | None = None,
    split: str | None = None,
    ties: Ties = "average",
    features: bool | None = None,
    trust_pickle: bool = False,
    on_progress: OnProgress | None = None,
) -> BenchmarkResult:
    """Score a model on a benchmark.

    Args:
        benchmark: its name, such as `youcook2` or `moments:tacos`.
        data: a folder with files of the release, or one file of it.
        library: that holds the benchmark's videos, with features that the model sees
            (`howto.joint.opened.make_features`); needed unless the clips' features are ready.
        split: None: the benchmark's first.
        ties: the rule of `howto.evaluate.ranks`, for retrieval.
        features: True: ready features; False: the library's; None: ready ones for a run, where the
            files hold them, else the library's.
        trust_pickle: load pickles freely, which **runs code of their maker**.
        on_progress: called with the number of the video that is looked at, how many there are,
            and its name.

    Raises:
        UsageError: as `read_benchmark`; no library where one is needed; features that the model
            does not take; a rule of ties for what is no retrieval; or nothing is left to be scored:
            the message says why.
        PluginError: there is no such benchmark.
    """
    wanted = False if features is None and model.kind == "ready" else features
    reader, chosen, found = read_benchmark(
        benchmark, data, split=split, features=wanted, trust_pickle=trust_pickle
    )
    if reader.protocol != "retrieval" and ties != "average":
        raise UsageError(
            f"a rule of ties is for retrieval; {reader.name} asks for {reader.protocol}, which are "
            "not ranked among clips"
        )
    run = _Run(model, found, library, on_progress or quiet)
    scored, scores = run.score(ties)
    return BenchmarkResult(
        reader.name,
        chosen,
        reader.protocol,
        model.name,
        run.from_features,
        scored,
        scores,
        len({video for video, _ in _names(scored)}),
        tuple(run.shared),
        (*found.about.lost, *run.lost),
        tuple(filter(None, (*found.about.notes, *run.notes))),
        found.about.files,
    )


def _names(found: BenchmarkSet) -> Iterable[tuple[str, frozenset[str]]]:
    """Video and all its names, of each clip, video or query."""
    if isinstance(found, RetrievalSet):
        return ((clip.video, clip.known_as) for clip in found.clips)
    if isinstance(found, StepSet):
        return ((video.video, video.known_as) for video in found.videos)
    return ((query.video, query.known_as) for query in found.queries)


class _Run:
    """One evaluation while it goes on: collects what is lost and what is shared."""

    def __init__(
        self,
        model: OpenedModel,
        found: BenchmarkSet,
        library: Library | None,
        on_progress: OnProgress,
    ) -> None:
        self.model, self.found, self.library = model, found, library
        self.on_progress = on_progress
        self.from_features = isinstance(found, RetrievalSet) and found.streams is not None
        self.trained_on = video_keys(model.trained_on)
        self.shared: dict[str, None] = {}
        self.lost: list[Lost] = []
        self.notes: list[str] = [self._of_training(model)]

    @staticmethod
    def _of_training(model: OpenedModel) -> str:
        if model.kind == "ready":
            return (
                f"nobody says which videos {model.name!r} was trained on, so none could be left out"
            )
        return model.trained_on_note

    def score(self, ties: Ties) -> tuple[BenchmarkSet, Any]:
        """What was scored, and how it went."""
        if isinstance(self.found, RetrievalSet):
            return self._retrieval(self.found, ties)
        if isinstance(self.found, StepSet):
            return self._steps(self.found)
        return self._moments(self.found)

    # What is left out

    def _kept(self, items: Sequence[_Item]) -> list[tuple[int, Found | None]]:
        """Number and place of each item that is in the library and was not trained on."""
        videos = None if self.from_features else LibraryVideos(self._needed())
        kept: list[tuple[int, Found | None]] = []
        lost: dict[str, Lost] = {}
        for number, item in enumerate(items):
            place = None if videos is None else videos.find(item.places)
            if isinstance(place, str):
                lost[item.video] = Lost(item.video, "not_in_library", f"{item.video}: {place}")
                continue
            known = item.known_as if place is None else item.known_as | {place.video_id}
            if video_keys(known) & self.trained_on:
                self.shared[item.video] = None
            else:
                kept.append((number, place))
        self.lost += lost.values()
        return kept

    def _needed(self) -> Library:
        if self.library is None:
            raise UsageError(
                "there are no clips with ready features for this model, so it has to see the "
                "videos: name the library that holds them; their files are known by their ids"
            )
        return self.library

    def _note_lengths(
        self,
        items: Sequence[StepVideo] | Sequence[MomentQuery],
        kept: Sequence[tuple[int, Found | None]],
    ) -> None:
        """Say how many files are not as long as the release says: they are other copies."""
        library = self._needed()
        stated = {items[one].video: (items[one].duration, place) for one, place in kept}
        other = []
        for video, (duration, place) in stated.items():
            if duration is not None and place is not None and place.end == inf:
                info = library.info(place.video_id)
                if info is not None and abs(info.duration - duration) > _SLACK_SECONDS:
                    other.append(video)
        if other:
            self.notes.append(
                f"{counted(len(other), 'file')} longer or shorter by over {_SLACK_SECONDS:g} s than"
                f" the release says, such as {other[0]}: the times in it may not fit"
            )

    def _nothing_left(self, what: str, *also: str) -> UsageError:
        """What to raise where nothing is left to be scored; it says why.

        Args:
            also: further reasons.
        """
        reasons = [f"{counted(len(self.shared), 'video')} trained on"] if self.shared else []
        lost = (*self.found.about.lost, *self.lost)
        reasons += [f"{n} {reason}" for reason, n in Counter(x.reason for x in lost).items()]
        example = f", such as {lost[-1].detail}" if lost else ""
        told = ", ".join((*reasons, *also))
        return UsageError(f"no {what} is left to be scored: {told}{example}")

    # Protocols

    def _retrieval(self, found: RetrievalSet, ties: Ties) -> tuple[RetrievalSet, RetrievalResult]:
        kept = self._kept(found.clips)
        if self.from_features:
            numbers = [number for number, _ in kept]
            found = _chosen(found, numbers)
            self._check_captions(found)
            clips = feature_embeddings(found, self.model)
        else:
            places = [place for _, place in kept if place is not None]
            embedded, lost = clip_embeddings(places, self.model, self._needed(), self.on_progress)
            self.lost += lost
            found = _chosen(found, [kept[one][0] for one in sorted(embedded)])
            self._check_captions(found)
            clips = np.stack([embedded[one] for one in sorted(embedded)])
        return found, result_of_embeddings(
            text_embeddings(self.model, found.captions),
            clips,
            found.answers,
            videos=[clip.video for clip in found.clips],
            ties=ties,
        )

    def _check_captions(self, found: RetrievalSet) -> None:
        if not found.captions:
            raise self._nothing_left("caption")

    def _steps(self, found: StepSet) -> tuple[StepSet, StepScores]:
        kept = self._kept(found.videos)
        self._note_lengths(found.videos, kept)
        places = {found.videos[one].video: place for one, place in kept if place is not None}
        scores, scored, lost = step_scores(
            found, places, self.model, self._needed(), self.on_progress
        )
        self.lost += lost
        if scores is None:
            silent = f"{counted(len(scored), 'video')} in which no step is marked where it was seen"
            raise self._nothing_left("video that shows a step", *([silent] if scored else []))
        return replace(found, videos=tuple(scored)), scores

    def _moments(self, found: MomentSet) -> tuple[MomentSet, MomentScores]:
        kept = self._kept(found.queries)
        self._note_lengths(found.queries, kept)
        chosen = [found.queries[one] for one, _ in kept]
        places = {found.queries[one].video: place for one, place in kept if place is not None}
        library = self._needed()
        scores, scored, lost = moment_scores(
            chosen, places, self.model, library, found.unit, self.on_progress
        )
        self.lost += lost
        if scores is None:
            raise self._nothing_left("query")
        return replace(found, queries=tuple(scored)), scores


def _chosen(found: RetrievalSet, numbers: Sequence[int]) -> RetrievalSet:
    """The same with these clips alone, in their order, and their captions."""
    new = np.full(len(found.clips), -1, np.int64)
    new[list(numbers)] = np.arange(len(numbers))
    answers = new[found.answers]
    asked = np.flatnonzero(answers >= 0)
    streams = found.streams
    return replace(
        found,
        clips=tuple(found.clips[one] for one in numbers),
        captions=tuple(found.captions[one] for one in asked),
        answers=answers[asked],
        streams=None if streams is None else tuple(stream[list(numbers)] for stream in streams),
    )
