"""Models that know the answers, and libraries that only have names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from howto.errors import ItemError, Reason
from howto.library import FileRow, Library
from howto.recipe import Recipe
from tests.evaluate.benchmarks.releases import DIMS, streams_of
from tests.joint.conftest import drawn as drawn

Shown = Mapping[str, Sequence[tuple[float, float, str]]]
"""What each video of a library shows: start, end and a text."""


def embedding(text: str) -> np.ndarray:
    """Of a text, and of a clip that shows it: float32 (D,), of length 1."""
    both = streams_of(text)
    return unit(np.concatenate([both["2d"], both["3d"]])[None])[0]


def unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


class Oracle:
    """A model that sees in a clip the very text that is asked for.

    Args:
        shown: what the library's videos show; a span has the mean of the texts that it overlaps,
            each weighed by the share of both that is common.
    """

    dim = sum(DIMS)
    normalised = True

    def __init__(
        self,
        shown: Shown | None = None,
        *,
        trained_on: Sequence[str] = (),
        kind: str = "run",
        streams: Mapping[str, int] | None = None,
    ) -> None:
        self.name, self.kind = "oracle", kind
        self.shown = shown or {}
        self.trained_on = frozenset(trained_on)
        self.trained_on_note = ""
        self.recipe = Recipe.of(kind="test")
        self.streams = dict(streams or {"resnet152": DIMS[0], "resnext101-3d": DIMS[1]})
        self.asked: list[str] = []

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        assert not as_query, "a benchmark's captions are read as they stand"
        return np.array([embedding(one) for one in captions], np.float32).reshape(-1, self.dim)

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        return np.ones(len(captions), bool)

    def embed_features(self, streams: Sequence[np.ndarray]) -> np.ndarray:
        return unit(np.concatenate(streams, axis=1))

    def embed_spans(self, library: Library, video_id: str, spans: Any) -> np.ndarray:
        self.asked.append(video_id)
        self._check(video_id)
        spans = np.asarray(spans, np.float64)
        assert np.isfinite(spans).all()
        return np.array([self._seen(video_id, *one) for one in spans]).reshape(-1, self.dim)

    def _check(self, video_id: str) -> None:
        if video_id not in self.shown:
            raise ItemError(Reason.NO_FEATURES, f"{video_id} has no features")

    def _seen(self, video_id: str, start: float, end: float) -> np.ndarray:
        total = np.zeros(self.dim, np.float32)
        for first, last, text in self.shown[video_id]:
            common = max(min(end, last) - max(start, first), 0.0)
            total += common / (end - start + last - first - common) * embedding(text)
        return total

    def seen_until(self, library: Library, video_id: str) -> float:
        self._check(video_id)
        return max(end for _, end, _ in self.shown[video_id])


class Constant(Oracle):
    """A model to which everything is the same."""

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        return np.ones((len(captions), self.dim), np.float32)

    def embed_features(self, streams: Sequence[np.ndarray]) -> np.ndarray:
        return np.ones((len(streams[0]), self.dim), np.float32)

    def _seen(self, video_id: str, start: float, end: float) -> np.ndarray:
        return np.ones(self.dim, np.float32)


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Callable[..., Library]]:
    """Open a library that knows videos by id, and files by path, without a byte of media."""
    opened = []

    def make(*ids: str, **files: str) -> Library:
        folder = tmp_path / f"library {len(opened)}"
        folder.mkdir()
        library = Library.open(folder)
        opened.append(library)
        with library.writing():
            for one in ids:
                library.number_of(one)
            for video_id, path in files.items():
                library.put_file(FileRow(path, library.number_of(video_id), 1, 1, ""))
        return library

    yield make
    for library in opened:
        library.close()
