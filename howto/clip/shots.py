"""Shots instead of lines: a clip is what the camera shows between two cuts.

Boundaries are found by PySceneDetect's adaptive detector (BSD-3-Clause), on frames of our own
decoder: its times count from the container's start as captions' do, and rotated, late and damaged
files are read as everywhere in howto. Needs the extra `shots`.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from howto.clip.bounds import duration_of, lines_with_picture
from howto.clip.spans import captioned_spans
from howto.errors import PluginError, UsageError
from howto.records import Clip, FrameSpec, Narration, Video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ShotsClipper", "shot_boundaries"]

_SHORT_SIDE = 72  # pixels; the detector looks at mean changes of colour, which scaling keeps
_FASTEST, _USUAL = Fraction(30), Fraction(25)  # frames per second looked at
_EDGE = 1e-3  # seconds; a boundary this near an end of the video parts nothing off


class ShotsClipper:
    """A clip is a shot, captioned by the lines whose middle lies in it, '' where there are none.

    Args:
        threshold: how much more a picture must change at a cut than around it; PySceneDetect's
            `adaptive_threshold`.
        min_seconds: the shortest shot; a cut sooner after another is none.

    Raises:
        UsageError: one of them is not positive.
    """

    name: ClassVar[str] = "shots"
    version: ClassVar[str] = "1"
    watches: ClassVar[bool] = True

    def __init__(self, threshold: float = 3.0, min_seconds: float = 0.6) -> None:
        if not (threshold > 0 and min_seconds > 0):
            raise UsageError(f"threshold {threshold} and min_seconds {min_seconds} must be above 0")
        self.threshold = threshold
        self.min_seconds = min_seconds

    def pairs(self, narration: Narration, video: Video) -> list[Clip]:
        """Return the shots in order; they cover the video without a gap.

        Raises:
            MediaError: the video cannot be decoded.
            PluginError: PySceneDetect is not installed.
        """
        lines = lines_with_picture(narration.lines, video)
        duration = duration_of(video)
        rate = video.info.frame_rate if video.info else None
        boundaries = shot_boundaries(video.path, rate, self.threshold, self.min_seconds)
        if duration is None:
            duration = max([*boundaries, *(line.end for line in lines)], default=0.0)
        if duration <= 0:
            return []
        inner = [second for second in boundaries if _EDGE < second < duration - _EDGE]
        return captioned_spans([0.0, *inner, duration], lines, video)


def shot_boundaries(
    path: "Path",
    frame_rate: Fraction | None = None,
    threshold: float = 3.0,
    min_seconds: float = 0.6,
) -> list[float]:
    """Find the moments at which a new shot begins.

    Args:
        path: a local video.
        frame_rate: the video's own, so that every frame is looked at, up to 30 a second.
        threshold, min_seconds: as for `ShotsClipper`.

    Returns:
        Seconds from the container's start, ascending; none for a single shot.

    Raises:
        MediaError: as `howto.media.decode.decode` does.
        PluginError: PySceneDetect is not installed.
    """
    try:
        from scenedetect import AdaptiveDetector, FrameTimecode
    except ModuleNotFoundError as error:
        raise PluginError(
            "clipper 'shots' needs PySceneDetect. Install it with: pip install 'howto[shots]'"
        ) from error
    rate = min(frame_rate, _FASTEST) if frame_rate else _USUAL
    shortest = max(1, round(min_seconds * rate))
    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=shortest)
    times: list[float] = []
    found: list[int] = []
    for picture, time in _pictures(path, rate):
        stamp = FrameTimecode(len(times), rate)
        times.append(time)
        found += [cut.frame_num for cut in detector.process_frame(stamp, picture)]
    return sorted({times[number] for number in found})


def _pictures(path: "Path", rate: Fraction) -> "Iterator[tuple[NDArray[np.uint8], float]]":
    """The video's frames, small and in OpenCV's order of colours, with their times."""
    from howto.media.decode import decode

    for chunk in decode(path, [FrameSpec(rate, _SHORT_SIDE)], scaler="bilinear"):
        for picture, time in zip(chunk.frames, chunk.times, strict=True):
            yield picture[..., ::-1].copy(), float(time)
