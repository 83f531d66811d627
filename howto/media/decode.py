"""The frames that backbones want, at several rates and sizes, in one pass over the video.

Needs PyAV and numpy. What it promises, and how its frames compare with those of the ffmpeg program:
docs/decode.md. The rule by which frames are chosen: `howto.media.schedule`.

Only a chosen frame is scaled, once, by FFmpeg's own filters, with exact times beside. That gives
the bytes of `ffmpeg -i x -filter:v fps=..,scale=..[,crop=..] -f rawvideo -pix_fmt rgb24 -`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

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
from howto.media.schedule import Schedule, num_outputs, output_size
from howto.media.skip import sparing
from howto.records import FrameSpec

__all__ = ["FrameChunk", "decode", "num_outputs", "output_size"]

_LONGEST_TIME = 30 * 24 * 3600  # seconds; a frame said to be later is not believed


@dataclass(frozen=True, slots=True, eq=False)
class FrameChunk:
    """Consecutive output frames of one spec.

    Attributes:
        spec: index into the specs that were asked for.
        first: k of the first frame, counting the outputs of this spec from 0.
        frames: uint8 (n, H, W, 3), RGB.
        times: float64 (n,), seconds from the container's start to the moment at which the source
            frame of each is shown; an output that repeats a frame repeats its time.
    """

    spec: int
    first: int
    frames: NDArray[np.uint8]
    times: NDArray[np.float64]


def decode(
    path: Path,
    specs: Sequence[FrameSpec],
    *,
    chunk: int = 16,
    sizing: Literal["displayed", "coded"] = "displayed",
    scaler: Literal["bicubic", "bilinear"] = "bicubic",
    problems: list[str] | None = None,
) -> Iterator[FrameChunk]:
    """Decode a video once and yield the frames of every spec.

    At rate r, output k is the last frame whose time is strictly below (k + 1/2)/r; there are
    `num_outputs(end of the last frame, r)`. Where the stream starts late, its first frame fills the
    early outputs. A video shorter than half an output's time gives none for that spec, and no
    error: whoever needs a frame raises TOO_SHORT.

    What cannot be decoded is left out and the frame before stands in for it; a stream that breaks
    off gives what came before. Both are told in `problems`.

    Args:
        path: a local file; any name.
        specs: what is wanted; `crop` is cut from the middle after scaling.
        chunk: most frames in one FrameChunk.
        sizing: `displayed` keeps the aspect as shown; `coded` computes the size from width and
            height before the rotation, as the HowTo100M authors do, which squashes rotated video.
        scaler: `bicubic` is ffmpeg's default; `bilinear` is faster and gives other bytes.
        problems: filled, while iterating, with one line for each thing that could not be read.

    Yields:
        Chunks in order within each spec; chunks of different specs in any order.

    Raises:
        UsageError: a spec, or `chunk`, that cannot mean anything.
        MediaError: as `howto.media.probe.probe` does; NO_FRAMES also where the picture is so narrow
            that it cannot be scaled as asked.
    """
    _check(specs, chunk)
    lanes = [_Lane(i, spec, chunk, sizing, scaler) for i, spec in enumerate(specs)]
    return _run(path, lanes, [] if problems is None else problems)


def _check(specs: Sequence[FrameSpec], chunk: int) -> None:
    if chunk < 1:
        raise UsageError(f"a chunk of {chunk} frames: at least 1 is needed")
    for spec in specs:
        if spec.rate <= 0 or spec.short_side < 1:
            raise UsageError(f"{spec}: rate and short side must be above 0")
        if spec.crop is not None and not 1 <= spec.crop <= spec.short_side:
            raise UsageError(f"{spec}: the crop must lie within the short side")


def _run(path: Path, lanes: list["_Lane"], problems: list[str]) -> Iterator[FrameChunk]:
    with open_media(path) as container:
        stream = main_video(container)
        only(container, stream)
        use_threads(stream)
        clock = Clock(container, stream)
        for lane in lanes:
            lane.start(clock.time_base)
        shown: tuple[VideoFrame, int] | None = None
        end = 0
        schedules = [lane.schedule for lane in lanes]

        def is_wanted(stamp: int, following: int) -> bool:
            shown, until = stamp - clock.offset, following - clock.offset
            return any(schedule.wants(shown, until) for schedule in schedules)

        packets = packets_of(container, stream, problems)
        packets = sparing(packets, stream.codec_context, is_wanted, problems)
        for frame in decoded(stream, packets, problems):
            ticks = clock.tick(frame)
            if ticks * clock.time_base > _LONGEST_TIME:
                problems.append(f"a frame said to be at {float(clock.seconds(ticks)):.0f} s")
                continue
            if shown is not None:
                for lane in lanes:
                    yield from lane.show(*shown, ticks)
            shown, end = (frame, ticks), clock.end
        if shown is None:
            raise MediaError(Reason.NO_FRAMES, problems[0] if problems else "")
        for lane in lanes:
            yield from lane.show(*shown, end)
            yield from lane.rest()


class _Lane:
    """One spec on its way through a video: its schedule, its scaler, and the chunk being filled."""

    def __init__(self, index: int, spec: FrameSpec, chunk: int, sizing: str, scaler: str) -> None:
        self._index = index
        self._spec = spec
        self._chunk = chunk
        self._scaler = Scaler(spec, coded=sizing == "coded", flags=scaler)
        self._times: list[float] = []
        self._first = 0

    def start(self, time_base: Fraction) -> None:
        self.schedule = Schedule(self._spec.rate, time_base)
        self._time_base = time_base

    def show(self, frame: VideoFrame, ticks: int, until: int) -> Iterator[FrameChunk]:
        """Fill the outputs of a frame that is shown from one tick up to another."""
        outputs = self.schedule.fill(until)
        if not outputs:
            return
        picture = self._scaler.scale(frame)
        time = float(ticks * self._time_base)
        for _ in outputs:
            if not self._times:
                self._frames = np.empty((self._chunk, *picture.shape), np.uint8)
            self._frames[len(self._times)] = picture
            self._times.append(time)
            if len(self._times) == self._chunk:
                yield from self.rest()

    def rest(self) -> Iterator[FrameChunk]:
        """The chunk being filled, if there is anything in it."""
        n = len(self._times)
        if n:
            yield FrameChunk(
                self._index, self._first, self._frames[:n], np.array(self._times, np.float64)
            )
            self._first += n
            self._times = []
