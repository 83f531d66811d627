"""Opening a media file safely, and what every reader of one needs: its stream, clock and rotation.

FFmpeg's errors are turned into MediaError here, or right where they are raised; none escapes the
package.
"""

import stat
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
from av.buffer import Buffer
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from howto.errors import MediaError, Reason

__all__ = [
    "FORMATS",
    "Clock",
    "Filters",
    "decoded",
    "display_filters",
    "is_text",
    "main_video",
    "only",
    "open_media",
    "packets_of",
    "rotation_of",
    "url_of",
    "use_threads",
]

Filters = tuple[tuple[str, str | None], ...]
"""A chain of FFmpeg filters: name and arguments of each."""

FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,rm,mxf,nut,wtv,dv,gxf,ivf,obu,h264,hevc,vvc,"
    "m4v,h263,vc1,mjpeg,gif,yuv4mpegpipe,bink,smk,roq,flic,nsv,film_cpk,ea,wav,w64,aiff,au,caf,mp3,flac,"
    "aac,ac3,eac3,dts,amr,amrnb,amrwb,ape,wv,tta,tak,mpc,mpc8,voc,dsf,shn"
)
"""The containers we read.

Left out are those that name other files or addresses (playlists, `concat`, image sequences chosen
by a `%d` in the file's name): a file must never choose what else is opened. So are still pictures,
and plain text read as subtitles or as a terminal recording.
"""

_START_OF_MEDIA = (b"\x1aE\xdf\xa3", b"OggS", b"fLaC", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf")
_START_OF_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_START_OF_RIFF = (b"AVI ", b"WAVE")

_THREADS = 4
_NOT_A_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
_DEFAULT_BONUS = 5_000_000  # pixels that the ffmpeg program adds to a stream marked as default
_TICKS_PER_SECOND = 1_000_000  # of a container's own start and duration (AV_TIME_BASE)


def url_of(path: Path) -> str:
    """The address FFmpeg is given for a local file: no name can select a protocol or an option."""
    return f"file:{path}"


def open_media(path: Path) -> InputContainer:
    """Open a file for demuxing; the caller closes it, best by `with`.

    Raises:
        MediaError: EMPTY_FILE, UNREADABLE_FILE, NOT_MEDIA or TRUNCATED.
    """
    head = _first_bytes(path)
    try:
        container = av.open(
            url_of(path),
            mode="r",
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise _refusal(head, error) from error
    if len(container.streams) == 0:
        container.close()
        raise _refusal(head, None)
    return container


def _first_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(Reason.UNREADABLE_FILE, "not a regular file")
        if status.st_size == 0:
            raise MediaError(Reason.EMPTY_FILE)
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise MediaError(Reason.UNREADABLE_FILE, error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the name
        raise MediaError(Reason.UNREADABLE_FILE, str(error)) from error


def _refusal(head: bytes, error: Exception | None) -> MediaError:
    """Why FFmpeg could not open a file that begins with these bytes."""
    if isinstance(error, OSError):
        return MediaError(Reason.UNREADABLE_FILE, error.strerror or "")
    begins_well = (
        head.startswith(_START_OF_MEDIA)
        or head[4:8] in _START_OF_BOXES
        or (head[:4] == b"RIFF" and head[8:12] in _START_OF_RIFF)
    )
    return MediaError(Reason.TRUNCATED if begins_well else Reason.NOT_MEDIA)


def main_video(container: InputContainer) -> VideoStream:
    """The video stream that the ffmpeg program would take: the largest, preferring default ones.

    Cover pictures are not video.

    Raises:
        MediaError: NO_VIDEO_STREAM; NO_FRAMES where no decoder exists for any of them.
    """
    videos = [s for s in container.streams.video if not s.disposition & _NOT_A_VIDEO]
    if not videos:
        raise MediaError(Reason.NO_VIDEO_STREAM)
    # The stubs do not know that the context is None where there is no decoder.
    known = [s for s in videos if s.codec_context is not None]  # type: ignore[redundant-expr]
    if not known:
        raise MediaError(Reason.NO_FRAMES, "no decoder for its video codec")
    return max(known, key=_preference)


def _preference(stream: VideoStream) -> int:
    size = stream.codec_context.width * stream.codec_context.height
    return size + _DEFAULT_BONUS * bool(stream.disposition & Disposition.default)


def is_text(stream: SubtitleStream) -> bool:
    """A subtitle stream holds text; the others hold pictures of text."""
    context = stream.codec_context
    # The stubs do not know that the context is None where there is no decoder.
    return context is not None and context.codec.text_sub  # type: ignore[redundant-expr]


def only(container: InputContainer, stream: Stream) -> None:
    """Have the demuxer drop the packets of all other streams: less to read, nothing to queue."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


def use_threads(stream: VideoStream) -> None:
    """Decode with a fixed number of threads.

    Not as many as there are cores: what FFmpeg makes of a broken packet depends on their number,
    and the same file should give the same frames everywhere. Several, so that the decoder is ahead
    of whoever scales.
    """
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = _THREADS


def packets_of(
    container: InputContainer, streams: Stream | Sequence[Stream], problems: list[str]
) -> "Iterator[Packet[Stream]]":
    """Demux these streams; where reading breaks off, say so in `problems` and end."""
    try:
        for packet in container.demux(streams):
            if packet.size:  # the last one is empty: it asks for a flush
                yield packet
    except av.error.FFmpegError as error:
        problems.append(f"reading ended early: {error.strerror}")


def decoded(
    stream: VideoStream, packets: "Iterable[Packet[Stream]]", problems: list[str]
) -> Iterator[VideoFrame]:
    """Decode what can be decoded. Each packet that cannot be is one entry in `problems`.

    Threads report late, so what an entry says of the place is near, not exact.
    """
    for packet in chain(packets, [None]):
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            problems.append(f"a packet {_place(packet)} cannot be decoded: {error.strerror}")


def _place(packet: "Packet[Stream] | None") -> str:
    if packet is None or packet.dts is None:
        return "near the end" if packet is None else "without a time"
    return f"near {float(packet.dts * packet.time_base):.1f} s"


class Clock:
    """Times of one stream's frames, in ticks of its time base, counted from the container's start.

    The container's start is rounded to the stream's own ticks, as the ffmpeg program does.
    """

    def __init__(self, container: InputContainer, stream: Stream) -> None:
        self.time_base = stream.time_base or Fraction(1, _TICKS_PER_SECOND)
        # `container.start_time` is None where nothing in the file says it.
        start = Fraction(container.start_time or 0, _TICKS_PER_SECOND)
        self.offset = round(start / self.time_base)
        rate = getattr(stream, "average_rate", None) or getattr(stream, "guessed_rate", None)
        self._nominal = max(1, round(1 / (rate * self.time_base))) if rate else 1
        self._last: int | None = None
        self._step = 0
        self._duration = 0

    def tick(self, frame: "VideoFrame | Packet[Stream]") -> int:
        """When a frame is shown.

        Call once per frame, in order: a frame without a time of its own follows the last.
        """
        stamp = frame.pts if frame.pts is not None else frame.dts
        ticks = self.end if stamp is None else stamp - self.offset
        if self._last is not None and ticks > self._last:
            self._step = ticks - self._last
        self._last = ticks
        self._duration = max(0, frame.duration or 0)
        return ticks

    @property
    def end(self) -> int:
        """When the last frame seen stops being shown; 0 before the first."""
        if self._last is None:
            return 0
        return self._last + (self._duration or self._step or self._nominal)

    def seconds(self, ticks: int) -> Fraction:
        """The exact time of a tick, in seconds."""
        return ticks * self.time_base


def _display_matrix(frame: VideoFrame) -> memoryview | None:
    # The stubs say TypedDict; it is a mapping that takes the type's name.
    data: Buffer | None = frame.side_data.get("DISPLAYMATRIX")  # type: ignore[assignment]
    return None if data is None else memoryview(bytes(data)).cast("i")


def rotation_of(frame: VideoFrame) -> int:
    """Degrees clockwise to turn the stored picture for display: 0, 90, 180 or 270."""
    # PyAV's angle is counterclockwise. No camera writes angles between the four.
    return -frame.rotation % 360 if frame.rotation % 90 == 0 else 0


def display_filters(frame: VideoFrame) -> Filters:
    """The filters that the ffmpeg program puts first to show a frame upright; () for most files."""
    matrix = _display_matrix(frame)
    if matrix is None or len(matrix) != 9:
        return ()
    rotation = rotation_of(frame)
    if rotation == 90:
        return (("transpose", "cclock_flip" if matrix[3] > 0 else "clock"),)
    if rotation == 270:
        return (("transpose", "clock_flip" if matrix[3] < 0 else "cclock"),)
    flips: list[tuple[str, str | None]] = []
    if rotation == 180 and matrix[0] < 0:
        flips.append(("hflip", None))
    if matrix[4] < 0:
        flips.append(("vflip", None))
    return tuple(flips)
