"""Windows of time instead of lines: over the whole video, or only where nothing is said."""

import math
from collections.abc import Iterable
from typing import ClassVar

from howto.clip.bounds import duration_of, lines_with_picture
from howto.clip.spans import captioned_spans
from howto.errors import UsageError
from howto.records import Clip, Line, Narration, Video

__all__ = ["WindowsClipper", "silent_windows"]

# A rest of less than this fraction of a window is rounding, not a window of its own.
_SLIVER = 1e-6


class WindowsClipper:
    """A clip is a window of fixed length, captioned by the lines whose middle lies in it.

    So each line is said in one window only, the one that shows most of it. The windows cover the
    video without a gap, '' is the caption where nothing is said, and the last window is as short
    as the video leaves it. Where the duration is not known the narration's end stands for it.

    Args:
        seconds: length of a window.

    Raises:
        UsageError: seconds is not a positive finite number.
    """

    name: ClassVar[str] = "windows"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = False

    def __init__(self, seconds: float = 10.0) -> None:
        _require_positive("seconds", seconds)
        self.seconds = seconds

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return the windows in order; none where there is neither a duration nor a line."""
        lines = lines_with_picture(narration.lines, video)
        duration = duration_of(video)
        if duration is None:
            duration = max((line.end for line in lines), default=0.0)
        if duration <= 0:
            return []
        count = max(1, math.ceil(duration / self.seconds - _SLIVER))
        edges = [index * self.seconds for index in range(count)] + [duration]
        return captioned_spans(edges, lines, video)


def silent_windows(
    lines: Iterable[Line], duration: float, seconds: float = 10.0, min_seconds: float = 2.0
) -> list[tuple[float, float]]:
    """Cut the parts of a video where nothing is said into windows, so that search can show them.

    Each silence is cut into equal windows of at most `seconds`, unless that would make them shorter
    than `min_seconds`. Silences shorter than `min_seconds` are pauses in speech and give no window.

    Args:
        lines: in any order, they may overlap; a line of no length interrupts nothing.
        duration: of the video, in seconds.
        seconds: the longest that a window should be.
        min_seconds: the shortest that a window can be.

    Returns:
        (start, end) in seconds, in order; no two overlap, and none overlaps a line.

    Raises:
        UsageError: seconds or min_seconds is not a positive finite number, or min_seconds is the
            greater one.
    """
    _require_positive("seconds", seconds)
    _require_positive("min_seconds", min_seconds)
    if min_seconds > seconds:
        raise UsageError(f"min_seconds ({min_seconds}) is more than seconds ({seconds})")
    windows = []
    for start, end in _silences(lines, duration):
        length = end - start
        wanted = max(1, math.ceil(length / seconds - _SLIVER))
        count = min(wanted, math.floor(length / min_seconds))
        edges = [start + length * index / count for index in range(count)] + [end]
        windows += [(edges[index], edges[index + 1]) for index in range(count)]
    return windows


def _silences(lines: Iterable[Line], duration: float) -> list[tuple[float, float]]:
    """Return the gaps between lines, from 0 to the duration."""
    silences = []
    said_until = 0.0
    spoken = [(line.start, line.end) for line in lines if line.start < line.end]
    for start, end in [*sorted(spoken), (duration, duration)]:
        gap_end = min(start, duration)
        if gap_end > said_until:
            silences.append((said_until, gap_end))
        said_until = max(said_until, end)
    return silences


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{name} is {value}, expected a positive number of seconds")
