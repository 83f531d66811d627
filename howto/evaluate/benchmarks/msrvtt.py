"""MSR-VTT: 10,000 clips of YouTube videos, each with 20 sentences.

| file | form |
|---|---|
| `MSRVTT_JSFUSION_test.csv` (elsewhere `msrvtt_test.csv`) | key, vid_key, video_id, sentence |
| `MSRVTT_data.json` | {"videos": [{"video_id", "split", "url", "start time", "end time"}], |
| | "sentences": [{"video_id", "caption"}]} |
| `MSRVTT_train.7k.csv` or `MSRVTT_train.csv`, `MSRVTT_train.9k.csv` | a column video_id |
| `test_list_miech.txt` | a video a line |
| `MSRVTT_JSFUSION_test.pth`, `MSRVTT_train.pth`, `MSRVTT_test.pth` | {"2d": {video: (D,)}, ...} |

| split | clips | captions |
|---|---|---|
| `1k-A` | 1,000 of the test set, JSFusion's choice | one of each, as the .csv has it |
| `full` | the 2,990 of the test set | 20 of each |
| `1k-B` | 1,000 of all, Miech's choice | 20 of each |
| `validation` | 497 | 20 of each |
| `train-7k` | 7,010, training and validation set | 20 of each |
| `train-9k` | 9,000, all but those of `1k-A` | 20 of each |
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from howto.collect.lists import youtube_id
from howto.errors import UsageError
from howto.evaluate.benchmarks.files import (
    Release,
    ReleaseFiles,
    check_split,
    lines,
    read_json,
    shape_error,
    span,
    table,
)
from howto.evaluate.benchmarks.ready import of_known
from howto.evaluate.benchmarks.sets import About, BenchmarkClip, Place, RetrievalSet
from howto.train.authors_sets import msrvtt_set

__all__ = ["MsrvttBenchmark"]

_RELEASE = Release(
    "MSR-VTT",
    "Xu, Mei, Yao and Rui, MSR-VTT: A Large Video Description Dataset for Bridging Video and "
    "Language, CVPR 2016; the split 1k-A in Yu, Kim and Kim, A Joint Sequence Fusion Model for "
    "Video Question Answering and Retrieval, ECCV 2018; the .csv and .pth with the HowTo100M code "
    "of Miech and Zhukov",
)
_JSON = ("MSRVTT_data.json",)
_CAPTIONS = ("MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv")
_LISTS = {
    "1k-B": ("test_list_miech.txt", "msrvtt_test_list_miech.txt"),
    "train-7k": ("MSRVTT_train.7k.csv", "MSRVTT_train.csv"),
    "train-9k": ("MSRVTT_train.9k.csv",),
}
_OFFICIAL = {"full": ("test",), "validation": ("validate",), "train-7k": ("train", "validate")}
_COLUMNS = ("video_id", "sentence")
_FEATURES = {
    "1k-A": ("MSRVTT_JSFUSION_test.pth",),
    "full": ("MSRVTT_test.pth", "MSRVTT_full_test.pth"),
    "1k-B": ("MSRVTT_miech_test.pth",),
    "validation": ("MSRVTT_val.pth",),
    "train-7k": ("MSRVTT_train.7k.pth", "MSRVTT_train.pth"),
    "train-9k": ("MSRVTT_train.9k.pth",),
}
_NAMES = {split: (*_FEATURES[split], *_LISTS.get(split, ())) for split in _FEATURES}
_NAMES["1k-A"] += _CAPTIONS
_NO_ADDRESSES = (
    "MSRVTT_data.json is not there, so the YouTube ids of the clips are not known: videos that the "
    "model was trained on cannot be told by them"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What MSRVTT_data.json says of a video: the clip, and the split of the release."""

    clip: BenchmarkClip
    split: str


class MsrvttBenchmark:
    """Text to clip retrieval among clips of all kinds."""

    name: ClassVar[str] = "msrvtt"
    protocol: ClassVar[str] = "retrieval"
    splits: ClassVar[tuple[str, ...]] = tuple(_FEATURES)
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
        if split == "1k-A":
            captions, told = files.need("table of captions", *_CAPTIONS), files.find(*_JSON)
            pairs = [(row["video_id"], row["sentence"]) for _, row in table(captions, _COLUMNS)]
        else:
            captions = told = files.need("file of captions", *_JSON)
            pairs = list(_sentences(captions))
        videos = _videos(told) if told is not None else {}
        listed = files.find(*_LISTS[split]) if split in _LISTS else None
        wanted = _wanted(files, split, listed, videos) if split != "1k-A" else dict(pairs)
        clips = {name: videos[name].clip if name in videos else _clip(name) for name in wanted}
        pth = None if features is False else files.find(*_FEATURES[split])
        if features:
            pth = files.need("file of features", *_FEATURES[split])
        source = msrvtt_set(pth, captions, trust=trust_pickle) if pth else None
        used = (path for path in (captions, told, listed, pth) if path is not None)
        about = About(tuple(dict.fromkeys(used)), notes=() if videos else (_NO_ADDRESSES,))
        found = of_known(pairs, clips, about, source)
        if not found.clips:
            raise UsageError(f"{captions} has no caption of the split {split!r}")
        return found


def _wanted(
    files: ReleaseFiles, split: str, listed: Path | None, videos: Mapping[str, _Told]
) -> Iterable[str]:
    """The videos of a split: those of its list, else those that the release says."""
    if listed is not None:
        return list(_listed(listed))
    if split in _OFFICIAL:
        return [name for name, one in videos.items() if one.split in _OFFICIAL[split]]
    return _listed(files.need("list of videos", *_LISTS[split]))


def _clip(
    name: str, youtube: str | None = None, times: tuple[float, float] | None = None
) -> BenchmarkClip:
    """A clip under its own name, which a file may bear, and as a part of a YouTube video."""
    own = (Place(name),)
    if youtube is None:
        return BenchmarkClip(name, name, own, frozenset({name}))
    there = (Place(youtube, *times),) if times else ()
    return BenchmarkClip(name, youtube, (*own, *there), frozenset({name, youtube}))


def _listed(path: Path) -> Iterator[str]:
    """The videos of a table with a column video_id, or of a list with one a line."""
    if path.suffix.lower() == ".csv":
        for _, row in table(path, ("video_id",)):
            yield row["video_id"]
    else:
        for _, line in lines(path):
            yield line.strip()


def _rows(path: Path, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    held = read_json(path)
    rows = held.get(key) if isinstance(held, Mapping) else None
    if not isinstance(rows, list):
        raise shape_error(path, f'{{"{key}": [...]}}', held)
    for number, row in enumerate(rows):
        where = f"{path}, {key}, row {number}"
        if not isinstance(row, Mapping) or not isinstance(row.get("video_id"), str):
            raise shape_error(where, "an object with a video_id", row)
        yield where, row


def _sentences(path: Path) -> Iterator[tuple[str, str]]:
    for where, row in _rows(path, "sentences"):
        if not isinstance(row.get("caption"), str):
            raise shape_error(where, "a caption", row)
        yield row["video_id"], row["caption"]


def _videos(path: Path) -> dict[str, _Told]:
    found = {}
    for where, row in _rows(path, "videos"):
        youtube = youtube_id(str(row.get("url", "")))
        times = None
        if "start time" in row and "end time" in row:
            times = span(row["start time"], row["end time"], where)
        name = row["video_id"]
        found[name] = _Told(_clip(name, youtube, times), str(row.get("split", "")))
    return found
