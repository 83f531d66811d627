"""The field's nouns as small frozen records.

Times are float seconds from the start of the container.
No torch, no numpy, no I/O: importing this module costs nothing, and every record can be pickled to
a worker.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from howto.errors import Reason

__all__ = [
    "Chapter",
    "Clip",
    "FrameSpec",
    "Kind",
    "Line",
    "MediaInfo",
    "Narration",
    "Outcome",
    "Problem",
    "Quality",
    "Stage",
    "State",
    "SubtitleTrack",
    "Video",
    "Word",
]


class Kind(StrEnum):
    """What a narration is: who or what wrote it down."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"
    TRANSLATED = "translated"
    SYNTHETIC = "synthetic"


class Stage(StrEnum):
    """The steps a video goes through, in order."""

    COLLECT = "collect"
    PROBE = "probe"
    TRANSCRIBE = "transcribe"
    ALIGN = "align"
    CLIP = "clip"
    EXTRACT = "extract"


class State(StrEnum):
    """How a stage ended for one video."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its own time."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of narration. `words` is empty where the source gives no word times."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a caption file that could not be read.

    Attributes:
        line: counted from 1; None for the file as a whole.
    """

    line: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Narration:
    """What is said in one video.

    Attributes:
        lines: sorted by start (stable); lines may overlap, as captions do.
        language: BCP 47 tag such as `en` or `pt-BR`, or None where nothing says it.
        kind: who wrote it down.
        source: where it came from, for a person: a file name, or a stream of the video.
        problems: what could not be read, by line of the file.
        lines_outside: how many lines were left out because they start after the video's end.
    """

    lines: tuple[Line, ...]
    language: str | None
    kind: Kind
    source: str
    problems: tuple[Problem, ...] = ()
    lines_outside: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """What is measured of one narration; `howto.transcribe.quality` does so.

    Attributes:
        num_words: as the authors count them, `howto.clip.words.words`. A text without spaces counts
            as one word.
        words_per_second: over the time in which something is said; 0 where that is no time. People
            speak at 2 to 4.
        non_speech_share: the share of the video, 0 to 1, in which nothing is said; None where its
            duration is not known.
        language_share: the share of the words, 0 to 1, that are among the commonest of the stated
            language; None for a language without a list of these, and without words.
        lines_outside: how many lines were left out because they start after the video's end.
    """

    num_words: int
    words_per_second: float
    non_speech_share: float | None
    language_share: float | None
    lines_outside: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named stretch of a video, from its container or from a .info.json beside it."""

    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A text subtitle stream inside a container. `index` is the stream's number in the file."""

    index: int
    codec: str
    language: str | None
    title: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What `howto.media.probe` finds out about one video file.

    Attributes:
        duration: seconds from the container's start to the end of its longest stream; where the
            container does not say, measured by reading its packets.
        start_time: the container's own start over all streams; every time that howto gives is
            relative to it.
        width, height: in stored pixels, after the rotation.
        coded_width, coded_height: in stored pixels, before the rotation.
        pixel_aspect: width over height of one pixel; 1 for square ones. The authors' protocol
            ignores it.
        rotation: degrees clockwise to turn the stored picture for display: 0, 90, 180 or 270.
        frame_rate: the average rate the container states, or None.
        variable_frame_rate: the container's average and base rates differ.
        video_codec, pixel_format: FFmpeg's names.
        has_audio: there is at least one sound stream.
        title, description: tags of the container, '' where it has none.
    """

    duration: float
    start_time: float
    width: int
    height: int
    coded_width: int
    coded_height: int
    pixel_aspect: Fraction
    rotation: int
    frame_rate: Fraction | None
    variable_frame_rate: bool
    video_codec: str
    pixel_format: str
    has_audio: bool
    subtitles: tuple[SubtitleTrack, ...] = ()
    title: str = ""
    description: str = ""
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a library: the same content at two paths is one video.

    Attributes:
        video_id: for a local file a hash of its size and its first and last MiB.
        path: where its media lies; the first path in sorted order where there are several.
        captions: caption files beside it, most wanted first.
        info: None until it was probed, or where probing failed.
    """

    video_id: str
    path: Path
    captions: tuple[Path, ...] = ()
    info: MediaInfo | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of one video, and the caption paired with it ('' where nothing is said)."""

    video_id: str
    start: float
    end: float
    caption: str


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """The frames that a backbone wants.

    Attributes:
        rate: frames per second, exact.
        short_side: the shorter side in pixels after scaling; the aspect is kept.
        crop: side of the centre crop in pixels, or None for the whole picture.
    """

    rate: Fraction
    short_side: int
    crop: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one stage ended for one video. `reason` is None exactly when the state is ok."""

    video_id: str
    stage: Stage
    state: State
    reason: Reason | None = None
    detail: str = ""
    paths: tuple[str, ...] = field(default=())
