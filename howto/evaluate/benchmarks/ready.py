"""Clips of the HowTo100M authors' own files, with their features ready: .pkl and .pth.

They are read as the training sets of the same forms are (`howto.train.authors_sets`), so nothing in
them is executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from howto.errors import UsageError
from howto.evaluate.benchmarks.sets import About, BenchmarkClip, RetrievalSet
from howto.train.authors_sets import PooledSet
from howto.train.pack_source import Lost

__all__ = ["ReadyClip", "by_id", "of_known", "ready_clips", "streams_of"]


@dataclass(frozen=True, slots=True, eq=False)
class ReadyClip:
    """One clip with one caption.

    Attributes:
        vector: float16 (D,), the streams side by side, not normalised.
    """

    video: str
    caption: str
    vector: NDArray[np.float16]


def ready_clips(source: PooledSet) -> tuple[list[ReadyClip], list[Lost]]:
    """All rows of a set, video by video, and what could not be read."""
    found: list[ReadyClip] = []
    lost = list(source.lost)
    for video, clips in source.clips(source.videos()):
        if isinstance(clips, Lost):
            lost.append(clips)
            continue
        rows = zip(clips.captions, clips.clips, strict=True)
        found += [ReadyClip(video.video_id, caption, vector) for caption, vector in rows]
    return found, lost


def by_id(source: PooledSet) -> dict[str, NDArray[np.float16]]:
    """The features of each clip of a set in which a clip is a video of its own."""
    found = {}
    for video, clips in source.clips(source.videos()):
        if not isinstance(clips, Lost):
            found[video.video_id] = clips.clips[0].copy()  # not the rows of its other captions
    return found


def streams_of(
    source: PooledSet, vectors: Sequence[NDArray[np.float16]]
) -> tuple[NDArray[np.float16], ...]:
    """Vectors of the streams side by side as one array (N, D) for each stream.

    Raises:
        UsageError: there is no vector.
    """
    if not vectors:
        raise UsageError("not one clip of the benchmark has features that can be read")
    edges = np.cumsum([stream.dim for stream in source.streams])[:-1]
    return tuple(np.split(np.stack(vectors), edges, axis=1))


def of_known(
    pairs: Sequence[tuple[str, str]],
    clips: Mapping[str, BenchmarkClip],
    about: About,
    source: PooledSet | None,
) -> RetrievalSet:
    """A set of clips that have an id each, in the order in which the captions first name them.

    Args:
        pairs: clip and caption.
        clips: by id; a pair of another clip is left out.
        source: of ready features; a clip without any is lost, with its captions.
    """
    vectors = None if source is None else by_id(source)
    chosen: dict[str, int] = {}
    captions, answers = [], []
    lost: dict[str, Lost] = {}
    for name, caption in pairs:
        if name not in clips:
            continue
        if vectors is not None and name not in vectors:
            lost[name] = Lost(name, "no_features", f"there are no features of {name}")
            continue
        answers.append(chosen.setdefault(name, len(chosen)))
        captions.append(caption)
    streams = None
    if source is not None and vectors is not None:
        streams = streams_of(source, [vectors[name] for name in chosen])
    return RetrievalSet(
        tuple(clips[name] for name in chosen),
        tuple(captions),
        np.array(answers, np.int64),
        streams,
        About(about.files, (*about.lost, *lost.values()), about.notes),
    )
