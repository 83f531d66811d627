"""Subtitle tracks inside containers, of every text codec."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import MediaError, UsageError
from howto.media.subtitles import event_text, read_subtitles

SRT = """1
00:00:00,500 --> 00:00:01,250
Fold the <i>left</i> sleeve,
then the right

2
00:00:01,500 --> 00:00:02,000
{\\an8}Fünf & 6
"""

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.50,0:00:01.25,Default,Ann,0,0,0,,{\\b1}Now, fold{\\b0} it\\Nonce\\htwice
Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}
"""


@pytest.fixture
def with_track(
    make_clip: Callable[..., Path], tmp_path: Path, run_ffmpeg: Callable[..., bytes]
) -> Callable[..., Path]:
    """A clip with one subtitle track made from a file's text."""

    def write(text: str, suffix: str, codec: str, container: str) -> Path:
        lines, out = tmp_path / f"lines{suffix}", tmp_path / f"out{container}"
        lines.write_text(text)
        run_ffmpeg("-i", make_clip(), "-i", lines, "-c:v", "copy", "-c:s", codec, out)
        return out

    return write


@pytest.mark.parametrize(
    ("codec", "container"),
    [("subrip", ".mkv"), ("ass", ".mkv"), ("mov_text", ".mp4"), ("webvtt", ".webm.mkv")],
)
def test_every_codec(with_track: Callable[..., Path], codec: str, container: str) -> None:
    got = list(read_subtitles(with_track(SRT, ".srt", codec, container), 1))

    assert got == [
        (0.5, 1.25, "Fold the left sleeve,\nthen the right"),
        (1.5, 2.0, "Fünf & 6"),
    ]


def test_fields_tags_and_drawings_of_substation(with_track: Callable[..., Path]) -> None:
    got = list(read_subtitles(with_track(ASS, ".ass", "copy", ".mkv"), 1))

    assert got == [(0.5, 1.25, "Now, fold it\nonce twice")]


def test_a_real_track(shared_data: Path) -> None:
    got = list(read_subtitles(shared_data / "videos" / "nasa_13013.mp4", 5))

    assert len(got) == 4
    assert got[0] == (0.21, 4.26, "NAR: This is the optical and science segment of the Webb")
    assert got[2][2].endswith("NASA’s Goddard Space Flight Center in Greenbelt, Maryland.")


def test_what_is_no_text_track(shared_data: Path, tmp_path: Path) -> None:
    for index in (0, 1, 99, -1):
        with pytest.raises(UsageError):
            list(read_subtitles(shared_data / "videos" / "nasa_13013.mp4", index))
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(MediaError):
        list(read_subtitles(tmp_path / "a.mp4", 0))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("0,0,Default,,0,0,0,,plain, with a comma", "plain, with a comma"),
        (r"0,0,Default,,0,0,0,,{\i1}slanted{\i0} not", "slanted not"),
        (r"0,0,Default,,0,0,0,,one\Ntwo\nthree\hfour", "one\ntwo\nthree four"),
        (r"0,0,Default,,0,0,0,,\{not a tag\}", "{not a tag}"),
        (r"0,0,Default,,0,0,0,,{\pos(1,2)\p1}m 0 0 l 1 1{\p0}after", "after"),
        (r"0,0,Default,,0,0,0,,{\p2}m 0 0", ""),
        ("0,0,Default,,0,0,0,,", ""),
        ("", ""),
    ],
)
def test_events(event: str, text: str) -> None:
    assert event_text(event) == text


@given(st.text())
def test_any_event_gives_a_text(event: str) -> None:
    assert isinstance(event_text(event), str)


@given(st.text(st.characters(exclude_characters="{}\\", exclude_categories=["Cc", "Cs"])))
def test_text_without_tags_stays(text: str) -> None:
    assert event_text(f"0,0,Default,,0,0,0,,{text}") == text.strip()
