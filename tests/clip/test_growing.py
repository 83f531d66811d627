"""Growing against the authors' loop, written out again here from its description."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.growing import grow
from howto.clip.words import words
from howto.errors import UsageError

CAPTIONS = Path(__file__).parents[3] / "shared" / "data" / "captions"


def authors(
    starts: Sequence[float],
    ends: Sequence[float],
    texts: Sequence[str],
    index: int,
    min_time: float,
    min_words: int,
) -> tuple[float, float, list[str]]:
    """The published loader's loop: begin, end and words of one line's clip."""
    caption = [re.findall(r"[\w']+", text) for text in texts]
    left = right = index
    said = list(caption[index])
    length = ends[right] - starts[left]
    while length < min_time or len(said) < min_words:
        if left > 0 and right < len(texts) - 1:
            longer_right = ends[right + 1] - starts[left]
            longer_left = ends[right] - starts[left - 1]
            if min_time == 0:
                go_left = not len(caption[right + 1]) > len(caption[left - 1])
            else:
                go_left = not longer_right < longer_left
            if go_left:
                left = left - 1
                said.extend(caption[left])
            else:
                right = right + 1
                said.extend(caption[right])
        elif left > 0:
            left = left - 1
            said.extend(caption[left])
        elif right < len(texts) - 1:
            right = right + 1
            said.extend(caption[right])
        else:
            break
        length = ends[right] - starts[left]
    return starts[left], ends[right], said


times = st.integers(0, 4000).map(lambda hundredths: hundredths / 100) | st.floats(0, 50)
captions = st.lists(st.sampled_from(["stir", "the", "egg's", "-"]), max_size=4).map(" ".join)
lines = st.lists(st.tuples(times, times, captions), max_size=12)


def tidy(rows: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Order rows as a narration's lines are: by start, with start <= end."""
    return sorted((min(row[:2]), max(row[:2]), row[2]) for row in rows)


@given(
    rows=lines.map(tidy) | lines,
    min_seconds=st.sampled_from([0.0, 0.01, 2.0, 5.0, 100.0]),
    min_words=st.sampled_from([0, 1, 3, 10, 100]),
)
def test_the_same_as_the_authors_loop(
    rows: list[tuple[float, float, str]], min_seconds: float, min_words: int
) -> None:
    """To the digit, for tidy lines and for untidy ones."""
    starts, ends, texts = [[row[column] for row in rows] for column in range(3)]
    grown = grow(starts, ends, texts, min_seconds=min_seconds, min_words=min_words)
    assert len(grown) == len(rows)
    for index, clip in enumerate(grown):
        expected = authors(starts, ends, texts, index, min_seconds, min_words)
        assert (clip.start, clip.end, words(clip.text)) == expected


@given(rows=lines.map(tidy))
def test_a_grown_clip_is_long_enough_or_has_everything(
    rows: list[tuple[float, float, str]],
) -> None:
    starts, ends, texts = [[row[column] for row in rows] for column in range(3)]
    for index, clip in enumerate(grow(starts, ends, texts)):
        assert clip.first <= index <= clip.last
        assert clip.start <= clip.end
        everything = (clip.first, clip.last) == (0, len(rows) - 1)
        assert clip.end - clip.start >= 5.0 or everything


def test_worked_by_hand() -> None:
    """Lines of 2 s, with pauses of 0, 3 and 1 s between them."""
    grown = grow([0, 2, 7, 10], [2, 4, 9, 12], ["a", "b", "c", "d"])
    assert [(clip.start, clip.end, clip.text) for clip in grown] == [
        (0, 9, "a b c"),  # the only neighbours are after it
        (0, 9, "b a c"),  # 0..4 is shorter than 2..9, and still too short
        (7, 12, "c d"),  # 7..12 is shorter than 2..9
        (7, 12, "d c"),  # the only neighbour is before it
    ]
    assert [(clip.first, clip.last) for clip in grown] == [(0, 2), (0, 2), (2, 3), (2, 3)]


def test_a_tie_takes_the_previous_line() -> None:
    grown = grow([0, 3, 6], [3, 6, 9], ["a", "b", "c"])
    assert grown[1].text == "b a"


def test_exactly_long_enough_does_not_grow() -> None:
    assert [clip.text for clip in grow([0, 5], [5, 9.99], ["a", "b"])] == ["a", "b a"]


def test_an_earlier_lines_words_come_after() -> None:
    grown = grow([0, 2, 4], [2, 4, 6], ["one", "two", "three"], min_seconds=6)
    assert [clip.text for clip in grown] == ["one two three", "two one three", "three two one"]


def test_without_a_length_the_neighbour_with_more_words() -> None:
    """The previous one on a tie; how long the clip gets is no matter."""
    starts, ends = [0, 100, 200], [100, 101, 201]
    more_before = grow(starts, ends, ["a b c", "x", "d"], min_seconds=0, min_words=2)
    more_after = grow(starts, ends, ["a", "x", "d e"], min_seconds=0, min_words=2)
    tie = grow(starts, ends, ["a", "x", "d"], min_seconds=0, min_words=2)
    assert [grown[1].text for grown in (more_before, more_after, tie)] == [
        "x a b c",
        "x d e",
        "x a",
    ]


def test_the_end_is_that_of_the_last_line() -> None:
    """Even where an earlier line lasts longer, as the authors have it."""
    [clip, _, _] = grow([0, 1, 2], [3, 9, 5], ["a", "b", "c"], min_seconds=9.5)
    assert (clip.start, clip.end, clip.last) == (0, 5, 2)


def test_one_line_and_none() -> None:
    [clip] = grow([3.0], [3.5], ["oh"], min_words=10)
    assert (clip.first, clip.last, clip.start, clip.end, clip.text) == (0, 0, 3.0, 3.5, "oh")
    assert grow([], [], []) == []


def test_lines_that_do_not_match() -> None:
    with pytest.raises(UsageError, match="got 2 starts, 1 ends and 2 texts"):
        grow([0, 1], [1], ["a", "b"])


@pytest.mark.skipif(not CAPTIONS.is_dir(), reason="needs the caption files of ../shared/data")
@pytest.mark.parametrize(("min_seconds", "min_words"), [(5.0, 0), (0.0, 8), (10.0, 20)])
def test_published_caption_files(min_seconds: float, min_words: int) -> None:
    """50 videos of HowTo100M, with their overlapping lines."""
    files = sorted(CAPTIONS.glob("howto100m_*.csv"))
    assert len(files) == 50
    for file in files:
        with file.open(encoding="utf-8", newline="") as rows:
            table = list(csv.DictReader(rows))
        starts = [float(row["start"]) for row in table]
        ends = [float(row["end"]) for row in table]
        texts = [row["text"] for row in table]
        grown = grow(starts, ends, texts, min_seconds=min_seconds, min_words=min_words)
        for index, clip in enumerate(grown):
            expected = authors(starts, ends, texts, index, min_seconds, min_words)
            assert (clip.start, clip.end, words(clip.text)) == expected, (file.name, index)
