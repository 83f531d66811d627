"""Times that just touch, wrap around or are damage; sources that know of no rule for ends."""

import json
from pathlib import Path

import pytest

from howto.records import Kind, Line, Narration, Video, Word
from howto.transcribe.ask import ask
from howto.transcribe.ends import Ends
from howto.transcribe.json3 import read_json3
from howto.transcribe.rolling import is_rolling
from howto.transcribe.sidecar import group_captions
from howto.transcribe.vtt import read_vtt


def event(start: int, duration: int, *words: tuple[int, str]) -> dict[str, object]:
    segments = [{"utf8": text, "tOffsetMs": offset} for offset, text in words]
    return {"tStartMs": start, "dDurationMs": duration, "segs": segments}


def read(*events: dict[str, object]):
    return read_json3(json.dumps({"events": events}))


def test_a_last_word_that_starts_with_the_next_line_ends_there() -> None:
    first, _ = read(
        event(0, 3000, (0, "a"), (1000, " b")), event(1000, 3000, (0, "c"), (500, " d"))
    ).lines
    assert (first.end, first.words[-1]) == (1.0, Word(1.0, 1.0, "b"))


def test_a_last_word_that_starts_where_its_line_leaves_the_screen_ends_there() -> None:
    (line,) = read(event(0, 1000, (0, "a"), (1000, " b"))).lines
    assert (line.end, line.words[-1]) == (1.0, Word(1.0, 1.0, "b"))


def test_an_end_past_a_hundred_hours_is_damage() -> None:
    parsed = read(event(0, 500, (0, "a")), event(1000, 10**11, (0, "b")))
    assert [line.text for line in parsed.lines] == ["a"]
    assert "expected at most 100 hours" in parsed.problems[0].what


def test_a_duration_of_three_hundred_years_is_none() -> None:
    """It is read as not stated: the line itself is whole."""
    (line,) = read(event(1000, 10**13, (0, "hello"))).lines
    assert (line.start, line.text) == (1.0, "hello")
    assert line.end < 3


@pytest.mark.parametrize(("repeats", "rolling"), [(1, False), (2, True)])
def test_one_cue_that_repeats_a_row_makes_no_rolling_file(repeats: int, rolling: bool) -> None:
    cues = []
    for i in range(repeats):
        begin = 3000 * i
        cues += [
            (begin, begin + 2000, [f"line {i}"], None),
            (begin + 2000, begin + 2010, [f"line {i}"], None),
        ]
    assert is_rolling(cues) is rolling


def test_a_stream_s_clock_that_wraps_goes_on() -> None:
    """MPEGTS counts 90,000 a second in 33 bits."""
    ticks = 2**33 - 90_000

    def segment(at: int, text: str) -> str:
        mapped = f"X-TIMESTAMP-MAP=MPEGTS:{at % 2**33},LOCAL:00:00:00.000"
        return f"WEBVTT\n{mapped}\n\n00:01.000 --> 00:02.000\n{text}\n\n"

    parsed = read_vtt(segment(ticks, "a") + segment(ticks + 10 * 90_000, "b"))
    assert [(line.start, line.text) for line in parsed.lines] == [(1.0, "a"), (11.0, "b")]


def test_suffixes_in_capitals() -> None:
    assert group_captions(["A.EN.VTT", "A.SRT"], ["A.MP4"]) == {"A.MP4": ["A.EN.VTT", "A.SRT"]}


class Heard:
    """Knows of no rule for the ends of lines."""

    name, listens, sound_per_second = "heard", True, 1.0

    def narrate(self, video: Video) -> Narration:
        word = Word(1.0, 1.5, "fold")
        return Narration((Line(1.0, 9.0, "fold", (word,)),), "en", Kind.AUTOMATIC, "heard")


@pytest.mark.parametrize(("rule", "end"), [(None, 9.0), (Ends.SPEECH, 1.5)])
def test_a_rule_for_ends_is_kept_for_any_source(rule: Ends | None, end: float) -> None:
    narration = ask(Video("v", Path("v.mp4")), [Heard()], rule).narration
    assert narration is not None
    assert narration.lines[0].end == end
