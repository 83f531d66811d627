"""Write H.264 and AAC into an .mp4 that a browser plays, bit-identical for the same input.

OpenCV's wheel has no H.264 encoder, so pictures and sound both go through PyAV (libx264 and
FFmpeg's AAC).
Nothing of the machine gets into the file: no clock, no host, a fixed number of encoder threads
(libx264 writes other bits with another number).
"""

import os
import struct
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.subtitles.stream import SubtitleStream
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from howto.records import Line

__all__ = ["H264Writer"]

PRESET = "veryfast"
SOUND_BITS_PER_SECOND = 48_000
# The same bits on every processor.
EXACT_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
# FFmpeg's mov_text encoder will not open without the header of an ASS file; its styles are not
# used.
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


class H264Writer:
    """Encode frames, and sound if wanted, into one .mp4 file; use it in a `with` block.

    The file is written beside its place and renamed when the block ends without an error; otherwise
    nothing is left. Frames and sound may be written in any order: both start at time 0.

    Args:
        path: where the file will be; the folder must exist.
        width, height: in pixels, both even (4:2:0 chroma).
        frame_rate: frames per second, exact.
        sample_rate: of the sound in Hz, or None for a file without sound.
        crf: libx264's constant rate factor, 0 (lossless) to 51; 23 is its default.
        title, description: tags of the container; '' writes none.
        caption_language: ISO 639-2 code such as `eng` of a text track inside the file, or None for
            no such track.
        gop: most frames from one key frame to the next; None: two seconds' worth.
        threads: of the encoder. The bits depend on it.

    Raises:
        ValueError: width or height is odd or not positive.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        frame_rate: Fraction,
        sample_rate: int | None = None,
        crf: int = 23,
        title: str = "",
        description: str = "",
        caption_language: str | None = None,
        gop: int | None = None,
        threads: int = 1,
    ) -> None:
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise ValueError(f"H.264 with 4:2:0 chroma needs even sizes, not {width}x{height}.")
        self.path = path
        self._size = (width, height)
        self._frame_rate = frame_rate
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._container = av.open(
            str(self._part),
            "w",
            format="mp4",
            options={"movflags": "+faststart", "fflags": "+bitexact"},
        )
        for tag, value in (("title", title), ("description", description)):
            if value:
                self._container.metadata[tag] = value
        self._video = self._add_video(crf, gop or max(1, round(2 * frame_rate)), threads)
        self._sound = None if sample_rate is None else self._add_sound(sample_rate)
        self._captions = None if caption_language is None else self._add_captions(caption_language)
        # One for all frames: VideoFrame.reformat makes a new one each time, at three times the
        # cost.
        self._to_yuv = VideoReformatter()
        self._num_frames = 0
        self._num_samples = 0

    def write_frame(self, rgb: NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            rgb: uint8 (H, W, 3).

        Raises:
            ValueError: another shape than the file's.
        """
        width, height = self._size
        if rgb.shape != (height, width, 3):
            raise ValueError(f"expected a frame of shape {(height, width, 3)}, not {rgb.shape}.")
        frame = self._to_yuv.reformat(
            av.VideoFrame.from_ndarray(rgb, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=EXACT_SCALING,
            threads=1,
        )
        frame.time_base = 1 / self._frame_rate
        frame.pts = self._num_frames
        self._num_frames += 1
        self._container.mux(self._video.encode(frame))

    def write_sound(self, samples: NDArray[np.float32]) -> None:
        """Append sound.

        Args:
            samples: float32 (N,), mono, in [-1, 1]; what lies outside is cut off.

        Raises:
            ValueError: the file was opened without a sample rate, or `samples` is not
                one-dimensional.
        """
        if self._sound is None:
            raise ValueError("this file was opened without sound: give a sample_rate.")
        if samples.ndim != 1:
            raise ValueError(f"expected mono samples of shape (N,), not {samples.shape}.")
        if not len(samples):
            return
        planar = np.clip(samples, -1, 1).astype(np.float32, copy=False)[None]
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout="mono")
        frame.sample_rate = self._sound.rate
        frame.time_base = Fraction(1, self._sound.rate)
        frame.pts = self._num_samples
        self._num_samples += len(samples)
        self._container.mux(self._sound.encode(frame))

    def write_caption(self, line: Line) -> None:
        """Append one line to the text track; lines come in order and do not overlap.

        Raises:
            ValueError: the file was opened without a caption language.
        """
        if self._captions is None:
            raise ValueError("this file was opened without captions: give a caption_language.")
        text = line.text.encode()
        packet = av.Packet(struct.pack(">H", len(text)) + text)
        packet.stream = self._captions
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(line.start * 1000)
        packet.duration = round(line.end * 1000) - round(line.start * 1000)
        self._container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._container.close()
        finally:
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._container.mux(self._video.encode(None))
        if self._sound is not None:
            self._container.mux(self._sound.encode(None))
        self._container.close()
        with self._part.open("rb") as whole:
            os.fsync(whole.fileno())
        self._part.replace(self.path)

    def _add_video(self, crf: int, gop: int, threads: int) -> av.VideoStream:
        stream = self._container.add_stream(
            "libx264", rate=self._frame_rate, options={"crf": str(crf), "preset": PRESET}
        )
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = gop
        context = stream.codec_context
        context.thread_count = threads
        context.flags |= Flags.bitexact
        context.colorspace = Colorspace.ITU601
        context.color_range = ColorRange.MPEG
        return stream

    def _add_sound(self, sample_rate: int) -> AudioStream:
        stream = self._container.add_stream(
            "aac", rate=sample_rate, layout="mono", options={"aac_coder": "fast"}
        )
        stream.bit_rate = SOUND_BITS_PER_SECOND
        stream.codec_context.flags |= Flags.bitexact
        return stream

    def _add_captions(self, language: str) -> SubtitleStream:
        stream = self._container.add_stream("mov_text")
        stream.metadata["language"] = language
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.subtitle_header = ASS_HEADER
        return stream
