"""MIL-NCE's candidates and clips against a plain restatement of their description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.candidates import candidates, widened
from howto.errors import UsageError


def restated(starts: list[float], ends: list[float], index: int, k: int) -> list[int]:
    """The lines of a run: taken one after another, the nearer side first."""
    taken = [index]
    while len(taken) < k:
        low, high = min(taken), max(taken)
        if low == 0:
            # The first line is reached: the run is the first k lines, the last one repeated.
            return [min(line, len(starts) - 1) for line in range(k)]
        if high == len(starts) - 1:
            # The last line is reached: the run is the last k lines, the first one repeated.
            return [max(line, 0) for line in range(high - k + 1, high + 1)]
        earlier = ends[high] - starts[low - 1] < ends[high + 1] - starts[low]
        taken.append(low - 1 if earlier else high + 1)
    return sorted(taken)


spans = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 60)).map(
        lambda row: (row[0] / 4, (row[0] + row[1]) / 4)
    ),
    min_size=1,
    max_size=12,
)


@given(rows=spans.map(sorted) | spans, k=st.integers(1, 8))
def test_the_same_as_restated(rows: list[tuple[float, float]], k: int) -> None:
    starts, ends = [row[0] for row in rows], [row[1] for row in rows]
    runs = candidates(starts, ends, k)
    assert len(runs) == len(rows)
    for index, run in enumerate(runs):
        held = [max(0, min(line, len(rows) - 1)) for line in run]
        assert held == restated(starts, ends, index, k)
        assert index in run
        assert len(run) == k


def test_a_tie_takes_the_next_line() -> None:
    """Growing a clip takes the previous one."""
    assert candidates([0, 3, 6], [3, 6, 9], 2)[1] == range(1, 3)


def test_once_at_the_first_line_the_run_starts_there() -> None:
    assert candidates([0, 2, 50, 52], [2, 4, 52, 54], 3)[:2] == [range(3), range(3)]


def test_where_lines_are_few_the_line_at_the_end_that_is_reached_second_repeats() -> None:
    assert candidates([0, 2], [2, 4], 7) == [range(7), range(-5, 2)]
    assert candidates([0], [2], 3) == [range(3)]
    assert candidates([0, 2, 4], [2, 4, 6], 2)[2] == range(1, 3)


def test_nothing_and_nonsense() -> None:
    assert candidates([], [], 3) == []
    with pytest.raises(UsageError, match="at least 1"):
        candidates([0], [1], 0)
    with pytest.raises(UsageError, match="2 and 1"):
        candidates([0, 1], [1], 2)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((10.0, 12.0), (8, 13)),  # 8.5 .. 13.5, cut to whole seconds
        ((1.0, 2.0), (0, 5)),  # there is nothing before 0: it is added at the end
        ((10.7, 17.9), (10, 17)),  # long enough: only cut
        ((10.0, 15.0), (10, 15)),
    ],
)
def test_the_clip(span: tuple[float, float], expected: tuple[float, float]) -> None:
    assert widened(*span) == expected


def test_no_clip_ends_after_the_video() -> None:
    assert widened(58.0, 59.5, 5.0, 59.9) == (56, 59)
    assert widened(58.0, 59.5, 8.0) == (54, 62)


def test_no_clip_is_without_length() -> None:
    """Cut to whole seconds both times may be one."""
    assert widened(2.0, 2.3, 0) == (2, 3)
    assert widened(9.7, 9.9, 0) == (9, 10)
    assert widened(9.7, 9.9, 0, 9.9) == (9, 9.9)
    assert widened(0.1, 0.2, 5, 0.4) == (0, 0.4)


@given(start=st.floats(0, 100), length=st.floats(0, 20), least=st.floats(0, 20))
def test_a_clip_is_whole_and_about_long_enough(start: float, length: float, least: float) -> None:
    begin, end = widened(start, start + length, least)
    assert begin == int(begin) >= 0
    assert end == int(end) >= begin + 1
    assert end - begin > max(length, least) - 1 - 1e-6
