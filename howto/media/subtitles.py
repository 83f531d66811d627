"""Text subtitles inside a video file, as (start, end, text).

Needs PyAV. FFmpeg's decoders turn every kind of text subtitle into SubStation events; their fields
and override tags are taken off here, so that one reader serves mov_text, SubRip, SubStation and
WebVTT.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from howto.errors import UsageError
from howto.media.container import is_text, only, open_media, packets_of

__all__ = ["event_text", "read_subtitles"]

_FIELDS_BEFORE_TEXT = 8  # of a SubStation event: order, layer, style, name, three margins, effect
_ENDLESS = 5  # seconds that a last line without an end is shown

_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0[^{}]*\}|$)", re.DOTALL)
_OVERRIDE = re.compile(r"(?<!\\)\{[^{}]*\}")
_ESCAPES = {r"\N": "\n", r"\n": "\n", r"\h": " ", r"\{": "{", r"\}": "}"}
_ESCAPE = re.compile("|".join(map(re.escape, _ESCAPES)))


def read_subtitles(path: Path, index: int) -> Iterator[tuple[float, float, str]]:
    """Read one text subtitle track.

    Args:
        path: a local file; any name.
        index: the stream's number in the file, as in `SubtitleTrack.index`.

    Yields:
        Start and end in seconds from the container's start, and the text, rows parted by newlines;
        in the order of the file. A line that states no duration ends where the next one starts.
        Events without text are left out, and so are those that cannot be decoded.

    Raises:
        UsageError: the file has no such stream, or it is no text subtitle stream.
        MediaError: the file cannot be opened, as by `howto.media.probe.probe`.
    """
    with open_media(path) as container:
        stream = _stream(container, index)
        only(container, stream)
        start = Fraction(container.start_time or 0, av.time_base)
        waiting: tuple[Fraction, str] | None = None  # a line whose end is not known yet
        for packet in packets_of(container, stream, []):
            if packet.pts is None:
                continue
            begins = packet.pts * packet.time_base - start
            if waiting is not None:
                yield _line(waiting[0], begins, waiting[1])
                waiting = None
            text = _text(stream, packet)
            if text and packet.duration:
                yield _line(begins, begins + packet.duration * packet.time_base, text)
            elif text:
                waiting = begins, text
        if waiting is not None:
            yield _line(waiting[0], waiting[0] + _ENDLESS, waiting[1])


def _stream(container: InputContainer, index: int) -> SubtitleStream:
    for stream in container.streams.subtitles:
        if stream.index == index and is_text(stream):
            return stream
    raise UsageError(f"stream {index} is not a text subtitle stream")


def _line(start: Fraction, end: Fraction, text: str) -> tuple[float, float, str]:
    return float(max(start, Fraction(0))), float(max(start, end, Fraction(0))), text


def _text(stream: SubtitleStream, packet: "Packet[Stream]") -> str:
    """The words of one packet; '' where there are none or they cannot be decoded."""
    try:
        decoded = stream.codec_context.decode2(packet)
    except av.error.FFmpegError:
        return ""
    events = [getattr(rect, "ass", b"") for rect in decoded or ()]
    texts = [event_text(event.decode("utf-8", "replace")) for event in events]
    return "\n".join(text for text in texts if text)


def event_text(event: str) -> str:
    """The words of one SubStation event, given as `order,layer,style,name,margins x 3,effect,text`.

    Override tags and drawings are taken out, and escapes replaced by what they stand for.
    """
    text = event.split(",", _FIELDS_BEFORE_TEXT)[-1]
    text = _OVERRIDE.sub("", _DRAWING.sub("", text))
    return _ESCAPE.sub(lambda match: _ESCAPES[match[0]], text).strip()
