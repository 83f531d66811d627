"""Keep clips inside their video, and know which lines they came from."""

from collections.abc import Iterable
from dataclasses import dataclass

from howto.records import Clip, Line, Video

__all__ = ["ClipOfLines", "bounded_clip", "duration_of", "lines_with_picture"]


@dataclass(frozen=True, slots=True)
class ClipOfLines(Clip):
    """A clip whose clipper says where in the narration its caption is from.

    Attributes:
        first, last: indices of the outermost lines that the caption holds words of, both included;
            last is first - 1 where it holds none.
    """

    first: int
    last: int


def duration_of(video: Video) -> float | None:
    """Return the video's length in seconds, or None where it was not probed."""
    return None if video.info is None else video.info.duration


def lines_with_picture(lines: Iterable[Line], video: Video) -> list[Line]:
    """Leave out the lines that begin at or after the video's end: nothing is seen while they last.

    A clip of no length at the end would pair their words with empty features instead. Lines are
    sorted by start, so those that stay keep their indices.
    """
    duration = duration_of(video)
    return [line for line in lines if duration is None or line.start < duration]


def bounded_clip(
    video: Video, start: float, end: float, caption: str, first: int, last: int
) -> ClipOfLines:
    """Make a clip of that span and those lines, cut to 0 .. the video's duration where known."""
    duration = duration_of(video)
    start, end = max(start, 0.0), max(end, 0.0)
    if duration is not None:
        start, end = min(start, duration), min(end, duration)
    return ClipOfLines(video.video_id, start, end, caption, first, last)
