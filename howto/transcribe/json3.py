"""json3, the fullest of the forms in which YouTube gives captions: a start for every word."""

import json
import re
from typing import Any

from howto.transcribe.cues import CaptionFormat, Parsed
from howto.transcribe.events import Event, Segment, read_events
from howto.transcribe.spoken import SpokenCues

__all__ = ["FORMAT", "read_json3"]

_EVENTS = re.compile(r'"events"\s*:\s*\[\s*')
_BETWEEN = re.compile(r"\s*,\s*")
_LONGEST = 10**12
"""Milliseconds; a number past this is damage, and sums with it would not be exact as floats."""


def read_json3(text: str) -> Parsed:
    """Read a json3 file.

    Args:
        text: the whole file. What is wrong with an event is told by the event's number, counted
            from 1: the file is usually one line.
    """
    cues = SpokenCues()
    if not text.strip():
        return cues.parsed(automatic=False, on_screen=False)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        saved = _events_before_damage(text)
        rest = f"; whole events before it, which are read: {len(saved)}" if saved else ""
        cues.cues.problem(error.lineno, f"damaged JSON at column {error.colno}: {error.msg}{rest}")
        whole = {"events": saved}
    except (ValueError, RecursionError) as error:
        cues.cues.problem(None, f"damaged JSON: {error}")
        whole = {"events": []}
    events = whole.get("events", []) if isinstance(whole, dict) else None
    if not isinstance(events, list):
        cues.cues.problem(None, f"expected an object with events, found {text.strip()[:60]!r}")
        events = []
    read = (_event(number, event, cues) for number, event in enumerate(events, 1))
    return read_events([event for event in read if event is not None], cues)


def _events_before_damage(text: str) -> list[Any]:
    """The events of a file that was cut short, or damaged further on."""
    begin = _EVENTS.search(text)
    at = begin.end() if begin else len(text)
    decoder = json.JSONDecoder()
    events: list[Any] = []
    while True:
        try:
            event, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return events
        events.append(event)
        between = _BETWEEN.match(text, at)
        at = between.end() if between else len(text)


def _event(number: int, found: Any, cues: SpokenCues) -> Event | None:
    segments = found.get("segs") if isinstance(found, dict) else None
    if isinstance(found, dict) and not segments:
        return None  # a window, or a line that says nothing
    start = _milliseconds(found.get("tStartMs")) if isinstance(found, dict) else None
    if start is None or not isinstance(segments, list):
        cues.cues.problem(None, f"event {number}: expected tStartMs and segs, found {found!r:.60}")
        return None
    return Event(
        start,
        _milliseconds(found.get("dDurationMs")),
        [_segment(one) for one in segments if isinstance(one, dict)],
        append=bool(found.get("aAppend")),
        window=str(found.get("wWinId", "")),
    )


def _segment(found: dict[str, Any]) -> Segment:
    text = found.get("utf8")
    return Segment(
        text if isinstance(text, str) else "",
        _milliseconds(found.get("tOffsetMs")),
        styled="pPenId" in found,
    )


def _milliseconds(value: Any) -> int | None:
    """A time as it may be written: an integer, rarely one in a string or with a fraction."""
    if type(value) is int:
        return value if abs(value) < _LONGEST else None
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            return None
        return round(number) if abs(number) < _LONGEST else None
    return None


def _recognises(head: str) -> bool:
    head = head.lstrip()
    return head.startswith("{") and ('"wireMagic"' in head or bool(_EVENTS.search(head)))


FORMAT = CaptionFormat("json3", (".json3",), _recognises, lambda text, _: read_json3(text))
