"""What the files of a benchmark say: clips and captions, steps of tasks, or moments to find.

Ids are those of the data set. Where its videos may lie in a library, or in a folder of files, each
`Place` says; which of them were trained on can be told by the names in `known_as`.
"""

from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from howto.evaluate.localise import StepSpan
from howto.train.pack_source import Lost

__all__ = [
    "About",
    "BenchmarkClip",
    "BenchmarkSet",
    "MomentQuery",
    "MomentSet",
    "Place",
    "RetrievalSet",
    "StepSet",
    "StepTask",
    "StepVideo",
]


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a video.

    Attributes:
        video: a YouTube id, an id of the data set, or a file's name without its ending.
        start, end: seconds; the end of a whole video is infinity.
    """

    video: str
    start: float = 0.0
    end: float = inf


@dataclass(frozen=True, slots=True)
class About:
    """What was read.

    Attributes:
        files: that hold the annotations, and the features where they are ready.
        lost: rows and videos that are in the files and cannot be scored, with the reason.
        notes: what a person who reads the figures has to know.
    """

    files: tuple[Path, ...]
    lost: tuple[Lost, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchmarkClip:
    """One clip to be found.

    Attributes:
        name: for people.
        video: what it is a part of: a film, a YouTube video. Clips of one video are much alike, so
            intervals resample these.
        places: where it may be found, the most exact first; none where its features are ready.
        known_as: ids under which the video may have been trained on.
    """

    name: str
    video: str
    places: tuple[Place, ...]
    known_as: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalSet:
    """Captions, and clips among which each has its own.

    Attributes:
        clips: N of them.
        captions: Q of them.
        answers: int64 (Q,), the number of each caption's clip; a clip may have several captions.
        streams: ready features of the clips, float16 (N, D) of each stream, 2D then 3D, neither
            normalised; None: the clips are to be taken from videos.
    """

    clips: tuple[BenchmarkClip, ...]
    captions: tuple[str, ...]
    answers: NDArray[np.int64]
    streams: tuple[NDArray[np.float16], ...] | None
    about: About


@dataclass(frozen=True, slots=True)
class StepTask:
    """A task and the names of its steps, in the order in which they are done."""

    task_id: str
    title: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepVideo:
    """A video of a task.

    Attributes:
        task_id: of one of the set's tasks.
        spans: of the steps that are shown in it, in the order of the file; a step may come twice,
            or not at all.
        duration: seconds, where the release says it.
    """

    video: str
    task_id: str
    spans: tuple[StepSpan, ...]
    places: tuple[Place, ...]
    known_as: frozenset[str]
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class StepSet:
    """Steps to be found in videos of known tasks."""

    tasks: tuple[StepTask, ...]
    videos: tuple[StepVideo, ...]
    about: About


@dataclass(frozen=True, slots=True)
class MomentQuery:
    """A moment to be found in one video that is given.

    Attributes:
        query: what is asked for.
        spans: (start, end) in seconds, at least one; each is right.
        duration: of the video, seconds, where the file says it.
    """

    query: str
    video: str
    spans: tuple[tuple[float, float], ...]
    places: tuple[Place, ...]
    known_as: frozenset[str]
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class MomentSet:
    """Moments to be found.

    Attributes:
        unit: seconds of which every moment is a multiple, where the data set has such a grid.
    """

    queries: tuple[MomentQuery, ...]
    about: About
    unit: float | None = None


BenchmarkSet = RetrievalSet | StepSet | MomentSet
"""What a reader returns."""
