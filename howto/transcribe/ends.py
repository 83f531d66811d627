"""Where a line of narration ends: when its words end (`speech`), or as HowTo100M has it (`paper`).

YouTube's own formats say how long a line stays on the screen. Two lines are there at a time, so a
line is shown until the second line after it comes, and spans overlap. The released caption files of
HowTo100M carry that on: end[k] = start[k + 2]. What was said ended long before.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from howto.records import Line

__all__ = ["LAST_WORD_MS", "Ends", "later_starts", "unstated_length", "with_ends"]

LAST_WORD_MS = 800
"""The longest that a word may last before a pause, in milliseconds.

Captions say when words start, not when they end. A word ends where the next one starts, but for a
pause. Spoken words last 0.3 s on average and hardly ever more than this; a shorter cap would cut
slow speakers, a longer one would count pauses between sentences as speech.
"""

_UNSTATED_MS, _UNSTATED_MS_PER_CHARACTER = 500, 67
"""For a text that nothing ends: what pysubs2 takes, half a second and 15 characters a second."""


class Ends(StrEnum):
    """A rule for the ends of lines.

    SPEECH: a line ends when its last word does, and no later than the next line starts.
    PAPER: line k ends where line k + 2 starts; the last two keep their ends.
    """

    SPEECH = "speech"
    PAPER = "paper"


def with_ends(
    lines: Sequence[Line], rule: Ends, screen_ends: Sequence[float] | None = None
) -> tuple[Line, ...]:
    """Return the lines with their ends by the rule; starts, texts and words are the same.

    Args:
        lines: sorted by start.
        screen_ends: until when each line is on the screen, for formats that say so; their readers
            have ended the lines by SPEECH already. None where the lines' own ends say when they
            end: then SPEECH ends a line with its last word, or where it has no words with the start
            of the next line, if those come before.
    """
    if rule is Ends.PAPER:
        return _paper(lines, screen_ends or [line.end for line in lines])
    if screen_ends is not None:
        return tuple(lines)
    later = later_starts([line.start for line in lines])
    return tuple(map(_spoken, lines, later))


Time = TypeVar("Time", int, float)


def later_starts(starts: Sequence[Time]) -> list[Time | None]:
    """For each of some sorted starts, the next one that is later; None where none is.

    Two lines that start together do not end each other.
    """
    found: list[Time | None] = []
    later: Time | None = None
    following: Time | None = None
    for start in reversed(starts):
        if following is not None and following > start:
            later = following
        found.append(later)
        following = start
    found.reverse()
    return found


def unstated_length(text: str) -> int:
    """Milliseconds that a text is taken to last where nothing says so."""
    return _UNSTATED_MS + _UNSTATED_MS_PER_CHARACTER * len(text)


def _spoken(line: Line, later: float | None) -> Line:
    end = line.words[-1].end if line.words else later
    if end is None or end >= line.end:
        return line
    return replace(line, end=end)


def _paper(lines: Sequence[Line], screen_ends: Sequence[float]) -> tuple[Line, ...]:
    ends = [*[line.start for line in lines[2:]], *screen_ends[-2:]]
    return tuple(replace(line, end=end) for line, end in zip(lines, ends, strict=True))
