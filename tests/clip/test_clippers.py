"""The three clippers of the core, on narrations as they occur."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.grow import GrowClipper
from howto.clip.lines import LinesClipper
from howto.clip.windows import WindowsClipper
from howto.errors import UsageError
from howto.records import Clip, Kind, Line, Narration, Video
from howto.testing import ClipperContract
from howto.testing.media import media_info


class TestLines(ClipperContract):
    plugin = "lines"


class TestGrow(ClipperContract):
    plugin = "grow"


class TestGrowByWords(ClipperContract):
    plugin = "grow"
    options = {"min_seconds": 0.0, "min_words": 12}  # noqa: RUF012 - typed in the suite


class TestWindows(ClipperContract):
    plugin = "windows"


class TestShortWindows(ClipperContract):
    plugin = "windows"
    options = {"seconds": 0.7}  # noqa: RUF012 - typed in the suite


def narrated(*lines: tuple[float, float, str]) -> Narration:
    return Narration(tuple(Line(*line) for line in lines), "en", Kind.MANUAL, "test.vtt")


def lasting(duration: float | None) -> Video:
    info = None if duration is None else media_info(duration)
    return Video("v", Path("v.mp4"), info=info)


def spans(clips: list[Clip]) -> list[tuple[float, float, str]]:
    return [(clip.start, clip.end, clip.caption) for clip in clips]


# --- lines ---


def test_a_clip_per_line_cut_to_the_video() -> None:
    narration = narrated((0.5, 2, "fold"), (9, 12, "done"), (10, 11, "at the end"), (30, 31, "ad"))
    assert spans(LinesClipper().pairs(narration, lasting(10.0))) == [
        (0.5, 2, "fold"),
        (9, 10.0, "done"),
    ]
    assert len(LinesClipper().pairs(narration, lasting(None))) == 4


def test_a_line_of_no_length_is_kept() -> None:
    assert spans(LinesClipper().pairs(narrated((3, 3, "oh")), lasting(10.0))) == [(3, 3, "oh")]


# --- grow ---


def test_a_grown_clip_is_cut_to_the_video() -> None:
    narration = narrated((0, 2, "a"), (2, 4, "b"), (6, 9, "c"))
    assert spans(GrowClipper().pairs(narration, lasting(8.0))) == [
        (0, 8.0, "a b c"),
        (0, 8.0, "b a c"),
        (2, 8.0, "c b"),
    ]


def test_lines_after_the_end_are_not_grown_into() -> None:
    narration = narrated((0, 2, "a"), (2, 4, "b"), (50, 52, "ad"))
    assert spans(GrowClipper().pairs(narration, lasting(10.0))) == [(0, 4, "a b"), (0, 4, "b a")]


def test_grown_clips_are_in_order_of_start() -> None:
    """The second line is long enough; the third lies inside it and grows back past its start."""
    narration = narrated((0, 1, "a"), (1, 8, "b"), (1.5, 2, "c"), (30, 31, "d"))
    assert spans(GrowClipper().pairs(narration, lasting(None))) == [
        (0, 8, "a b"),
        (0, 31, "c b a d"),
        (1, 8, "b"),
        (1.5, 31, "d c"),
    ]


# --- windows ---


def test_windows_cover_the_video_and_hold_lines_by_their_middle() -> None:
    narration = narrated((1, 5, "fold"), (9, 12, "the left"), (8, 12, "sleeve"), (21, 40, "done"))
    assert spans(WindowsClipper().pairs(narration, lasting(24.5))) == [
        (0.0, 10.0, "fold"),
        (10.0, 20.0, "the left sleeve"),
        (20.0, 24.5, "done"),
    ]


def test_a_line_that_outlasts_the_video_counts_as_far_as_it_is_seen() -> None:
    narration = narrated((9, 60, "fold"))
    captions = [clip.caption for clip in WindowsClipper().pairs(narration, lasting(30.0))]
    assert captions == ["", "fold", ""]


def test_windows_of_a_video_where_nothing_is_said() -> None:
    assert spans(WindowsClipper(seconds=4).pairs(narrated(), lasting(10.0))) == [
        (0, 4, ""),
        (4, 8, ""),
        (8, 10.0, ""),
    ]
    assert WindowsClipper().pairs(narrated(), lasting(None)) == []
    assert WindowsClipper().pairs(narrated(), lasting(0.0)) == []


def test_windows_without_a_known_duration_end_with_the_narration() -> None:
    narration = narrated((0, 30, "long"), (12, 13, "short"))
    assert spans(WindowsClipper().pairs(narration, lasting(None))) == [
        (0, 10, ""),
        (10, 20, "long short"),
        (20, 30, ""),
    ]


def test_a_duration_that_is_off_by_rounding_gives_no_sliver() -> None:
    """0.1 s * 3 is 0.30000000000000004."""
    assert len(WindowsClipper(0.1).pairs(narrated(), lasting(0.1 * 3))) == 3
    assert len(WindowsClipper(10).pairs(narrated(), lasting(30.000001))) == 3
    assert len(WindowsClipper(10).pairs(narrated(), lasting(30.1))) == 4


@pytest.mark.parametrize("seconds", [0, -1.0, math.nan, math.inf])
def test_windows_have_a_length(seconds: float) -> None:
    with pytest.raises(UsageError, match="expected a positive number of seconds"):
        WindowsClipper(seconds)


@given(
    rows=st.lists(st.tuples(st.floats(0, 120), st.floats(0, 20)), max_size=20),
    duration=st.floats(0.01, 100),
    seconds=st.floats(0.5, 150),
)
def test_windows_tile_the_video_and_lose_no_line(
    rows: list[tuple[float, float]], duration: float, seconds: float
) -> None:
    lines = sorted((start, start + length) for start, length in rows)
    narration = narrated(*((start, end, f"w{i}") for i, (start, end) in enumerate(lines)))
    clips = WindowsClipper(seconds).pairs(narration, lasting(duration))
    assert clips[0].start == 0
    assert clips[-1].end == duration
    assert all(before.end == after.start for before, after in pairwise(clips))
    assert all(0 < clip.end - clip.start <= seconds * 1.00001 for clip in clips)
    said = [word for clip in clips for word in clip.caption.split()]
    assert sorted(said) == sorted(f"w{i}" for i, line in enumerate(lines) if line[0] < duration)
    for clip in clips:
        for word in clip.caption.split():
            start, end = lines[int(word[1:])]
            assert clip.start <= (start + min(end, duration)) / 2 <= clip.end
