"""Listening: speech recognition for videos that nobody captioned. Slow, so it is offered and never
just done."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import HowtoError, Reason
from howto.library import Library
from howto.records import Outcome, Stage
from howto.search.phrases import about, counted, shown
from howto.search.units import keep_answer
from howto.transcribe.ask import QUICK_SOURCES, Wish, recipe_of
from howto.transcribe.choice import quick, remembered
from howto.transcribe.quality import measure, with_enough_words

if TYPE_CHECKING:
    from howto.contracts import NarrationSource

__all__ = ["Offer", "listen", "offer"]

MENDING_PACKAGE = "howto-whisper"
_REMOTE_SOURCES = frozenset({"youtube-captions"})
BEST_FIRST = ("whisper", "faster-whisper")
LAST_RESORT = "pocketsphinx"  # rough, but it is ready wherever it is installed


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
    def _it(self) -> str:
        return "it" if len(self.numbers) == 1 else "them"

    @property
    def estimate(self) -> str:
        """Such as 'about 14 min'."""
        return about(self.work_seconds or 0.0)

    def note(self, folder: Path) -> str:
        """One sentence with the one command that mends it."""
        if self.recogniser is None:
            return (
                f"{self.subject}. Put captions beside {self._it} (VIDEO.en.vtt), or have "
                f"{self._it} recognised: pip install {MENDING_PACKAGE}, then run this search again"
            )
        return (
            f"{self.subject}. To listen to {self._it} with {self.recogniser} ({self.estimate}): "
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
    """The best installed narration source that listens and is ready to run.

    The order: `BEST_FIRST`, then others by name, then `LAST_RESORT`. A broken one hurts nobody
    here.
    """
    from howto.plugins import installed, load

    quick_or_remote = _REMOTE_SOURCES.union(QUICK_SOURCES)
    names = {plugin.name for plugin in installed("asr")} - quick_or_remote
    for name in sorted(names, key=_rank):
        try:
            source: type[NarrationSource] = load("asr", name)
            if source.listens and _ready(source):
                return source
        except HowtoError:
            continue
    return None


def _rank(name: str) -> tuple[int, str]:
    if name in BEST_FIRST:
        return BEST_FIRST.index(name), name
    return len(BEST_FIRST) + (name == LAST_RESORT), name


def _ready(source: "type[NarrationSource]") -> bool:
    from howto.contracts import Readiness
    from howto.plugins import create

    made = create("asr", source.name)
    return not isinstance(made, Readiness) or made.ready() is None


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
    from howto.transcribe.asking import answers

    if offered.recogniser is None:
        return
    choice = remembered(library)
    wish = Wish(sources=(offered.recogniser,))
    if offered.recogniser in choice.wish.sources:
        wish = replace(choice.wish, sources=wish.sources)
    with library.exclusive("listen", on_wait=on_wait):
        paths = library.paths()
        left = offer(library, paths.keys() & set(offered.numbers))
        videos = [
            library.video(number, library.folder / paths[number][0])
            for number in (left.numbers if left else ())
        ]
        # What is quick was asked when the library was brought up to date.
        whole = replace(wish, sources=(*quick(choice.wish).sources, *wish.sources))
        questions = [(video, wish) for video in videos]
        for video, answer in answers(questions, wish) if questions else ():
            path = video.path.relative_to(library.folder).as_posix()
            quality = measure(answer.narration, None) if answer.narration else None
            outcome = with_enough_words(answer.outcome, quality, choice.min_words)
            answer = replace(answer, outcome=outcome)
            recipe = recipe_of(answer.source, whole, library.examined(video.video_id) or "")
            keep_answer(library, video, path, answer, recipe)
            yield path, outcome
