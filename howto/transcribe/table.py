"""Captions as a table with the columns start, end and text (.csv), as HowTo100M has them.

The authors' files are read and written unchanged: times as they are, to the last digit, texts as
they are, and overlapping lines. A file that has been read is written again with the same bytes, if
it was written as theirs are: numbers in their shortest form, quotes where they are needed.
"""

import csv
import io
import math

from howto.records import Line
from howto.transcribe.cues import CaptionFormat, Cues, Parsed

__all__ = ["FORMAT", "HEADER", "read_table"]

HEADER = ("start", "end", "text")


def read_table(text: str) -> Parsed:
    """Read a table of captions.

    Args:
        text: the whole file. A table with other columns is not narration, and says so by its track.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    cues = Cues()
    lines: list[Line] = []
    try:
        if tuple(next(rows, HEADER)) != HEADER:
            return Parsed((), track="a table with other columns than start,end,text")
        for row in rows:
            line = _line(row)
            if line is not None:
                lines.append(line)
            elif row:
                cues.problem(rows.line_num, f"expected a start, an end and a text, found {row!r}")
    except csv.Error as error:
        cues.problem(rows.line_num, f"damaged table: {error}")
    found = cues.parsed()
    return Parsed(tuple(sorted(lines, key=lambda line: line.start)), found.problems)


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
