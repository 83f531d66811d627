"""A joint model for tests that sees what it is told: one word, one dimension."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto.errors import ItemError, Reason
from howto.joint.trained import Selected
from howto.library import Library
from howto.recipe import Recipe

Sees = Callable[[str, float, float], str]
"""What is shown in a span of a video: words."""


@dataclass(frozen=True)
class SeeingModel:
    """Embeds words as the sum of their dimensions, and a span as the words that `sees` gives."""

    name: str
    words: tuple[str, ...]
    sees: Sees
    kind: Literal["run", "ready"] = "ready"
    trained_on: frozenset[str] = frozenset()
    blind_to: frozenset[str] = frozenset()
    trained_on_note: str = ""
    selected: Selected | None = None
    normalised: bool = True
    streams: dict[str, int] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        return len(self.words) + 1

    @property
    def recipe(self) -> Recipe:
        return Recipe.of(name=self.name, words=list(self.words))

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.dim, np.float32)
        vector[-1] = 0.1
        for word in text.split():
            if word in self.words:
                vector[self.words.index(word)] += 1
        return vector / np.linalg.norm(vector)

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.float32]:
        return np.array([self._vector(one) for one in captions]).reshape(-1, self.dim)

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> NDArray[np.bool_]:
        return np.array([any(word in self.words for word in one.split()) for one in captions])

    def embed_spans(self, library: Library, video_id: str, spans: ArrayLike) -> NDArray[np.float32]:
        if video_id in self.blind_to:
            raise ItemError(Reason.NO_FEATURES, "none")
        shown = [self.sees(video_id, start, end) for start, end in np.asarray(spans).tolist()]
        return np.array([self._vector(one) for one in shown]).reshape(-1, self.dim)

    def feature_sets(self, library: Library) -> tuple[None, ...]:
        return ()
