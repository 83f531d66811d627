"""srv1 and srv3, the XML forms in which YouTube gives captions.

srv3 (.srv3, .ytt) is json3 in XML: `<p t= d=>` for an event, `<s t=>` for a word. srv1 (.srv1) has
whole lines, `<text start= dur=>` in seconds, without word times.

lxml reads what is left of a damaged file, as with TTML.
"""

import math
import re
from typing import TYPE_CHECKING

from howto.transcribe.cue_text import clean
from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.events import Event, Segment, read_events
from howto.transcribe.spoken import Spoken, SpokenCues
from howto.transcribe.ttml import parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["SRV1", "SRV3", "read_srv1", "read_srv3"]

_SRV1_ROOT = re.compile(r"<transcript[\s>]")
_SRV3_ROOT = re.compile(r"<timedtext[\s>]")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_ROLLED = 2
"""In a recogniser's track a line stays until the second one after it comes."""


def read_srv3(text: str) -> Parsed:
    """Read an srv3 file.

    Args:
        text: the whole file.
    """
    cues = SpokenCues()
    body = _root(text, "timedtext", cues.cues)
    events = [] if body is None else [_event(element, cues.cues) for element in body.iter("p")]
    return read_events([event for event in events if event is not None], cues)


def read_srv1(text: str) -> Parsed:
    """Read an srv1 file. Whether a recogniser wrote it is told by how long its lines stay.

    Args:
        text: the whole file.
    """
    cues = SpokenCues()
    root = _root(text, "transcript", cues.cues)
    for element in [] if root is None else root.iter("text"):
        start, duration = _milliseconds(element, "start"), _milliseconds(element, "dur")
        if start is None:
            cues.cues.problem(_row(element), "expected a start in seconds, found none")
            continue
        end = None if duration is None else start + duration
        said = clean(_whole_text(element))
        cues.add(Spoken(start, end, said, [], [], _row(element)))
    rolled = _is_rolled(cues.said)
    return cues.parsed(automatic=rolled, on_screen=rolled)


def _root(text: str, name: str, cues: Cues) -> "_Element | None":
    if not text.strip():
        return None
    root = parse_xml(text, cues)
    if root is None or root.tag != name:
        found = "no markup" if root is None else f"<{root.tag}>"
        cues.problem(None if root is None else _row(root), f"expected <{name}>, found {found}")
        return None
    return root


def _row(element: "_Element") -> int | None:
    row: object = element.sourceline
    return row if isinstance(row, int) else None


def _milliseconds(element: "_Element", name: str, scale: int = 1000) -> int | None:
    """A time of an element, written in units of `scale` milliseconds; None where it is not one."""
    value = str(element.get(name) or "").strip()
    return round(float(value) * scale) if _NUMBER.fullmatch(value) else None


def _whole_text(element: "_Element") -> str:
    return "".join(map(str, element.itertext()))


def _event(element: "_Element", cues: Cues) -> Event | None:
    start = _milliseconds(element, "t", 1)
    if start is None:
        cues.problem(_row(element), "expected a start in milliseconds, found none")
        return None
    segments = [Segment(str(element.text or ""))]
    for child in element:
        offset = _milliseconds(child, "t", 1)
        segments.append(Segment(_whole_text(child), offset, child.get("p") is not None))
        segments.append(Segment(str(child.tail or "")))
    return Event(
        start,
        _milliseconds(element, "d", 1),
        [segment for segment in segments if segment.text],
        append=element.get("a") == "1",
        window=str(element.get("w") or ""),
        row=_row(element),
    )


def _is_rolled(said: list[Spoken]) -> bool:
    """At least half of the lines end where the second line after them starts, one or two ms off."""
    said = sorted(said, key=lambda line: line.start)
    pairs = list(zip(said, said[_ROLLED:], strict=False))
    rolled = sum(
        line.end is not None and math.isclose(line.end, second.start, rel_tol=0, abs_tol=2)
        for line, second in pairs
    )
    return bool(pairs) and 2 * rolled >= len(pairs)


def _recognises_srv1(head: str) -> bool:
    return _SRV1_ROOT.search(head) is not None


def _recognises_srv3(head: str) -> bool:
    return _SRV3_ROOT.search(head) is not None


SRV1 = CaptionFormat("srv1", (".srv1",), _recognises_srv1, lambda text, _: read_srv1(text))
SRV3 = CaptionFormat("srv3", (".srv3", ".ytt"), _recognises_srv3, lambda text, _: read_srv3(text))
