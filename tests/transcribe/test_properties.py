"""What holds for any caption file: round trips, order, and no error but ours."""

import html
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howto.errors import CaptionError
from howto.records import Line
from howto.transcribe.ass import read_ass
from howto.transcribe.cues import Parsed
from howto.transcribe.formats import read_captions
from howto.transcribe.names import CAPTION_SUFFIXES
from howto.transcribe.sami import read_sami
from howto.transcribe.sbv import read_sbv
from howto.transcribe.sidecar import captions_of, group_captions
from howto.transcribe.srt import read_srt
from howto.transcribe.timing import looks_like_timing
from howto.transcribe.ttml import read_ttml
from howto.transcribe.vtt import read_vtt

READERS: list[Callable[[str], Parsed]] = [
    *(read_vtt, read_srt, read_sbv, read_ass, read_ttml, read_sami)
]

Said = tuple[int, int, str]


def clock(ms: int, separator: str) -> str:
    seconds, ms = divmod(ms, 1000)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{separator}{ms:03d}"


def as_vtt(lines: list[Said]) -> str:
    cues = (f"{clock(a, '.')} --> {clock(b, '.')}\n{html.escape(t)}\n\n" for a, b, t in lines)
    return "WEBVTT\n\n" + "".join(cues)


def as_srt(lines: list[Said]) -> str:
    return "".join(
        f"{i}\n{clock(a, ',')} --> {clock(b, ',')}\n{html.escape(t)}\n\n"
        for i, (a, b, t) in enumerate(lines, 1)
    )


def as_sbv(lines: list[Said]) -> str:
    return "".join(f"{clock(a, '.')},{clock(b, '.')}\n{html.escape(t)}\n\n" for a, b, t in lines)


def as_ass(lines: list[Said]) -> str:
    events = (f"Dialogue: 0,{clock(a, '.')},{clock(b, '.')},,,0,0,0,,{t}\n" for a, b, t in lines)
    return "[Script Info]\n\n[Events]\n" + "".join(events)


def as_ttml(lines: list[Said]) -> str:
    paragraphs = (f'<p begin="{a}ms" end="{b}ms">{html.escape(t)}</p>\n' for a, b, t in lines)
    return f"<tt><body><div>{''.join(paragraphs)}</div></body></tt>"


# Words of several scripts, numbers, and signs that mean something to one of the formats.
WORDS = st.sampled_from(
    [
        *(
            "fold",
            "it",
            "7",
            "42",
            "3:15",
            "-",
            "&",
            "<",
            "été",
            "音楽",
            "مرحبا",
            "👍",
            "a,b",
            "R&amp;D",
        )
    ]
)
TEXTS = (
    st.lists(WORDS, min_size=1, max_size=6)
    .map(" ".join)
    .filter(lambda text: not text.isspace() and text not in ("-",))
)
HOURS_99 = 99 * 3600 * 1000


@st.composite
def narrations(draw: st.DrawFn) -> list[Said]:
    lines = draw(
        st.lists(
            st.tuples(st.integers(0, HOURS_99), st.integers(0, 100_000), TEXTS),
            max_size=8,
            unique_by=lambda line: line[0],
        )
    )
    return sorted((start, start + length, text) for start, length, text in lines)


@pytest.mark.parametrize(
    ("write", "read"),
    [
        *((as_vtt, read_vtt), (as_srt, read_srt), (as_sbv, read_sbv), (as_ttml, read_ttml)),
        (as_ass, read_ass),
    ],
)
@given(lines=narrations())
def test_what_is_written_is_read(
    write: Callable[[list[Said]], str], read: Callable[[str], Parsed], lines: list[Said]
) -> None:
    parsed = read(write(lines))
    assert parsed.lines == tuple(Line(a / 1000, b / 1000, text) for a, b, text in lines)
    assert not parsed.problems


@given(lines=narrations(), newline=st.sampled_from(["\n", "\r\n", "\r"]))
def test_newlines_do_not_matter(lines: list[Said], newline: str) -> None:
    for write, read in ((as_vtt, read_vtt), (as_srt, read_srt), (as_sbv, read_sbv)):
        assert read(write(lines).replace("\n", newline)) == read(write(lines))


# Pieces of caption files in any order reach deeper than random characters do.
PIECES = st.sampled_from(
    [
        *("WEBVTT", "WEBVTT\n\n", "NOTE", "STYLE", "X-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:9"),
        *("00:00:01.000", "00:00:02,500", "1:2:3.4", "00:61.000", "-1", "999999:00:00", "0:0:1.5"),
        *(" --> ", "-->", ",", ".", ":", "\n", "\n\n", " ", "\t", "1", "2", "3", "42", "fold it"),
        *("<i>", "</i>", "<v Mary>", "<", ">", ">>", "&amp;", "&#x110000;", "&", "{\\an8}", "{"),
        *("[Music]", "[", "♪", "[Script Info]\n", "[Events]\n", "Dialogue: 0,", "Format: Text"),
        *(
            "0:00:01.00,0:00:02.00,,,0,0,0,,",
            "<SAMI>",
            "<SYNC Start=1000>",
            "<P Class=A>",
            "&nbsp;",
        ),
        *("<tt>", "<body>", "<div>", '<p begin="1s" end="2s">', "</p>", "<br/>", "</tt>", "\x00"),
        *("\ufeff", "\u2028", "\x85", "音楽", "]]>", "<!DOCTYPE tt [", "<!--", "-->"),
    ]
)
ANYTHING = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map("".join))


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=200)
@given(text=ANYTHING)
def test_any_text_gives_a_result(read: Callable[[str], Parsed], text: str) -> None:
    parsed = read(text)
    starts = [line.start for line in parsed.lines]
    assert starts == sorted(starts)
    for line in parsed.lines:
        assert 0 <= line.start <= line.end <= 360_000
        assert line.text == " ".join(line.text.split()) != ""
    for problem in parsed.problems:
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + text.count("\r") + 1


@pytest.mark.parametrize("read", [read_vtt, read_srt])
@settings(max_examples=200)
@given(text=ANYTHING)
def test_never_a_timing_line_in_a_text(read: Callable[[str], Parsed], text: str) -> None:
    # Of several timings in one row, or of an arrow made by removing a tag, nothing is promised.
    rows = text.replace("\r", "\n").split("\n")
    if any(looks_like_timing(row) and row.count("--") > 1 for row in rows) or "<" in text:
        return
    for line in read(text.replace("&", "").replace("{", "").replace(">>", "")).lines:
        assert not any(line.text == " ".join(row.split()) for row in rows if looks_like_timing(row))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(st.binary(max_size=200), ANYTHING.map(lambda text: text.encode("utf-16"))),
    suffix=st.sampled_from([*CAPTION_SUFFIXES, ".txt"]),
)
def test_any_bytes_give_a_narration_or_our_error(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"video.en{suffix}"
    path.write_bytes(data)
    try:
        narration = read_captions(path)
    except CaptionError:
        return
    assert narration.language == "en"
    assert list(narration.lines) == sorted(narration.lines, key=lambda line: line.start)


PARTS = st.sampled_from(
    [
        *(
            "video",
            "en",
            "hi",
            "auto",
            "a",
            "mp4",
            "2",
            "chapters",
            "vtt",
            "SRT",
            "xml",
            "",
            "é",
            "-x",
        )
    ]
)
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=6).map(".".join), max_size=12, unique=True)


@given(names=NAMES, language=st.sampled_from(["en", "hi", "pt-BR"]))
def test_choosing_files_is_total_and_repeatable(names: list[str], language: str) -> None:
    chosen = captions_of("video", names, language)
    assert set(chosen) <= set(names)
    assert chosen == captions_of("video", reversed(names), language)
    assert group_captions(names, ["video.mp4"], language)["video.mp4"] == [
        name for name in chosen if name.count(".") <= 8
    ]
