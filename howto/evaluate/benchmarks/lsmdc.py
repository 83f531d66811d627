"""LSMDC 2016: what happens in clips of films, from scripts and audio description.

| file | form |
|---|---|
| `LSMDC16_challenge_1000_publictect.csv` (so spelt), `LSMDC16_annos_*.csv` | tabs, no header: |
| | column 0 the clip, column 5 its sentence |
| `LSMDC_*.pth` | {"2d": {clip: (D,)}, "3d": {clip: (D,)}}, the HowTo100M authors' features |
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from howto.errors import UsageError
from howto.evaluate.benchmarks.files import Release, ReleaseFiles, check_split, lines
from howto.evaluate.benchmarks.ready import of_known
from howto.evaluate.benchmarks.sets import About, BenchmarkClip, Place, RetrievalSet
from howto.train.authors_sets import lsmdc_set

__all__ = ["LsmdcBenchmark"]

_RELEASE = Release(
    "LSMDC 2016",
    "Rohrbach, Torabi, Rohrbach, Tandon, Pal, Larochelle, Courville and Schiele, Movie "
    "Description, IJCV 2017 (the Large Scale Movie Description Challenge; its films are given out "
    "on request only); the .pth with the HowTo100M code of Miech and Zhukov",
)
_CAPTIONS = {
    "test": (
        "LSMDC16_challenge_1000_publictect.csv",
        "LSMDC16_challenge_1000_publictest.csv",
        "LSMDC16_*test*.csv",
    ),
    "validation": ("LSMDC16_annos_val.csv", "LSMDC16_*val*.csv"),
    "training": ("LSMDC16_annos_training.csv", "LSMDC16_*train*.csv"),
}
_FEATURES = {
    "test": ("LSMDC_test.pth", "LSMDC_*test*.pth"),
    "validation": ("LSMDC_val.pth", "LSMDC_*val*.pth"),
    "training": ("LSMDC_train.pth", "LSMDC_*train*.pth"),
}
_NAMES = {split: (*_FEATURES[split], *_CAPTIONS[split]) for split in _FEATURES}
_TIMES = re.compile(r"_\d\d\.\d\d\.\d\d\.\d+-\d\d\.\d\d\.\d\d\.\d+$")
_FIELDS = 6


class LsmdcBenchmark:
    """Text to clip retrieval among clips of films."""

    name: ClassVar[str] = "lsmdc"
    protocol: ClassVar[str] = "retrieval"
    splits: ClassVar[tuple[str, ...]] = ("test", "validation", "training")
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
        captions = files.need("table of captions", *_CAPTIONS[split])
        pth = None if features is False else files.find(*_FEATURES[split])
        if features:
            pth = files.need("file of features", *_FEATURES[split])
        pairs = list(_pairs(captions))
        source = lsmdc_set(pth, captions, trust=trust_pickle) if pth else None
        about = About((captions,) if pth is None else (captions, pth))
        found = of_known(pairs, {name: _clip(name) for name, _ in pairs}, about, source)
        if not found.clips:
            raise UsageError(f"{captions} has no caption")
        return found


def _clip(name: str) -> BenchmarkClip:
    """Its film is what stands before the times in its name."""
    return BenchmarkClip(name, _TIMES.sub("", name), (Place(name),), frozenset({name}))


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in lines(path):
        fields = line.split("\t")
        if len(fields) < _FIELDS:
            raise UsageError(
                f"{path}, line {number}: expected {_FIELDS} columns with tabs between, the clip "
                f"first and the sentence last, found {len(fields)}"
            )
        yield fields[0], fields[_FIELDS - 1]
