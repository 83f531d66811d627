"""Which videos are looked at, and how days and times are read."""

import contextlib
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.library import Library
from howto.search.filters import Filters, allowed, parse_date, parse_seconds
from howto.search.refresh import refresh


@pytest.mark.parametrize(
    ("text", "day"),
    [("2024-05-31", (2024, 5, 31)), ("2024-05", (2024, 5, 1)), (" 2024 ", (2024, 1, 1))],
)
def test_days(text: str, day: tuple[int, int, int]) -> None:
    assert parse_date(text) == date(*day)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("2.5", 2.5), ("1:30", 90), ("1:02:03", 3723), ("0:07.5", 7.5), ("100:00", None)],
)
def test_times(text: str, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(UsageError, match="is no time"):
            parse_seconds(text)
    else:
        assert parse_seconds(text) == seconds


@pytest.mark.parametrize("digits", [13, 400, 5000])
def test_numbers_beyond_all_bounds_are_refused(digits: int) -> None:
    with pytest.raises(UsageError, match="is no date"):
        parse_date("9" * digits)
    if digits > 300:
        for text in ("9" * digits, f"{'9' * digits}:00:00"):
            with pytest.raises(UsageError, match="is no time"):
                parse_seconds(text)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_date, parse_seconds):
        with contextlib.suppress(UsageError):
            parse(text)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_as_it_is_written(day: date) -> None:
    assert parse_date(day.isoformat()) == day


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_every_clock_is_read_as_it_is_shown(hours: int, minutes: int, seconds: int) -> None:
    whole = 3600 * hours + 60 * minutes + seconds
    assert parse_seconds(f"{hours}:{minutes:02}:{seconds:02}") == whole


@pytest.fixture
def library(videos: Path, small_video):
    small_video(videos / "long.mp4", shade=9, seconds=40)
    day = datetime(2020, 6, 15, tzinfo=UTC).timestamp()
    os.utime(videos / "pancakes.mp4", (day, day))
    with Library.open(videos) as opened:
        refresh(opened)
        yield opened


def passing(library: Library, **filters) -> set[str]:
    paths = library.paths()
    return {paths[number][0] for number in allowed(library, Filters(**filters))}


def test_videos_that_pass(library: Library) -> None:
    every = {"long.mp4", "pancakes.mp4", "shirts/fold.mp4", "silent.mp4"}
    assert passing(library) == every
    assert passing(library, video="*.mp4") == every
    assert passing(library, video="shirts/*") == {"shirts/fold.mp4"}
    assert passing(library, longer_than=30) == {"long.mp4"}
    assert passing(library, after=date(2020, 6, 16)) == every - {"pancakes.mp4"}
    assert passing(library, after=date(2020, 6, 15)) == every
    assert passing(library, video="s*", longer_than=30) == set()


def test_the_day_that_a_site_told_counts_more_than_the_files(library: Library) -> None:
    number = library.number_of_file("silent.mp4")
    with library.writing() as connection:
        connection.execute(
            "INSERT INTO candidates (candidate, video_id, source, site, address, title, state)"
            " VALUES (1, ?, 'urls', 'x', 'https://x.test/1', '', 'done')",
            (library.video_id(number),),
        )
        columns = [row[1] for row in connection.execute("PRAGMA table_info(descriptions)")]
        given_ = {"candidate": 1, "uploaded": "2011-02-03"}
        values = [given_.get(column, "") for column in columns]
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO descriptions VALUES ({marks})", values)
    assert "silent.mp4" not in passing(library, after=date(2012, 1, 1))
    assert "silent.mp4" in passing(library, after=date(2011, 2, 3))
