"""The numbers that say how good a narration is, worked by hand."""

from pathlib import Path

import pytest

from howto.library import FileRow, Library
from howto.recipe import Recipe
from howto.records import Kind, Line, Narration, Quality
from howto.transcribe.quality import measure
from howto.transcribe.within_video import within_video


def narration(*lines: tuple[float, float, str], language: str | None = "en") -> Narration:
    return Narration(tuple(Line(*line) for line in lines), language, Kind.MANUAL, "test")


def test_by_hand() -> None:
    # 2 s and 4 s, of which 1 s together: 5 s of 20; "now", "the" and "it" are common.
    found = measure(narration((0, 2, "Now fold the shirt"), (1, 5, "press it")), 20)
    assert found == Quality(6, pytest.approx(6 / 5), pytest.approx(0.75), pytest.approx(3 / 6), 0)


def test_a_line_inside_another_adds_no_time() -> None:
    found = measure(narration((0, 10, "a b"), (2, 3, "c d"), (4, 12, "e")), 12)
    assert found.words_per_second == pytest.approx(5 / 12)
    assert found.non_speech_share == 0


def test_what_cannot_be_known_is_none() -> None:
    found = measure(narration((0, 0, "fold"), language="sw"), None)
    assert found == Quality(1, 0.0, None, None, 0)
    assert measure(narration(language="en"), 5) == Quality(0, 0.0, 1.0, None, 0)
    assert measure(narration((0, 1, "fold"), language=None), 0).language_share is None


def test_lines_past_the_end_make_no_negative_share() -> None:
    assert measure(narration((0, 9, "fold")), 5).non_speech_share == 0


ENGLISH = "so now we are going to fold the shirt and then you press it on the table"
GERMAN = "jetzt falten wir das hemd und dann legen wir es auf den tisch und es ist glatt"


def test_captions_of_another_language_are_seen() -> None:
    for text, language, other in ((ENGLISH, "en-US", "de"), (GERMAN, "de", "en")):
        own = measure(narration((0, 9, text), language=language), 9).language_share
        wrong = measure(narration((0, 9, text), language=other), 9).language_share
        assert own is not None
        assert wrong is not None
        assert own > 0.4
        assert wrong < 0.1


def test_lines_outside_are_counted_and_kept(tmp_path: Path) -> None:
    cut = within_video(narration((0, 2, "in"), (5, 7, "out"), (8, 9, "out")), 4)
    assert cut.lines_outside == 2
    quality = measure(cut, 4)
    assert quality.lines_outside == 2
    with Library.open(tmp_path) as library, library.writing():
        number = library.number_of("v")
        library.put_narration(number, cut, Recipe.of(source="x"), quality)
        assert library.narration(number) == cut
        assert library.qualities() == {}  # it has no file
        assert library.quality(number) is None
        library.put_file(FileRow("v.mp4", number, 1, 1, ""))
        assert library.quality(number) == quality
        assert library.qualities() == {number: quality}
