"""Cut a moment out of a video, quickly from a key frame or exactly to the frame.

Needs PyAV. Whatever is cut, the file is written beside its place and renamed: absent or whole.
"""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, dropwhile
from math import ceil
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from howto.errors import MediaError, Reason, UsageError
from howto.media.audio import main_audio, samples_from
from howto.media.container import (
    Clock,
    Filters,
    decoded,
    display_filters,
    main_video,
    only,
    open_media,
    packets_of,
    url_of,
    use_threads,
)
from howto.media.scale import graph_for, shape_of

__all__ = ["CutResult", "cut", "cut_suffix"]

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}
"""Suffixes that a cut can have, and FFmpeg's names of their containers."""

_TICK = Fraction(1, 90_000)  # of the encoded video: holds the times of all usual frame rates
_SOUND_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_ENCODER = {"crf": "20", "preset": "veryfast"}
_SEEK_EARLY = 1  # second
_WITHOUT_INDEX = frozenset({"mpegts", "mpeg"})
_REORDERED = 2  # seconds by which a picture may be stored later than it is shown
_HELD = 500  # packets that wait for a decoding time; H.264 and H.265 need 16 pictures at most
_NOTHING = np.zeros((0, 1), np.int16)
_FALLBACK_RATE = 30  # frames per second told to the encoder, which only plans its bits by it


@dataclass(frozen=True, slots=True)
class CutResult:
    """What a cut holds, in seconds of the source from its container's start."""

    start: float
    end: float


def cut_suffix(path: Path, exact: bool) -> str:
    """The suffix that a cut of this file should have.

    An exact cut is .mp4. One from a key frame keeps the codecs, so it keeps the source's kind of
    container where we write it, and is .mkv otherwise, which holds everything.
    """
    suffix = path.suffix.lower()
    return ".mp4" if exact else suffix if suffix in _FORMATS else ".mkv"


def cut(path: Path, start: float, end: float, out: Path, *, exact: bool) -> CutResult:
    """Write one stretch of a video, with its sound, to a file of its own.

    Args:
        path: a local file; any name.
        start, end: seconds from the container's start; cut off at the video's ends.
        out: where to write; its suffix, best from `cut_suffix`, decides the container. An existing
            file is replaced.
        exact: encode anew (H.264, yuv420p, upright, square pixels, even size; AAC), so that the
            first picture is the one shown at `start`. Otherwise copy, from the key frame at or
            before `start`, with the rotation kept as the player's business.

    Returns:
        Where the cut really starts and ends.

    Raises:
        UsageError: the end is not after the start, the suffix is none we write, or the file cannot
            be written.
        MediaError: as `howto.media.probe.probe` does; TOO_SHORT: the video ends before `start`;
            NOT_MEDIA: a codec that this container cannot hold.
    """
    if not max(0.0, start) + _TICK < end < float("inf"):
        raise UsageError(f"cannot cut from {start} s to {end} s")
    if out.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"cannot write {out.suffix or 'a file without a suffix'}: use .mp4 or .mkv"
        )
    begin, stop = Fraction(max(0.0, start)), Fraction(end)
    with open_media(path) as source, _writing(out) as target:
        if exact:
            return _encode(path, source, target, begin, stop)
        return _copy(source, target, begin, stop)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[OutputContainer]:
    """A container that becomes `out` when the block ends well, and nothing otherwise."""
    # A name of its own: with that of `out` in it, it could be too long where `out` is not.
    part = out.with_name(f".cut-{secrets.token_hex(8)}.part")
    form = _FORMATS[out.suffix.lower()]
    options = {"movflags": "+faststart"} if form in ("mp4", "mov") else {}
    try:
        with contextlib.suppress(FileNotFoundError):
            out.lstat()  # a name that cannot be is told before the work
        try:
            with av.open(url_of(part), "w", format=form, options=options) as target:
                yield target
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    except av.error.FFmpegError as error:
        raise MediaError(Reason.NOT_MEDIA, f"cannot be cut: {error.strerror}") from error


# Copying, from a key frame.


def _copy(
    source: InputContainer, target: OutputContainer, begin: Fraction, stop: Fraction
) -> CutResult:
    video = main_video(source)
    kept: dict[int, Stream] = {video.index: _same_stream(target, video)}
    if source.streams.audio:
        audio = main_audio(source)
        kept[audio.index] = _same_stream(target, audio)
    for stream in source.streams:
        if stream.index not in kept:
            stream.discard = Discard.all
    key = _seek_to_key(source, video, begin)
    first, last = _copy_packets(source, target, kept, video, key, stop)
    if first is None or last <= begin:
        raise MediaError(Reason.TOO_SHORT, f"it ends before {float(begin):.3f} s")
    return CutResult(float(first), float(last))


def _seek_to_key(source: InputContainer, video: VideoStream, begin: Fraction) -> int | None:
    """Go to where the last key frame at or before a moment comes, or to some place before it.

    Returns:
        The pts of that key frame where packets of others come before it; None where it comes next.
    """
    clock = Clock(source, video)
    if source.format.name in _WITHOUT_INDEX:
        # A seek would land anywhere near, often behind the key frame: read from the start.
        key = _last_key(source, video, clock, begin)
        source.seek(0, unsupported_byte_offset=True)
        return key
    # Where it cannot seek, it is read from its start too.
    with contextlib.suppress(av.error.FFmpegError):
        source.seek(int(begin / clock.time_base) + clock.offset, stream=video)
    return None


def _last_key(
    source: InputContainer, video: VideoStream, clock: Clock, begin: Fraction
) -> int | None:
    """The pts of the last key frame from here on that is shown at or before a moment."""
    key = None
    for packet in packets_of(source, [video], []):
        if packet.pts is None:
            continue
        time = clock.seconds(packet.pts - clock.offset)
        if time > begin + _REORDERED:
            break
        if packet.is_keyframe and time <= begin:
            key = packet.pts
    return key


def _same_stream(target: OutputContainer, stream: Stream) -> Stream:
    try:
        return target.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        name = stream.codec_context.codec.canonical_name
        detail = f"{name} cannot be put into {target.format.name}; cut to .mkv, or exactly"
        raise MediaError(Reason.NOT_MEDIA, detail) from error


def _copy_packets(
    source: InputContainer,
    target: OutputContainer,
    kept: dict[int, Stream],
    video: VideoStream,
    key: int | None,
    stop: Fraction,
) -> tuple[Fraction | None, Fraction]:
    """Copy from a key frame to the end; returns where the pictures begin and end.

    Args:
        key: pts of the key frame; None for the next one.
    """
    start = Fraction(source.start_time or 0, av.time_base)
    first: Fraction | None = None
    last = Fraction(0)
    sources = [stream for stream in source.streams if stream.index in kept]
    done: set[int] = set()
    for packet, pts, dts in _timed(packets_of(source, sources, [])):
        if packet.stream_index in done:
            continue
        time = pts * packet.time_base - start
        is_video = packet.stream_index == video.index
        if first is None and is_video and packet.is_keyframe and key in (None, pts):
            first = time
        if first is None or time < first:
            continue  # sound before the key frame, and pictures that need the one before it
        # By decoding time: a picture shown before the end may need one that is shown after it.
        if dts * packet.time_base - start >= stop:
            done.add(packet.stream_index)
            if len(done) == len(kept):
                break
            continue
        if is_video:
            last = max(last, time + (packet.duration or 0) * packet.time_base)
        shift = round((first + start) / packet.time_base)
        packet.pts, packet.dts = pts - shift, dts - shift
        packet.stream = kept[packet.stream_index]
        target.mux(packet)
    return first, last


_Timed = tuple["Packet[Stream]", int, int]
"""A packet, and the ticks at which it is shown and decoded."""


def _timed(packets: "Iterable[Packet[Stream]]") -> Iterator[_Timed]:
    """The packets that are shown at some time, with a decoding time for each.

    Matroska stores none: FFmpeg derives them, but after a seek it has none for the first packets,
    the key frame among them, where pictures are stored in another order than they are shown. All
    are held back until one with a decoding time follows.
    """
    held: list[Packet[Stream]] = []
    last: dict[int, int] = {}
    for packet in packets:
        if packet.pts is None:
            continue
        held.append(packet)
        if len(held) >= _HELD or not _untimed(held):
            yield from _with_dts(held, last)
            held = []
    yield from _with_dts(held, last)


def _untimed(held: "list[Packet[Stream]]") -> bool:
    """Whether the last packet of some stream has no decoding time."""
    return None in {packet.stream_index: packet.dts for packet in held}.values()


def _with_dts(held: "list[Packet[Stream]]", last: dict[int, int]) -> list[_Timed]:
    """Fill in decoding times from the back: before the next one's, and not after it is shown.

    `last` holds each stream's last decoding time so far, and is kept up to date.
    """
    missing = Counter(packet.stream_index for packet in held if packet.dts is None)
    timed: list[_Timed] = []
    after: dict[int, int] = {}
    for packet in reversed(held):
        index, pts, dts = packet.stream_index, packet.pts or 0, packet.dts
        if dts is None:
            following = after.get(index, pts + 1)
            step = packet.duration or 1
            if index in last:
                step = min(step, (following - last[index]) // (missing[index] + 1))
            dts = min(pts, following - max(1, step))
            missing[index] -= 1
        after[index] = dts
        timed.append((packet, pts, dts))
    last.update((packet.stream_index, dts) for packet, _, dts in reversed(timed))
    return timed[::-1]


# Encoding, exactly.


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded frame and when it is shown, in seconds from the container's start."""

    frame: VideoFrame
    start: Fraction
    end: Fraction


def _encode(
    path: Path, source: InputContainer, target: OutputContainer, begin: Fraction, stop: Fraction
) -> CutResult:
    stream = main_video(source)
    # Before the pictures are read, because streams that are thrown away are not found any more.
    sound = _Sound(path, source, begin, stop)
    pictures = _pictures(source, stream, begin, stop)
    first = next(pictures, None)
    if first is None:
        raise MediaError(Reason.TOO_SHORT, f"it ends before {float(begin):.3f} s")
    upright = _Upright(stream)
    video = _add_video(target, stream, upright.turn(first.frame))
    sound.start(target)
    shown = begin  # the first picture stands in for what is missing before it
    for picture in chain([first], pictures):
        sound.write_until(shown - begin)
        end = min(picture.end, stop)
        at, until = round((shown - begin) / _TICK), round((end - begin) / _TICK)
        if until <= at:  # shown for no time: the begin was a frame's own time, rounded to a float
            continue
        frame = upright.turn(picture.frame)
        frame.time_base = _TICK
        frame.pts, frame.duration = at, until - at
        target.mux(video.encode(frame))
        shown = end
    sound.write_until(stop - begin)
    target.mux(video.encode(None))
    sound.finish()
    return CutResult(float(begin), float(shown))


def _pictures(
    source: InputContainer, stream: VideoStream, begin: Fraction, stop: Fraction
) -> Iterator[_Picture]:
    """The frames shown between two moments, in order."""
    only(source, stream)
    use_threads(stream)
    clock = Clock(source, stream)
    # Of a group that begins a little early all pictures decode, those before its key frame too.
    key = _seek_to_key(source, stream, max(Fraction(0), begin - _SEEK_EARLY))
    waiting: tuple[VideoFrame, Fraction] | None = None
    problems: list[str] = []
    packets = packets_of(source, stream, problems)
    if key is not None:
        packets = dropwhile(lambda packet: packet.pts != key, packets)
    for frame in decoded(stream, packets, problems):
        time = clock.seconds(clock.tick(frame))
        if waiting is not None and time > max(begin, waiting[1]):
            yield _Picture(*waiting, time)
        if time >= stop:
            return
        waiting = frame, time
    end = clock.seconds(clock.end)
    if waiting is not None and end > begin:
        yield _Picture(*waiting, end)


class _Upright:
    """Turns frames into what the encoder takes: upright, square pixels, even size, yuv420p."""

    def __init__(self, stream: VideoStream) -> None:
        self._aspect = stream.sample_aspect_ratio or Fraction(1)
        self._size: tuple[int, int] | None = None
        self._shape: tuple[object, ...] = ()

    def turn(self, frame: VideoFrame) -> VideoFrame:
        shape = shape_of(frame)
        if shape != self._shape:
            self._graph = graph_for(frame, self._filters(frame))
            self._shape = shape
        self._graph.vpush(frame)
        turned = self._graph.vpull()
        turned.pict_type = 0  # the source's key frames are not ours
        return turned

    def _filters(self, frame: VideoFrame) -> Filters:
        upright = display_filters(frame)
        if self._size is None:  # settled by the first frame: the encoder takes one size only
            width, height = ceil(frame.width * self._aspect), frame.height
            if any(name == "transpose" for name, _ in upright):
                width, height = height, width
            self._size = width + width % 2, height + height % 2
        size = "{}:{}".format(*self._size)
        scale = ("scale", f"{size}:in_range={_range_of(frame)}:out_range=tv")
        return (*upright, scale, ("format", "yuv420p"))


def _range_of(frame: VideoFrame) -> str:
    """The range of a frame's values in swscale's words, which takes some formats for full range.

    Where the file does not say it, only RGB, grey and the formats made for JPEG are full.
    """
    form = frame.format
    stated = int(frame.color_range)
    if stated != ColorRange.UNSPECIFIED:
        return "pc" if stated == ColorRange.JPEG else "tv"
    is_rgb_or_grey = form.is_rgb or form.has_palette or len(form.components) < 3
    return "pc" if is_rgb_or_grey or form.name.startswith("yuvj") else "tv"


def _add_video(target: OutputContainer, stream: VideoStream, like: VideoFrame) -> VideoStream:
    rate = stream.average_rate or Fraction(_FALLBACK_RATE)
    video = target.add_stream("libx264", rate=rate, options=_ENCODER)
    video.width, video.height = like.width, like.height
    video.pix_fmt = "yuv420p"
    context = video.codec_context
    context.time_base = _TICK
    context.flags |= Flags.frame_duration
    context.color_range = ColorRange.MPEG
    context.colorspace = int(like.colorspace)
    context.color_primaries = int(like.color_primaries)
    context.color_trc = int(like.color_trc)
    return video


class _Sound:
    """The sound of the stretch, encoded and written as far as the pictures have got.

    A file without sound that can be decoded gets none.
    """

    def __init__(self, path: Path, source: InputContainer, begin: Fraction, stop: Fraction) -> None:
        self._written = 0
        self._piece = _NOTHING
        self._stream: AudioStream | None = None
        try:
            audio = main_audio(source)
            self._rate = min(_SOUND_RATES, key=lambda rate: abs(rate - audio.rate))
            self._layout = "mono" if audio.channels == 1 else "stereo"
            self._wanted = round((stop - begin) * self._rate)
            self._pieces = samples_from(path, self._rate, self._layout, begin)
            self._piece = next(self._pieces, _NOTHING)
        except MediaError:
            return

    def start(self, target: OutputContainer) -> None:
        """Add the stream; all streams must be there before the first packet."""
        self._target = target
        if len(self._piece):
            self._stream = target.add_stream("aac", rate=self._rate, layout=self._layout)

    def write_until(self, seconds: Fraction) -> None:
        """Write what is heard up to this time of the cut, and the rest of its piece."""
        while self._stream is not None and self._written < seconds * self._rate:
            piece = self._piece[: self._wanted - self._written]
            if not len(piece):
                return
            self._encode(self._stream, piece)
            self._piece = next(self._pieces, _NOTHING)

    def _encode(self, stream: AudioStream, piece: NDArray[np.int16]) -> None:
        frame = AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._written
        self._written += len(piece)
        self._target.mux(stream.encode(frame))

    def finish(self) -> None:
        if self._stream is not None:
            self._target.mux(self._stream.encode(None))
