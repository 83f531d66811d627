"""Sentences and lines made anew from words: nothing is lost, nothing goes backwards."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.bounds import ClipOfLines
from howto.clip.relines import RelinesClipper
from howto.clip.sentences import SentencesClipper
from howto.clip.spoken import spoken_words
from howto.clip.words import words
from howto.contracts import Clipper
from howto.errors import CaptionError, UsageError
from howto.records import Clip, Kind, Line, Narration, Video, Word
from howto.testing import ClipperContract
from howto.testing.media import media_info
from howto.transcribe.formats import read_captions


class TestSentences(ClipperContract):
    plugin = "sentences"


class TestRelines(ClipperContract):
    plugin = "relines"


VIDEO = Video("v", Path("v.mp4"))


def narrated(*lines: Line) -> Narration:
    return Narration(lines, "en", Kind.AUTOMATIC, "test.vtt")


def timed(start: float, text: str, *, pace: float = 0.3, **pauses: float) -> Line:
    """A line with word times: each word takes `pace` seconds, and a pause follows some."""
    spoken = []
    now = start
    for word in text.split():
        spoken.append(Word(now, now + pace, word))
        now += pace + pauses.get(word.strip(".,!?"), 0.0)
    return Line(start, spoken[-1].end, text, tuple(spoken))


def captions(clips: list[Clip]) -> list[str]:
    return [clip.caption for clip in clips]


# --- properties ---

texts = st.lists(
    st.sampled_from(
        "fold the left. Sleeve? so I and, e.g. now — 切る。混ぜる ... don't egg's".split()
    ),
    max_size=14,
).map(" ".join)
rows = st.lists(st.tuples(st.floats(0, 90), st.floats(0, 30), texts, st.booleans()), max_size=10)


def as_lines(table: list[tuple[float, float, str, bool]]) -> list[Line]:
    lines = []
    for start, length, text, has_words in sorted(table, key=lambda row: row[0]):
        line = Line(start, start + length, text)
        lines.append(timed(start, text) if has_words and text.split() else line)
    return lines


@pytest.mark.parametrize("clipper", [SentencesClipper(), SentencesClipper(3), RelinesClipper()])
@given(table=rows)
def test_no_word_is_lost_and_nothing_goes_backwards(
    clipper: Clipper, table: list[tuple[float, float, str, bool]]
) -> None:
    lines = as_lines(table)
    clips = clipper.pairs(narrated(*lines), VIDEO)
    said = [word for line in lines for word in words(line.text)]
    assert [word for clip in clips for word in words(clip.caption)] == said
    for clip in clips:
        assert isinstance(clip, ClipOfLines)
        assert clip.start <= clip.end
        held = [word for line in lines[clip.first : clip.last + 1] for word in words(line.text)]
        assert set(words(clip.caption)) <= set(held)
    assert all(one.start <= other.start for one, other in pairwise(clips))


@given(table=rows)
def test_words_are_in_order_and_inside_their_lines(
    table: list[tuple[float, float, str, bool]],
) -> None:
    lines = as_lines(table)
    stream = spoken_words(lines)
    assert all(one.start <= other.start for one, other in pairwise(stream))
    for word in stream:
        assert word.start <= word.end
        assert lines[word.line].start <= word.start + 1e-3


def test_real_captions_keep_their_words(shared_data: Path) -> None:
    files = sorted((shared_data / "captions").glob("*.vtt")) + sorted(
        (shared_data / "captions").glob("*.srt")
    )
    tried = 0
    for file in files:
        try:
            narration = read_captions(file)
        except CaptionError:
            continue
        said = [word for line in narration.lines for word in words(line.text)]
        for clipper in (SentencesClipper(), RelinesClipper()):
            clips = clipper.pairs(narration, VIDEO)
            assert [word for clip in clips for word in words(clip.caption)] == said, file.name
        tried += 1
    assert tried > 10


# --- sentences ---


def test_sentences_go_over_lines() -> None:
    narration = narrated(
        Line(0, 4, "Lay the shirt flat. Then fold"), Line(4, 8, "the left sleeve. And press.")
    )
    clips = SentencesClipper().pairs(narration, VIDEO)
    assert captions(clips) == ["Lay the shirt flat.", "Then fold the left sleeve.", "And press."]
    assert clips[0].start == 0
    assert clips[1].start == clips[0].end == pytest.approx(4 * 20 / 30, abs=1e-3)
    assert clips[2].end == 8


def test_word_times_are_used_where_there_are_any() -> None:
    narration = narrated(timed(1, "Lay it flat. Then fold it.", flat=2.0))
    clips = SentencesClipper().pairs(narration, VIDEO)
    assert [(round(clip.start, 6), round(clip.end, 6)) for clip in clips] == [(1, 1.9), (3.9, 4.8)]


def test_word_times_of_another_text_are_not() -> None:
    line = Line(0, 6, "Lay it. Fold it.", (Word(0, 1, "something"), Word(1, 2, "else")))
    assert SentencesClipper().pairs(narrated(line), VIDEO)[1].start == pytest.approx(
        6 * 8 / 17, abs=1e-3
    )


@pytest.mark.parametrize(
    "text",
    [
        "Add 2.5 cups of flour.",
        "Dr. Miller folds it, e.g. in half.",
        "Ask Mr. Jones.",
        "Wait ... until it boils.",
        "Bake for approx. 20 minutes.",
    ],
)
def test_points_that_end_nothing(text: str) -> None:
    assert captions(SentencesClipper().pairs(narrated(Line(0, 5, text)), VIDEO)) == [text]


def test_marks_of_other_scripts() -> None:
    clips = SentencesClipper().pairs(narrated(Line(0, 4, "卵を割る。よく混ぜる。")), VIDEO)
    assert captions(clips) == ["卵を割る。", "よく混ぜる。"]


def test_without_marks_sentences_end_at_pauses_and_openers() -> None:
    line = timed(
        0,
        "lay the shirt flat on the table now fold the left sleeve in like this and press it down",
        this=1.2,
    )
    assert captions(SentencesClipper().pairs(narrated(line), VIDEO)) == [
        "lay the shirt flat on the table.",
        "now fold the left sleeve in like this.",
        "and press it down.",
    ]


def test_without_marks_no_sentence_ends_with_a_word_that_goes_on() -> None:
    line = timed(0, "take the left sleeve in and then the right one", the=0.5)
    assert len(SentencesClipper().pairs(narrated(line), VIDEO)) == 1


def test_without_marks_capitals_begin_sentences() -> None:
    line = timed(0, "Lay the shirt flat on it Fold the sleeve I think Press it down")
    assert captions(SentencesClipper().pairs(narrated(line), VIDEO)) == [
        "Lay the shirt flat on it.",
        "Fold the sleeve I think.",
        "Press it down.",
    ]


def test_capitals_everywhere_mean_nothing() -> None:
    line = timed(0, "Lay The Shirt Flat And Press It")
    assert len(SentencesClipper().pairs(narrated(line), VIDEO)) == 1


def test_an_endless_sentence_is_cut() -> None:
    line = timed(0, " ".join(["stir"] * 60))
    clips = SentencesClipper().pairs(narrated(line), VIDEO)
    assert all(len(words(clip.caption)) <= 25 for clip in clips)
    with pytest.raises(UsageError, match="at least 2"):
        SentencesClipper(1)


# --- relines ---


def test_a_long_segment_becomes_even_lines() -> None:
    line = timed(0, " ".join(f"w{n}" for n in range(24)), pace=0.25)
    clips = RelinesClipper().pairs(narrated(line), VIDEO)
    assert [len(words(clip.caption)) for clip in clips] == [8, 8, 8]
    slow = timed(0, " ".join(f"w{n}" for n in range(12)), pace=1.0)
    clips = RelinesClipper().pairs(narrated(slow), VIDEO)
    assert [clip.end - clip.start for clip in clips] == [4, 4, 4]


def test_a_line_never_reaches_over_a_pause() -> None:
    line = timed(0, "lay it flat take the sleeve", flat=0.7)
    assert captions(RelinesClipper().pairs(narrated(line), VIDEO)) == [
        "lay it flat",
        "take the sleeve",
    ]


def test_short_sentences_stay_together_and_long_ones_do_not() -> None:
    line = timed(0, "Okay. Good. Now lay the shirt flat on the big table. Fold it.", pace=0.25)
    assert captions(RelinesClipper().pairs(narrated(line), VIDEO)) == [
        "Okay. Good.",
        "Now lay the shirt flat on the big table.",
        "Fold it.",
    ]


def test_words_after_the_end_are_left_out() -> None:
    video = Video("v", Path("v.mp4"), info=media_info(10.0))
    narration = narrated(Line(8, 12, "fold the sleeve in"), Line(11, 14, "bye"))
    [clip] = RelinesClipper().pairs(narration, video)
    assert (clip.caption, clip.end) == ("fold the sleeve in", 10.0)


@pytest.mark.parametrize("options", [{"seconds": 0}, {"most_words": -1}, {"pause": float("nan")}])
def test_lengths_that_mean_nothing(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected a positive number"):
        RelinesClipper(**options)


# --- times ---


def times(lines: list[Line]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for word in spoken_words(lines)]


def test_a_sign_that_starts_with_a_line_moves_no_later_one() -> None:
    """As subtitles with signs have it: a text of ten minutes beside what is said meanwhile."""
    lines = [
        *(Line(0, 600, "..."), Line(0, 3, "Lay it flat."), Line(4, 6, "Fold it.")),
        Line(300, 303, "Then clean the hub."),
    ]
    found = times(lines)
    assert found[-6:] == [
        *(("Fold", 4.0, 5.111), ("it.", 5.111, 6.0)),
        *(("Then", 300.0, 300.75), ("clean", 300.75, 301.65)),
        *(("the", 301.65, 302.25), ("hub.", 302.25, 303.0)),
    ]
    assert (found[0][1], found[3][2]) == (0.0, 4.0)
    clips = SentencesClipper().pairs(narrated(*lines), VIDEO)
    assert (clips[-1].caption, clips[-1].start, clips[-1].end) == ("Then clean the hub.", 300, 303)


def test_lines_that_start_together_share_the_time_until_the_next() -> None:
    lines = [Line(10, 20, "a a"), Line(10, 12, "b b"), Line(12, 14, "c"), Line(14, 16, "d")]
    assert times(lines) == [
        *(("a", 10.0, 10.5), ("a", 10.5, 11.0), ("b", 11.0, 11.5), ("b", 11.5, 12.0)),
        *(("c", 12.0, 14.0), ("d", 14.0, 16.0)),
    ]


def test_a_damaged_word_time_stays_in_its_line() -> None:
    damaged = Line(1, 3, "fold it", (Word(-5, 2, "fold"), Word(500, 501, "it")))
    assert times([damaged, Line(4, 5, "now"), Line(5, 6, "press")]) == [
        *(("fold", 1, 2), ("it", 3, 3), ("now", 4.0, 5.0), ("press", 5.0, 6.0)),
    ]
    overlapping = Line(0, 9, "a b", (Word(0, 1, "a"), Word(8, 9, "b")))
    assert times([overlapping, Line(4, 5, "c")])[1:] == [("b", 4, 4), ("c", 4.0, 5.0)]


@given(table=rows)
def test_no_word_is_said_outside_its_line(table: list[tuple[float, float, str, bool]]) -> None:
    """But for lines that start together, which end together."""
    lines = as_lines(table)
    ends = {line.start: 0.0 for line in lines}
    for line in lines:
        ends[line.start] = max(ends[line.start], line.end)
    for word in spoken_words(lines):
        assert word.end <= max(ends[line.start] for line in lines[: word.line + 1]) + 1e-3


def test_a_word_lasts_so_long_at_most() -> None:
    """A recogniser's words may last until the next one, pause included: `fold` 0.35 + 4 x 0.09."""
    from howto.clip.spoken import pause_after

    fold, it = spoken_words([Line(0, 9, "fold it", (Word(0, 5, "fold"), Word(5, 6, "it")))])
    assert pause_after(fold, it) == pytest.approx(5 - 0.71)


def test_the_short_pause() -> None:
    for pause, sentences in [(0.31, 2), (0.29, 1)]:
        line = timed(0, "lay it flat and press it", pace=0.2, flat=pause)
        assert len(SentencesClipper().pairs(narrated(line), VIDEO)) == sentences


def test_the_share_of_capitals_that_means_something() -> None:
    """Up to three words in ten."""
    three, four = (
        "Lay it flat Fold it over Press it down",
        "Lay it flat Fold it over Press Iron down",
    )
    few = narrated(timed(0, three + " again"))
    many = narrated(timed(0, four + " again"))
    assert len(SentencesClipper().pairs(few, VIDEO)) == 3
    assert len(SentencesClipper().pairs(many, VIDEO)) == 1


def test_a_line_of_exactly_the_limit_is_one_line() -> None:
    """Float differences are not exact: 8.3 - 4.3 is above 4."""
    starts = [round(4.3 + 0.4 * number, 1) for number in range(11)]
    spoken = tuple(Word(one, other, "w") for one, other in pairwise(starts))
    assert spoken[-1].end - spoken[0].start > 4
    line = Line(4.3, 8.3, " ".join("w" * 10), spoken)
    assert len(RelinesClipper().pairs(narrated(line), VIDEO)) == 1
