"""The events of YouTube's timed text, which json3 and srv3 write down in two ways.

A recogniser's track has an event for each line, with a segment for each word; between lines an
event appends a line break, which scrolls the window. How long an event lasts is how long it stays
on the screen: until the second line after it. A person's track has the whole line in one segment,
and its events last as long as the person meant them to.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from howto.transcribe.cue_text import tidy
from howto.transcribe.cues import LATEST, Parsed
from howto.transcribe.spoken import Spoken, SpokenCues
from howto.transcribe.timing import seconds

__all__ = ["Event", "Segment", "read_events"]

# YTSubConverter and YouTube's editor put zero-width spaces around styled text.
_PADDING = " \t\n\r\f\v\u200b\u2060\ufeff"


@dataclass(slots=True)
class Segment:
    """A piece of text.

    Attributes:
        offset: milliseconds from its event's start; None where it is not stated, and then it is 0.
        styled: it has a pen of its own: a person set it.
    """

    text: str
    offset: int | None = None
    styled: bool = False


@dataclass(slots=True)
class Event:
    """One event; times in milliseconds.

    Attributes:
        duration: on the screen; None where it is not stated.
        append: its text goes on with the line before in its window.
        row: line number in the file, or None.
    """

    start: int
    duration: int | None
    segments: list[Segment]
    append: bool = False
    window: str = ""
    row: int | None = None


def read_events(events: Sequence[Event], cues: SpokenCues) -> Parsed:
    """Read a whole track.

    Args:
        events: in any order; those without segments open windows and say nothing.
        cues: with the problems found so far.
    """
    automatic = any(event.append for event in events) or any(
        segment.offset and not segment.styled for event in events for segment in event.segments
    )
    lines = _joined(sorted(events, key=lambda event: event.start))
    for event in lines:
        cues.add(_spoken(event, automatic, cues))
    return cues.parsed(automatic=automatic, on_screen=automatic)


def _joined(events: list[Event]) -> list[Event]:
    """The events that are lines, those that append joined to the line before in their window."""
    lines: list[Event] = []
    newest: dict[str, Event] = {}
    for event in events:
        if not any(segment.text.strip(_PADDING) for segment in event.segments):
            continue
        before = newest.get(event.window)
        if event.append and before is not None:
            _append(before, event)
        else:
            lines.append(event)
            newest[event.window] = event
    return lines


def _append(line: Event, more: Event) -> None:
    later = more.start - line.start
    line.segments.append(Segment("\n"))
    line.segments += (
        Segment(segment.text, later + (segment.offset or 0), segment.styled)
        for segment in more.segments
    )
    if line.duration is not None and more.duration is not None:
        line.duration = max(line.duration, later + more.duration)


def _spoken(event: Event, automatic: bool, cues: SpokenCues) -> Spoken:
    segments = event.segments
    end = None if event.duration is None else event.start + event.duration
    raw = html.unescape("".join([segment.text for segment in segments]))
    text = tidy("\n".join([row.strip(_PADDING) for row in raw.split("\n")]))
    line = Spoken(event.start, end, text, [], [], event.row)
    if any(segment.offset for segment in segments) or (
        automatic and all(len(segment.text.split()) < 2 for segment in segments)
    ):
        _add_words(line, segments)
        _check_words(line, event, cues)
    return line


def _check_words(line: Spoken, event: Event, cues: SpokenCues) -> None:
    """A word that starts after its event has ended is damage: it starts with the word before it."""
    shown = event.duration if event.duration and event.duration > 0 else LATEST
    last = max(event.start, min(event.start + shown, LATEST))
    late = [place for place, start in enumerate(line.starts) if start > last]
    if late:
        said = seconds(line.starts[late[0]])
        what = f"a word at {said:.3f} s: expected it within its line, until {seconds(last):.3f} s"
        cues.cues.problem(event.row, what)
    for place in late:
        line.starts[place] = line.starts[place - 1] if place else line.start


def _add_words(line: Spoken, segments: list[Segment]) -> None:
    row_start = True
    for segment in segments:
        raw = html.unescape(segment.text)
        word = raw.strip(_PADDING)
        row_start |= "\n" in raw[: raw.find(word)] or (not word and "\n" in raw)
        if row_start and word.startswith(">>"):
            # The mark of another speaker, which the text does not have either.
            word = word.lstrip(">").strip(_PADDING)
        if word:
            line.words.append(word)
            line.starts.append(line.start + (segment.offset or 0))
            row_start = raw.endswith("\n")
