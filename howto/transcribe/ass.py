"""SubStation Alpha (.ssa) and Advanced SubStation Alpha (.ass).

Read here and not by pysubs2, which raises on the first bad time of a file, ignores the order of
columns that the `Format:` line states, and leaves the outlines of drawings (`{\\p1}m 0 0 l 10
10{\\p0}`) in the text.
"""

import re

from howto.transcribe.cue_text import tidy
from howto.transcribe.cues import CaptionFormat, Cues, Parsed
from howto.transcribe.timing import read_time

__all__ = ["FORMAT", "plain_text", "read_ass"]

_COLUMNS = "layer, start, end, style, name, marginl, marginr, marginv, effect, text"
_DRAWING = re.compile(r"\\p\s*(\d)")
_ROW_BREAK = re.compile(r"\\[Nn]")


def read_ass(text: str) -> Parsed:
    """Read the dialogue of a SubStation file; comments and drawings are left out.

    Typesetters put the same line on several layers for effects: a line that has the same times and
    text as another is taken once.

    Args:
        text: the whole file, with any newlines.
    """
    columns = _columns(_COLUMNS)
    cues = Cues()
    seen: set[tuple[int, int, str]] = set()
    in_events = False
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, row in enumerate(rows, 1):
        kind, _, value = row.partition(":")
        kind = kind.strip().lower()
        if kind.startswith("["):
            in_events = kind.startswith("[events")
        elif kind == "format" and in_events:
            columns = _columns(value)
        elif kind == "dialogue":
            _dialogue(value, columns, number, cues, seen)
    if not (cues.lines or cues.problems or cues.silent) and text.strip() and "[" not in text:
        cues.problem(1, f"expected [Script Info], found {rows[0][:60]!r}")
    return cues.parsed()


def _columns(row: str) -> list[str]:
    return [name.strip().lower() for name in row.split(",")]


def _dialogue(
    value: str, columns: list[str], row: int, cues: Cues, seen: set[tuple[int, int, str]]
) -> None:
    # The text is the last column and may hold commas itself.
    found = dict(zip(columns, value.split(",", len(columns) - 1), strict=False))
    start, end = read_time(found.get("start", "")), read_time(found.get("end", ""))
    if start is None or end is None or "text" not in found:
        cues.problem(row, f"expected a start, an end and a text, found {value.strip()[:60]!r}")
        return
    text = tidy(plain_text(found["text"]))
    if (start, end, text) not in seen:
        seen.add((start, end, text))
        cues.add_plain(start, end, text, row)


def plain_text(raw: str) -> str:
    """Return a SubStation text without overrides and drawings, its `\\N` as newlines."""
    if "{" in raw:
        raw = _without_overrides(raw)
    return _ROW_BREAK.sub("\n", raw).replace("\\h", " ") if "\\" in raw else raw


def _without_overrides(raw: str) -> str:
    texts: list[str] = []
    at, drawing = 0, False
    # By hand: a pattern for `{...}` would look for the `}` anew at every `{` of a damaged text.
    while (opens := raw.find("{", at)) >= 0 and (closes := raw.find("}", opens)) >= 0:
        if not drawing:
            texts.append(raw[at:opens])
        for scale in _DRAWING.findall(raw[opens:closes]):
            drawing = scale != "0"
        at = closes + 1
    return "".join(texts) if drawing else "".join(texts) + raw[at:]


def _recognises(head: str) -> bool:
    return head.lstrip()[:13].lower() == "[script info]" or "\n[Events]" in head


FORMAT = CaptionFormat("SubStation", (".ass", ".ssa"), _recognises, lambda text, _: read_ass(text))
