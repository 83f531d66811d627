"""One clip for each line of narration, grown over its neighbours while it is too short."""

from typing import ClassVar

from howto.clip.bounds import bounded_clip, lines_with_picture
from howto.clip.growing import grow
from howto.records import Clip, Narration, Video

__all__ = ["GrowClipper"]


class GrowClipper:
    """A clip is a line with as many neighbouring lines as it takes to be long enough.

    Args:
        min_seconds: clips shorter than this grow.
        min_words: clips with fewer words than this grow.
    """

    name: ClassVar[str] = "grow"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = False

    def __init__(self, min_seconds: float = 5.0, min_words: int = 0) -> None:
        self.min_seconds = min_seconds
        self.min_words = min_words

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return one clip per line, sorted by start and cut to the video.

        A later line can grow further back than the one before it, so clip i need not be line i's;
        who needs that order calls `howto.clip.growing.grow`. Lines that begin after the video's end
        take no part.
        """
        lines = lines_with_picture(narration.lines, video)
        grown = grow(
            [line.start for line in lines],
            [line.end for line in lines],
            [line.text for line in lines],
            min_seconds=self.min_seconds,
            min_words=self.min_words,
        )
        clips: list[Clip] = [
            bounded_clip(video, clip.start, clip.end, clip.text, clip.first, clip.last)
            for clip in grown
        ]
        return sorted(clips, key=lambda clip: clip.start)
