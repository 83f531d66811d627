"""SubRip (.srt), which has no specification: what writers do, and what players make of it.

A timing line starts a cue, whatever stands around it; everything up to the next one is its text,
but for the number above that one. So text behind an empty line is not lost, and numbers may be
missing, odd or out of order. Rolling captions converted to SubRip are read by their own rule.
"""

import re
from itertools import pairwise

from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.rolling import RawCue, is_rolling, read_rolling
from howto.transcribe.spoken import SpokenCues
from howto.transcribe.timing import Span, has_bare_numbers, looks_like_timing, read_span

__all__ = ["FORMAT", "read_srt"]

_SETTINGS = re.compile(r"\s*(?:[A-Za-z]\w*\s*:\s*[\w.%,-]+(?:\s+|$))*", re.ASCII)
_NUMBER = re.compile(r"\s*\d{1,9}\s*", re.ASCII)


def read_srt(text: str) -> Parsed:
    """Read a SubRip file.

    Args:
        text: the whole file, with any newlines.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.rows = text.removeprefix("\ufeff").split("\n")
        self.bare_numbers = has_bare_numbers(text)
        self.cues = Cues()
        self.raw: list[RawCue] = []

    def read(self) -> Parsed:
        timings = [i for i, row in enumerate(self.rows) if looks_like_timing(row)]
        numbers = self._numbers(timings)
        # Each cue ends where the next one's number stands, or its timing where it has none.
        bounds = pairwise([*numbers, (len(self.rows), None)])
        self._before_first(numbers[0][0] if numbers else len(self.rows))
        for timing, ((_, number), (end, after)) in zip(timings, bounds, strict=True):
            self._cue(timing, self._until_lost_cue(timing, end, number, after))
        if is_rolling(self.raw):
            return read_rolling(self.raw, SpokenCues(cues=self.cues))
        for start, end, rows, number in self.raw:
            self.cues.add(start, end, "\n".join(rows), number)
        return self.cues.parsed()

    def _numbers(self, timings: list[int]) -> list[tuple[int, int | None]]:
        """For each timing, the row where its cue begins and its number, None where it has none.

        A number directly above the timing is the cue's, if an empty row is above it or the file
        numbers its cues; else it is said: `42` may be the last row of a text.
        """
        found: list[tuple[int, int | None]] = []
        for timing in timings:
            above = timing - 1
            number = self._number(above)
            if number is None and above > 0 and not self.rows[above].strip():
                number = self._number_apart(above - 1, found[-1][1] if found else None)
                above -= 1
            elif number is not None and not self._is_cue_number(above, timings, found):
                number = None
            found.append((timing if number is None else above, number))
        return found

    def _number(self, at: int) -> int | None:
        return int(self.rows[at]) if at >= 0 and _NUMBER.fullmatch(self.rows[at]) else None

    def _number_apart(self, at: int, last: int | None) -> int | None:
        """With an empty row between it and the timing a number must count on to be the cue's."""
        number = self._number(at)
        alone = at == 0 or not self.rows[at - 1].strip()
        return number if alone and number == (1 if last is None else last + 1) else None

    def _is_cue_number(
        self, at: int, timings: list[int], found: list[tuple[int, int | None]]
    ) -> bool:
        if not found:
            return True
        if at - 1 == timings[len(found) - 1]:
            # Directly under the timing before: that cue has no text, or this is it. A file with
            # numbers has numbered this cue too.
            return found[-1][1] is not None
        return found[-1][1] is not None or not self.rows[at - 1].strip()

    def _before_first(self, end: int) -> None:
        said = [i for i in range(end) if self.rows[i].strip()]
        if said:
            # The number alone may be right; what follows it is not.
            at = said[1] if len(said) > 1 and self._number(said[0]) is not None else said[0]
            self.cues.problem(at + 1, f"expected a timing, found {_shown(self.rows[at])}")

    def _until_lost_cue(self, timing: int, end: int, number: int | None, after: int | None) -> int:
        """Report the cues in a text that lost their timing, and return where the text ends.

        Such a cue shows as an empty row, a number between this cue's and the next one's, and a
        text.
        """
        if number is None:
            return end
        first_lost = end
        for i in range(timing + 2, end - 1):
            if self.rows[i - 1].strip() or not self.rows[i + 1].strip():
                continue
            lost = self._number(i)
            if lost is None or not (number < lost < after if after else lost == number + 1):
                continue
            self.cues.problem(
                i + 2, f"expected the timing of cue {lost}, found {_shown(self.rows[i + 1])}"
            )
            number, first_lost = lost, min(first_lost, i)
        return first_lost

    def _cue(self, timing: int, end: int) -> None:
        row = self.rows[timing]
        span = read_span(row, self.bare_numbers)
        if span is None:
            self.cues.problem(
                timing + 1,
                f"expected a timing like 00:00:01,000 --> 00:00:02,500, found {_shown(row)}",
            )
            return
        text = "\n".join(self.rows[timing + 1 : end])
        if not text or text.isspace():
            text = self._text_beside(span, timing + 1)
        elif not _SETTINGS.fullmatch(span[2]):
            self.cues.problem(
                timing + 1, f"expected nothing behind the times, found {_shown(span[2])}"
            )
        if text:
            self.raw.append((span[0], span[1], text.split("\n"), timing + 1))

    def _text_beside(self, span: Span, number: int) -> str:
        """A cue without a text below may have it behind the times."""
        if _SETTINGS.fullmatch(span[2]):
            self.cues.problem(number, "expected a text under the timing, found none")
            return ""
        return span[2]


def _shown(row: str) -> str:
    row = row.strip()
    return repr(row if len(row) <= 60 else row[:60] + "...")


_SURE = re.compile(r"(?:^|\n)[ \t]*\d{1,6}:\d\d?:\d\d?,\d{1,3} ?--> ?\d")


def _recognises(head: str) -> bool:
    return _SURE.search(head) is not None


FORMAT = CaptionFormat("SubRip", (".srt",), _recognises, lambda text, _: read_srt(text))
