"""One clip for each line of narration, as the method defines a pair."""

from typing import ClassVar

from howto.clip.bounds import bounded_clip, lines_with_picture
from howto.records import Clip, Narration, Video

__all__ = ["LinesClipper"]


class LinesClipper:
    """A clip is a line's own time interval, its caption the line's text."""

    name: ClassVar[str] = "lines"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = False

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return one clip per line, cut to the video; lines that begin after its end give none."""
        return [
            bounded_clip(video, line.start, line.end, line.text, index, index)
            for index, line in enumerate(lines_with_picture(narration.lines, video))
        ]
