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

import av.error
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.container import (
    Clock,
    Filters,
    decoded,
    display_filters,
    main_video,
    only,
    open_media,
    packets_of,
)
from howto.media.schedule import Schedule, num_outputs, output_size, scaled_size
from howto.media.skip import sparing
from howto.records import FrameSpec

__all__ = ["FrameChunk", "Scaler", "decode", "num_outputs", "output_size"]

_LONGEST_SIDE = 16_384  # pixels of an output; FFmpeg's scaler takes no much larger ones
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
        stream.thread_type = "AUTO"
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


class Scaler:
    """Turns decoded frames upright, scales, crops and converts them to RGB with FFmpeg's filters.

    The output size is settled by the first frame and kept when a later one has another size, as the
    ffmpeg program does. The filter graph is rebuilt when size, format or rotation change.

    Args:
        spec: the size wanted; its rate plays no part. None: the picture's own size.
        coded: compute the size before the rotation (see `decode`).
        flags: name of swscale's method.
    """

    def __init__(
        self, spec: FrameSpec | None, *, coded: bool = False, flags: str = "bicubic"
    ) -> None:
        self._spec = spec
        self._coded = coded
        self._flags = flags
        self._filters: Filters | None = None
        self._key: tuple[object, ...] = ()

    def scale(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """One frame as uint8 (H, W, 3); the array is only valid until the next call.

        Raises:
            MediaError: NO_FRAMES: the picture cannot be scaled to this size.
        """
        upright = display_filters(frame)
        key = (
            *(frame.width, frame.height, frame.format.name),
            *(int(frame.colorspace), int(frame.color_range), upright),
        )
        try:
            if key != self._key:
                self._build(frame, upright)
                self._key = key
            self._graph.vpush(frame)
            self._scaled = self._graph.vpull()
        except av.error.FFmpegError as error:
            raise MediaError(Reason.NO_FRAMES, f"cannot scale: {error.strerror}") from error
        plane = self._scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)

    def _build(self, frame: VideoFrame, upright: Filters) -> None:
        if self._filters is None:
            self._filters = self._size_filters(frame, upright)
        self._graph = Graph()
        # Slices of so small a picture are not worth a thread each; the decoder uses the cores.
        self._graph.threads = 1
        source = self._graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base="1/1",  # times are kept beside, the filters do not look at them
            pixel_aspect="1/1",
            colorspace=str(int(frame.colorspace)),
            range=str(int(frame.color_range)),
        )
        chain = [self._graph.add(name, args) for name, args in (*upright, *self._filters)]
        self._graph.link_nodes(source, *chain, self._graph.add("buffersink"))
        self._graph.configure()

    def _size_filters(self, frame: VideoFrame, upright: Filters) -> Filters:
        rgb = ("format", "rgb24")
        if self._spec is None:
            return (("scale", f"flags={self._flags}"), rgb)
        size = frame.width, frame.height
        if not self._coded and any(name == "transpose" for name, _ in upright):
            size = size[::-1]
        width, height = scaled_size(*size, self._spec.short_side)
        if max(width, height) > _LONGEST_SIDE:
            raise MediaError(
                Reason.NO_FRAMES,
                f"a picture of {size[0]}x{size[1]} cannot be scaled to a short side of "
                f"{self._spec.short_side}: the other would have {max(width, height)} pixels",
            )
        scale = ("scale", f"{width}:{height}:flags={self._flags}")
        if self._spec.crop is None:
            return (scale, rgb)
        side = self._spec.crop
        # The authors' crop: int((width - size) / 2.0).
        crop = ("crop", f"{side}:{side}:{(width - side) // 2}:{(height - side) // 2}")
        return (scale, crop, rgb)
