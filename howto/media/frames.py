"""The picture that is shown at a given second.

Needs PyAV and numpy. Seeks to the key frame before and decodes on, so the picture is the exact one
whatever the frame rate does; a file that cannot seek is read from its start.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av.error
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.container import (
    Clock,
    decoded,
    main_video,
    only,
    open_media,
    packets_of,
    use_threads,
)
from howto.media.scale import Scaler
from howto.records import FrameSpec

__all__ = ["frame_at", "frames_at"]

_READ_ON = 2  # seconds; a picture this near is reached by decoding on rather than by seeking
_SEEK_BACK = (0, 5, 30)  # seconds; an index may point to a key frame shown after the moment
_GRACE = Fraction(1, 1_000_000)  # a frame's own time, rounded to a float, must find that frame
_LONGEST = 30 * 24 * 3600.0  # seconds; later than any frame


def frame_at(path: Path, seconds: float, short_side: int | None = None) -> NDArray[np.uint8]:
    """The picture shown at a moment.

    Args:
        path: a local file; any name.
        seconds: from the container's start. Before the first frame: the first; past the end:
            the last.
        short_side: scale to this shorter side in pixels; None keeps the size.

    Returns:
        uint8 (H, W, 3), RGB, upright.

    Raises:
        UsageError: `seconds` is not a finite number, or `short_side` is below 1.
        MediaError: as `howto.media.probe.probe` does.
    """
    return frames_at(path, [seconds], short_side)[0]


def frames_at(
    path: Path, seconds: Sequence[float], short_side: int | None = None
) -> list[NDArray[np.uint8]]:
    """The pictures shown at several moments, opening the file once and decoding each stretch once.

    Args, pictures and errors as for `frame_at`.

    Returns:
        One picture for each moment, in the order of `seconds`.
    """
    if not all(np.isfinite(seconds)):
        raise UsageError("a moment that is not a finite number of seconds")
    if short_side is not None and short_side < 1:
        raise UsageError(f"a short side of {short_side} pixels")
    order = sorted(range(len(seconds)), key=seconds.__getitem__)
    pictures: dict[int, NDArray[np.uint8]] = {}
    spec = None if short_side is None else FrameSpec(Fraction(1), short_side)
    scaler = Scaler(spec)
    reader = _Reader(path)
    try:
        for i in order:
            pictures[i] = scaler.scale(reader.shown_at(seconds[i])).copy()
    finally:
        reader.close()
    return [pictures[i] for i in range(len(seconds))]


class _Reader:
    """Walks forward through a video, decoding or seeking, and holds the frame that is shown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        self._container = open_media(self._path)
        try:
            self._stream = main_video(self._container)
        except MediaError:
            self._container.close()
            raise
        only(self._container, self._stream)
        use_threads(self._stream)
        self._begin()

    def _begin(self) -> None:
        """Get ready to decode from where the container stands."""
        self._clock = Clock(self._container, self._stream)
        self._problems: list[str] = []
        packets = packets_of(self._container, self._stream, self._problems)
        self._frames = decoded(self._stream, packets, self._problems)
        self._shown: VideoFrame | None = None
        self._next = self._timed_next()

    def _timed_next(self) -> tuple[int, VideoFrame] | None:
        frame = next(self._frames, None)
        return None if frame is None else (self._clock.tick(frame), frame)

    def shown_at(self, seconds: float) -> VideoFrame:
        """The last frame at or before a moment; call with moments in ascending order."""
        wanted = Fraction(min(max(seconds, 0.0), _LONGEST)) + _GRACE
        moment = int(wanted / self._clock.time_base)
        if self._next is not None and moment > self._next[0] + _READ_ON / self._clock.time_base:
            self._seek(moment)
        while self._next is not None and (self._shown is None or self._next[0] <= moment):
            self._shown = self._next[1]
            self._next = self._timed_next()
        if self._shown is None:
            raise MediaError(Reason.NO_FRAMES, self._problems[0] if self._problems else "")
        return self._shown

    def _seek(self, moment: int) -> None:
        """Go to a key frame at or before a moment, or to the start where the file gives none."""
        for back in _SEEK_BACK:
            ticks = moment - int(back / self._clock.time_base)
            if ticks <= 0:
                break
            try:
                self._container.seek(ticks + self._clock.offset, stream=self._stream)
            except av.error.FFmpegError:
                break
            self._begin()
            # A frame without a time of its own cannot be placed after a jump.
            if self._next and self._next[1].pts is not None and self._next[0] <= moment:
                return
        self.close()
        self._open()

    def close(self) -> None:
        self._container.close()
