"""A model of pictures that is worked out by hand: each video shows one thing at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from howto.errors import ItemError, Reason
from howto.library import Library
from howto.recipe import Recipe

THINGS = ("shirt", "iron", "pan", "dog", "cat", "sea", "tree", "car")


class FakeModel:
    """Sees what `shown` says: of a video by its file's name, (start, end, thing, how clearly).

    Words it knows are `THINGS`; its space has one axis for each, and one for nothing.
    """

    kind = "run"
    normalised = True
    dim = len(THINGS) + 1
    trained_on: frozenset[str] = frozenset()

    def __init__(self, name: str, shown: dict[str, list[tuple[float, float, str, float]]]) -> None:
        self.name = name
        self.shown = shown
        self.recipe = Recipe.of(fake=name, version=1)
        self.embedded: list[str] = []

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        found = np.zeros((len(captions), self.dim), np.float32)
        for row, caption in zip(found, captions, strict=True):
            for word in caption.lower().split():
                if word in THINGS:
                    row[THINGS.index(word)] = 1
            if not row.any():
                row[-1] = 1
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        return np.array([any(one in THINGS for one in text.lower().split()) for text in captions])

    def embed_spans(self, library: Library, video_id: str, spans: Any) -> np.ndarray:
        self.embedded.append(video_id)
        name = Path(library.paths_of(library.numbers([video_id])[video_id])[0]).name
        if name not in self.shown:
            raise ItemError(Reason.NO_FEATURES, f"video {video_id} has no features of eyes")
        rng = np.random.default_rng(sum(name.encode()))
        found = 0.05 * rng.normal(size=(len(spans), self.dim)).astype(np.float32)
        for row, (start, end) in zip(found, np.asarray(spans), strict=True):
            for first, last, thing, clearly in self.shown[name]:
                if start <= last and end >= first:
                    row[THINGS.index(thing)] += clearly
            row[-1] += 0.5
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def feature_sets(self, library: Library) -> tuple[Any, ...]:
        return (SimpleNamespace(key=None, speed=lambda: 4.0),)


@pytest.fixture
def seen(videos: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeModel]:
    """The folder `videos` as a model sees it; one video it has no features of can be named.

    The silent one shows a shirt from 10 s to 14 s and an iron after that, the pancakes a pan, and
    fold.mp4 a dog while somebody talks of shirts.
    """

    def see(name: str = "main", *, without: Sequence[str] = (), version: int = 1) -> FakeModel:
        shown = {
            "silent.mp4": [(10.0, 14.0, "shirt", 3.0), (14.5, 20.0, "iron", 3.0)],
            "pancakes.mp4": [(0.0, 8.0, "pan", 2.0)],
            "fold.mp4": [(0.0, 20.0, "dog", 2.0)],
        }
        model = FakeModel(name, {key: value for key, value in shown.items() if key not in without})
        model.recipe = Recipe.of(fake=name, version=version)

        def missing(library: Library, _model: Any) -> list[str]:
            numbers = {
                number
                for number, paths in library.paths().items()
                if Path(paths[0]).name in without
            }
            return [library.video_id(number) for number in sorted(numbers)]

        monkeypatch.setattr("howto.joint.opened.open_model", lambda *_, **__: model)
        monkeypatch.setattr("howto.joint.opened.missing_features", missing)
        return model

    return see
