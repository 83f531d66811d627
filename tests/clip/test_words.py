"""Words as the authors' regular expression finds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.words import words


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
