"""Lines that a recogniser made up: found by four signs, left out and counted.

Neural recognisers write fluent text where nothing is said: thanks for watching over a silent end,
one line again and again, forty words in a second. Each rule here is a pure function from lines to
the positions that it refuses; `without_hallucinations` applies them all.
"""

import re
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from howto.records import Line, Problem

__all__ = [
    "HallucinationLimits",
    "compressed",
    "compression_ratio",
    "outside_speech",
    "repeated",
    "too_fast",
    "without_hallucinations",
]

SHORTEST_COMPRESSED = 40  # characters; what is shorter has no ratio worth looking at
_ASCII = frozenset(map(chr, range(0x80)))
_BYTES_TO_GIVE = 0x80  # to letters that are not ASCII
FEWEST_WORDS = 4  # in a line for its rate to be believed: one word's time is rough


@dataclass(frozen=True, slots=True)
class HallucinationLimits:
    """What is still believed.

    Attributes:
        repeats: how often the same line may come in a row, over windows.
        compression: as `compression_ratio` measures it; whisper's own threshold.
        words_per_second: of a line; fast speakers reach 5 to 6.
        in_speech: smallest share of a line's time in which the gate heard speech.
    """

    repeats: int = 2
    compression: float = 2.4
    words_per_second: float = 9.0
    in_speech: float = 0.1


def without_hallucinations(
    lines: Sequence[Line],
    windows: Sequence[int],
    spans: Sequence[tuple[float, float]],
    limits: HallucinationLimits | None = None,
) -> tuple[tuple[Line, ...], tuple[Problem, ...]]:
    """Leave out what was made up.

    Args:
        lines: in order of start.
        windows: of each line, the number of the window that it was recognised in.
        spans: where the gate heard speech, (start, end) in seconds, in order, apart.

    Returns:
        The lines that stay, unchanged and in order, and one problem for each rule that refused any,
        with their number. A line that several rules refuse counts for the first of them.

    Raises:
        ValueError: lines and windows are not of one length.
    """
    limits = limits or HallucinationLimits()
    rules = (
        ("outside speech", outside_speech(lines, spans, limits.in_speech)),
        ("text that repeats itself", compressed(lines, limits.compression)),
        ("more words than can be spoken", too_fast(lines, limits.words_per_second)),
        ("the same line again and again", repeated(lines, windows, limits.repeats)),
    )
    refused: dict[int, str] = {}
    for what, positions in rules:
        for position in positions:
            refused.setdefault(position, what)
    counts = Counter(refused.values())
    problems = tuple(
        Problem(None, f"left out as made up: {counts[what]} lines, {what}")
        for what, _ in rules
        if counts[what]
    )
    return tuple(line for at, line in enumerate(lines) if at not in refused), problems


def repeated(lines: Sequence[Line], windows: Sequence[int], most: int) -> set[int]:
    """Refuse all but the first of more than `most` same lines in a row over at least two windows.

    A person who says a thing three times in one breath is believed; case and punctuation do not
    count.

    Raises:
        ValueError: lines and windows are not of one length.
    """
    refused: set[int] = set()
    keyed = [
        (_plain(line.text), w, at) for at, (line, w) in enumerate(zip(lines, windows, strict=True))
    ]
    for _, group in groupby(keyed, key=lambda one: one[0]):
        run = list(group)
        if len(run) > most and len({window for _, window, _ in run}) > 1:
            refused |= {at for _, _, at in run[1:]}
    return refused


def outside_speech(
    lines: Sequence[Line], spans: Sequence[tuple[float, float]], least: float
) -> set[int]:
    """Refuse lines of which less than the share `least` lies in speech.

    A line without length is inside if its instant is.

    Args:
        spans: (start, end) in seconds, in order, apart.
    """
    starts, ends = [start for start, _ in spans], [end for _, end in spans]

    def share(line: Line) -> float:
        # Only the spans that the line can touch: looking at all of them took half a minute for a
        # day of speech.
        near = spans[bisect_left(ends, line.start) : bisect_right(starts, line.end)]
        return _share(line, near)

    return {at for at, line in enumerate(lines) if share(line) < least}


def compressed(lines: Sequence[Line], most: float) -> set[int]:
    """Refuse lines whose text compresses better than speech does: a loop."""
    return {at for at, line in enumerate(lines) if compression_ratio(line.text) > most}


def too_fast(lines: Sequence[Line], most: float) -> set[int]:
    """Refuse lines of four words and more with over `most` words a second."""
    refused = set()
    for at, line in enumerate(lines):
        count = len(line.text.split())
        if count >= FEWEST_WORDS and count > most * (line.end - line.start):
            refused.add(at)
    return refused


def compression_ratio(text: str) -> float:
    """Bytes over bytes after zlib; 0 for under 40 characters.

    For ASCII it is whisper's number. Its bytes are UTF-8, in which a script such as Tamil has
    three for a letter, two of them always the same: that alone compresses, and long honest lines
    would pass for loops. So each letter is one byte here, or two where a text has too many letters.
    """
    text = text.strip()
    if len(text) < SHORTEST_COMPRESSED:
        return 0.0
    others = sorted(set(text) - _ASCII)
    if len(others) <= _BYTES_TO_GIVE:
        letters = {ord(letter): chr(0x80 + place) for place, letter in enumerate(others)}
        raw = text.translate(letters).encode("latin-1")
    else:
        raw = text.encode("utf-16-le", "surrogatepass")
    return len(raw) / len(zlib.compress(raw))


def _share(line: Line, spans: Sequence[tuple[float, float]]) -> float:
    if line.end <= line.start:
        return float(any(start <= line.start <= end for start, end in spans))
    covered = sum(max(0.0, min(line.end, end) - max(line.start, start)) for start, end in spans)
    return covered / (line.end - line.start)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
