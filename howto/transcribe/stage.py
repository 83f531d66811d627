"""The stage `transcribe`: a narration for every video of a library, from the sources in order.

    from howto.library import Library
    from howto.transcribe.ask import Wish
    from howto.transcribe.stage import plan, transcribe

    with Library.open(Path("my_videos")) as library:
        for outcome in transcribe(library, plan(library, Wish(sources=("sidecar", "whisper")))):
            print(outcome)

Each video is one transaction. What is done is known by its recipe, and is not done again. A
narration stays until another takes its place; its recipe says which other sources had nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howto.collect.kept import scan_library
from howto.collect.scan import FoundFile
from howto.errors import Reason, UsageError
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Outcome, Stage, State, Video
from howto.run.engine import LOCAL, Engine
from howto.search.units import keep_answer, keep_nothing
from howto.transcribe.aligning import ALIGNED
from howto.transcribe.ask import (
    HAD_NOTHING,
    NO_SOURCE,
    QUICK_SOURCES,
    Answer,
    Wish,
    as_asked,
    make_sources,
    nothing_found,
    recipe_of,
)
from howto.transcribe.asking import answers
from howto.transcribe.quality import measure, with_enough_words

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
        wish: without the sources that are known to have nothing.
        had_nothing: those, as `ask.as_asked` says them.
        standing: the narration that is there is what is wished for, should those that are left to
            ask have nothing.
    """

    video: Video
    path: str
    companions: str
    wish: Wish
    had_nothing: tuple[Mapping[str, Any], ...] = ()
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What `transcribe` will do.

    Attributes:
        jobs: the videos to ask for.
        done: how those ended that are done already.
        unprobed: how those ended of which nobody knows what they hold, so that there is nothing to
            ask: outcomes of the stage `probe`.
        left: how many more there are past the limit.
        seconds: how long it takes, estimated; where a source listens, as if it had to listen to all
            of them.
    """

    wish: Wish
    jobs: tuple[Job, ...]
    done: tuple[Outcome, ...]
    unprobed: tuple[Outcome, ...]
    left: int
    seconds: float


def plan(
    library: Library,
    wish: Wish,
    *,
    only: str | None = None,
    limit: int | None = None,
    aligner: Recipe | None = None,
    settled: Sequence[str] = (),
) -> Plan:
    """Find out which videos have to be asked for. The library should be up to date (`refresh`).

    Args:
        wish: `sources` that listen are asked only because they are named here.
        only: a pattern such as `shirts/*`; a video counts if one of its paths fits.
        limit: the most videos to ask for.
        aligner: of which word times are wanted: captions that have them from another are read anew.
        settled: further sources, which are not asked, but whose narrations stay.

    Raises:
        UsageError: no source is named, or a negative limit.
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: a source cannot be had.
    """
    if not wish.sources:
        raise UsageError("no narration source is named")
    if limit is not None and limit < 0:
        raise UsageError(f"the limit is {limit}, expected 0 or more")
    sources = make_sources(wish)
    found = {file.path: file for file in scan_library(library)}
    ended = {one.video_id: one for one in library.outcomes(Stage.TRANSCRIBE)}
    probed = {one.video_id: one for one in library.outcomes(Stage.PROBE)}
    jobs: list[Job] = []
    done: list[Outcome] = []
    unprobed: list[Outcome] = []
    for number, paths in library.paths().items():
        if only is not None and not any(fnmatch(path, only) for path in paths):
            continue
        video = library.video(number, library.folder / paths[0])
        if video.info is None:
            unprobed += [probed[video.video_id]] if video.video_id in probed else []
            continue
        job = _job(library, video, paths, found, wish)
        before = ended.get(video.video_id)
        left = _left_to_ask(library, number, job, before, sources, aligner, settled)
        if before is None or left.wish.sources:
            jobs.append(left)
        else:
            done.append(_put_right(before, library.narration_source(number)))
    taken = jobs[:limit]
    listening = {source.name: source for source in sources if source.listens}
    estimate = sum(_seconds(job, listening) for job in taken)
    left_over = len(jobs) - len(taken)
    return Plan(wish, tuple(taken), tuple(done), tuple(unprobed), left_over, estimate)


def _job(
    library: Library, video: Video, paths: list[str], found: dict[str, FoundFile], wish: Wish
) -> Job:
    captions: list[Path] = []
    for path in paths:
        names = found[path].captions if path in found else ()
        captions += ((library.folder / path).parent / name for name in names)
    companions = library.examined(video.video_id) or ""
    return Job(replace(video, captions=tuple(captions)), paths[0], companions, wish)


def _left_to_ask(
    library: Library,
    number: int,
    job: Job,
    before: Outcome | None,
    sources: "Sequence[NarrationSource]",
    aligner: Recipe | None,
    settled: Sequence[str],
) -> Job:
    """The job with the sources alone that are still to be asked: none where all is done."""
    nobody = replace(job, wish=replace(job.wish, sources=()))
    recipe = library.narration_recipe(number)
    if recipe is None:
        silent = before is not None and _known_silent(before, job, sources, settled)
        return nobody if silent else job
    if before is None or before.state == State.FAILED:
        return job
    wanted = job.wish.sources
    source = str(recipe.parts["source"])
    if source in (*wanted, *settled) and not _fits(recipe, job, aligner):
        return job
    had_nothing = tuple(recipe.parts.get(HAD_NOTHING, ()))
    # Of the sources that are wanted less than the one that has it, nothing is wanted.
    more_wanted = wanted[: wanted.index(source)] if source in wanted else wanted
    left = () if source in settled else more_wanted
    left = tuple(one for one in left if as_asked(one, job.wish, job.companions) not in had_nothing)
    wish = replace(job.wish, sources=left)
    return replace(job, wish=wish, had_nothing=had_nothing, standing=source in wanted)


def _known_silent(
    before: Outcome, job: Job, sources: "Sequence[NarrationSource]", settled: Sequence[str]
) -> bool:
    """Looking again costs little; listening again to what is silent costs much."""
    if settled and before.reason == Reason.NOTHING_SAID:
        return True
    now = nothing_found(job.video, sources)
    return (before.state, before.reason, before.detail) == (now.state, now.reason, now.detail) and (
        now.reason == Reason.NOTHING_SAID or job.wish == Wish()
    )


def _fits(recipe: Recipe, job: Job, aligner: Recipe | None) -> bool:
    """Whether its source would give the narration again that is there."""
    parts = dict(recipe.parts)
    source = str(parts["source"])
    aligned = parts.pop(ALIGNED, None)
    if aligner and aligned and aligned != aligner.parts and source in QUICK_SOURCES:
        return False
    parts.pop(HAD_NOTHING, None)
    alone = replace(job.wish, sources=(source,))
    return Recipe.of(**parts) == recipe_of(source, alone, job.companions)


def _put_right(outcome: Outcome, kept: str | None) -> Outcome:
    """No video that has a narration ended with none, whatever was asked last."""
    if kept is not None and outcome.reason in (Reason.NO_NARRATION, Reason.NOTHING_SAID):
        return replace(outcome, state=State.OK, reason=None, detail="")
    return outcome


def _seconds(job: Job, listening: "Mapping[str, NarrationSource]") -> float:
    info = job.video.info
    sound = info.duration if info is not None and info.has_audio else 0.0
    return SECONDS_PER_FILE + sum(
        sound / listening[name].sound_per_second for name in job.wish.sources if name in listening
    )


def transcribe(
    library: Library,
    planned: Plan,
    *,
    min_words: int = 0,
    workers: int | None = None,
    engine: Engine = LOCAL,
) -> Iterator[Outcome]:
    """Ask for narration as planned; each video is committed and searchable when it is yielded.

    A narration of fewer words than wanted is kept and searchable, and its video's outcome is
    `too_few_words`, which leaves it out of what a model is trained with. This is looked at anew for
    the videos that are done already, whose outcomes are yielded first.

    Args:
        min_words: HowTo100M has 100.
        workers: processes that read captions, by default one for each core; where a source listens
            there is one. On Ray they are actors.
        engine: where; the machines of a cluster see the same files under the same paths.

    Raises:
        HowtoError: a source cannot be used at all.

    Yields:
        How each video ended, with its paths; first those that cannot be probed, then the done ones.
        Where a source fails for a video that keeps a narration, that is told and not kept.
    """
    yield from planned.unprobed
    paths = library.paths()
    numbers = library.numbers(
        [one.video_id for one in planned.done] + [job.video.video_id for job in planned.jobs]
    )
    qualities = library.qualities()
    kept = {one.video_id: one for one in library.outcomes(Stage.TRANSCRIBE)}
    for outcome in planned.done:
        number = numbers[outcome.video_id]
        checked = with_enough_words(outcome, qualities.get(number), min_words)
        if checked != kept.get(outcome.video_id):
            with library.writing():
                library.put_outcome(number, checked)
        yield checked
    with library.exclusive("listen"):
        jobs = {job.video.video_id: job for job in planned.jobs}
        questions = [(job.video, job.wish) for job in planned.jobs]
        if not questions:
            return
        asked = answers(questions, planned.wish, workers=workers, engine=engine)
        for video, answer in asked:
            outcome = _commit(library, jobs[video.video_id], answer, min_words)
            yield replace(outcome, paths=tuple(paths[numbers[video.video_id]]))


def _commit(library: Library, job: Job, answer: Answer, min_words: int) -> Outcome:
    """Write what came of asking for one video: one transaction."""
    number = library.number_of(job.video.video_id)
    there = library.narration_recipe(number)
    outcome = answer.outcome
    if answer.narration is not None:
        quality = measure(answer.narration, None)
        outcome = with_enough_words(outcome, quality, min_words)
        recipe = _with_nothing(recipe_of(answer.source, job.wish, job.companions), job.had_nothing)
        keep_answer(library, job.video, job.path, replace(answer, outcome=outcome), recipe)
    elif there is None:
        keep_answer(
            library, job.video, job.path, answer, recipe_of(NO_SOURCE, job.wish, job.companions)
        )
    elif outcome.state != State.FAILED or job.standing:
        asked = [as_asked(name, job.wish, job.companions) for name in job.wish.sources]
        names = " and ".join(job.wish.sources)
        detail = f"{names} had nothing; the narration of {there.parts['source']} stays"
        outcome = replace(outcome, state=State.OK, reason=None, detail=detail)
        outcome = with_enough_words(outcome, library.quality(number), min_words)
        keep_nothing(library, number, outcome, _with_nothing(there, asked))
    return outcome


def _with_nothing(recipe: Recipe, had_nothing: Sequence[Mapping[str, Any]]) -> Recipe:
    """The recipe of a narration, of which it is known that more sources had nothing."""
    known = list(recipe.parts.get(HAD_NOTHING, ()))
    known += [one for one in had_nothing if one not in known]
    return Recipe.of(**{**recipe.parts, HAD_NOTHING: known}) if known else recipe
