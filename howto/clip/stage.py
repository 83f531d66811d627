"""The stage `clip`: the pairs of every narrated video of a library.

Each video is committed by itself when it is done. What is done is known by (video, set of pairs,
narration): a second run with the same options does nothing, and a narration that changed is done
again. A video whose narration has fewer words than `transcribe` was asked for is left out, and so
are its pairs, until it has enough.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase

from howto.clip.pairs import Pair, PairOptions, make_pairs
from howto.clip.pairs_store import StoredSet, count_pairs
from howto.collect.ledger import Ledger
from howto.contracts import Clipper
from howto.errors import ItemError, Reason
from howto.library import Library
from howto.recipe import Recipe
from howto.records import Narration, Outcome, Stage, State, Video
from howto.run.engine import LOCAL, Engine, run

__all__ = ["Clipped", "Plan", "Progress", "clip_videos", "plan", "videos_of"]

Progress = Callable[[int, int, str], None]
"""Called with videos done, videos to do, and the path just finished."""

# Lines a second on one slow core, for the estimate of a dry run; a clipper that watches decodes.
_LINES_PER_SECOND = 20_000
_VIDEO_SECONDS_PER_SECOND = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        recipe: of the set of pairs.
        videos: numbers of all videos that are meant, by `--only` or all.
        to_do: those to make pairs of, with their narration's short hash, in order of path.
        current: those whose pairs are there, of the narration that is there.
        left: how many more there are to do past the limit; their pairs, if any, are of an older
            narration.
        skipped: those without a narration, or with one of too few words, and why.
        lines: of narration, in the videos to do.
        seconds: about how long it takes.
    """

    recipe: Recipe
    videos: frozenset[int]
    to_do: Mapping[int, str]
    current: frozenset[int]
    left: int
    skipped: Mapping[int, Outcome]
    lines: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Clipped:
    """What a run did.

    Attributes:
        recipe: of the set of pairs.
        made: videos whose pairs were made now.
        unchanged: videos whose pairs were there.
        left: how many videos are left to do, past the limit.
        current: numbers of the videos whose pairs are of the narration that is there: what is fit
            to be exported.
        pairs: in the set now, of those.
        outcomes: of this stage, of the videos that are meant and were looked at.
    """

    recipe: Recipe
    made: int
    unchanged: int
    left: int
    current: frozenset[int]
    pairs: int
    outcomes: tuple[Outcome, ...]

    @property
    def tally(self) -> Mapping[str, int]:
        """Videos by reason, `ok` for those that went well."""
        return Counter(str(one.reason or State.OK) for one in self.outcomes)


@dataclass(frozen=True, slots=True)
class _Task:
    """One video to make pairs of; it crosses to a worker where the clipper watches."""

    number: int
    video: Video
    narration: Narration
    options: PairOptions


@dataclass(frozen=True, slots=True)
class _Made:
    """The pairs of one video, or why there are none."""

    pairs: tuple[Pair, ...] = ()
    reason: Reason | None = None
    detail: str = ""


def videos_of(
    library: Library, only: str | None = None, rank_at_most: int | None = None
) -> dict[int, str]:
    """The videos that have a file, with their first path, in order of path.

    Args:
        only: a glob that one of the paths, relative to the library, must match.
        rank_at_most: only collected videos that were among so many first hits of a task.
    """
    ranked: Collection[int] | None = None
    if rank_at_most is not None:
        ranked_ids = Ledger(library).videos_with_rank_at_most(rank_at_most)
        ranked = frozenset(library.numbers(ranked_ids).values())
    first: dict[int, str] = {}
    fitting: set[int] = set()
    for path, number in library.each_path():
        first.setdefault(number, path)
        if only is not None and fnmatchcase(path, only):
            fitting.add(number)
    found = sorted(
        (path, number)
        for number, path in first.items()
        if (only is None or number in fitting) and (ranked is None or number in ranked)
    )
    return {number: path for path, number in found}


def plan(
    library: Library,
    options: PairOptions,
    *,
    only: str | None = None,
    rank_at_most: int | None = None,
    limit: int | None = None,
) -> Plan:
    """Find out what there is to do, and do nothing.

    Args:
        only: only videos with a path that matches this glob.
        rank_at_most: only collected videos that were among so many first hits of a task.
        limit: the most videos to do.

    Raises:
        PluginError, UsageError: the clipper cannot be had, or not with these options.
    """
    recipe = options.recipe()
    paths = videos_of(library, only, rank_at_most)
    narrations = {
        number: Recipe(text).short
        for number, text in library.connection.execute("SELECT number, recipe FROM narrations")
    }
    skipped = _skipped(library, paths.keys(), narrations.keys())
    made = StoredSet(library, recipe).made_from()
    wanted = {number: narrations[number] for number in paths if number not in skipped}
    current = frozenset(number for number in wanted if wanted[number] == made.get(number))
    stale = {number: hash_ for number, hash_ in wanted.items() if number not in current}
    to_do = dict(list(stale.items())[:limit])
    lines, seconds = _work(library, to_do, watches=_watches(options.make_clipper()))
    return Plan(
        recipe,
        frozenset(paths),
        to_do,
        current,
        len(stale) - len(to_do),
        skipped,
        lines,
        seconds,
    )


def _skipped(library: Library, numbers: Iterable[int], narrated: Set[int]) -> dict[int, Outcome]:
    """The videos to leave out, with the outcome that this stage gives them: the reason that
    transcribing ended with, or probing, where it came to no more than that."""
    rows = library.connection.execute(
        "SELECT number, video_id, coalesce(said.reason, probed.reason),"
        " coalesce(CASE WHEN said.reason IS NULL THEN probed.detail ELSE said.detail END, '')"
        " FROM videos"
        " LEFT JOIN (SELECT * FROM outcomes WHERE stage = ?) AS said USING (number)"
        " LEFT JOIN (SELECT * FROM outcomes WHERE stage = ?) AS probed USING (number)",
        (Stage.TRANSCRIBE, Stage.PROBE),
    )
    skipped = {}
    for number, video_id, reason, detail in rows:
        if number not in narrated or reason == Reason.TOO_FEW_WORDS:
            why = Reason(reason or Reason.NO_NARRATION)
            skipped[number] = Outcome(video_id, Stage.CLIP, State.SKIPPED, why, detail)
    return {number: skipped[number] for number in numbers if number in skipped}


def _work(library: Library, to_do: Mapping[int, str], *, watches: bool) -> tuple[int, float]:
    """How many lines there are in the videos to do, and about how many seconds that takes."""
    connection, numbers = library.connection, json.dumps(list(to_do))
    those = "WHERE number IN (SELECT value FROM json_each(?))"
    (lines,) = connection.execute(f"SELECT count(*) FROM lines {those}", (numbers,)).fetchone()  # noqa: S608
    watched = 0.0
    if watches:
        (watched,) = connection.execute(
            f"SELECT coalesce(sum(duration), 0) FROM videos {those}",  # noqa: S608
            (numbers,),
        ).fetchone()
    return lines, lines / _LINES_PER_SECOND + watched / _VIDEO_SECONDS_PER_SECOND


def _watches(clipper: Clipper) -> bool:
    # A stranger's clipper that says nothing may decode, so it works in a process of its own.
    return bool(getattr(clipper, "watches", True))


def clip_videos(
    library: Library,
    options: PairOptions,
    *,
    only: str | None = None,
    rank_at_most: int | None = None,
    limit: int | None = None,
    workers: int | None = None,
    engine: Engine = LOCAL,
    on_progress: Progress | None = None,
) -> Clipped:
    """Make the pairs that are missing or out of date.

    Args:
        only, rank_at_most, limit: as for `plan`.
        workers: processes for a clipper that looks at the videos; by default one for each core.
        engine: where; on Ray every clipper works in its actors.

    Raises:
        LibraryBusy: another process has been doing this for an hour.
        PluginError, UsageError: the clipper cannot be had, or not with these options.
    """
    with library.exclusive("clip"):
        planned = plan(library, options, only=only, rank_at_most=rank_at_most, limit=limit)
        paths = videos_of(library, only, rank_at_most)
        store = StoredSet(library, planned.recipe)
        outcomes = _put_skipped(library, store, planned)
        current = set(planned.current)
        made = _made(_tasks(library, planned, paths, options), options, engine, workers)
        for done, (task, result) in enumerate(made, start=1):
            outcome = _commit(library, store, task, result, planned.to_do[task.number])
            outcomes.append(outcome)
            current |= {task.number} if outcome.state == State.OK else set()
            if on_progress:
                on_progress(done, len(planned.to_do), paths[task.number])
    return Clipped(
        planned.recipe,
        made=len(current) - len(planned.current),
        unchanged=len(planned.current),
        left=planned.left,
        current=frozenset(current),
        pairs=count_pairs(library, planned.recipe, current),
        outcomes=tuple(outcomes),
    )


def _put_skipped(library: Library, store: StoredSet, planned: Plan) -> list[Outcome]:
    """Write how those ended that are left out, and take out the pairs that they had."""
    with library.writing():
        for number, outcome in planned.skipped.items():
            store.take_out(number)
            library.put_outcome(number, outcome)
    return list(planned.skipped.values())


def _tasks(
    library: Library, planned: Plan, paths: Mapping[int, str], options: PairOptions
) -> Iterator[_Task]:
    for number in planned.to_do:
        narration = library.narration(number)
        if narration is not None:  # else another process took it away just now
            video = library.video(number, library.folder / paths[number])
            yield _Task(number, video, narration, options)


def _made(
    tasks: Iterator[_Task], options: PairOptions, engine: Engine, workers: int | None
) -> Iterator[tuple[_Task, _Made]]:
    clipper = options.make_clipper()
    if engine.kind == "local" and not _watches(clipper):
        for task in tasks:
            yield task, _pairs_of(task, clipper)
        return
    for ended in run(engine, _pairs_of, tasks, workers=workers, time_limit=3600):
        if ended.result is not None:
            yield ended.item, ended.result
        else:
            yield ended.item, _Made(reason=ended.reason, detail=ended.detail)


def _pairs_of(task: _Task, clipper: Clipper | None = None) -> _Made:
    try:
        return _Made(tuple(make_pairs(task.narration, task.video, task.options, clipper)))
    except ItemError as error:
        return _Made(reason=error.reason, detail=error.detail)


def _commit(
    library: Library, store: StoredSet, task: _Task, made: _Made, narration: str
) -> Outcome:
    """Write the pairs of one video and how it ended: one transaction."""
    if made.reason is not None:
        outcome = Outcome(task.video.video_id, Stage.CLIP, State.FAILED, made.reason, made.detail)
    else:
        detail = "" if made.pairs else "no pair came of its narration"
        outcome = Outcome(task.video.video_id, Stage.CLIP, State.OK, detail=detail)
    with library.writing():
        if made.reason is None:
            store.put(task.number, made.pairs, narration)
        else:
            store.take_out(task.number)
        library.put_outcome(task.number, outcome)
    return outcome
