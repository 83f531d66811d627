"""Files of moments with queries, row by row, and the form that several data sets are given in.

The form is one JSON object a line, as QVHighlights has it and as others are copied into it:

    {"query": "...", "vid": "...", "duration": 126.0, "relevant_windows": [[start, end], ...]}
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howto.errors import UsageError
from howto.evaluate.benchmarks.files import Release, json_lines, seconds, shape_error, span
from howto.evaluate.benchmarks.sets import MomentQuery, Place
from howto.train.pack_source import Lost

__all__ = ["MomentFormat", "MomentRow", "line_rows", "queries_of"]


@dataclass(frozen=True, slots=True)
class MomentRow:
    """One query as it stands in a file; times are checked later.

    Attributes:
        where: file and line or key.
        times: start and end of each right moment, in seconds.
        duration: of the video in seconds, None where the file does not say it.
        parent: the YouTube video that this one was cut from, and where; None: from none.
    """

    where: str
    video: str
    query: str
    times: tuple[tuple[object, object], ...]
    duration: object | None = None
    parent: Place | None = None


@dataclass(frozen=True, slots=True)
class MomentFormat:
    """One data set of moments.

    Attributes:
        name: as people ask for it: `moments:NAME`.
        files: names of the files of each split, most wanted first; the first split is the one that
            is scored unless another is named.
        rows: reads one file.
        unit: seconds of which every moment is a multiple; None where there is no such grid.
    """

    name: str
    release: Release
    files: Mapping[str, tuple[str, ...]]
    rows: Callable[[Path], Iterator[MomentRow]]
    unit: float | None = None


def line_rows(path: Path) -> Iterator[MomentRow]:
    """Read one JSON object a line.

    Raises:
        UsageError: the file is missing or damaged, or a row is another.
    """
    for number, told in json_lines(path):
        where = f"{path}, line {number}"
        try:
            times = tuple((start, end) for start, end in told["relevant_windows"])
            yield MomentRow(where, str(told["vid"]), str(told["query"]), times, told["duration"])
        except KeyError as error:
            raise UsageError(
                f"{where}: there is no {error.args[0]!r}. Test sets whose moments are kept back "
                "cannot be scored here"
            ) from error
        except (TypeError, ValueError) as error:
            raise shape_error(where, "query, vid, duration and relevant_windows", told) from error


def queries_of(rows: Iterator[MomentRow]) -> tuple[list[MomentQuery], list[Lost]]:
    """Check the times; a query without one possible moment is lost.

    Raises:
        UsageError: a time that is no number.
    """
    found, lost = [], []
    for row in rows:
        spans = [span(*times, row.where) for times in row.times]
        possible = tuple(one for one in spans if one is not None)
        if not possible:
            lost.append(Lost(row.video, "impossible_times", f"{row.where}: {_told(row.times)}"))
            continue
        places = tuple(filter(None, (Place(row.video), row.parent)))
        known = frozenset(place.video for place in places)
        found.append(MomentQuery(row.query, row.video, possible, places, known, _duration(row)))
    return found, lost


def _told(times: tuple[Any, ...]) -> str:
    return ", ".join(f"{start} to {end} s" for start, end in times) or "no moment"


def _duration(row: MomentRow) -> float | None:
    if row.duration is None:
        return None
    duration = seconds(row.duration, row.where)
    return duration if duration > 0 else None
