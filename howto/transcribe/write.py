"""Writing a narration as JSON, SubRip, WebVTT or a table.

A file that is written and read again has the same lines, with the times of SubRip and WebVTT
rounded to the millisecond. Only JSON keeps the times of words. HowTo100M's tables and caption.json
are read as they are, and may hold texts that SubRip and WebVTT cannot: rows become one there, a
speaker's `>>` at the start goes, and `[Music]` or nothing is no line when it is read again.
"""

import csv
import html
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from howto.records import Line, Narration
from howto.transcribe.table import HEADER

_OVERRIDE_STARTS = re.compile(r"\{(?=\\|[yYcCfFsSpP]:)")

__all__ = ["WRITERS", "as_json", "to_csv", "to_srt", "to_vtt"]


def as_json(narration: Narration) -> dict[str, Any]:
    """The narration as JSON values: language, kind, lines with their words, problems by line."""
    return {
        "language": narration.language,
        "kind": str(narration.kind),
        "lines": [_line_as_json(line) for line in narration.lines],
        "problems": [{"line": one.line, "what": one.what} for one in narration.problems],
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    return {
        "start": line.start,
        "end": line.end,
        "text": line.text,
        "words": [{"start": word.start, "end": word.end, "text": word.text} for word in line.words],
    }


def to_srt(narration: Narration) -> str:
    """The narration as SubRip."""
    return "".join(
        f"{number}\n{_clock(line.start, ',')} --> {_clock(line.end, ',')}\n"
        f"{_escaped(line.text)}\n\n"
        for number, line in enumerate(narration.lines, 1)
    )


def to_vtt(narration: Narration) -> str:
    """The narration as WebVTT, its language in the header."""
    header = "WEBVTT\n" + (f"Language: {narration.language}\n" if narration.language else "")
    cues = (
        f"\n{_clock(line.start, '.')} --> {_clock(line.end, '.')}\n{_escaped(line.text)}\n"
        for line in narration.lines
    )
    return header + "".join(cues)


def to_csv(narration: Narration) -> str:
    """The narration as a table with the columns start, end and text, as HowTo100M has them.

    Times are written in their shortest form that is the same number, so a file of theirs that was
    read is written with the same bytes.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((line.start, line.end, line.text) for line in narration.lines)
    return table.getvalue()


def _escaped(text: str) -> str:
    """A text in one row, with nothing in it that is markup; an empty row would end the cue."""
    text = html.escape(" ".join(text.split()), quote=False)
    # Braces are an override, such as `{\\b1}` or `{y:i}`; elsewhere they stay readable.
    return _OVERRIDE_STARTS.sub("&#123;", text)


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    whole, ms = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{separator}{ms:03}"


WRITERS: Mapping[str, Callable[[Narration], str]] = {"srt": to_srt, "vtt": to_vtt, "csv": to_csv}
"""By the name of the format, as `howto transcribe` calls it."""
