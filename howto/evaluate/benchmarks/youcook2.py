"""YouCook2: steps of recipes on YouTube, each written down in a sentence.

| file | form |
|---|---|
| `youcook_val.pkl`, `youcook_train.pkl` | the HowTo100M authors' features and captions |
| `validation_youcook.csv` | end, start, task, text, video_id: the 3,350 clips they score |
| `youcookii_annotations_trainval.json` | the release: all segments of 1,790 videos |
| `yc2_val.json`, `yc2_train.json` | {"v_<id>": duration, timestamps, sentences} |
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from howto.errors import UsageError
from howto.evaluate.benchmarks.files import (
    Release,
    ReleaseFiles,
    check_split,
    read_json,
    shape_error,
    span,
    table,
)
from howto.evaluate.benchmarks.ready import ready_clips, streams_of
from howto.evaluate.benchmarks.sets import About, BenchmarkClip, Place, RetrievalSet
from howto.train.authors_sets import youcook_set
from howto.train.pack_source import Lost

__all__ = ["YouCook2Benchmark"]

_RELEASE = Release(
    "YouCook2",
    "Zhou, Xu and Corso, Towards Automatic Learning of Procedures from Web Instructional Videos, "
    "AAAI 2018 (the YouCook2 project page); the .pkl and .csv with the HowTo100M code of Miech and "
    "Zhukov",
)
_FEATURES = {"validation": ("youcook_val.pkl",), "training": ("youcook_train.pkl",)}
_JSON = "youcookii_annotations_trainval.json"
_ANNOTATIONS = {
    "validation": ("validation_youcook.csv", _JSON, "yc2_val.json"),
    "training": (_JSON, "yc2_train.json"),
}
_NAMES = {split: (*_FEATURES[split], *_ANNOTATIONS[split]) for split in _FEATURES}
_COLUMNS = ("start", "end", "text", "video_id")
_Row = tuple[str, object, object, str, str]
"""Video, start, end, sentence, and where it stands."""


class YouCook2Benchmark:
    """Text to clip retrieval among the steps of recipes."""

    name: ClassVar[str] = "youcook2"
    protocol: ClassVar[str] = "retrieval"
    splits: ClassVar[tuple[str, ...]] = ("validation", "training")
    described: ClassVar[str] = _RELEASE.described

    def read(
        self,
        data: Path,
        split: str,
        features: bool | None = None,
        trust_pickle: bool = False,
    ) -> RetrievalSet:
        """Read the files: as `howto.contracts.Benchmark.read`."""
        check_split(self.name, self.splits, split)
        files = ReleaseFiles(data, _RELEASE, split, _NAMES)
        if features is not False:
            path = files.find(*_FEATURES[split])
            if path is not None:
                return _with_features(path, trust_pickle)
            if features:
                files.need("file of features", *_FEATURES[split])
        return _annotated(files.need("file of annotations", *_ANNOTATIONS[split]), split)


def _with_features(path: Path, trust: bool) -> RetrievalSet:
    source = youcook_set(path, trust=trust)
    rows, lost = ready_clips(source)
    clips = [
        BenchmarkClip(f"{row.video}, clip {number}", row.video, (), frozenset({row.video}))
        for number, row in enumerate(rows)
    ]
    return RetrievalSet(
        tuple(clips),
        tuple(row.caption for row in rows),
        np.arange(len(rows)),
        streams_of(source, [row.vector for row in rows]),
        About((path,), tuple(lost)),
    )


def _annotated(path: Path, split: str) -> RetrievalSet:
    rows = _csv(path) if path.suffix.lower() == ".csv" else _json(path, split)
    clips, captions, lost = [], [], []
    for video, start, end, sentence, where in rows:
        times = span(start, end, where)
        if times is None:
            lost.append(Lost(video, "impossible_times", f"{where}: {start} to {end} s"))
            continue
        name = f"{video}, {times[0]:g} to {times[1]:g} s"
        clips.append(BenchmarkClip(name, video, (Place(video, *times),), frozenset({video})))
        captions.append(sentence)
    if not clips:
        raise UsageError(f"{path} has no clip of the split {split!r}")
    about = About((path,), tuple(lost))
    return RetrievalSet(tuple(clips), tuple(captions), np.arange(len(clips)), None, about)


def _csv(path: Path) -> Iterator[_Row]:
    for number, row in table(path, _COLUMNS):
        where = f"{path}, line {number}"
        yield row["video_id"], row["start"], row["end"], row["text"], where


def _json(path: Path, split: str) -> Iterator[_Row]:
    held = read_json(path)
    if not isinstance(held, Mapping):
        raise shape_error(path, "an object of videos", held)
    database = held.get("database")
    if isinstance(database, Mapping):
        for video, told in database.items():
            yield from _of_release(video, told, split, f"{path}, {video}")
    else:
        for video, told in held.items():
            yield from _of_dense(video.removeprefix("v_"), told, f"{path}, {video}")


def _of_release(video: str, told: Any, split: str, where: str) -> Iterator[_Row]:
    try:
        if told["subset"] == split:
            for one in told["annotations"]:
                start, end = one["segment"]
                yield video, start, end, str(one["sentence"]), where
    except (KeyError, TypeError, ValueError) as error:
        raise shape_error(where, "a subset, and segments with sentences", told) from error


def _of_dense(video: str, told: Any, where: str) -> Iterator[_Row]:
    try:
        pairs = list(zip(told["timestamps"], told["sentences"], strict=True))
        for (start, end), sentence in pairs:
            yield video, start, end, str(sentence), where
    except (KeyError, TypeError, ValueError) as error:
        raise shape_error(where, "as many timestamps as sentences", told) from error
