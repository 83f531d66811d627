"""Decoded frames as RGB pictures of the size wanted, through FFmpeg's own filters.

Needs PyAV and numpy. swscale called directly (PyAV's `reformat`) gives other bytes; a filter graph
gives those of the ffmpeg program.
"""

import av.error
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from howto.errors import MediaError, Reason
from howto.media.container import Filters, display_filters
from howto.media.schedule import scaled_size
from howto.records import FrameSpec

__all__ = ["Scaler", "graph_for", "shape_of"]

_LONGEST_SIDE = 16_384  # pixels of an output; swscale takes no much larger ones


def shape_of(frame: VideoFrame) -> tuple[object, ...]:
    """What a filter graph is built for: when it changes, a new one is needed.

    Of the rotation only the angle: reading a frame's side data ties the frame into a cycle, which
    keeps its memory until the garbage collector comes.
    """
    return (
        *(frame.width, frame.height, frame.format.name),
        *(int(frame.colorspace), int(frame.color_range), frame.rotation),
    )


def graph_for(frame: VideoFrame, filters: Filters) -> Graph:
    """A chain of filters for frames like this one; push frames with `vpush`, pull with `vpull`."""
    graph = Graph()
    # Slices of one picture are not worth a thread each; the decoder uses the cores.
    graph.threads = 1
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base="1/1",  # times are kept beside, the filters do not look at them
        pixel_aspect="1/1",
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    chain = [graph.add(name, args) for name, args in filters]
    graph.link_nodes(source, *chain, graph.add("buffersink"))
    graph.configure()
    return graph


class Scaler:
    """Turns decoded frames upright, scales, crops and converts them to RGB.

    The output size is settled by the first frame and kept when a later one has another size, as the
    ffmpeg program does. The filter graph is rebuilt when size, format or rotation change.

    Args:
        spec: the size wanted; its rate plays no part. None: the picture's own size.
        coded: compute the size before the rotation (see `howto.media.decode.decode`).
        flags: name of swscale's method.
    """

    def __init__(
        self, spec: FrameSpec | None, *, coded: bool = False, flags: str = "bicubic"
    ) -> None:
        self._spec = spec
        self._coded = coded
        self._flags = flags
        self._size: tuple[int, int] | None = None
        self._shape: tuple[object, ...] = ()

    def scale(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """One frame as uint8 (H, W, 3); the array is only valid until the next call.

        Raises:
            MediaError: NO_FRAMES: the picture cannot be scaled to this size.
        """
        shape = shape_of(frame)
        try:
            if shape != self._shape:
                self._graph = graph_for(frame, self._filters(frame))
                self._shape = shape
            self._graph.vpush(frame)
            self._scaled = self._graph.vpull()
        except av.error.FFmpegError as error:
            raise MediaError(Reason.NO_FRAMES, f"cannot scale: {error.strerror}") from error
        return _interleaved(self._scaled)

    def _filters(self, frame: VideoFrame) -> Filters:
        upright = display_filters(frame)
        if self._spec is None:
            return (*upright, ("scale", f"flags={self._flags}"), ("format", "rgb24"))
        if self._size is None:
            turned = not self._coded and any(name == "transpose" for name, _ in upright)
            size = (frame.height, frame.width) if turned else (frame.width, frame.height)
            self._size = _bounded(scaled_size(*size, self._spec.short_side))
        width, height = self._size
        scale = ("scale", f"{width}:{height}:flags={self._flags}")
        form = ("format", _quickest_format(frame, width))
        if self._spec.crop is None:
            return (*upright, scale, form)
        side = self._spec.crop
        # The authors' crop: int((width - size) / 2.0).
        crop = ("crop", f"{side}:{side}:{(width - side) // 2}:{(height - side) // 2}")
        return (*upright, scale, crop, form)


def _bounded(size: tuple[int, int]) -> tuple[int, int]:
    if max(size) > _LONGEST_SIDE:
        raise MediaError(
            Reason.NO_FRAMES,
            f"the picture is too narrow: scaled, it would have {size[0]}x{size[1]} pixels",
        )
    return size


def _quickest_format(frame: VideoFrame, width: int) -> str:
    """The RGB format whose bytes are those of `rgb24`, and which swscale makes fastest.

    For an odd width swscale computes rgb24 from full chroma, which is all it knows for planar RGB:
    the same values, but vectorised, in 6 to 7 tenths of the time.
    """
    name = frame.format.name
    is_yuv = name.startswith("yuv") and not name.startswith("yuva")
    return "gbrp" if is_yuv and width % 2 else "rgb24"


def _interleaved(frame: VideoFrame) -> NDArray[np.uint8]:
    """The pixels of an rgb24 or gbrp frame: uint8 (H, W, 3)."""
    planes = [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        for plane in frame.planes
    ]
    if len(planes) == 1:
        return planes[0][:, : 3 * frame.width].reshape(frame.height, frame.width, 3)
    pixels = np.empty((frame.height, frame.width, 3), np.uint8)
    for channel, plane in zip((1, 2, 0), planes, strict=True):  # green, blue, red
        pixels[..., channel] = plane[:, : frame.width]
    return pixels
