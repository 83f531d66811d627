"""Lines whose words have starts: what YouTube's formats hold, and how they become narration."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate, chain, pairwise, repeat, starmap
from operator import sub
from typing import Any, TypeVar

from howto.records import Line, Word
from howto.transcribe.cues import LATEST, Cues, Parsed
from howto.transcribe.ends import LAST_WORD_MS, later_starts, unstated_length
from howto.transcribe.timing import seconds

__all__ = ["Spoken", "SpokenCues", "make_all", "make_lines"]


@dataclass(slots=True)
class Spoken:
    """One line as a format says it; times in milliseconds.

    Attributes:
        end: of its time on the screen; None where it is not stated.
        text: clean, in one row.
        starts, words: of each word, as many of the one as of the other; none where the format
            gives no word times.
        row: line number in the file, or None.
    """

    start: int
    end: int | None
    text: str
    starts: list[int]
    words: list[str]
    row: int | None = None


@dataclass(slots=True)
class SpokenCues:
    """Collects the lines and problems of one file."""

    said: list[Spoken] = field(default_factory=list)
    cues: Cues = field(default_factory=Cues)

    def add(self, line: Spoken) -> None:
        """Add a line; '' as its text is a line that says nothing."""
        if not line.text:
            self.cues.silent += 1
            return
        if line.start > LATEST or (line.end or 0) > LATEST:
            self.cues.problem(
                line.row, f"a line at {seconds(line.start):.3f} s: expected at most 100 hours"
            )
            return
        if line.start < 0:
            # A track may begin a moment before the video does.
            line.start = 0
        if line.end is not None and line.end < line.start:
            self.cues.problem(
                line.row,
                f"end {seconds(line.end):.3f} s is before start {seconds(line.start):.3f} s",
            )
            line.end = None
        self.said.append(line)

    def parsed(self, language: str | None = None, *, automatic: bool, on_screen: bool) -> Parsed:
        """Close the collection.

        Args:
            automatic: a recogniser wrote it.
            on_screen: its ends are those of the screen, not of the speech.
        """
        found = self.cues.parsed(language, "asr" if automatic else "")
        lines, screen_ends = _lines(self.said, on_screen=on_screen)
        return replace(found, lines=lines, screen_ends=screen_ends if on_screen else None)


def _lines(said: list[Spoken], *, on_screen: bool) -> tuple[tuple[Line, ...], tuple[float, ...]]:
    said = sorted(said, key=_start)
    word_starts = list(map(_in_order, said))
    later = later_starts([line.start for line in said])
    return make_lines(
        [line.start for line in said],
        list(map(_end, said, word_starts, later)),
        [line.text for line in said],
        [0, *accumulate(map(len, word_starts))],
        list(chain.from_iterable(word_starts)),
        list(chain.from_iterable(line.words for line in said)),
        on_screen=on_screen,
    )


def _start(line: Spoken) -> int:
    return line.start


def _in_order(line: Spoken) -> list[int]:
    """The starts of a line's words. Some that go backwards are damage: they wait for the others."""
    starts = line.starts
    if starts and (starts[0] < line.start or sorted(starts) != starts):
        return list(accumulate([line.start, *starts], max))[1:]
    return starts


def _end(line: Spoken, word_starts: list[int], later: int | None) -> int:
    if line.end is not None:
        return line.end
    if word_starts:
        return _last_end(word_starts[-1], later, LATEST)
    return min(line.start + unstated_length(line.text), later or LATEST)


def make_lines(
    starts: list[int],
    ends: list[int],
    texts: list[str],
    bounds: list[int],
    word_starts: list[int],
    words: list[str],
    *,
    on_screen: bool,
) -> tuple[tuple[Line, ...], tuple[float, ...]]:
    """Make the lines of a narration from columns; each word ends with the next one or by the cap.

    Args:
        starts, ends, texts: of each line, sorted by start; times in milliseconds.
        bounds: line i has the words bounds[i] .. bounds[i + 1] - 1.
        word_starts, words: of all lines together, sorted within each line.
        on_screen: the ends are those of the screen: lines end when their speech does.

    Returns:
        The lines, and the ends that were given, in seconds.
    """
    seconds_of_words = [start / 1000 for start in word_starts]
    word_ends = [*seconds_of_words[1:], 0.0] if words else []
    gaps = map(sub, word_starts[1:], word_starts)
    for i in [i for i, gap in enumerate(gaps) if gap > LAST_WORD_MS]:
        word_ends[i] = (word_starts[i] + LAST_WORD_MS) / 1000
    given = [end / 1000 for end in ends]
    spoken = list(given)
    later = later_starts(starts)
    for i, (first, bound, limit, shown_until) in enumerate(
        zip(bounds, bounds[1:], later, ends, strict=False)
    ):
        if first < bound:
            end = _last_end(word_starts[bound - 1], limit, shown_until)
            spoken[i] = word_ends[bound - 1] = end / 1000
        elif limit is not None and limit < shown_until:
            spoken[i] = limit / 1000
    timed = make_all(Word, seconds_of_words, word_ends, words)
    lines = make_all(
        Line,
        [start / 1000 for start in starts],
        spoken if on_screen else given,
        texts,
        [timed[first:bound] for first, bound in pairwise(bounds)],
    )
    return lines, tuple(given)


def _last_end(start: int, later: int | None, shown_until: int) -> int:
    end = start + LAST_WORD_MS
    if later is not None and start <= later < end:
        end = later
    return shown_until if start <= shown_until < end else end


Record = TypeVar("Record", Line, Word)


def make_all(record: type[Record], *columns: Sequence[Any]) -> tuple[Record, ...]:
    """Make many records at once, from a column for each of their fields.

    The same as calling the class for each row, in less than half the time: the loops are in C. With
    files of 1,500 words each, making the words was most of reading a file.
    """
    made = tuple(starmap(record.__new__, repeat((record,), len(columns[0]))))
    for field_, column in zip(fields(record), columns, strict=True):
        fill = getattr(record, field_.name).__set__
        # A deque of no length runs the calls and keeps nothing. Unlike map, starmap hands the pairs
        # of zip on as they are, and zip fills one pair again and again.
        deque(starmap(fill, zip(made, column, strict=True)), maxlen=0)
    return made
