"""Put a picture and a sound that a site offers apart into one file, without encoding anything.

Also gives a stream that came in pieces a proper container. Needs PyAV, and no other program.
"""

import contextlib
import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from howto.errors import MediaError, Reason
from howto.media.container import main_video, open_media, packets_of, url_of

__all__ = ["check_whole", "join", "joined_suffix"]

_IN_MP4 = frozenset("h264 hevc av1 mpeg4 aac mp3 ac3 eac3 alac".split())
_IN_WEBM = frozenset("vp8 vp9 av1 opus vorbis".split())
_FORMATS = {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}
_SUFFIXES = {"mov": ".mp4", "matroska": ".mkv", "avi": ".avi", "mpegts": ".ts", "flv": ".flv"}
_SUFFIXES |= {"ogg": ".ogv", "asf": ".wmv", "mpeg": ".mpg"}
_MISSING = 2.0  # seconds at the end that a container may promise and not hold
_MISSING_SHARE = 0.02
_LONGEST = 30 * 24 * 3600.0  # seconds; a container that states more is not believed


def join(parts: list[Path], folder: Path, name: str) -> Path:
    """Copy the picture of the first file and the sound of the last into one new file.

    Times stay as they are in the parts, which share one clock; only where all of them begin late
    do they move to the start.

    Args:
        parts: one file (which gets a new container) or two.
        folder: where to write.
        name: of the new file, without its suffix: .mp4 or .webm where that can hold both, .mkv
            otherwise.

    Returns:
        The new file, complete; an existing one is replaced.

    Raises:
        MediaError: as `howto.media.probe.probe`; NOT_MEDIA: it cannot be copied.
        OSError: the disk is full, or cannot be written to.
    """
    with contextlib.ExitStack() as opened:
        containers = [opened.enter_context(open_media(part)) for part in parts]
        sources = _chosen(containers)
        suffix = _suffix_for([stream for source in sources for stream in source.streams])
        out, unfinished = folder / f"{name}{suffix}", folder / f"{name}.joining"
        try:
            with av.open(
                url_of(unfinished), "w", format=_FORMATS[suffix], options=_options(suffix)
            ) as target:
                _copy(sources, target)
            unfinished.replace(out)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):  # the disk's: it says itself what it is
                raise
            raise MediaError(Reason.NOT_MEDIA, f"cannot be joined: {error.strerror}") from error
        finally:
            unfinished.unlink(missing_ok=True)
    return out


def joined_suffix(path: Path) -> str:
    """The suffix that tells what a file is by its content: `.mp4`, `.webm`, `.mkv` and so on.

    Raises:
        MediaError: as `howto.media.container.open_media`.
    """
    with open_media(path) as container:
        form = container.format.name.partition(",")[0]
        if form == "matroska":
            codecs = _codecs((*container.streams.video, *container.streams.audio))
            return ".webm" if codecs <= _IN_WEBM else ".mkv"
        return _SUFFIXES.get(form, ".mkv")


def check_whole(path: Path, duration: float | None = None) -> None:
    """Read all of a file, without decoding, to see that it holds what it promises.

    Args:
        duration: seconds the site stated, for a container that states none.

    Raises:
        MediaError: as `howto.media.container.open_media`; TRUNCATED: what there is of picture and
            sound ends early, by more than 2 s and 2%.
    """
    with open_media(path) as container:
        streams: list[Stream] = [*container.streams.video, *container.streams.audio]
        stated = _stated(container, streams) or duration or 0.0
        start = Fraction(container.start_time or 0, av.time_base)
        end = Fraction(0)
        problems: list[str] = []
        for packet in packets_of(container, streams, problems):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base - start)
    if stated - end > max(_MISSING, _MISSING_SHARE * stated):
        why = f" ({problems[0]})" if problems else ""
        raise MediaError(Reason.TRUNCATED, f"it ends at {float(end):.1f} s of {stated:.1f} s{why}")


def _stated(container: InputContainer, streams: list[Stream]) -> float:
    """Seconds that picture and sound are said to last; 0 where that is not said, or absurd."""
    lasting = [s.duration * s.time_base for s in streams if s.duration and s.time_base]
    seconds = float(max(lasting, default=Fraction(container.duration or 0, av.time_base)))
    return seconds if 0 < seconds < _LONGEST else 0.0


class _Source(NamedTuple):
    """A container and those of its streams that are copied."""

    container: InputContainer
    streams: list[Stream]


class _Timed(NamedTuple):
    """A packet and when it is decoded, in seconds; ordered by that, then as it is stored."""

    seconds: Fraction
    source: int
    number: int
    packet: "Packet[Stream]"


def _chosen(containers: list[InputContainer]) -> list[_Source]:
    """The picture of the first and the sound of the last; they may be one."""
    video: Stream = main_video(containers[0])
    sounds: list[Stream] = list(containers[-1].streams.audio[:1])
    if len(containers) == 1:
        return [_Source(containers[0], [video, *sounds])]
    return [_Source(containers[0], [video]), _Source(containers[-1], sounds)]


def _copy(sources: list[_Source], target: OutputContainer) -> None:
    outputs = [
        {stream.index: _same_stream(target, stream) for stream in source.streams}
        for source in sources
    ]
    start = _common_start(sources)
    for timed in heapq.merge(*(_packets(source, number) for number, source in enumerate(sources))):
        packet = timed.packet
        shift = round(start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = outputs[timed.source][packet.stream_index]
        target.mux(packet)


def _packets(source: _Source, which: int) -> Iterator[_Timed]:
    """The packets of the streams that are copied, as they are stored."""
    wanted = {stream.index for stream in source.streams}
    for stream in source.container.streams:
        if stream.index not in wanted:
            stream.discard = Discard.all
    seconds = Fraction(0)
    for number, packet in enumerate(packets_of(source.container, source.streams, [])):
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is not None:
            # Never back: what one file stores in an order is muxed in that order.
            seconds = max(seconds, stamp * packet.time_base)
            yield _Timed(seconds, which, number, packet)


def _common_start(sources: list[_Source]) -> Fraction:
    """By how much everything begins late; 0 where one of them begins at 0 or before."""
    starts = [source.container.start_time or 0 for source in sources]
    return max(Fraction(0), Fraction(min(starts), av.time_base))


def _same_stream(target: OutputContainer, stream: Stream) -> Stream:
    try:
        return target.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        name = stream.codec_context.codec.canonical_name
        detail = f"{name} cannot be put into {target.format.name}"
        raise MediaError(Reason.NOT_MEDIA, detail) from error


def _suffix_for(streams: list[Stream]) -> str:
    codecs = _codecs(streams)
    return ".mp4" if codecs <= _IN_MP4 else ".webm" if codecs <= _IN_WEBM else ".mkv"


def _codecs(streams: Iterable[Stream]) -> set[str]:
    return {stream.codec_context.codec.canonical_name for stream in streams}


def _options(suffix: str) -> dict[str, str]:
    return {"movflags": "+faststart"} if suffix == ".mp4" else {}
