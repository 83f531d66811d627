"""Pooling against plain loops, and against the authors' own way with torch, bit for bit."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from howto.extract.pooling import clip_rows, clip_vectors, pool

TIMES = st.floats(-3, 40, allow_nan=False)


def looped(features, rate, starts, ends) -> np.ndarray:
    """One maximum a clip, zeros where there is no row."""
    clips = []
    for start, end in zip(starts, ends, strict=True):
        rows = features[max(0, int(start * float(rate))) : max(0, int(end * float(rate)) + 1)]
        clips.append(rows.max(axis=0) if len(rows) else np.zeros(features.shape[1], np.float16))
    return np.array(clips, np.float16).reshape(len(starts), features.shape[1])


@given(
    arrays.arrays(
        np.float16,
        st.tuples(st.integers(0, 30), st.integers(1, 4)),
        elements=st.floats(width=16, allow_nan=False),
    ),
    st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(1, 3)]),
    st.lists(st.tuples(TIMES, TIMES), max_size=8),
)
def test_any_features_and_clips_are_those_of_a_loop(features, rate, clips) -> None:
    starts, ends = [start for start, _ in clips], [end for _, end in clips]
    pooled = pool(features, rate, starts, ends)
    assert pooled.dtype == np.float16
    np.testing.assert_array_equal(pooled, looped(features, rate, starts, ends))


def test_real_sizes_with_negative_values() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (600, 64)).astype(np.float16)
    starts = np.sort(rng.uniform(0, 590, 110))
    ends = starts + rng.uniform(0, 200, 110)
    np.testing.assert_array_equal(
        pool(features, 1, starts, ends), looped(features, 1, starts, ends)
    )


def test_worked_by_hand() -> None:
    """At 1.5 a second the clip 1.0 .. 2.7 s has the rows int(1.5) = 1 to int(4.05) = 4."""
    features = np.array([[9], [-3], [2], [-5], [1], [8]], np.float16)
    pooled = pool(features, Fraction(3, 2), [1.0, 0.0, 9.0], [2.7, 0.1, 12.0])
    assert pooled.tolist() == [[2], [9], [0]]  # the last lies after the end
    assert np.signbit(pool(np.array([[-0.0], [0.0]], np.float16), 1, [0], [5])).item() is False


def test_infinities_are_values_and_nan_is_refused() -> None:
    features = np.array([[-np.inf], [np.inf], [1]], np.float16)
    assert pool(features, 1, [0, 1, 2], [0, 2, 2]).tolist() == [[-np.inf], [np.inf], [1]]
    for bad in (np.nan, -np.nan):
        with pytest.raises(ValueError, match="NaN"):
            pool(np.array([[1], [bad]], np.float16), 1, [0], [0])
    negative_nan = np.array([[0xFE00]], np.uint16).view(np.float16)
    with pytest.raises(ValueError, match="NaN"):
        pool(negative_nan, 1, [0], [0])


@pytest.mark.parametrize(
    ("features", "starts", "ends"),
    [
        (np.zeros((3, 2), np.float32), [0], [1]),
        (np.zeros(3, np.float16), [0], [1]),
        (np.zeros((3, 2), np.float16), [0, 1], [1]),
        (np.zeros((3, 2), np.float16), [0], [np.inf]),
    ],
)
def test_what_makes_no_sense_is_refused(features, starts, ends) -> None:
    with pytest.raises(ValueError, match="expected"):
        pool(features, 1, starts, ends)


def test_rows_are_cut_to_those_there_are() -> None:
    first, after = clip_rows(10, 1, [0.0, 8.5, 20.0, -2.0], [0.9, 30.0, 21.0, 1.0])
    assert first.tolist() == [0, 8, 10, 0]
    assert after.tolist() == [1, 10, 10, 2]


def test_clip_vectors_have_the_bits_of_the_authors_loader() -> None:
    """Their loader: per clip and stream, the float32 maximum, then F.normalize; zeros if empty."""
    rng = np.random.default_rng(1)
    flat = rng.normal(0, 0.05, (40, 2048)).astype(np.float16)
    deep = np.abs(rng.normal(0, 0.05, (60, 2048))).astype(np.float16)
    starts = [0.0, 3.3, 12.7, 39.5, 200.0]
    ends = [4.1, 9.9, 12.8, 41.0, 201.0]
    expected = []
    for start, end in zip(starts, ends, strict=True):
        parts = []
        for features, rate in ((flat, 1), (deep, 1.5)):
            rows = torch.from_numpy(features[int(start * rate) : int(end * rate) + 1])
            parts.append(
                F.normalize(rows.float().max(dim=0)[0], dim=0) if len(rows) else torch.zeros(2048)
            )
        expected.append(torch.cat(parts))
    found = clip_vectors([(flat, 1), (deep, Fraction(3, 2))], starts, ends)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, torch.stack(expected).numpy())


@pytest.mark.parametrize("end", [1e19, 1e300, 1.7e308])
def test_times_beyond_all_integers_lie_past_the_end(end: float) -> None:
    first, after = clip_rows(10, 1.5, [2.0, end, -end], [end, end, end])
    assert first.tolist() == [3, 10, 0]
    assert after.tolist() == [10, 10, 10]
    assert clip_rows(10, 1.5, [-end], [-end])[1].tolist() == [0]
