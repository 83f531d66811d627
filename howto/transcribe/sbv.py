"""SubViewer as YouTube writes it (.sbv): `0:00:01.000,0:00:02.500`, the text, an empty line.

As with SubRip a timing starts a cue, and text behind an empty line still belongs to it.
"""

import re
from itertools import pairwise

from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.timing import read_time

__all__ = ["FORMAT", "read_sbv"]

# Meant as a timing, well-formed or not: two words of clock characters that both begin with a number
# and a colon.
_TIMING = re.compile(r"\s*(\d{1,6}:[\w.:]{1,24})\s*,\s*(\d{1,6}:[\w.:]{1,24})\s*")
_BREAK = "[br]"


def read_sbv(text: str) -> Parsed:
    """Read a SubViewer file.

    Args:
        text: the whole file, with any newlines.
    """
    rows = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
    timings = [i for i, row in enumerate(rows) if "," in row and _TIMING.fullmatch(row)]
    cues = Cues()
    _before_first(rows[: timings[0]] if timings else rows, cues)
    for timing, end in pairwise([*timings, len(rows)]):
        _cue(rows, timing, end, cues)
    return cues.parsed()


def _before_first(rows: list[str], cues: Cues) -> None:
    for i, row in enumerate(rows, 1):
        if row.strip():
            cues.problem(i, f"expected a timing like 0:00:01.000,0:00:02.500, found {row[:60]!r}")
            return


def _cue(rows: list[str], timing: int, end: int, cues: Cues) -> None:
    start_text, end_text = rows[timing].strip().split(",", 1)
    start, stop = read_time(start_text), read_time(end_text)
    text = "\n".join(rows[timing + 1 : end])
    if start is None or stop is None:
        cues.problem(
            timing + 1,
            f"expected a timing like 0:00:01.000,0:00:02.500, found {rows[timing].strip()!r}",
        )
    elif not text or text.isspace():
        cues.problem(timing + 1, "expected a text under the timing, found none")
    else:
        cues.add(start, stop, text.replace(_BREAK, "\n"), timing + 1)


def _recognises(head: str) -> bool:
    return _TIMING.fullmatch(head.lstrip().split("\n", 1)[0]) is not None


FORMAT = CaptionFormat("SubViewer", (".sbv",), _recognises, lambda text, _: read_sbv(text))
