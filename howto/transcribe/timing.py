"""Times of caption files: exact integer milliseconds, and what counts as a timing line."""

import re

__all__ = [
    "Span",
    "has_bare_numbers",
    "looks_like_timing",
    "read_span",
    "read_time",
    "seconds",
    "whole_time",
]

Span = tuple[int, int, str]
"""Start and end in milliseconds, and what follows on the line."""

# Hours may be missing. Minutes without hours may pass 59, as some writers count them so.
_TIME = r"(?:(\d{1,6})\s?:\s?)?(\d{1,3})\s?:\s?(\d{1,2})(?:\s?[.,:]\s?(\d{0,12}))?"
_ARROW = r"(?:-{1,3} ?>|[–—]>|→)"
# The end must not run into something else: `00:00:1d.890` is no time.
_SPAN = re.compile(rf"\s*{_TIME}\s*{_ARROW}\s*{_TIME}(?!\S)(.*)", re.DOTALL)
_ONE_TIME = re.compile(rf"\s*{_TIME}\s*")
_ARROW_IN_ROW = re.compile(_ARROW)
_CLOCK = re.compile(r"\d{1,9}\s?:\s?\w")
_FULL_ARROW = "-->"
_NUMBER = re.compile(r"\s*\d[\d.,]{0,12}\s*")
# A second of one digit, or such a minute behind hours. `0:01.5` and `1:02:03.5` are common.
_BARE = re.compile(
    r"^[ \t]*(?:(?:\d{1,6}:)?\d{1,3}:\d|\d{1,6}:\d:\d{2})[.,]\d{1,3}[ \t]*-->", re.MULTILINE
)


def seconds(milliseconds: int) -> float:
    """The float nearest to the exact time."""
    return milliseconds / 1000


def read_span(row: str, bare_numbers: bool = False) -> Span | None:
    """Read `START --> END rest`, or None where the row is not that.

    Args:
        row: with dots or commas, with or without hours and fraction.
        bare_numbers: the fraction is a count of milliseconds, see `has_bare_numbers`.
    """
    found = _SPAN.match(row)
    if found is None:
        return None
    h0, m0, s0, f0, h1, m1, s1, f1, rest = found.groups()
    start = _milliseconds(h0, m0, s0, f0, bare_numbers)
    end = _milliseconds(h1, m1, s1, f1, bare_numbers)
    return None if start is None or end is None else (start, end, rest)


def read_time(text: str, bare_numbers: bool = False) -> int | None:
    """Read one time in milliseconds, or None."""
    found = _ONE_TIME.fullmatch(text)
    if found is None:
        return None
    hours, minutes, secs, fraction = found.groups()
    return _milliseconds(hours, minutes, secs, fraction, bare_numbers)


def _milliseconds(
    hours: str | None, minutes: str, secs: str, fraction: str | None, bare_numbers: bool
) -> int | None:
    s, m = int(secs), int(minutes)
    if s > 59 or (hours is not None and (m > 59 or len(minutes) > 2)):
        return None
    whole = (int(hours or 0) * 3600 + m * 60 + s) * 1000
    if not fraction:
        return whole
    if len(fraction) == 3 or (bare_numbers and len(fraction) < 3):
        return whole + int(fraction)
    # Rounded half up, in integers: 0.0005 s is a millisecond.
    scale: int = 10 ** len(fraction)
    return whole + (int(fraction) * 2000 + scale) // (2 * scale)


def whole_time(text: str) -> int:
    """Milliseconds of a time that is known to have the form `00:00:01.000`."""
    hours, minutes, secs = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + int(secs[:2] + secs[3:])


def has_bare_numbers(text: str) -> bool:
    """Tell whether the file writes no leading zeros, as Teams does: `0:0:6.90` is 6.090 s.

    Seen in such files: `0:0:6.90 --> 0:0:6.500`, which makes sense in no other reading.
    """
    return _BARE.search(text) is not None


def looks_like_timing(row: str) -> bool:
    """Tell whether a row is meant as a timing, well-formed or not.

    With a clock on both sides of an arrow it is. With one alone, or with bare numbers, only where
    the row starts so and the arrow is `-->`: people write `5 -> 7` and `at 12:30 -> lunch`.
    """
    if ">" not in row and "→" not in row:
        return False
    arrow = _ARROW_IN_ROW.search(row)
    if arrow is None:
        return False
    left, right = row[: arrow.start()].strip(), row[arrow.end() : arrow.end() + 24].lstrip()
    clocks = _CLOCK.search(left[-24:]) is not None, _CLOCK.match(right) is not None
    if all(clocks) or arrow[0] != _FULL_ARROW:
        return all(clocks)
    if any(clocks):
        return not left or _CLOCK.match(left) is not None
    return _NUMBER.fullmatch(left) is not None and _NUMBER.match(right) is not None
