"""Word times for the narrations of a library that have none: a second pass, after `transcribe`.

    from howto.library import Library
    from howto.transcribe.aligning import align_videos, plan_alignment

    with Library.open(Path("my_videos")) as library:
        for outcome in align_videos(library, plan_alignment(library, "pocketsphinx")):
            print(outcome)

Each video is one transaction. The recipe of a narration carries the aligner's, so that what is done
is not done again, and pairs that were made without word times are made again.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import ItemError, Reason, UsageError
from howto.library import Library
from howto.plugin_options import Option, of_plugin
from howto.recipe import Recipe
from howto.records import Narration, Outcome, Stage, State, Video
from howto.run.engine import LOCAL, Engine, run
from howto.search.units import indexing, keep_narration
from howto.transcribe.align import RATE, align_narration, aligner_recipe, lacks_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.contracts import Aligner
    from howto.run.local import Ended

__all__ = [
    "ALIGNED",
    "AlignmentPlan",
    "align_videos",
    "all_sound",
    "plan_alignment",
    "recipe_of_aligner",
]

ALIGNED = "aligned"
"""The part of a narration's recipe that is the aligner's."""

_LOADING_SECONDS = 1800.0
_SLOWER = 60.0
"""How many times longer than its own estimate an aligner may take."""


@dataclass(frozen=True, slots=True)
class AlignmentPlan:
    """What `align_videos` will do.

    Attributes:
        aligner: its name.
        options: keyword arguments of the aligner.
        recipe: of the aligner, with its version, its options and the hash of its weights.
        videos: numbers of the videos to align, with their first path, in order of path.
        silent: those that have no sound to align with.
        done: how those ended that are done already.
        left: how many more there are past the limit.
        seconds: how long it takes, estimated; of the sound that lines without words last.
    """

    aligner: str
    options: tuple[Option, ...]
    recipe: Recipe
    videos: Mapping[int, str]
    silent: tuple[Outcome, ...]
    done: tuple[Outcome, ...]
    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    video: Video
    narration: Narration
    recipe: Recipe
    aligner: str
    options: tuple[Option, ...]
    seconds: float


def recipe_of_aligner(name: str, options: tuple[Option, ...] = ()) -> Recipe:
    """All that determines the word times that an aligner gives, its options included.

    Raises:
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: the aligner cannot be had.
        PluginError: its weights are missing.
    """
    recipe = aligner_recipe(_aligner(name, options))
    given = of_plugin(options, name)
    return Recipe.of(**{**recipe.parts, "options": given}) if given else recipe


def plan_alignment(
    library: Library,
    name: str,
    options: tuple[Option, ...] = (),
    *,
    only: str | None = None,
    limit: int | None = None,
) -> AlignmentPlan:
    """Find out which narrations lack word times, and have sound to get them from.

    Args:
        name: of an aligner.
        options: keyword arguments, of which those that name the aligner are for it.
        only: a pattern such as `shirts/*`; a video counts if one of its paths fits.
        limit: the most videos to align.

    Raises:
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: the aligner cannot be had.
        PluginError: its weights are missing.
        UsageError: a negative limit.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"the limit is {limit}, expected 0 or more")
    aligner = _aligner(name, options)
    recipe = recipe_of_aligner(name, options)
    ended = {one.video_id: one for one in library.outcomes(Stage.ALIGN)}
    wordless = _wordless_seconds(library)
    to_do: dict[int, str] = {}
    silent: list[Outcome] = []
    done: list[Outcome] = []
    for number, paths in sorted(library.paths().items(), key=lambda one: one[1]):
        if only is not None and not any(fnmatch(path, only) for path in paths):
            continue
        video = library.video(number, library.folder / paths[0])
        made = library.narration_recipe(number)
        if made is None or video.info is None:
            continue
        if made.parts.get(ALIGNED) == recipe.parts and video.video_id in ended:
            done.append(ended[video.video_id])
        elif number in wordless and video.info.has_audio:
            to_do[number] = paths[0]
        elif number in wordless:
            silent.append(_outcome(video, State.SKIPPED, Reason.NO_AUDIO_STREAM))
    taken = dict(list(to_do.items())[:limit])
    seconds = sum(wordless[number] for number in taken) / aligner.sound_per_second
    left = len(to_do) - len(taken)
    return AlignmentPlan(name, options, recipe, taken, tuple(silent), tuple(done), left, seconds)


def _wordless_seconds(library: Library) -> dict[int, float]:
    """How long the lines without word times last, of the videos that have any."""
    return dict(
        library.connection.execute(
            "SELECT number, sum(max(end - start, 0)) FROM lines"
            " WHERE words IS NULL AND trim(text) <> '' GROUP BY number"
        ).fetchall()
    )


def align_videos(
    library: Library, planned: AlignmentPlan, *, engine: Engine = LOCAL
) -> Iterator[Outcome]:
    """Align as planned; each video is committed when it is yielded.

    One worker does it, or one in each actor of a cluster, which keeps the aligner loaded; one that
    crashes or hangs costs one video. A narration that changes meanwhile is left for the next run.

    Yields:
        How each video ended, with its paths; the done ones and those without sound first.

    Raises:
        HowtoError: the aligner cannot be used at all.
    """
    paths = library.paths()
    numbers = library.numbers(one.video_id for one in planned.silent)
    yield from planned.done
    for outcome in planned.silent:
        with library.writing():
            library.put_outcome(numbers[outcome.video_id], outcome)
        yield replace(outcome, paths=tuple(paths[numbers[outcome.video_id]]))
    if not planned.videos:
        return
    rate = _aligner(planned.aligner, planned.options).sound_per_second
    with library.exclusive("listen"):
        for ended in run(
            engine,
            _aligned,
            _tasks(library, planned),
            workers=1 if engine.kind == "local" else None,
            time_limit=lambda task: _LOADING_SECONDS + _SLOWER * task.seconds / rate,
        ):
            if (committed := _commit(library, planned, ended)) is not None:
                yield replace(committed, paths=tuple(paths[ended.item.number]))


def _tasks(library: Library, planned: AlignmentPlan) -> Iterator[_Task]:
    for number, path in planned.videos.items():
        narration, recipe = library.narration(number), library.narration_recipe(number)
        video = library.video(number, library.folder / path)
        if narration is not None and recipe is not None and video.info is not None:
            seconds = video.info.duration
            aligner = (planned.aligner, planned.options)
            yield _Task(number, video, narration, recipe, *aligner, seconds)


def _aligned(task: _Task) -> Narration | ItemError:
    try:
        samples = all_sound(task.video.path)
    except ItemError as error:
        return error
    return align_narration(task.narration, samples, _aligner(task.aligner, task.options))


def all_sound(path: Path) -> "NDArray[np.float32]":
    """The sound of a file as aligners want it: 230 MB for an hour.

    Raises:
        MediaError: it has none, or it cannot be read.
    """
    import numpy as np

    from howto.media.audio import sound

    return np.concatenate(list(sound(path, RATE)))


@functools.lru_cache(maxsize=1)
def _aligner(name: str, options: tuple[Option, ...]) -> "Aligner":
    """Made once in a process, so that an aligner may keep what it has loaded."""
    from howto.plugins import create

    made: Aligner = create("aligners", name, **of_plugin(options, name))
    return made


def _commit(
    library: Library, planned: AlignmentPlan, ended: "Ended[_Task, Narration | ItemError]"
) -> Outcome | None:
    """Write the words of one video and how it ended: one transaction."""
    task, found = ended.item, ended.result
    path = planned.videos[task.number]
    with indexing(library, task.video.video_id, path) as number:
        if library.narration_recipe(number) != task.recipe:
            return None
        if isinstance(found, Narration):
            recipe = Recipe.of(**{**task.recipe.parts, ALIGNED: planned.recipe})
            keep_narration(library, number, task.video, found, recipe)
            outcome = _outcome(task.video, State.OK, None, _count(task.narration, found))
        elif found is not None:
            outcome = _outcome(task.video, State.FAILED, found.reason, found.detail)
        else:
            outcome = _outcome(task.video, State.FAILED, ended.reason, ended.detail)
        library.put_outcome(number, outcome)
    return outcome


def _count(before: Narration, after: Narration) -> str:
    wanted = sum(map(lacks_words, before.lines))
    return f"word times for {wanted - sum(map(lacks_words, after.lines))} of {wanted} lines"


def _outcome(video: Video, state: State, reason: Reason | None, detail: str = "") -> Outcome:
    return Outcome(video.video_id, Stage.ALIGN, state, reason, detail)
