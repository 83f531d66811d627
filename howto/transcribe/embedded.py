"""Subtitle streams inside a video's container: the source `embedded`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from howto.errors import CaptionError, ItemError, Reason
from howto.records import Kind, Narration, Problem, SubtitleTrack, Video
from howto.transcribe.cues import Cues
from howto.transcribe.language import language_tag, same_language
from howto.transcribe.within_video import within_video

__all__ = ["EmbeddedSource"]

_AUTOMATIC = ("auto", "asr", "generated")
_NOT_NARRATION = ("forced", "commentary", "chapter", "description", "signs")


class EmbeddedSource:
    """Reads the text subtitles inside the video file.

    Args:
        language: the preferred one; tracks of other languages are read where there is none in it.
    """

    name: ClassVar[str] = "embedded"
    listens: ClassVar[bool] = False
    sound_per_second: ClassVar[float] = float("inf")

    def __init__(self, language: str = "en") -> None:
        self.language = language

    def narrate(self, video: Video) -> Narration | None:
        """Return the most wanted track that has a line, cut to the video's length.

        Returns:
            None where the container has no text subtitles, they say nothing, or it was not probed.

        Raises:
            ItemError: no track gave a line, and one or more cannot be read.
        """
        if video.info is None:
            return None
        failures: list[tuple[SubtitleTrack, ItemError]] = []
        for track in sorted(video.info.subtitles, key=self._wish):
            try:
                narration = _read(video, track)
            except ItemError as error:
                failures.append((track, error))
                continue
            narration = within_video(narration, video.info.duration)
            if narration.lines:
                passed = tuple(
                    Problem(None, f"stream {failed.index} was passed over: {error}")
                    for failed, error in failures
                )
                return replace(narration, problems=passed + narration.problems)
        if failures:
            raise failures[0][1]
        return None

    def _wish(self, track: SubtitleTrack) -> tuple[bool, int, bool, int]:
        """A key that sorts the most wanted track first, as `sidecar` sorts files."""
        title = track.title.lower()
        tag = _language(track)
        rank = 1 if tag is None else 0 if same_language(tag, self.language) else 2
        return (
            any(word in title for word in _NOT_NARRATION),
            rank,
            any(word in title for word in _AUTOMATIC),
            track.index,
        )


def _language(track: SubtitleTrack) -> str | None:
    return language_tag(track.language or "")


def _read(video: Video, track: SubtitleTrack) -> Narration:
    # Loaded on use: it brings PyAV, and most videos have their captions beside them.
    from howto.media.subtitles import read_subtitles

    cues = _cues(read_subtitles(video.path, track.index))
    parsed = cues.parsed()
    if not (parsed.lines or parsed.silent) and parsed.problems:
        raise CaptionError(Reason.UNREADABLE_CAPTIONS, parsed.problems[0].what)
    title = track.title.lower()
    return Narration(
        lines=parsed.lines,
        language=_language(track),
        kind=Kind.AUTOMATIC if any(word in title for word in _AUTOMATIC) else Kind.MANUAL,
        source=f"{video.path.name}, stream {track.index}",
        problems=parsed.problems,
    )


def _cues(events: Iterable[tuple[float, float, str]]) -> Cues:
    cues = Cues()
    for number, (start, end, raw) in enumerate(events, 1):
        # A line may begin a moment before the container's clock does.
        begin = max(0, round(start * 1000)) if end > 0 else round(start * 1000)
        cues.add(begin, round(end * 1000), raw, number)
    # The numbers count events, which is no line of a file that a person could look up.
    cues.problems = [Problem(None, problem.what) for problem in cues.problems]
    return cues
