"""The stage `transcribe`: a narration for every video of a library, from the sources in order.

    from howto.library import Library
    from howto.transcribe.ask import Wish
    from howto.transcribe.stage import plan, transcribe

    with Library.open(Path("my_videos")) as library:
        for outcome in transcribe(library, plan(library, Wish(sources=("sidecar", "whisper")))):
            print(outcome)

Each video is one transaction. What is done is known by its recipe, and is not done again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from howto.collect.kept import scan_library
from howto.collect.scan import FoundFile
from howto.errors import Reason, UsageError
from howto.library import Library
from howto.records import Outcome, Quality, Stage, State, Video
from howto.search.units import keep_answer
from howto.transcribe.ask import (
    NO_SOURCE,
    QUICK_SOURCES,
    Answer,
    Wish,
    ask,
    make_sources,
    nothing_found,
    recipe_of,
)
from howto.transcribe.quality import measure

if TYPE_CHECKING:
    from howto.contracts import NarrationSource

__all__ = ["Job", "Plan", "plan", "transcribe"]

SECONDS_PER_FILE = 0.02
"""Reading a caption file or the subtitles inside a video, and committing them, about."""


@dataclass(frozen=True, slots=True)
class Job:
    """A video that is to be asked for.

    Attributes:
        path: of its first file, relative to the library's folder.
        companions: the text that changes with the files beside it.
    """

    video: Video
    path: str
    companions: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Plan:
    """What `transcribe` will do.

    Attributes:
        jobs: the videos to ask for.
        done: how those ended that are done already.
        left: how many more there are past the limit.
        seconds: how long it takes, estimated; where a source listens, as if it had to listen to all
            of them.
    """

    wish: Wish
    jobs: tuple[Job, ...]
    done: tuple[Outcome, ...]
    left: int
    seconds: float


def plan(
    library: Library, wish: Wish, *, only: str | None = None, limit: int | None = None
) -> Plan:
    """Find out which videos have to be asked for. The library should be up to date (`refresh`).

    Args:
        wish: `sources` that listen are asked only because they are named here.
        only: a pattern such as `shirts/*`; a video counts if one of its paths fits.
        limit: the most videos to ask for.

    Raises:
        UsageError: no source is named, or a limit below 1.
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: a source cannot be had.
    """
    if not wish.sources:
        raise UsageError("no narration source is named")
    if limit is not None and limit < 1:
        raise UsageError(f"the limit is {limit}, expected at least 1")
    sources = make_sources(wish)
    found = {file.path: file for file in scan_library(library)}
    ended = {one.video_id: one for one in library.outcomes() if one.stage == Stage.TRANSCRIBE}
    jobs: list[Job] = []
    done: list[Outcome] = []
    for number, paths in library.paths().items():
        if only is not None and not any(fnmatch(path, only) for path in paths):
            continue
        video = library.video(number, library.folder / paths[0])
        if video.info is None:
            continue  # it cannot be probed, so there is nothing to ask for; its outcome says why
        job = _job(library, video, paths, found, wish)
        before = ended.get(video.video_id)
        if before is not None and _is_done(library, number, job, before, sources):
            done.append(before)
        else:
            jobs.append(job)
    taken = jobs[:limit]
    estimate = sum(_seconds(job.video, sources) for job in taken)
    return Plan(wish, tuple(taken), tuple(done), len(jobs) - len(taken), estimate)


def _job(
    library: Library, video: Video, paths: list[str], found: dict[str, FoundFile], wish: Wish
) -> Job:
    captions: list[Path] = []
    for path in paths:
        names = found[path].captions if path in found else ()
        captions += ((library.folder / path).parent / name for name in names)
    companions = library.examined(video.video_id) or ""
    return Job(replace(video, captions=tuple(captions)), paths[0], companions, wish)


def _is_done(
    library: Library, number: int, job: Job, before: Outcome, sources: "Sequence[NarrationSource]"
) -> bool:
    recipe = library.narration_recipe(number)
    if recipe is None:
        # Looking again costs little; listening again to what is silent costs much.
        asked_before = nothing_found(job.video, sources)
        return (before.state, before.reason, before.detail) == (
            asked_before.state,
            asked_before.reason,
            asked_before.detail,
        ) and (asked_before.reason == Reason.NOTHING_SAID or job.wish == Wish())
    source = str(recipe.parts["source"])
    if source not in job.wish.sources:
        return False
    first = job.wish.sources[: job.wish.sources.index(source)]
    # The quick sources before it were asked when the library was brought up to date.
    return recipe == recipe_of(source, job.wish, job.companions) and set(first) <= {*QUICK_SOURCES}


def _seconds(video: Video, sources: "Sequence[NarrationSource]") -> float:
    info = video.info
    sound = info.duration if info is not None and info.has_audio else 0.0
    return SECONDS_PER_FILE + sum(
        sound / source.sound_per_second for source in sources if source.listens
    )


def transcribe(
    library: Library, planned: Plan, *, min_words: int = 0, workers: int | None = None
) -> Iterator[Outcome]:
    """Ask for narration as planned; each video is committed and searchable when it is yielded.

    A narration of fewer words than wanted is kept and searchable, and its video's outcome is
    `too_few_words`, which leaves it out of what a model is trained with. This is looked at anew for
    the videos that are done already, whose outcomes are yielded first.

    Args:
        min_words: HowTo100M has 100.
        workers: processes that read captions; where a source listens, it does so in this one.

    Yields:
        How each video ended, with its paths; the done ones first.
    """
    paths = library.paths()
    numbers = library.numbers(
        [one.video_id for one in planned.done] + [job.video.video_id for job in planned.jobs]
    )
    qualities = library.qualities()
    for outcome in planned.done:
        number = numbers[outcome.video_id]
        checked = _with_enough_words(outcome, qualities.get(number), min_words)
        if checked != outcome:
            with library.writing():
                library.put_outcome(number, checked)
        yield checked
    with library.exclusive("listen"):
        for job, answer in _answers(planned, workers):
            outcome = replace(answer.outcome, paths=tuple(paths[numbers[job.video.video_id]]))
            if answer.narration is not None:
                quality = measure(answer.narration, None)
                outcome = _with_enough_words(outcome, quality, min_words)
            recipe = recipe_of(answer.source, job.wish, job.companions)
            keep_answer(library, job.video, job.path, replace(answer, outcome=outcome), recipe)
            yield outcome


def _with_enough_words(outcome: Outcome, quality: Quality | None, min_words: int) -> Outcome:
    """The outcome of a video that has a narration, by how many words that has."""
    if quality is None:
        return outcome
    if quality.num_words < min_words:
        detail = f"{quality.num_words} words: expected at least {min_words}"
        return replace(outcome, state=State.SKIPPED, reason=Reason.TOO_FEW_WORDS, detail=detail)
    if outcome.reason == Reason.TOO_FEW_WORDS:
        return replace(outcome, state=State.OK, reason=None, detail="")
    return outcome


def _answers(planned: Plan, workers: int | None) -> Iterator[tuple[Job, Answer]]:
    sources = make_sources(planned.wish)
    if any(source.listens for source in sources):
        for job in planned.jobs:
            yield job, ask(job.video, sources, planned.wish.ends)
        return
    if not planned.jobs:
        return
    from howto.run.local import run_local

    for ended in run_local(_read, planned.jobs, workers=workers):
        if ended.result is not None:
            yield ended.item, ended.result
        else:
            failed = Outcome(
                ended.item.video.video_id,
                Stage.TRANSCRIBE,
                State.FAILED,
                ended.reason,
                ended.detail,
            )
            yield ended.item, Answer(None, NO_SOURCE, failed)


def _read(job: Job) -> Answer:
    return ask(job.video, make_sources(job.wish), job.wish.ends)
