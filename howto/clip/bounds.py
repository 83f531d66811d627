"""Keep clips inside their video."""

from collections.abc import Iterable

from howto.records import Clip, Line, Video

__all__ = ["bounded_clip", "duration_of", "lines_with_picture"]


def duration_of(video: Video) -> float | None:
    """Return the video's length in seconds, or None where it was not probed."""
    return None if video.info is None else video.info.duration


def lines_with_picture(lines: Iterable[Line], video: Video) -> list[Line]:
    """Leave out the lines that begin at or after the video's end: nothing is seen while they last.

    A clip of no length at the end would pair their words with empty features instead.
    """
    duration = duration_of(video)
    return [line for line in lines if duration is None or line.start < duration]


def bounded_clip(video: Video, start: float, end: float, caption: str) -> Clip:
    """Make a clip of that span, cut to 0 .. the video's duration where that is known."""
    duration = duration_of(video)
    start, end = max(start, 0.0), max(end, 0.0)
    if duration is not None:
        start, end = min(start, duration), min(end, duration)
    return Clip(video.video_id, start, end, caption)
