"""Raw scores as shares: by hand, and on a library where it is known what is there and what not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.recipe import Recipe
from howto.search.calibrate import (
    CONFIDENT,
    UNRELATED,
    Null,
    NullOfNormal,
    Sample,
    measure_null,
    measure_null_of_pictures,
)
from howto.search.index.vectors import VectorIndex
from howto.search.index.writer import IndexWriter
from howto.search.query import Query

DIM = 64
FINITE = st.floats(-50, 50)


def test_a_share_by_hand() -> None:
    null = Null.of([4.0, 1.0, 3.0, 2.0])
    # The four values lie at 1/8, 3/8, 5/8 and 7/8; between them it is linear.
    assert null.share([1, 2.5, 4]).tolist() == [0.125, 0.5, 0.875]
    # The two highest exceed the least of them by 0 and 1: it falls off by e in half a deviation.
    assert null.share([4.5]).tolist() == pytest.approx([1 - 0.125 * np.exp(-1)])
    assert null.share([0.5]).tolist() == pytest.approx([0.125 * np.exp(-1)])


@given(st.lists(FINITE, min_size=1, max_size=30), st.lists(FINITE, min_size=2, max_size=20))
def test_a_share_grows_and_stays_inside(values: list[float], given_: list[float]) -> None:
    for null in (Null.of(values), NullOfNormal(len(values))):
        shares = null.share(sorted(given_))
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (np.diff(shares) >= -1e-12).all()


def test_the_best_of_normal_values() -> None:
    draws = np.random.default_rng(0).normal(size=(20_000, 10)).max(axis=1)
    shares = NullOfNormal(10).share([1.0, 2.0])
    assert shares.tolist() == pytest.approx([(draws < 1).mean(), (draws < 2).mean()], abs=0.01)


def test_standing_out_by_hand() -> None:
    sample = Sample(np.array([[1, 0], [3, 0]], np.float16))  # of (1, 0): mean 2, deviation 1
    queries = np.array([[1, 0]], np.float32)
    assert sample.standing_out(queries, np.array([[4, 1]], np.float32)).tolist() == [[2, -1]]


def _direction(word: str) -> np.ndarray:
    return np.random.default_rng([*word.encode()]).normal(size=DIM)


class Words:
    """Each word a direction of its own; a caption is the mean of those that say something."""

    def __init__(self, known: Sequence[str] | None = None) -> None:
        self._known = known

    def embed_text(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        rows = []
        for caption in captions:
            words = Query.parse(caption).terms
            rows.append(np.mean([_direction(word) for word in words], axis=0))
        found = np.array(rows, np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def known_words(self, captions: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        known = self._known
        return np.array([known is None or any(w in known for w in c.split()) for c in captions])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    """1,000 clips that show nothing in particular, and one that shows a folded shirt."""
    folder: Path = tmp_path_factory.mktemp("index")
    rng = np.random.default_rng(0)
    with IndexWriter(folder, Recipe.of(of="test"), DIM) as writer:
        for number in range(50):
            vectors = rng.normal(size=(20, DIM)).astype(np.float32)
            if number == 30:
                vectors[7] += 12 * Words().embed_text(["shirt"])[0]
            writer.put(f"v{number}", "", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        writer.finish()
    found = VectorIndex.open(folder)
    assert found is not None
    return found


def confidence(index: VectorIndex, null: Null, text: str) -> float:
    query = Words().embed_text([text])
    best = index.search(query[0], 1).scores
    return float(null.share(Sample.of(index).standing_out(query, best[None])[0])[0])


def test_what_is_there_is_a_match_and_what_is_not_is_none(index: VectorIndex) -> None:
    null = measure_null(index, Words())
    assert null is not None
    assert len(null.values) == len(UNRELATED)
    assert confidence(index, null, "shirt") > 0.99
    absent = [confidence(index, null, f"word{number}") for number in range(300)]
    # One unrelated query in ten is called a match, that is what 0.9 says; and shares are even.
    assert np.mean(np.array(absent) >= CONFIDENT) == pytest.approx(1 - CONFIDENT, abs=0.06)
    assert np.mean(absent) == pytest.approx(0.5, abs=0.08)


def test_a_model_of_few_words_is_measured_by_words_that_it_knows(index: VectorIndex) -> None:
    known = [f"thing{number}" for number in range(60)]
    assert measure_null(index, Words(known)) is None
    pairs = [f"{one} {other}" for one, other in zip(known[::2], known[1::2], strict=True)]
    null = measure_null(index, Words(known), pairs)
    assert null is not None
    assert len(null.values) == 30
    assert measure_null(index, Words([]), pairs) is None


def test_pictures_are_compared_with_pictures_of_other_videos(index: VectorIndex) -> None:
    null = measure_null_of_pictures(index)
    assert null is not None
    assert len(null.values) == 40
    # No clip is among the values that it finds in itself: that would stand out by far.
    query = np.asarray(index.vectors[0], np.float32)
    itself = Sample.of(index).standing_out(query[None], np.array([[query @ query]], np.float32))
    assert itself[0, 0] > null.values[-1] + 2
