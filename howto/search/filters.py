"""Which videos of a library a search looks at: by path, by date, by length."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from howto.errors import UsageError
from howto.library import Library

__all__ = ["Filters", "allowed", "parse_date", "parse_seconds"]

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d+)?)")
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Filters:
    """What a video must be like; None asks for nothing.

    Attributes:
        video: a glob that one of its paths matches, in the library or in the folder searched;
            upper and lower case differ.
        after: it was published on that day or later, where a site said when; else its file was
            last changed then, in UTC.
        longer_than: seconds; it lasts longer.
    """

    video: str | None = None
    after: date | None = None
    longer_than: float | None = None

    @property
    def ask_nothing(self) -> bool:
        """Every video passes."""
        return self == Filters()


def parse_date(text: str) -> date:
    """Read a day, `2024-05-31`, or the first of a month or year: `2024-05`, `2024`.

    Raises:
        UsageError: it is none.
    """
    parts = text.strip().split("-")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"{text!r} is no date; expected such as 2024-05-31, 2024-05 or 2024")
    try:
        year, month, day = [*map(int, parts), 1, 1][:3]
        return date(year, month, day)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no date: {error}") from error


def parse_seconds(text: str) -> float:
    """Read a time: seconds (`90`, `2.5`), `1:30` or `1:02:03`.

    Raises:
        UsageError: it is none.
    """
    matched = _CLOCK.fullmatch(text.strip()) if text.isascii() else None
    if matched is None:
        raise UsageError(f"{text!r} is no time; expected seconds such as 90, or 1:30, or 1:02:03")
    hours, minutes, seconds = matched.groups()
    if minutes is not None and float(seconds) >= 60:
        raise UsageError(f"{text!r} is no time: a minute has 60 seconds")
    found = 3600 * float(hours or 0) + 60 * int(minutes or 0) + float(seconds)
    if not math.isfinite(found):
        raise UsageError(f"{text[:20]!r}... is no time: no video lasts so long")
    return found


def allowed(
    library: Library, filters: Filters, names: Mapping[int, Sequence[str]] | None = None
) -> set[int]:
    """The short keys of the videos that have a file and pass.

    Args:
        names: other paths of videos that the glob may match, such as those in the folder searched.
    """
    paths = library.paths()
    numbers = set(paths)
    if filters.video is not None:
        numbers = {
            number
            for number in numbers
            for path in (*paths[number], *(names or {}).get(number, ()))
            if fnmatchcase(path, filters.video)
        }
    if filters.after is not None:
        days = _days(library)
        numbers = {one for one in numbers if days[one] >= filters.after}
    if filters.longer_than is not None:
        rows = library.connection.execute(
            "SELECT number FROM videos WHERE duration > ?", (filters.longer_than,)
        )
        numbers &= {number for (number,) in rows}
    return numbers


def _days(library: Library) -> dict[int, date]:
    """The day of each video that has a file."""
    changed = library.connection.execute("SELECT number, max(mtime_ns) FROM files GROUP BY number")
    days = {number: _day_of(mtime_ns) for number, mtime_ns in changed}
    published = library.connection.execute(
        "SELECT number, uploaded FROM descriptions JOIN candidates USING (candidate)"
        " JOIN videos USING (video_id) WHERE uploaded <> ''"
    )
    for number, uploaded in published:
        if number in days:
            days[number] = date.fromisoformat(uploaded)
    return days


def _day_of(mtime_ns: int) -> date:
    return datetime.fromtimestamp(mtime_ns // _NANOSECONDS, UTC).date()
