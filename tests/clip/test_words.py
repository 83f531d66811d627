"""Words as the authors' regular expression finds them, and the option sets."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.stop_words import STOP_WORDS
from howto.clip.words import ALL_WORDS, BENCHMARK, PAPER, words
from howto.errors import UsageError


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("fold the shirt", ["fold", "the", "shirt"]),
        ("Don't stir -- FOLD it!", ["Don't", "stir", "FOLD", "it"]),
        ("1/2 cup, 350°F", ["1", "2", "cup", "350", "F"]),
        ("snake_case rock'n'roll '", ["snake_case", "rock'n'roll", "'"]),
        ("Crème brûlée 切る", ["Crème", "brûlée", "切る"]),
        ("... --", []),
        ("", []),
    ],
)
def test_words(caption: str, expected: list[str]) -> None:
    assert words(caption) == expected


@given(st.text(), st.text())
def test_joining_texts_with_a_space_joins_their_words(first: str, second: str) -> None:
    """What growing relies on: it joins texts, the authors join word lists."""
    assert words(f"{first} {second}") == words(first) + words(second)


def test_the_paper_drops_stop_words_of_any_case_and_keeps_the_case_of_others() -> None:
    assert PAPER.caption("So NOW, fold The Left sleeve!") == "fold Left sleeve"
    assert PAPER.tokens("So NOW, fold The Left sleeve!") == ["fold", "Left", "sleeve"]


def test_benchmarks_keep_stop_words_and_case() -> None:
    caption = "Fold the Shirt, in half."
    assert BENCHMARK.caption(caption) == caption
    assert BENCHMARK.tokens(caption) == ["Fold", "the", "Shirt", "in", "half"]


def test_unknown_words_go_before_the_rest_is_cut() -> None:
    caption = " ".join(f"unknown known{n}" for n in range(25))
    known = {f"known{n}" for n in range(25)}
    assert PAPER.tokens(caption, known) == [f"known{n}" for n in range(20)]
    assert len(PAPER.with_max_words(30).tokens(caption)) == 30
    assert len(ALL_WORDS.tokens(caption)) == 50
    with pytest.raises(UsageError, match="at least 1"):
        PAPER.with_max_words(0)


def test_no_stop_word_is_left_in_the_published_captions(shared_data: Path) -> None:
    """What their list left in, ours leaves in: 50 videos, 20,919 words."""
    kept = []
    for path in (shared_data / "captions").glob("howto100m_*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            kept += [word for row in csv.DictReader(file) for word in words(row["text"])]
    assert len(kept) == 20_919
    assert [word for word in kept if word in STOP_WORDS] == []
