"""Exact scores against float64 arithmetic, and the best of them against a full sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from howto.search.index.exact import best, scores

HALVES = st.floats(-65504, 65504, width=16)


@given(
    arrays.arrays(np.float16, st.tuples(st.integers(0, 9), st.just(5)), elements=HALVES),
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.just(5)),
        elements=st.floats(-(2.0**20), 2.0**20, width=32),
    ),
)
def test_scores_are_those_of_float64(vectors: np.ndarray, queries: np.ndarray) -> None:
    wide = vectors.astype(np.float64)
    expected = wide @ queries.T.astype(np.float64)
    # As float32 rounds: by the size of what is summed, not of the sum.
    size = np.abs(wide) @ np.abs(queries.T.astype(np.float64))
    assert (np.abs(scores(vectors, queries) - expected) <= 1e-6 * size + 1e-30).all()


def test_every_half_is_itself() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    one = np.ones((1, 1), np.float32)
    np.testing.assert_array_equal(scores(finite[:, None], one)[:, 0], finite.astype(np.float32))


def test_many_rows_go_through_in_parts() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 96)).astype(np.float16)
    queries = rng.normal(size=(2, 96)).astype(np.float32)
    expected = vectors.astype(np.float64) @ queries.T
    np.testing.assert_allclose(scores(vectors, queries), expected, atol=1e-4)
    np.testing.assert_allclose(scores(vectors, queries[:1]), expected[:, :1], atol=1e-4)


def test_the_best_by_hand() -> None:
    rows, found = best(np.array([3, 9, 1, 9, 5], np.float32), np.array([10, 14, 12, 11, 13]), 3)
    assert (rows.tolist(), found.tolist()) == ([11, 14, 13], [9, 9, 5])


@given(st.lists(st.integers(-3, 3), max_size=30), st.integers(1, 10))
def test_the_best_are_those_of_a_full_sort(values: list[int], count: int) -> None:
    rows, found = best(np.array(values, np.float32), np.arange(len(values)), count)
    expected = sorted(range(len(values)), key=lambda row: (-values[row], row))[:count]
    assert rows.tolist() == expected
    assert found.tolist() == [values[row] for row in expected]
