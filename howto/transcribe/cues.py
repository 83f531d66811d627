"""What every reader gives back, and the one place where a cue becomes a line of narration."""

from collections.abc import Callable
from dataclasses import dataclass, field

from howto.records import Line, Problem
from howto.transcribe.cue_text import clean
from howto.transcribe.timing import seconds

__all__ = ["LATEST", "CaptionFormat", "Cues", "Parsed"]

LATEST = 100 * 3600 * 1000
"""A cue past 100 hours is a damaged number: no video is that long."""

_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Parsed:
    """The content of one caption file.

    Attributes:
        lines: sorted by start (stable), with 0 <= start <= end, each with a text of one row.
        problems: by line of the file, in order; past a hundred they are only counted.
        language: what the file itself says, as written there, or None.
        track: the file's own word for its kind (`captions`, `chapters`, ...), lower case, or ''.
        silent: how many readable cues say nothing, such as `[Music]`.
        screen_ends: where the format says how long a line stays on the screen and not how long it
            is said, until when that is, in seconds; the ends of the lines are then those of the
            speech. See `howto.transcribe.ends`.
    """

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...] = ()
    language: str | None = None
    track: str = ""
    silent: int = 0
    screen_ends: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class CaptionFormat:
    """One format: how to tell it and how to read it. Its module joins `formats.FORMATS`.

    Attributes:
        name: for people, such as `WebVTT`.
        suffixes: lower case with the dot, the usual one first.
        recognises: tells from the first characters of a file whether it is surely this format.
        read: the text with `\\n` newlines, and the wanted language for files that hold several.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Callable[[str, str], Parsed]


@dataclass(slots=True)
class Cues:
    """Collects the cues and problems of one file."""

    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    silent: int = 0
    unlisted: int = 0

    def add(self, start: int, end: int, raw: str, row: int) -> None:
        """Add a cue whose text has markup.

        Args:
            start, end: in milliseconds.
            raw: with any rows, tags and entities.
            row: line number of its timing, from 1.
        """
        self.add_plain(start, end, clean(raw), row)

    def add_plain(self, start: int, end: int, text: str, row: int) -> None:
        """Add a cue whose text is clean already; '' is a cue that says nothing."""
        if not text:
            self.silent += 1
            return
        if not 0 <= start <= LATEST or end > LATEST:
            self.problem(
                row, f"a cue at {seconds(start):.3f} s: expected a time within 0 and 100 hours"
            )
            return
        if end < start:
            # Which of the two is wrong nobody knows; the words are kept, at the moment they start.
            self.problem(row, f"end {seconds(end):.3f} s is before start {seconds(start):.3f} s")
            end = start
        self.lines.append(Line(start / 1000, end / 1000, text))

    def problem(self, row: int | None, what: str) -> None:
        """Note what could not be read; `row` counts from 1."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(row, what))
        else:
            self.unlisted += 1

    def parsed(self, language: str | None = None, track: str = "") -> Parsed:
        """Close the collection."""
        problems = sorted(self.problems, key=lambda problem: problem.line or 0)
        if self.unlisted:
            problems.append(Problem(None, f"{self.unlisted} more problems like these"))
        lines = tuple(sorted(self.lines, key=lambda line: line.start))
        return Parsed(lines, tuple(problems), language, track, self.silent)
