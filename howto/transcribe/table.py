"""Captions as a table with the columns start, end and text (.csv), as HowTo100M has them.

The authors' files are read and written unchanged: times as they are, to the last digit, texts as
they are, and overlapping lines. A file that has been read is written again with the same bytes, if
it was written as theirs are: numbers in their shortest form, quotes where they are needed.
"""

import csv
import math
import reprlib
from collections.abc import Iterator

from howto.records import Line
from howto.transcribe.cues import CaptionFormat, Cues, Parsed

__all__ = ["FORMAT", "HEADER", "read_table"]

HEADER = ("start", "end", "text")


def read_table(text: str) -> Parsed:
    """Read a table of captions. Its kind is that of the authors' other files: automatic.

    Args:
        text: the whole file. A table with other columns is not narration, and says so by its track.
            A quote that nothing closes costs no row after it.
    """
    rows = text.removeprefix("\ufeff").split("\n")
    cues = Cues()
    lines: list[Line] = []
    at = 0
    while at < len(rows):
        row, following = _record(rows, at, cues)
        if at == 0 and tuple(row or HEADER) != HEADER:
            return Parsed((), track="a table with other columns than start,end,text")
        if at > 0 and row:
            line = _line(row)
            if line is not None:
                lines.append(line)
            else:
                found = reprlib.repr(row)
                cues.problem(at + 1, f"expected a start, an end and a text, found {found}")
        at = following
    found_problems = cues.parsed().problems
    return Parsed(tuple(sorted(lines, key=lambda line: line.start)), found_problems, track="asr")


def _record(rows: list[str], at: int, cues: Cues) -> tuple[list[str], int]:
    """The fields of the record that starts in a row, and the row after it."""
    until, open_quote = at, False

    def feed() -> Iterator[str]:
        nonlocal until, open_quote
        while until < len(rows):
            row = rows[until]
            # Within quotes: a text may have rows, but none that is a whole caption.
            if until > at and _is_caption(row):
                break
            until += 1
            yield row + "\n"
        open_quote = True

    try:
        found = next(csv.reader(feed()), [])
    except csv.Error as error:
        cues.problem(at + 1, f"damaged table: {error}")
        return [], at + 1
    if open_quote:
        cues.problem(at + 1, "a quote that nothing closes")
        found = [field.rstrip("\n") for field in found]
    return found, until


def _is_caption(row: str) -> bool:
    if "," not in row:
        return False
    try:
        return _line(next(csv.reader([row]), [])) is not None
    except csv.Error:
        return False


def _line(row: list[str]) -> Line | None:
    if len(row) != len(HEADER):
        return None
    try:
        start, end = float(row[0]), float(row[1])
    except ValueError:
        return None
    return Line(start, end, row[2]) if 0 <= start <= end < math.inf else None


def _recognises(head: str) -> bool:
    return head.lstrip("\ufeff").startswith(",".join(HEADER))


FORMAT = CaptionFormat("caption CSV", (".csv",), _recognises, lambda text, _: read_table(text))
