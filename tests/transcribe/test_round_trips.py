"""A narration written as YouTube writes a recogniser's track, and read again, is the same.

The three writers below are made from the descriptions of the formats and real samples, not from the
readers. Times hold to a millisecond; no word is lost, added or moved.
"""

import html
import json
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howto.records import Line, Word
from howto.transcribe import rolling
from howto.transcribe.cues import Parsed
from howto.transcribe.ends import LAST_WORD_MS, Ends, with_ends
from howto.transcribe.json3 import read_json3
from howto.transcribe.spoken import SpokenCues
from howto.transcribe.srt import read_srt
from howto.transcribe.srv import read_srv3
from howto.transcribe.vtt import _Reader, read_vtt

EXAMPLES = 700  # for each of the three formats

Timed = tuple[int, str]
"""When a word starts, in milliseconds, and the word."""


@dataclass(frozen=True, slots=True)
class Track:
    """Lines of timed words; `cleared` says which lines come after the screen was cleared."""

    lines: tuple[tuple[Timed, ...], ...]
    cleared: tuple[bool, ...]
    seed: int

    @property
    def starts(self) -> list[int]:
        return [line[0][0] for line in self.lines]

    @property
    def texts(self) -> list[str]:
        return [" ".join(word for _, word in line) for line in self.lines]

    def shown_until(self, i: int) -> int:
        """A line is on the screen until the second line after it comes."""
        last = self.lines[i][-1][0]
        return self.starts[i + 2] if i + 2 < len(self.lines) else last + 3000


# Few words, so that lines repeat; signs that mean something to a format; one word of two letters.
WORDS = st.sampled_from(
    [*"fold it the shirt yes, great 7 don't été 音楽 مرحبا R&D <3 a>b 3:15 {x} ]".split()]
)


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    at = draw(st.integers(0, 5000))
    lines = []
    for _ in range(draw(st.integers(1, 7))):
        words = []
        for word in draw(st.lists(WORDS, min_size=1, max_size=6)):
            words.append((at, word))
            at += draw(st.sampled_from([0, 1, 80, 250, 400, 799, 800, 801, 5000]))
        # The next line: a millisecond later, in the flow of speech, or after a pause.
        at += draw(st.sampled_from([1, 9, 30, 300, 20_000]))
        lines.append(tuple(words))
    cleared = draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    return Track(tuple(lines), tuple(cleared), draw(st.integers(0, 1000)))


def expected(track: Track) -> tuple[Line, ...]:
    """The rule for ends, told once more and one word at a time."""
    lines = []
    for i, words in enumerate(track.lines):
        timed = []
        for j, (start, word) in enumerate(words):
            if j + 1 < len(words):
                following = words[j + 1][0]
            else:
                following = track.starts[i + 1] if i + 1 < len(track.lines) else 10**9
            end = min(following, start + LAST_WORD_MS)
            timed.append(Word(start / 1000, end / 1000, word))
        lines.append(Line(timed[0].start, timed[-1].end, track.texts[i], tuple(timed)))
    return tuple(lines)


# Writers.


def events(track: Track) -> list[dict]:
    """json3's events: a window, a line each, and the line breaks that scroll between them."""
    found: list[dict] = [{"tStartMs": 0, "dDurationMs": 10**7, "id": 1, "wpWinPosId": 1}]
    for i, line in enumerate(track.lines):
        start = line[0][0]
        segs: list[dict] = [{"utf8": line[0][1], "acAsrConf": 0}]
        segs += [{"utf8": " " + word, "tOffsetMs": at - start} for at, word in line[1:]]
        event = {"tStartMs": start, "wWinId": 1, "segs": segs}
        if i % 5 != 4:
            event["dDurationMs"] = track.shown_until(i) - start
        if i:
            scroll = {"tStartMs": start - 10, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]}
            found.append(scroll)
        found.append(event)
    random.Random(track.seed).shuffle(found)
    return found


def as_json3(track: Track) -> str:
    # A track of one line has no scroll that would tell who wrote it; its words' offsets do.
    return json.dumps({"wireMagic": "pb3", "pens": [{}], "events": events(track)})


def as_srv3(track: Track) -> str:
    rows = []
    for event in events(track):
        if "segs" not in event:
            rows.append('<w t="0" id="1" wp="1" ws="1"/>')
            continue
        first, *rest = event["segs"]
        words = html.escape(first["utf8"]) + "".join(
            f'<s t="{seg["tOffsetMs"]}">{html.escape(seg["utf8"])}</s>' for seg in rest
        )
        append = ' a="1"' if "aAppend" in event else ""
        lasts = f' d="{event["dDurationMs"]}"' if "dDurationMs" in event else ""
        rows.append(f'<p t="{event["tStartMs"]}"{lasts} w="1"{append}>{words}</p>')
    body = "\n".join(rows)
    head = '<?xml version="1.0" encoding="utf-8" ?><timedtext format="3">'
    return f"{head}\n<body>\n{body}\n</body>\n</timedtext>"


def clock(ms: int, point: str = ".") -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


RollingCue = tuple[int, int, str, str]


def rolling_cues(track: Track) -> list[RollingCue]:
    """Start, end, upper and lower row: each line is built up, settled, and shown above the next."""
    cues: list[RollingCue] = []
    above = " "
    for i, line in enumerate(track.lines):
        start, last = line[0][0], line[-1][0]
        coming = track.starts[i + 1] if i + 1 < len(track.lines) else last + 2500
        until = min(coming, last + 2500)
        settled = max(start, until - 10)
        built = html.escape(line[0][1], quote=False) + "".join(
            f"<{clock(at)}><c> {html.escape(word, quote=False)}</c>" for at, word in line[1:]
        )
        shown = html.escape(track.texts[i], quote=False)
        cues += [(start, settled, above, built), (settled, until, shown, " ")]
        pause = coming > until
        if pause and not track.cleared[i]:
            cues.append((until, coming, shown, " "))
        above = " " if pause and track.cleared[i] else shown
    return cues


def as_rolling_vtt(track: Track) -> str:
    blocks = [
        f"{clock(start)} --> {clock(end)} align:start position:0%\n{upper}\n{lower}\n"
        for start, end, upper, lower in rolling_cues(track)
    ]
    return "\n".join(["WEBVTT\nKind: captions\nLanguage: en\n", *blocks]) + "\n"


# What holds.


def assert_same(found: Parsed, track: Track) -> None:
    wanted = expected(track)
    assert [line.text for line in found.lines] == [line.text for line in wanted]
    for ours, line in zip(found.lines, wanted, strict=True):
        assert [word.text for word in ours.words] == [word.text for word in line.words]
        times = [(ours.start, line.start), (ours.end, line.end)]
        times += [
            pair
            for one, other in zip(ours.words, line.words, strict=True)
            for pair in ((one.start, other.start), (one.end, other.end))
        ]
        assert all(abs(one - other) <= 0.001 + 1e-9 for one, other in times), (ours, line)
    assert found.track == "asr"
    assert not found.problems


def has_word_times(track: Track) -> bool:
    """Without an offset and without a scroll nothing tells that a recogniser wrote the track."""
    return len(track.lines) > 1 or any(at > line[0][0] for line in track.lines for at, _ in line)


@settings(max_examples=EXAMPLES)
@given(track=tracks().filter(has_word_times))
def test_json3(track: Track) -> None:
    assert_same(read_json3(as_json3(track)), track)


@settings(max_examples=EXAMPLES)
@given(track=tracks().filter(has_word_times))
def test_srv3(track: Track) -> None:
    assert_same(read_srv3(as_srv3(track)), track)


@settings(max_examples=EXAMPLES)
@given(track=tracks())
def test_rolling_vtt(track: Track) -> None:
    text = as_rolling_vtt(track)
    found = read_vtt(text)
    assert_same(found, track)
    assert found.language == "en"
    # The quick way for regular files, where it takes one, and the general way agree.
    raw = _Reader(text).read_cues()
    assert rolling.read_rolling(raw, SpokenCues(), "en") == found


@settings(max_examples=EXAMPLES // 3)
@given(track=tracks())
def test_rolling_srt_has_each_line_once(track: Track) -> None:
    """What ffmpeg makes of it: the same cues without tags, so without the times of words."""
    rows = [
        f"{i}\n{clock(start, ',')} --> {clock(end, ',')}\n{upper}\n{rolling._plain(lower) or ' '}\n"
        for i, (start, end, upper, lower) in enumerate(rolling_cues(track), 1)
    ]
    plain = [html.escape(text, quote=False) for text in track.texts]
    escaped = "\n".join(rows).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    found = read_srt(escaped)
    assert len(plain) == len(found.lines)
    assert [line.text for line in found.lines] == track.texts
    assert [round(line.start * 1000) for line in found.lines] == track.starts


@settings(max_examples=100)
@given(track=tracks().filter(has_word_times))
def test_the_paper_ends_a_line_where_the_second_one_after_it_starts(track: Track) -> None:
    for read, text in ((read_json3, as_json3(track)), (read_vtt, as_rolling_vtt(track))):
        found = read(text)
        lines = with_ends(found.lines, Ends.PAPER, found.screen_ends)
        assert [line.end for line in lines[:-2]] == [line.start for line in lines[2:]]
        assert [line.words for line in lines] == [line.words for line in found.lines]


def test_the_quick_way_is_taken_for_what_the_site_writes() -> None:
    """Else the figure of benchmarks/captions.py would measure nothing that happens."""
    track = Track((((0, "fold"), (300, "it")), ((900, "great"),)), (False, False), 0)
    music = as_rolling_vtt(track) + (
        "00:00:09.000 --> 00:00:12.000 align:start position:0%\n \n[Music]\n\n"
        "00:00:12.000 --> 00:00:14.000 align:start position:0%\n"
        "[Music]\nthen<00:00:12.500><c> it</c>\n\n"
    )
    for text in (as_rolling_vtt(track), music):
        quick = rolling.read_regular(text)
        assert quick is not None
        assert quick == rolling.read_rolling(_Reader(text).read_cues(), SpokenCues(), "en")
        assert quick == read_vtt(text)
    assert quick.silent == 1
    assert [line.text for line in quick.lines] == ["fold it", "great", "then it"]


EDITS = [
    "",
    "<",
    ">",
    "</c>",
    "<c>",
    "><c> ",
    " ",
    "\n",
    ".",
    "7",
    ":",
    " --> ",
    "\n \n",
    "[Music]",
]


@settings(max_examples=EXAMPLES)
@given(track=tracks(), data=st.data())
def test_a_damaged_file_is_read_the_same_by_the_quick_way_or_not_at_all(
    track: Track, data: st.DataObject
) -> None:
    text = as_rolling_vtt(track)
    at = data.draw(st.integers(len("WEBVTT\nKind: captions\nLanguage: en\n\n"), len(text)))
    until = data.draw(st.integers(at, min(at + 5, len(text))))
    text = text[:at] + data.draw(st.sampled_from(EDITS)) + text[until:]
    quick = rolling.read_regular(text)
    if quick is not None:
        reader = _Reader(text)
        raw = reader.read_cues()
        assert quick == rolling.read_rolling(raw, SpokenCues(cues=reader.cues), "en")


def test_a_line_that_stays_through_a_pause_is_regular() -> None:
    """A cue shows it until the next line, as the site does where it does not clear the screen."""
    track = Track((((0, "fold"), (300, "it")), ((9000, "great"),)), (False, False), 0)
    quick = rolling.read_regular(as_rolling_vtt(track))
    assert quick is not None
    assert quick.screen_ends == (11.49, 11.5)  # above the next line too
    assert [line.end for line in quick.lines] == [1.1, 9.8]


@pytest.mark.parametrize(
    "odd",
    [
        *("00:00:09.000 --> 00:00:10.000\nalone\n\n", "stray words\n\n", "NOTE of mine\n\n"),
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09.500><c.colorE5E5E5> it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\nnew above\nfold<00:00:09.500><c> it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \n>> fold<00:00:09.500><c> it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09.500><c> it\u00a0now</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09.500><c>it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09x500><c> it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:08.500><c> it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \ntwo words\n\n",
        "00:00:00.100 --> 00:00:00.200\n \nearly<00:00:00.150><c> it</c>\n\n",
        # A cue that ends before it starts, or before the one above it does, and one out of place.
        "00:00:09.000 --> 00:00:08.000\n \nfold<00:00:09.500><c> up</c>\n\n",
        "00:00:03.000 --> 00:00:03.100\n \nfold<00:00:03.000><c> up</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \ntrue\n\n00:00:00.000 --> 00:00:10.010\ntrue\n \n\n",
        # Tags of which one separator stands for the other, or that share a time.
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09.500</c>it</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \nfold<00:00:09</c>it</c>500><c> up</c>\n\n",
        "00:00:09.000 --> 00:00:10.000\n \n[<00:00:09.500><c> music</c>]\n\n",
    ],
)
def test_anything_odd_goes_the_general_way(odd: str) -> None:
    track = Track((((0, "fold"), (300, "it")), ((900, "great"),)), (False, False), 0)
    text = as_rolling_vtt(track) + odd
    assert rolling.read_regular(text) is None
    assert [line.text for line in read_vtt(text).lines if line.text in ("fold it", "great")]
