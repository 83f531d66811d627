"""Libraries with pairs and features and no media, made in a moment."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.clip.pairs import Pair, PairOptions
from howto.clip.pairs_store import StoredSet
from howto.extract.features import Features, write
from howto.extract.store import SetEnd, StoredFeatures
from howto.library import FileRow, Library
from howto.recipe import Recipe
from howto.records import State

WORDS = "cut the onion Onion fold a shirt now pour batter flip pancake it's oil".split()


@dataclass
class Filled:
    """A library that a test fills by hand."""

    library: Library
    rng: np.random.Generator

    @property
    def pairs(self) -> StoredSet:
        return StoredSet(self.library, PairOptions().recipe())

    def stored(self, backbone: str, dim: int, rate: str, tag: str = "") -> StoredFeatures:
        parts = {"backbone": backbone, "dim": dim, "imported": {"form": f"test{tag}", "rate": rate}}
        return StoredFeatures(self.library, Recipe.of(**parts))

    def video(self, name: str) -> str:
        """A video with a file, unless it is there."""
        with self.library.writing():
            number = self.library.number_of(name)
            self.library.put_file(FileRow(f"{name}.mp4", number, 1, 1, ""))
        return name

    def say(self, name: str, lines: Sequence[tuple[float, float, str]], tag: str = "n1") -> None:
        """Give a video pairs."""
        self.video(name)
        pairs = [Pair(start, end, text, k, k, 0.5) for k, (start, end, text) in enumerate(lines)]
        with self.library.writing():
            self.pairs.put(self.library.number_of(name), pairs, tag)

    def show(
        self, name: str, features: np.ndarray, backbone: str, rate: str, tag: str = ""
    ) -> Path:
        """Give a video features."""
        self.video(name)
        stored = self.stored(backbone, features.shape[1], rate, tag)
        per_second = Fraction(rate) if rate else None
        times = np.arange(len(features)) / float(per_second or 1)
        path = stored.path(name)
        write(path, Features(name, features, times, stored.recipe, 0.0, per_second))
        with self.library.writing():
            number = self.library.number_of(name)
            stored.put(number, SetEnd(State.OK, num_features=len(features)))
        return path

    def whole(self, name: str, num_pairs: int = 5, seconds: int = 40) -> str:
        """A video with random lines, and features of both of the paper's backbones."""
        starts = np.sort(self.rng.uniform(0, seconds - 6, num_pairs)).tolist()
        lines = [(start, start + float(self.rng.uniform(1, 6)), self.caption()) for start in starts]
        self.say(name, lines)
        self.show(name, self.features(seconds, 8), "resnet152", "1")
        self.show(name, self.features(seconds * 3 // 2, 6), "resnext101-3d", "3/2")
        return name

    def caption(self) -> str:
        return " ".join(self.rng.choice(WORDS, int(self.rng.integers(1, 7))))

    def features(self, count: int, dim: int) -> np.ndarray:
        return self.rng.normal(0, 1, (count, dim)).astype(np.float16)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    """An empty library to fill."""
    folder = tmp_path / "films"
    folder.mkdir()
    with Library.open(folder) as library:
        yield Filled(library, np.random.default_rng(0))


@pytest.fixture
def three(filled: Filled) -> Filled:
    """A library of three whole videos of 5, 3 and 7 pairs."""
    for name, count in (("a", 5), ("b", 3), ("c", 7)):
        filled.whole(name, count)
    return filled


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    """A small file of word vectors in GloVe's form; `batter` is not in it."""
    rng = np.random.default_rng(1)
    path = tmp_path / "glove.txt"
    known = [word for word in WORDS if word != "batter"]
    path.write_text(
        "".join(f"{word} {' '.join(f'{x:.5f}' for x in rng.normal(0, 1, 4))}\n" for word in known)
    )
    return path


@pytest.fixture
def older() -> Callable[[Path], None]:
    """Give a file another time of change."""

    def change(path: Path) -> None:
        state = path.stat()
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns - 10**9))

    return change
