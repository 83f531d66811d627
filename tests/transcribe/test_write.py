"""What is written is read again as the same lines."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howto.records import Kind, Line, Narration, Problem, Word
from howto.transcribe.formats import read_captions
from howto.transcribe.write import WRITERS, as_json, to_vtt

TEXTS = st.lists(
    st.sampled_from("fold it R&D <i> &amp; a<b 3:15 été 音楽 42".split()), min_size=1, max_size=6
)


@st.composite
def narrations(draw: st.DrawFn) -> Narration:
    starts = sorted(draw(st.lists(st.integers(0, 10**7), unique=True, max_size=8)))
    lines = tuple(
        Line(start / 1000, (start + draw(st.integers(0, 9000))) / 1000, " ".join(draw(TEXTS)))
        for start in starts
    )
    return Narration(lines, "en", Kind.MANUAL, "test")


@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(narration=narrations())
def test_written_and_read(tmp_path: Path, form: str, narration: Narration) -> None:
    path = tmp_path / f"video.en.{form}"
    path.write_text(WRITERS[form](narration), encoding="utf-8", newline="")
    if not narration.lines and form == "srt":
        return  # nothing at all is in such a file
    found = read_captions(path)
    assert found.lines == narration.lines
    assert not found.problems


def test_json_has_the_shape_that_scripts_are_promised() -> None:
    line = Line(1.0, 2.5, "fold it", (Word(1.0, 1.4, "fold"), Word(1.4, 2.5, "it")))
    narration = Narration((line,), None, Kind.AUTOMATIC, "x", (Problem(3, "lost"),))
    assert json.loads(json.dumps(as_json(narration))) == {
        "language": None,
        "kind": "automatic",
        "lines": [
            {
                "start": 1.0,
                "end": 2.5,
                "text": "fold it",
                "words": [
                    {"start": 1.0, "end": 1.4, "text": "fold"},
                    {"start": 1.4, "end": 2.5, "text": "it"},
                ],
            }
        ],
        "problems": [{"line": 3, "what": "lost"}],
    }


def test_times_are_rounded_to_the_millisecond_and_hours_are_written() -> None:
    narration = Narration((Line(3599.9996, 36_000.0004, "fold"),), "pt-BR", Kind.MANUAL, "x")
    assert to_vtt(narration) == ("WEBVTT\nLanguage: pt-BR\n\n01:00:00.000 --> 10:00:00.000\nfold\n")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a\n\nb", "a b"),
        ("{\\b1}fold {y:i}it", "{\\b1}fold {y:i}it"),
        ("{two} {", "{two} {"),
        ("a --> b", "a --> b"),
        (">> fold", "fold"),
        ("[Music]", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_texts_of_tables_in_subtitles(
    tmp_path: Path, form: str, text: str, read: str | None
) -> None:
    """A table may hold what no subtitle can: that changes as said, and nothing beside it."""
    lines = (Line(0, 1, "before"), Line(1, 2, text), Line(3, 4, "after"))
    path = tmp_path / f"video.{form}"
    path.write_text(WRITERS[form](Narration(lines, "en", Kind.AUTOMATIC, "x")), newline="")
    middle = () if read is None else (Line(1, 2, read),)
    assert read_captions(path).lines == (lines[0], *middle, lines[2])
