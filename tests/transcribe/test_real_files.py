"""Every small caption file of other projects' test suites: what is read, and what is reported.

The expected results were decided file by file, by the WebVTT specification and, where that drops
words that a person could still read, by common sense; the reason stands beside such a case.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line, Narration
from howto.transcribe.formats import read_captions
from howto.transcribe.timing import looks_like_timing

Row = tuple[float, float, str]

# vttjs: one cue from 0 to 2 s that says "Text"; the file name says what is odd about its settings.
PLAIN = [
    *("bad-delimiter", "bad-position-align", "bad-size", "correct-lr-keyword"),
    *("correct-rl-keyword", "dash-in-value", "decimal-percent", "just-percent-value"),
    *("keyword-start", "line-middle-align", "line-start-align", "minimum-time-spots"),
    *("negative-integer-value", "negative-percent-value", "negative-zeros", "no-value"),
    *("percent-in-value", "percent-over", "percent-value", "position-end-align"),
    # An arrow in the header, and one in the settings.
    *("region-arrows", "space-after-delimiter"),
    # Two fraction digits and three hour digits: not valid, and clear all the same.
    *("fraction-digits", "max-spot-digits"),
]

# One cue with this text from 0 to 2 s, without a problem.
TEXTS = {
    "amp": "Some text & other stuff.",
    "gt": "Everyone likes the '>' sign right?",
    "lt": "Not so much the '<' sign though.",
    "lrm": "This should be \u200e. Correct?",
    "rlm": "This should be \u200f. Correct?",
    "nbsp": "Did you know I didn't put a space here?",
    # As HTML resolves them: `&lt` and `&gt` need no semicolon, the others are unknown and stay.
    "incorrect": "&l &g; &am; < > &nbs &nbs; &g; &lr;",
    "no-newline-at-end": "hello",
    "with-subclass": "Hee!",
    "rt-no-ruby-tag": "Hee!",
    "rt-no-end-tag": "No way!",
    "out-of-cue-range": "That's awesome!",
    "space-after-lt": "That's awesome!",
    # The specification loses the words behind a tag without its `>`; they are kept here.
    "end-tag-no-gt": "This is awesome!",
    "no-end-gt": "It's a blue apple tree!",
}

OTHERS: dict[str, tuple[list[Row], list[int]]] = {
    "max-time-spots": ([(0, 600, "Text")], []),
    "mismatched-time-spots": ([(0, 20, "Text")], []),
    "separator-extra-space": ([(25, 27, "Payload")], []),
    "space-right-tab-left": ([(25, 27, "Payload")], []),
    # Text behind an empty line belongs to no cue in WebVTT.
    "double-line-break": ([(0, 2, "- Some line stuff. - Another line break.")], [7]),
    "bold-spans": (
        [
            (0, 2, "It's a blue apple tree!"),
            (2, 4, "No way!"),
            (4, 6, "Hee! Hee!"),
            (6, 8, "That's awesome!"),
        ],
        [],
    ),
    # Names of cues in many scripts, which are not said.
    **{
        name: ([(11, 13, "Payload")], [])
        for name in (
            *("arabic", "chinese", "hebrew", "korean"),
            *("long_string_chinese", "long_string_greek", "long_string_hebrew", "long_string_thai"),
        )
    },
    "long_string_junk_characters": ([(16, 18, "Payload")], []),
}

# No cue of these can be read; the line that says so.
UNREADABLE = {
    "vttjs/max-spots-over-sixty.vtt": 3,  # 120 hours
    "vttjs/min-mid-digits.vtt": 3,  # three digits of seconds
    "vttjs/missing-separator.vtt": 3,
    "webvttpy_invalid_format.sbv": 1,
    "webvttpy_invalid_format3.srt": 2,
}


def rows(lines: Sequence[Line]) -> list[Row]:
    return [(line.start, line.end, line.text) for line in lines]


def problem_lines(narration: Narration) -> list[int | None]:
    return [problem.line for problem in narration.problems]


def letters(text: str) -> list[str]:
    return re.findall("[a-zA-Z0-9]", text)


def numbered(times: Sequence[float], skip: Sequence[int] = ()) -> list[Row]:
    """Cues `Caption text #1`, ... between successive times."""
    pairs = enumerate(pairwise(times), 1)
    return [(a, b, f"Caption text #{i}") for i, (a, b) in pairs if i not in skip]


@pytest.mark.parametrize("name", PLAIN)
def test_odd_settings_change_nothing(captions: Path, name: str) -> None:
    narration = read_captions(captions / "vttjs" / f"{name}.vtt")
    assert rows(narration.lines) == [(0, 2, "Text")]
    assert not narration.problems


@pytest.mark.parametrize(
    ("name", "count"),
    [("cue-settings-align", 13), ("cue-settings-size", 11), ("cue-settings-vertical", 10)],
)
def test_files_of_many_odd_settings(captions: Path, name: str, count: int) -> None:
    narration = read_captions(captions / "vttjs" / f"{name}.vtt")
    assert [line.text for line in narration.lines] == ["Text"] * count
    assert not narration.problems


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_text(captions: Path, name: str, text: str) -> None:
    narration = read_captions(captions / "vttjs" / f"{name}.vtt")
    assert rows(narration.lines) == [(0, 2, text)]
    assert not narration.problems


@pytest.mark.parametrize("name", OTHERS)
def test_other_conformance_files(captions: Path, name: str) -> None:
    narration = read_captions(captions / "vttjs" / f"{name}.vtt")
    lines, problems = OTHERS[name]
    assert rows(narration.lines) == lines
    assert problem_lines(narration) == problems


@pytest.mark.parametrize(("name", "line"), UNREADABLE.items())
def test_unreadable(captions: Path, name: str, line: int) -> None:
    with pytest.raises(CaptionError) as caught:
        read_captions(captions / name)
    assert caught.value.reason is Reason.UNREADABLE_CAPTIONS
    assert f"line {line}:" in caught.value.detail


VTT_TIMES = (0.5, 7, 11.89, 16.32, 21.58, 23.88, 27.28, 30.28, 36.51, 38.87, 45, 47, 50.97, 54.44)
VTT_TIMES += (58.6, 61.35, 64.3)
SBV = numbered((0.378, 11.378, 12.305))
SBV_END = [(15.489, 16.234, "Caption text #4"), (17.484, 17.484, "Caption text #5")]

WHOLE: dict[str, tuple[list[Row], list[int]]] = {
    "webvttpy_captions_with_bom.vtt": (numbered(VTT_TIMES[:5]), []),
    "webvttpy_metadata_headers.vtt": (numbered(VTT_TIMES[:3]), []),
    "webvttpy_one_caption.srt": (numbered((0.5, 7)), []),
    "webvttpy_optional_identifiers.vtt": (numbered(VTT_TIMES), []),
    "webvttpy_using_identifiers.vtt": (numbered(VTT_TIMES[:7]), []),
    "webvttpy_sample.vtt": (numbered(VTT_TIMES), []),
    "webvttpy_sample.srt": (numbered(VTT_TIMES[:6]), []),
    "webvttpy_missing_caption_text.vtt": (numbered(VTT_TIMES[:6], skip=[2]), [6]),
    "webvttpy_invalid_timeframe.vtt": (numbered(VTT_TIMES[:8], skip=[2]), [6]),
    # The words of cue 2 are there, but nobody knows when they are said.
    "webvttpy_missing_timeframe.srt": (numbered(VTT_TIMES[:6], skip=[2]), [6]),
    # The last cue ends before it starts: it is kept as a moment.
    "webvttpy_sample.sbv": (
        [
            *SBV,
            (13.489, 15.489, "Caption text #3 (line 1) Caption text #3 (line 2)"),
            *SBV_END,
        ],
        [14],
    ),
    "webvttpy_invalid_timeframe.sbv": ([*SBV, *SBV_END], [7, 13]),
    "webvttpy_missing_caption_text.sbv": (
        [*SBV[:1], (13.489, 15.489, "Caption text #3"), *SBV_END],
        [4, 12],
    ),
    "webvttpy_cue_tags.vtt": (
        [
            (16.5, 18.5, "When the moon hits your eye"),
            (18.5, 20.5, "Like a big-a pizza pie"),
            (20.5, 21.5, "That's amore"),
        ],
        [],
    ),
    "webvttpy_teams_timeframe.vtt": (
        [(0, 0.57, "There you go."), (0.21, 1.13, "Why hello there, Yuri.")],
        [],
    ),
    "webvttpy_styles2.srt": (
        [
            (7.12, 9.48, "Musique douce"),
            (9.72, 29.52, "---"),
            (
                32.439,
                35.32,
                "Some italic and normal coloured text. By the way, 2 < 3 !",
            ),
            (35.56, 145.24, "---"),
            (145.48, 147.44, "-Stéphane ? Où on se gare ?"),
            (147.68, 149.28, "-Euh, là-bas, au chêne."),
        ],
        [],
    ),
    "srt_ascii.srt": (
        [(27, 30.73, "ascii"), (31.5, 34.1, "oh look"), (34.1, 36.57, "ascii everywhere")],
        [],
    ),
    "srt_gb2312.srt": (
        [
            (27, 30.73, "宇宙守护神 保护我们远离邪恶"),
            (31.5, 34.1, "他能徒手抓住子弹 拦住疾速的火车"),
            (34.1, 36.57, "轻轻一跳就能飞跃高楼"),
        ],
        [],
    ),
}

MONSTERS = [
    (1897.894, 1899.928, "我有个点子 OK, look, I think I have a plan here."),
    (1899.931, 1901.931, "我们要拿一堆汤匙 Using mainly spoons,"),
    (
        1901.933,
        1903.435,
        "挖一条隧道 然后把她丢到野外去 "
        "we dig a tunnel under the city and release it into the wild.",
    ),
]
# Something stands behind the times of one cue; that is reported, for it may have been a text.
WHOLE |= {
    "srt_monsters.srt": (MONSTERS, [2]),
    "srt_monsters-win.srt": (MONSTERS, [2]),
    "srt_monsters-bad-newline.srt": (MONSTERS, [2]),
    "srt_monsters-bad-order.srt": (MONSTERS, [7]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files(captions: Path, name: str) -> None:
    narration = read_captions(captions / name)
    lines, problems = WHOLE[name]
    assert rows(narration.lines) == lines
    assert problem_lines(narration) == problems
    assert narration.kind is Kind.MANUAL


def test_streaming_clock_is_mapped(captions: Path) -> None:
    """1088:42:00.500 on a clock that reads 1086:59:52.424 at the stream's start."""
    narration = read_captions(captions / "webvttpy_sample_hls.vtt")
    first = narration.lines[0]
    assert (first.start, first.end) == (6128.076, 6134.576)
    assert len(narration.lines) == 16
    assert not narration.problems


def test_old_youtube_header_and_a_missing_empty_line(captions: Path) -> None:
    narration = read_captions(captions / "webvttpy_youtube_dl.vtt")
    assert narration.language == "en"
    assert narration.kind is Kind.AUTOMATIC
    assert rows(narration.lines) == [
        (286.07, 286.47, "yeah"),
        (286.47, 287.27, "what"),
        (304.08, 305.4, "this will happen is I'm telling"),
    ]
    assert [word.start for word in narration.lines[2].words] == [
        *(304.08, 304.199, 304.379, 304.62, 304.86, 305.069)
    ]
    assert problem_lines(narration) == [19]


def test_cue_settings_and_classes_of_an_early_draft(captions: Path) -> None:
    narration = read_captions(captions / "developerStories-subtitles-en.vtt")
    assert len(narration.lines) == 22
    assert narration.lines[2] == Line(5, 7, "The source of that change is you")
    assert not narration.problems


@pytest.mark.parametrize("name", ["chapters.en.vtt", "descriptions.en.vtt"])
def test_other_tracks_are_not_narration(captions: Path, name: str) -> None:
    with pytest.raises(CaptionError) as caught:
        read_captions(captions / name)
    assert caught.value.reason is Reason.NO_NARRATION


def test_no_timing_line_inside_a_text(captions: Path) -> None:
    read = 0
    files = [*captions.glob("*.*"), *captions.glob("vttjs/*.vtt")]
    for path in sorted(files):
        if path.suffix not in (".vtt", ".srt", ".sbv", ".ass", ".dfxp", ".sami"):
            continue
        try:
            narration = read_captions(path)
        except CaptionError:
            continue
        read += 1
        for line in narration.lines:
            assert not looks_like_timing(line.text), (path.name, line)
            assert 0 <= line.start <= line.end
        assert list(narration.lines) == sorted(narration.lines, key=lambda line: line.start)
    assert read > 80


def test_one_programme_in_four_formats(captions: Path) -> None:
    """A whole programme as DFXP, SAMI, SubRip and WebVTT: the same words at the same times.

    The SAMI file has quotation marks and accented letters that the others have lost, sometimes with
    the space beside them (`Ou&#249; est` is `Ouest` in the rest), so its letters are compared.
    """
    read = {
        suffix: read_captions(captions / f"pycaption_example.{suffix}")
        for suffix in ("dfxp", "sami", "srt", "vtt")
    }
    reference = read["srt"].lines
    words = " ".join(line.text for line in reference).split()
    assert len(reference) == 1847
    for suffix, narration in read.items():
        assert not narration.problems, suffix
        text = " ".join(line.text for line in narration.lines)
        assert letters(text) == letters(" ".join(words)), suffix
        if suffix != "sami":
            assert text.split() == words, suffix
        near = sum(
            abs(a.start - b.start) <= 0.010 for a, b in zip(reference, narration.lines, strict=True)
        )
        assert near >= 0.99 * len(reference), suffix
        if suffix != "sami":
            assert [line.end for line in narration.lines] == pytest.approx(
                [line.end for line in reference], abs=0.002
            )
    assert read["dfxp"].language == "en"
    assert read["sami"].language == "en-US"
