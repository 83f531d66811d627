"""What a video file is: times, picture, tracks, and whether one frame of it can be decoded at all.

Needs PyAV. A container's answers are checked against sense before they are passed on: where a
duration is missing or absurd, the packets are read to measure it.
"""

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from howto.errors import MediaError, Reason
from howto.media.container import (
    Clock,
    decoded,
    is_text,
    main_video,
    only,
    open_media,
    packets_of,
    rotation_of,
)
from howto.records import Chapter, MediaInfo, SubtitleTrack

__all__ = ["probe"]

_LONGEST = 30 * 24 * 3600.0  # seconds; a container that states more is not believed
_FASTEST = 1000  # frames per second
_WIDEST_PIXEL = 16
_RATES_DIFFER = Fraction(1, 200)  # 29.97 against 29.969 is rounding, not a variable rate


def probe(path: Path) -> MediaInfo:
    """Find out what a video file is, decoding up to its first frame.

    Args:
        path: a local file; any name.

    Returns:
        Times in seconds from the container's start over all its streams. Rotation, size and pixel
        format are those of the first frame that can be decoded.

    Raises:
        MediaError: EMPTY_FILE, UNREADABLE_FILE (also a folder or a device), NOT_MEDIA, TRUNCATED
            (it begins as a media file and its index is missing), NO_VIDEO_STREAM (sound only; a
            cover picture is no video), NO_FRAMES (not one frame can be decoded).
    """
    with open_media(path) as container:
        stream = main_video(container)
        frame = _first_frame(container, stream)
        start = (container.start_time or 0) / av.time_base
        rotation = rotation_of(frame)
        turned = rotation in (90, 270)
        return MediaInfo(
            duration=_stated_duration(container) or _measured_duration(path),
            start_time=start,
            width=frame.height if turned else frame.width,
            height=frame.width if turned else frame.height,
            coded_width=frame.width,
            coded_height=frame.height,
            pixel_aspect=_pixel_aspect(stream),
            rotation=rotation,
            frame_rate=_sane_rate(stream.average_rate) or _sane_rate(stream.guessed_rate),
            variable_frame_rate=_rates_differ(stream),
            video_codec=stream.codec_context.codec.canonical_name,
            pixel_format=frame.format.name,
            has_audio=bool(container.streams.audio),
            subtitles=_text_subtitles(container),
            title=_tag(container, "title"),
            description=_tag(container, "description", "comment", "synopsis"),
            chapters=_chapters(container, start),
        )


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    only(container, stream)
    problems: list[str] = []
    for frame in decoded(stream, packets_of(container, stream, problems), problems):
        return frame
    raise MediaError(Reason.NO_FRAMES, problems[0] if problems else "")


def _stated_duration(container: InputContainer) -> float | None:
    """What the container says, or None where it says nothing that can be."""
    duration = (container.duration or 0) / av.time_base
    return duration if 0 < duration < _LONGEST else None


def _measured_duration(path: Path) -> float:
    """The end of the last packet of any picture or sound, read without decoding."""
    end = Fraction(0)
    with open_media(path) as container:
        timed = (*container.streams.video, *container.streams.audio)
        clocks = {stream.index: Clock(container, stream) for stream in timed}
        for packet in packets_of(container, timed, []):
            clock = clocks[packet.stream_index]
            clock.tick(packet)
            end = max(end, clock.seconds(clock.end))
    return float(end) if end < _LONGEST else 0.0


def _pixel_aspect(stream: VideoStream) -> Fraction:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if not aspect or not Fraction(1, _WIDEST_PIXEL) <= aspect <= _WIDEST_PIXEL:
        return Fraction(1)
    return aspect


def _sane_rate(rate: Fraction | None) -> Fraction | None:
    return rate if rate and 0 < rate <= _FASTEST else None


def _rates_differ(stream: VideoStream) -> bool:
    average, base = _sane_rate(stream.average_rate), _sane_rate(stream.base_rate)
    return average is not None and base is not None and abs(average / base - 1) > _RATES_DIFFER


def _text_subtitles(container: InputContainer) -> tuple[SubtitleTrack, ...]:
    return tuple(
        SubtitleTrack(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            language=_language(stream),
            title=_clean(stream.metadata.get("title", "")),
        )
        for stream in container.streams.subtitles
        if is_text(stream)
    )


def _language(stream: Stream) -> str | None:
    """The language tag as stored, mostly ISO 639-2 such as `eng`; None where undetermined."""
    language = _clean(stream.language or "")
    return None if language.lower() in ("", "und", "unk", "mis", "zxx") else language


def _tag(container: InputContainer, *names: str) -> str:
    """The first of these tags that is not empty, whatever the case of its name; else ''."""
    tags = {key.lower(): value for key, value in container.metadata.items()}
    return next((text for name in names if (text := _clean(tags.get(name, "")))), "")


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()


def _chapters(container: InputContainer, start: float) -> tuple[Chapter, ...]:
    """Chapters in order of start, without those that end before they begin."""
    found = []
    for chapter in container.chapters():
        base = chapter["time_base"]
        if not base or chapter["end"] < chapter["start"]:
            continue
        times = [float(chapter[edge] * base) - start for edge in ("start", "end")]
        title = _clean(chapter["metadata"].get("title", ""))
        found.append(Chapter(max(0.0, times[0]), max(0.0, times[1]), title))
    return tuple(sorted(found, key=lambda chapter: chapter.start))
