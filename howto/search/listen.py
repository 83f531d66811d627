"""Listening: speech recognition for videos that nobody captioned. Slow, so it is offered and never
just done."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from howto.collect.examine import QUICK_SOURCES
from howto.errors import HowtoError, ItemError, Reason
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Narration, Outcome, Stage, State, Video
from howto.search import words
from howto.search.phrases import about, counted, shown
from howto.search.refresh import search_units

if TYPE_CHECKING:
    from howto.contracts import NarrationSource

__all__ = ["Offer", "listen", "offer"]

MENDING_PACKAGE = "howto-whisper"
_REMOTE_SOURCES = frozenset({"youtube-captions"})


@dataclass(frozen=True, slots=True)
class Offer:
    """Slow work that would find more.

    Attributes:
        numbers: the videos without narration that have sound.
        seconds: of sound in them.
        recogniser: name of the installed narration source that would do it, or None.
        work_seconds: how long that takes, estimated; None without a recogniser.
    """

    numbers: tuple[int, ...]
    seconds: float
    recogniser: str | None
    work_seconds: float | None

    @property
    def subject(self) -> str:
        """Such as '12 videos with sound have no narration'."""
        verb = "has" if len(self.numbers) == 1 else "have"
        return f"{counted(len(self.numbers), 'video')} with sound {verb} no narration"

    @property
    def estimate(self) -> str:
        """Such as 'about 14 min'."""
        return about(self.work_seconds or 0.0)

    def note(self, folder: Path) -> str:
        """One sentence with the one command that mends it."""
        if self.recogniser is None:
            return (
                f"{self.subject}. Put captions beside them (VIDEO.en.vtt), or have them "
                f"recognised: pip install {MENDING_PACKAGE}, then run this search again"
            )
        return (
            f"{self.subject}. To listen to them with {self.recogniser} ({self.estimate}): "
            f"howto search QUERY {shown(folder)} --yes"
        )


def offer(library: Library, numbers: Set[int]) -> Offer | None:
    """What listening would cost, or None where every video that has sound has a narration.

    Args:
        numbers: the videos to consider.
    """
    rows = library.connection.execute(
        "SELECT number, duration FROM videos JOIN outcomes USING (number)"
        " WHERE stage = ? AND reason IN (?, ?)"
        " AND json_extract(info, '$.has_audio') ORDER BY number",
        (Stage.TRANSCRIBE, Reason.NO_NARRATION, Reason.UNREADABLE_CAPTIONS),
    )
    silent = [(number, duration) for number, duration in rows if number in numbers]
    if not silent:
        return None
    seconds = sum(duration for _, duration in silent)
    recogniser = _recogniser()
    return Offer(
        numbers=tuple(number for number, _ in silent),
        seconds=seconds,
        recogniser=recogniser.name if recogniser else None,
        work_seconds=seconds / recogniser.sound_per_second if recogniser else None,
    )


def _recogniser() -> "type[NarrationSource] | None":
    """The first installed source that listens, by name; a broken one hurts nobody here."""
    from howto.plugins import installed, load

    for plugin in installed("asr"):
        if plugin.name in QUICK_SOURCES or plugin.name in _REMOTE_SOURCES:
            continue
        try:
            source: type[NarrationSource] = load("asr", plugin.name)
        except HowtoError:
            continue
        if source.listens:
            return source
    return None


def listen(
    library: Library, offered: Offer, on_wait: Callable[[], None] | None = None
) -> Iterator[tuple[str, Outcome]]:
    """Do what was offered, video by video; each is committed and searchable when it is yielded.

    What another process has listened to meanwhile is left out, and so is what is gone.

    Args:
        on_wait: called once where another process is listening and is waited for.

    Yields:
        The video's path relative to the library's folder, and how it ended.
    """
    from howto.plugins import create

    if offered.recogniser is None:
        return
    source: NarrationSource = create("asr", offered.recogniser)
    with library.exclusive("listen", on_wait=on_wait):
        paths = library.paths()
        left = offer(library, paths.keys() & set(offered.numbers))
        for number in left.numbers if left else ():
            path = paths[number][0]
            video = library.video(number, library.folder / path)
            outcome, narration = _hear(source, video)
            _commit(library, number, video, narration, outcome, source.name, path)
            yield path, outcome


def _hear(source: "NarrationSource", video: Video) -> tuple[Outcome, Narration | None]:
    try:
        narration = source.narrate(video)
    except ItemError as error:
        return (
            Outcome(video.video_id, Stage.TRANSCRIBE, State.FAILED, error.reason, error.detail),
            None,
        )
    except Exception as error:  # noqa: BLE001 a recogniser's bug costs one video, as a decoder's does
        detail = f"{type(error).__name__}: {error}"
        failed = Outcome(
            video.video_id, Stage.TRANSCRIBE, State.FAILED, Reason.INTERNAL_ERROR, detail
        )
        return failed, None
    if narration is None or not narration.lines:
        return (
            Outcome(
                video.video_id,
                Stage.TRANSCRIBE,
                State.SKIPPED,
                Reason.NOTHING_SAID,
                f"{source.name} heard no speech",
            ),
            None,
        )
    return Outcome(video.video_id, Stage.TRANSCRIBE, State.OK), narration


def _commit(
    library: Library,
    number: int,
    video: Video,
    narration: Narration | None,
    outcome: Outcome,
    source: str,
    path: str,
) -> None:
    with library.writing() as connection:
        words.remove_video(connection, number)
        if narration is not None:
            library.put_narration(number, narration, Recipe.of(source=source, version=1))
            library.put_clips(number, search_units(video, narration))
        library.put_outcome(number, outcome)
        words.add_video(connection, number, path)
