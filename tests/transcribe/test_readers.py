"""The readers of WebVTT, SubRip and SubViewer on what people write."""

from collections.abc import Callable

import pytest

from howto.transcribe.cues import Parsed
from howto.transcribe.sbv import read_sbv
from howto.transcribe.srt import read_srt
from howto.transcribe.vtt import read_vtt

HEAD = "WEBVTT\n\n"


def rows(parsed: Parsed) -> list[tuple[float, float, str]]:
    return [(line.start, line.end, line.text) for line in parsed.lines]


def problem_lines(parsed: Parsed) -> list[int | None]:
    return [problem.line for problem in parsed.problems]


def test_vtt_header_and_blocks() -> None:
    text = (
        "WEBVTT - a title\nKind: captions\nLanguage: pt-BR\n\n"
        "NOTE\na comment --> of two rows\n\nSTYLE\n::cue { color: red }\n\n"
        "REGION\nid:fred\n\nfirst cue\n00:01.000 --> 00:02.500 region:fred align:left\nfold it\n"
    )
    parsed = read_vtt(text)
    assert rows(parsed) == [(1, 2.5, "fold it")]
    assert not parsed.problems
    assert (parsed.language, parsed.track) == ("pt-BR", "captions")


def test_vtt_any_newlines_and_a_mark() -> None:
    text = "\ufeffWEBVTT\n\n00:01.000 --> 00:02.000\none\ntwo\n\n00:03.000 --> 00:04.000\nthree"
    for newline in ("\n", "\r\n", "\r"):
        parsed = read_vtt(text.replace("\n", newline))
        assert rows(parsed) == [(1, 2, "one two"), (3, 4, "three")]
        assert not parsed.problems


def test_vtt_without_a_header() -> None:
    parsed = read_vtt("00:01.000 --> 00:02.000\nfold it\n")
    assert rows(parsed) == [(1, 2, "fold it")]
    assert problem_lines(parsed) == [1]


def test_vtt_header_directly_followed_by_a_cue() -> None:
    parsed = read_vtt("WEBVTT\n00:01.000 --> 00:02.000\nfold it\n")
    assert rows(parsed) == [(1, 2, "fold it")]


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:01.500 --> 00:00:02.500",
        "00:01.500 --> 00:02.500",
        "00:00:01,500 --> 00:00:02,500",
        "0:0:1.500 --> 0:0:2.500",
        "00:00:01.500-->00:00:02.500",
        "00:00:01.500\t-->  00:00:02.500 align:start position:0%",
        "00:00:01.5 --> 00:00:02.5",
        "00:00:01.5000000 --> 00:00:02.4996",
        "000:00:01.500 --> 0000:00:02.500",
        " 00:00:01.500 --> 00:00:02.500 ",
    ],
)
def test_vtt_ways_to_write_a_timing(timing: str) -> None:
    parsed = read_vtt(f"{HEAD}{timing}\nfold it\n")
    assert rows(parsed) == [(1.5, 2.5, "fold it")]
    assert not parsed.problems


def test_numbers_without_leading_zeros() -> None:
    """Teams writes 6.090 s as `0:0:6.90`: the end of that cue is 0:0:6.500."""
    parsed = read_vtt(f"{HEAD}0:0:6.90 --> 0:0:6.500\nHello.\n\n0:10:12.5 --> 0:10:13.40\nYes.\n")
    assert rows(parsed) == [(6.09, 6.5, "Hello."), (612.005, 613.04, "Yes.")]


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:0x.500 --> 00:00:02.500",
        "00:00:01.500 --> 00:00:1d.500",
        "00:00:61.500 --> 00:01:02.500",
        "00:60:01.500 --> 01:00:02.500",
        "--> 00:00:02.500",
        "00:00:01.500 -->",
        "1.5 --> 2.5",
    ],
)
@pytest.mark.parametrize("reader", [read_vtt, read_srt])
def test_a_malformed_timing_costs_one_cue(reader: Callable[[str], Parsed], timing: str) -> None:
    text = (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\none\n\n"
        f"{timing}\nlost\n\n00:00:03.000 --> 00:00:04.000\nthree\n"
    )
    parsed = reader(text if reader is read_vtt else text.removeprefix("WEBVTT\n\n"))
    assert [line.text for line in parsed.lines] == ["one", "three"]
    assert problem_lines(parsed) == [6 if reader is read_vtt else 4]
    assert repr(timing.strip())[1:-1] in parsed.problems[0].what


def test_vtt_cues_without_an_empty_line_between() -> None:
    parsed = read_vtt(
        f"{HEAD}1\n00:01.000 --> 00:02.000\none\n2\n00:03.000 --> 00:04.000\nforty\n"
        "00:05.000 --> 00:06.000\n42\n"
    )
    assert rows(parsed) == [(1, 2, "one"), (3, 4, "forty"), (5, 6, "42")]
    assert problem_lines(parsed) == [7, 9]


def test_vtt_rows_of_spaces_part_cues_too() -> None:
    parsed = read_vtt(
        f"{HEAD}1\n00:01.000 --> 00:02.000\none\n  \n2\n00:03.000 --> 00:04.000\ntwo\n"
    )
    assert rows(parsed) == [(1, 2, "one"), (3, 4, "two")]
    assert not parsed.problems


def test_vtt_an_arrow_in_a_text_is_no_timing() -> None:
    parsed = read_vtt(f"{HEAD}00:01.000 --> 00:02.000\nfrom a --> to b\nand on\n")
    assert rows(parsed) == [(1, 2, "from a --> to b and on")]


def test_vtt_segments_of_a_stream() -> None:
    """The second segment starts 10 s (900,000 ticks) after the first, and counts from 0."""
    parsed = read_vtt(
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n"
        "00:01.000 --> 00:02.000\none\n\n"
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1800000,LOCAL:00:00:00.000\n\n"
        "00:01.000 --> 00:02.000\ntwo\n"
    )
    assert rows(parsed) == [(1, 2, "one"), (11, 12, "two")]
    assert not parsed.problems


def test_vtt_a_stray_block_is_reported_once() -> None:
    parsed = read_vtt(f"{HEAD}some words\nof two rows\n\n00:01.000 --> 00:02.000\none\n")
    assert rows(parsed) == [(1, 2, "one")]
    assert problem_lines(parsed) == [3]


def test_end_before_start_keeps_the_words() -> None:
    for reader in (read_vtt, read_srt):
        parsed = reader("WEBVTT\n\n00:00:05.000 --> 00:00:04.000\nfold it\n"[8:])
        assert rows(parsed) == [(5, 5, "fold it")]
        assert parsed.problems[-1].what == "end 4.000 s is before start 5.000 s"


def test_absurd_times_are_left_out() -> None:
    parsed = read_srt(
        "101:00:00,000 --> 101:00:01,000\nlate\n\n00:00:01,000 --> 00:00:02,000\none\n"
    )
    assert rows(parsed) == [(1, 2, "one")]
    assert problem_lines(parsed) == [1]


def test_srt_numbers_may_be_said() -> None:
    parsed = read_srt(
        "1\n00:00:01,000 --> 00:00:02,000\n42\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n1984\n2001\n\n"
        "3\n00:00:05,000 --> 00:00:06,000\n7\n"
    )
    assert [line.text for line in parsed.lines] == ["42", "1984 2001", "7"]
    assert not parsed.problems


def test_srt_without_numbers() -> None:
    parsed = read_srt(
        "00:00:01,000 --> 00:00:02,000\n42\n\n00:00:03,000 --> 00:00:04,000\ntwo\n43\n\n"
        "00:00:05,000 --> 00:00:06,000\nthree\n"
    )
    assert [line.text for line in parsed.lines] == ["42", "two 43", "three"]


@pytest.mark.parametrize("numbers", [(1, 2, 3), (7, 9, 4), (0, 0, 0), (3, 2, 1)])
def test_srt_odd_numbers(numbers: tuple[int, ...]) -> None:
    parsed = read_srt(
        "".join(
            f"{number}\n00:00:0{i},000 --> 00:00:0{i},500\ncue {i}\n\n"
            for i, number in enumerate(numbers)
        )
    )
    assert [line.text for line in parsed.lines] == ["cue 0", "cue 1", "cue 2"]
    assert not parsed.problems


def test_srt_no_empty_lines_at_all() -> None:
    parsed = read_srt(
        "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n"
    )
    assert rows(parsed) == [(1, 2, "one"), (3, 4, "two")]


def test_srt_empty_line_between_number_and_timing() -> None:
    parsed = read_srt(
        "1\n\n00:00:01,000 --> 00:00:02,000\n\none\n\n2\n\n00:00:03,000 --> 00:00:04,000\n\ntwo\n"
    )
    assert rows(parsed) == [(1, 2, "one"), (3, 4, "two")]
    assert not parsed.problems


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:01,000 --> 00:00:02,000",
        "00:00:01.000 --> 00:00:02.000",
        "00:00:01 --> 00:00:02",
        "00:00:01, --> 00:00:02,",
        "0:00:01,000-->0:00:02,000",
        "00:00:01,000 -> 00:00:02,000",
        "00:00:01,000 –> 00:00:02,000",
        "00: 00: 01,000 --> 00: 00: 02,000",
        "00:00:01:000 --> 00:00:02:000",
        "00:00:01,000 --> 00:00:02,000 X1:100 X2:200 Y1:10 Y2:20",
        "00:00:01,000 --> 00:00:02,000  position:50% align:middle",
    ],
)
def test_srt_ways_to_write_a_timing(timing: str) -> None:
    parsed = read_srt(f"1\n{timing}\nfold it\n\n")
    assert rows(parsed) == [(1, 2, "fold it")]
    assert not parsed.problems


def test_srt_text_beside_the_times() -> None:
    parsed = read_srt("1\n00:00:01,000 --> 00:00:02,000 fold it\n\n")
    assert rows(parsed) == [(1, 2, "fold it")]


def test_srt_cue_without_text() -> None:
    parsed = read_srt("1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n")
    assert rows(parsed) == [(3, 4, "two")]
    assert problem_lines(parsed) == [2]


def test_srt_order_is_by_start_and_stable() -> None:
    parsed = read_srt(
        "1\n00:00:03,000 --> 00:00:04,000\nlate\n\n2\n00:00:01,000 --> 00:00:02,000\nb\n\n"
        "3\n00:00:01,000 --> 00:00:01,500\na\n"
    )
    assert [line.text for line in parsed.lines] == ["b", "a", "late"]


def test_sbv() -> None:
    parsed = read_sbv(
        "0:00:01.000,0:00:02.000\none[br]two\n\nstill two\n\n"
        "0:00:03.000,0:00:04.000\nat 3:15, 4:20\n"
    )
    assert rows(parsed) == [(1, 2, "one two still two"), (3, 4, "at 3:15, 4:20")]
    assert not parsed.problems


def test_many_problems_are_counted() -> None:
    parsed = read_vtt(HEAD + "00:00:0x --> 00:01\nlost\n\n" * 5000)
    assert len(parsed.problems) == 101
    assert any(problem.what == "4900 more problems like these" for problem in parsed.problems)


@pytest.mark.parametrize(
    "unit",
    [
        *("-->", "0:0:0.1-->", "00:01 -->\n", "1\n", "1\n\n", "a:bc ", "a:bb", " ", "\n", "0 : "),
        *(
            "00:00:01,000 --> 00:00:02,000\n1\n",
            "1,",
            "0:0,",
            "0:00:01.000,0:00:02.000\n",
            "NOTE\n",
        ),
    ],
)
@pytest.mark.parametrize("reader", [read_vtt, read_srt, read_sbv])
@pytest.mark.usefixtures("ends_at_all")
def test_hostile_input_takes_linear_time(reader: Callable[[str], Parsed], unit: str) -> None:
    reader("WEBVTT\n\n00:00:01.000 --> 00:00:02.000 " + unit * (400_000 // len(unit)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Hours or minutes without a zero are common, and their fractions are fractions.
        ("0:01.5 --> 0:03.25", "1:05.50 --> 1:08.75"),
        ("0:00:01.5 --> 0:00:03.25", "0:01:05.50 --> 0:01:08.75"),
    ],
)
def test_one_digit_minutes_are_no_counts(first: str, second: str) -> None:
    parsed = read_vtt(f"{HEAD}{first}\nhello\n\n{second}\nthere\n")
    assert rows(parsed) == [(1.5, 3.25, "hello"), (65.5, 68.75, "there")]


@pytest.mark.parametrize("proof", ["0:0:1.5", "0:1.5", "0:0:01.5"])
def test_numbers_without_zeros_are_counts(proof: str) -> None:
    """A second of one digit, or such a minute behind hours."""
    parsed = read_vtt(f"{HEAD}{proof} --> 00:00:03.25\nhello\n\n0:1:05.50 --> 0:1:08.75\nthere\n")
    assert rows(parsed) == [(1.005, 3.025, "hello"), (65.05, 68.075, "there")]


@pytest.mark.parametrize("said", ["5 -> 7", "at 12:30 -> lunch", "at 12:30 --> lunch", "a → 3:1"])
@pytest.mark.parametrize("reader", [read_srt, read_vtt])
def test_arrows_in_what_is_said(reader: Callable[[str], Parsed], said: str) -> None:
    text = (
        f"1\n00:00:01,000 --> 00:00:02,000\nturn {said}\n{said}\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\nit\n"
    )
    parsed = reader(text if reader is read_srt else HEAD + text)
    assert rows(parsed) == [(1, 2, f"turn {said} {said}"), (3, 4, "it")]
    assert not parsed.problems


def test_vtt_knows_only_the_full_arrow_within_a_text() -> None:
    parsed = read_vtt(f"{HEAD}00:01.000 --> 00:02.000\nlunch\n12:30 -> 12:45\nthen on\n")
    assert rows(parsed) == [(1, 2, "lunch 12:30 -> 12:45 then on")]


@pytest.mark.parametrize("damaged", ["00:00:03.5 --> ", "--> 00:00:04", "0:3x --> 0:4", "3 --> 4"])
def test_damaged_timings_are_never_said(damaged: str) -> None:
    parsed = read_srt(f"00:00:01,000 --> 00:00:02,000\nfold\n\n{damaged}\nlost\n")
    assert rows(parsed) == [(1, 2, "fold")]
    assert problem_lines(parsed) == [4]


def test_a_minute_has_sixty_seconds_and_a_video_a_hundred_hours() -> None:
    parsed = read_srt(
        "00:00:59,000 --> 00:00:60,000\nlost\n\n00:00:59,000 --> 00:01:00,000\nfold\n\n"
        "99:00:00,000 --> 100:00:00,001\nlost\n\n99:00:00,000 --> 100:00:00,000\nlast\n"
    )
    assert rows(parsed) == [(59, 60, "fold"), (356_400, 360_000, "last")]
    assert problem_lines(parsed) == [1, 7]
