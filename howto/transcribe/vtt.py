"""WebVTT, as players read it, and as people write it.

Source: W3C, WebVTT: The Web Video Text Tracks Format, section 6. What its parser drops silently is
reported here by line. Read although not valid: a missing header, commas for dots, fields of other
widths than two and three digits, cues without an empty line between them, segments of HTTP Live
Streaming joined into one file. Rolling captions are told apart and read by their own rule.
"""

import re
from dataclasses import dataclass

from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.rolling import HAS_WORD_TIMES, RawCue, is_rolling, read_regular, read_rolling
from howto.transcribe.spoken import SpokenCues
from howto.transcribe.timing import has_bare_numbers, looks_like_timing, read_span, read_time

__all__ = ["FORMAT", "read_vtt"]

_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=\s*(.*)", re.IGNORECASE)
_NOT_CUES = ("NOTE", "STYLE", "REGION")
_SITE_TRACK = "captions"
"""The kind that the header of all of YouTube's files states."""
_CLOCK_RATE = 90  # ticks of MPEG-2 transport streams in a millisecond
_CLOCK_WRAP = 1 << 33


def read_vtt(text: str) -> Parsed:
    """Read a WebVTT file.

    Args:
        text: the whole file, with any newlines.
    """
    timed = HAS_WORD_TIMES.search(text) is not None
    if timed and (regular := read_regular(text)) is not None:
        return regular
    reader = _Reader(text)
    raw = reader.read_cues()
    if (timed and reader.track == _SITE_TRACK) or is_rolling(raw):
        return read_rolling(raw, SpokenCues(cues=reader.cues), reader.language)
    for start, end, rows, number in raw:
        reader.cues.add(start, end, "\n".join(rows), number)
    return reader.cues.parsed(reader.language, reader.track)


def _is_header(row: str) -> bool:
    return row.startswith("WEBVTT") and (len(row) == 6 or row[6] in " \t")


@dataclass(slots=True)
class _Clock:
    """Where the cues' clock stands against the video's, in milliseconds (HTTP Live Streaming).

    LOCAL and MPEGTS name the same instant. The stream's own start is not in the file; the first
    MPEGTS is taken for it, and later segments are placed by their distance to that.
    """

    offset: int = 0
    first: int | None = None

    def set(self, value: str) -> bool:
        parts = dict(part.strip().partition(":")[::2] for part in value.upper().split(","))
        local, ticks = read_time(parts.get("LOCAL", "")), parts.get("MPEGTS", "").strip()
        if local is None or not (ticks.isascii() and ticks.isdecimal() and len(ticks) < 20):
            return False
        self.first = int(ticks) if self.first is None else self.first
        distance = (int(ticks) - self.first + _CLOCK_WRAP // 2) % _CLOCK_WRAP - _CLOCK_WRAP // 2
        self.offset = distance // _CLOCK_RATE - local
        return True


class _Reader:
    """Walks over the rows once; `at` is the index of the next row to read."""

    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.rows = text.removeprefix("\ufeff").split("\n")
        self.bare_numbers = has_bare_numbers(text)
        self.at = 0
        self.cues = Cues()
        self.raw: list[RawCue] = []
        self.clock = _Clock()
        self.language: str | None = None
        self.track = ""
        self.numbered = False

    def read_cues(self) -> list[RawCue]:
        if not _is_header(self.rows[0]) and any(map(str.strip, self.rows)):
            self.cues.problem(1, f"expected WEBVTT, found {_shown(self.rows[0])}")
        while self.at < len(self.rows):
            if self.rows[self.at].strip():
                self._block()
            else:
                self.at += 1
        return self.raw

    def _block(self) -> None:
        row = self.rows[self.at]
        below = self.rows[self.at + 1] if self.at + 1 < len(self.rows) else ""
        if "-->" in row or looks_like_timing(row):
            self.numbered = False
            self._cue()
        elif _is_header(row) and (self.at == 0 or not looks_like_timing(below)):
            self._header()
        elif looks_like_timing(below) or ("-->" in below and not row.startswith(_NOT_CUES)):
            self.numbered = row.strip().isdecimal()
            self.at += 1
            self._cue()
        elif row.split(maxsplit=1)[0] in _NOT_CUES:
            self._skip()
        else:
            self.cues.problem(self.at + 1, f"expected a timing, found {_shown(row)}")
            self._skip()

    def _skip(self) -> None:
        """Go past a block that is no cue: to an empty row, or to a cue that follows without one."""
        self.at += 1
        while self.at < len(self.rows) and self.rows[self.at]:
            if looks_like_timing(self.rows[self.at]):
                return
            self.at += 1

    def _header(self) -> None:
        first = self.at
        self._skip()
        for number, row in enumerate(self.rows[first + 1 : self.at], first + 2):
            if found := _MAP.match(row):
                if not self.clock.set(found[1]):
                    self.cues.problem(number, f"expected LOCAL and MPEGTS, found {_shown(row)}")
                continue
            key, colon, value = row.partition(":")
            if colon and key.strip().lower() == "language":
                self.language = value.strip() or None
            elif colon and key.strip().lower() == "kind":
                self.track = value.strip().lower()

    def _cue(self) -> None:
        number, row = self.at + 1, self.rows[self.at]
        self.at += 1
        text = self._text()
        span = read_span(row, self.bare_numbers)
        if span is None:
            self.cues.problem(
                number, f"expected a timing like 00:01.000 --> 00:02.500, found {_shown(row)}"
            )
        elif not text:
            self.cues.problem(number, "expected a text under the timing, found none")
        else:
            offset = self.clock.offset
            self.raw.append((span[0] + offset, span[1] + offset, text, number))

    def _text(self) -> list[str]:
        """Take the rows of a cue's text. A timing ends it, but an empty row should come first.

        Only with the full arrow: within a text, `12:30 -> 12:45` is something that is said.
        """
        first = self.at
        while self.at < len(self.rows) and self.rows[self.at]:
            if "-->" in self.rows[self.at] and looks_like_timing(self.rows[self.at]):
                return self._cut_off(first)
            self.at += 1
        return self.rows[first : self.at]

    def _cut_off(self, first: int) -> list[str]:
        """End a text at a timing, which may have its cue's number above it."""
        text = self.rows[first : self.at]
        blank_above = len(text) > 1 and not text[-2].strip()
        if text and text[-1].strip().isdecimal() and (self.numbered or blank_above):
            text.pop()
        elif text and not text[-1].strip():
            blank_above = True
        if not blank_above:
            self.cues.problem(self.at + 1, "expected an empty line before this timing")
        return text


def _shown(row: str) -> str:
    row = row.strip()
    return repr(row if len(row) <= 60 else row[:60] + "...")


def _recognises(head: str) -> bool:
    return _is_header(head.lstrip().split("\n", 1)[0])


FORMAT = CaptionFormat("WebVTT", (".vtt",), _recognises, lambda text, _: read_vtt(text))
