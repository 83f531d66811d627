"""The parts of a video where nothing is said."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.windows import silent_windows
from howto.errors import UsageError
from howto.records import Line

ROUNDING = 1e-9

lines = st.lists(
    st.tuples(st.floats(-5, 70), st.floats(0, 15)).map(
        lambda row: Line(row[0], row[0] + row[1], "words")
    ),
    max_size=12,
)
durations = st.floats(0, 60)
lengths = st.tuples(st.floats(0.1, 20), st.floats(0.1, 20)).map(sorted)


def silences(said: list[Line], duration: float) -> list[tuple[float, float]]:
    """What is left of 0 .. duration when each line is cut out, one after the other."""
    left = [(0.0, duration)]
    for line in said:
        if line.start < line.end:
            left = [
                piece
                for start, end in left
                for piece in ((start, min(end, line.start)), (max(start, line.end), end))
                if piece[0] < piece[1]
            ]
    return left


@given(said=lines, duration=durations, lengths=lengths)
def test_windows_are_where_nothing_is_said(
    said: list[Line], duration: float, lengths: list[float]
) -> None:
    min_seconds, seconds = lengths
    windows = silent_windows(said, duration, seconds, min_seconds)
    assert windows == sorted(windows)
    for start, end in windows:
        assert 0 <= start < end <= duration
        assert end - start >= min_seconds - ROUNDING
        for line in said:
            assert line.start >= line.end or line.end <= start or end <= line.start
    for (_, end), (start, _) in pairwise(windows):
        assert end <= start


@given(said=lines, duration=durations, lengths=lengths)
def test_windows_cover_every_silence_that_is_long_enough(
    said: list[Line], duration: float, lengths: list[float]
) -> None:
    min_seconds, seconds = lengths
    windows = silent_windows(said, duration, seconds, min_seconds)
    expected = [(start, end) for start, end in silences(said, duration) if end - start > 0]
    for start, end in expected:
        inside = [window for window in windows if start <= window[0] and window[1] <= end]
        if end - start < min_seconds - ROUNDING:
            assert inside == []
        elif end - start > min_seconds + ROUNDING:
            assert inside[0][0] == start
            assert inside[-1][1] == end
            assert all(a[1] == b[0] for a, b in pairwise(inside))


@given(said=lines, duration=durations, seconds=st.floats(1, 20))
def test_windows_are_no_longer_than_asked_where_the_minimum_allows(
    said: list[Line], duration: float, seconds: float
) -> None:
    windows = silent_windows(said, duration, seconds, min_seconds=seconds / 2)
    assert all(end - start <= seconds * 1.00001 for start, end in windows)


def test_worked_by_hand() -> None:
    said = [Line(20, 25, "b"), Line(3, 6, "a"), Line(4, 5, "inside"), Line(26, 40, "c")]
    assert silent_windows(said, 64.0, seconds=10, min_seconds=2) == [
        (0, 3),
        (6, 13),  # 14 s make two windows of 7
        (13, 20),
        # 25 .. 26 is a pause in speech
        (40, 48),  # 24 s make three of 8
        (48, 56),
        (56, 64),
    ]


def test_nothing_said_at_all() -> None:
    assert silent_windows([], 30.0) == [(0, 10), (10, 20), (20, 30)]
    assert silent_windows([], 0.0) == []
    assert silent_windows([], 1.9) == []


def test_a_long_minimum_makes_longer_windows() -> None:
    assert silent_windows([], 12.0, seconds=10, min_seconds=8) == [(0, 12)]


def test_a_line_of_no_length_interrupts_nothing() -> None:
    assert silent_windows([Line(4, 4, "oh")], 8.0) == [(0, 8)]


@pytest.mark.parametrize(
    ("seconds", "min_seconds"), [(0, 1), (10, 0), (math.nan, 1), (math.inf, 1), (2, 3)]
)
def test_lengths_that_mean_nothing(seconds: float, min_seconds: float) -> None:
    with pytest.raises(UsageError):
        silent_windows([], 10.0, seconds, min_seconds)
