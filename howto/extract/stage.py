"""The stage `extract`: features of every video of a library, by several backbones at once.

    from howto.extract.choice import Choice, choose
    from howto.extract.stage import extract_videos
    from howto.library import Library

    with Library.open(Path("my_videos")) as library:
        done = extract_videos(library, choose(Choice(("resnet152", "resnext101-3d"))))
        print(done.tally)

Each video is decoded once for all backbones that lack it, in processes of their own, while this
process computes. Its features are written as files; then one transaction says that they are there.
Done is what has a row and a file of the same recipe. `Extractor` knows no library: it turns one
video into feature files, so that a process elsewhere can do the same and report back.
"""

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from howto.clip.stage import videos_of
from howto.errors import ItemError, LibraryError, PluginError, Reason, UsageError
from howto.extract.choice import Wanted
from howto.extract.decoding import Again, Decoders, Ended, Frames, ToDecode
from howto.extract.encoding import Encoder, Encoding
from howto.extract.features import (
    Features,
    feature_path,
    file_name,
    files_of,
    read,
    remove_parts,
    write,
)
from howto.extract.storage import Unreachable, why_unreachable
from howto.extract.store import SetEnd, StoredFeatures, features_root
from howto.library import Library
from howto.recipe import Recipe
from howto.records import FrameSpec, Outcome, Stage, State
from howto.run.engine import LOCAL, Engine
from howto.run.local import default_workers

__all__ = [
    "BATCH",
    "Extracted",
    "Extractor",
    "Job",
    "Made",
    "Plan",
    "Progress",
    "extract_videos",
    "plan",
    "workers_for",
]

BATCH = 32
"""Frames in one call of a backbone; on a CPU more is no faster."""

TIME_LIMIT = 120.0
"""Seconds that a decoder may give no frame while it is waited for."""

_MOST_DECODERS = 4  # on a CPU: the network is slower than one of them

Progress = Callable[[int, int, str], None]
"""Called with videos done, videos to do, and the path just finished."""

# These say something about the run, not about the content of a file: tried again by themselves.
_PASSING = {Reason.UNREADABLE_FILE, Reason.NETWORK}

_NEVER_PROBED = SetEnd(State.FAILED, Reason.UNREADABLE_FILE, "it could not be looked at")
_ONLY_CAPTIONS = SetEnd(State.SKIPPED, Reason.NO_VIDEO_STREAM, "only its captions were collected")
_AT_ONCE = 1000  # videos that are looked up together
_HEADER_SIZE = 600  # bytes of a feature file beside its arrays, about


@dataclass(frozen=True, slots=True)
class Job:
    """A video that lacks features.

    Attributes:
        number: the library's short key of it.
        path: of its first file, absolute.
        duration: seconds, as probed.
        sets: which of the wanted feature sets it lacks.
    """

    number: int
    video_id: str
    path: Path
    duration: float
    sets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        wanted: the feature sets.
        jobs: the videos to do, in order of path.
        left: how many more there are past the limit.
        ended: how the others ended before, or why they cannot be decoded, by number and set.
        adopted: files that are there already, of a run that was killed or a library that was
            deleted: by number and set.
        seconds: about how long it takes; None where one of the sets was never timed here.
        size: bytes of the feature files to come.
    """

    wanted: tuple[Wanted, ...]
    jobs: tuple[Job, ...]
    left: int
    ended: Mapping[int, Mapping[int, SetEnd]]
    adopted: Mapping[int, Mapping[int, SetEnd]]
    seconds: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a run did.

    Attributes:
        made: feature files written now.
        unchanged: videos whose features were there.
        seconds: how long it took.
        video_seconds: of the videos done now.
        outcomes: of all videos that were meant and have ended, with their paths; those done now
            come last.
    """

    made: int
    unchanged: int
    seconds: float
    video_seconds: float
    outcomes: tuple[Outcome, ...]

    @property
    def tally(self) -> Mapping[str, int]:
        """Videos by reason, `ok` for those that went well."""
        return Counter(str(one.reason or State.OK) for one in self.outcomes)


@dataclass(frozen=True, slots=True)
class Made:
    """How one video ended for each of the sets that it lacked.

    Attributes:
        computed: seconds inside each backbone, where it was made elsewhere.
        machine: the name of the one that made it, where it was made elsewhere.
    """

    job: Job
    ends: Mapping[int, SetEnd]
    computed: Mapping[int, float] = field(default_factory=dict)
    machine: str = ""


def workers_for(device: str) -> int:
    """How many decoders feed a device: all cores but one, and on a CPU no more than it can use."""
    spare = max(1, default_workers() - 1)
    return spare if device.startswith("cuda") else min(spare, _MOST_DECODERS)


# One video.


class Extractor:
    """Backbones, loaded once, that turn videos into feature files. Use it as a context manager.

    It is made in the process that computes: here, or in an actor of another machine.

    Args:
        wanted: the feature sets; the jobs name them by position.
        root: the folder or address under which feature files are written.
        batch: most frames in one call of a backbone.
        workers: decoder processes; None: as many as `workers_for` says.
        time_limit: seconds a decoder may give no frame.

    Raises:
        UsageError: a time limit that is no number of seconds above 0.
        PluginError: a backbone's weights are missing or do not fit.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        root: Path,
        *,
        batch: int = BATCH,
        workers: int | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self.wanted = tuple(wanted)
        for one in self.wanted:
            if one.not_here:
                raise PluginError(f"{one.name}: its weights are not here: {one.not_here}")
        self.encoders = [Encoder(one, batch) for one in self.wanted]
        self._root = root
        device = self.wanted[0].device
        self.decoders = Decoders(workers or workers_for(device), time_limit=time_limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the decoders."""
        self.decoders.close()

    def extract(self, job: Job) -> Made:
        """Write the features that one video lacks."""
        (made,) = self.extract_all([job])
        return made

    def extract_all(self, jobs: Iterable[Job]) -> Iterator[Made]:
        """Write the features that videos lack, decoding some while computing others.

        Yields:
            Each when its files are in place, in the order in which they end.

        Raises:
            HowtoError: no decoder can start, or the device's memory is too small.
        """
        works: dict[int, _Work] = {}

        def tasks() -> Iterator[ToDecode]:
            for key, job in enumerate(jobs):
                works[key] = _Work(self, job)
                yield ToDecode(key, job.path, works[key].specs, self.wanted[job.sets[0]].sizing)

        for task, event in self.decoders.run(tasks()):
            if isinstance(event, Frames):
                works[task.key].add(event)
            elif isinstance(event, Again):
                works[task.key] = _Work(self, works[task.key].job)
            else:
                yield works.pop(task.key).finish(event, self._root)


class _Work:
    """One video on its way: what each of the sets it lacks has so far."""

    def __init__(self, extractor: Extractor, job: Job) -> None:
        self.job = job
        self._wanted = extractor.wanted
        self._encodings = {one: Encoding(extractor.encoders[one]) for one in job.sets}
        # Equal specs are decoded and scaled once.
        self.specs: tuple[FrameSpec, ...] = tuple(
            dict.fromkeys(extractor.wanted[one].frames for one in job.sets)
        )

    def add(self, event: Frames) -> None:
        spec = self.specs[event.chunk.spec]
        for one, encoding in self._encodings.items():
            if self._wanted[one].frames == spec:
                encoding.add(event.chunk)

    def finish(self, event: Ended, folder: Path) -> Made:
        if event.reason is not None:
            end = SetEnd(State.FAILED, event.reason, event.detail)
            return Made(self.job, dict.fromkeys(self.job.sets, end))
        ends = {}
        for one, encoding in self._encodings.items():
            try:
                ends[one] = self._write(one, encoding, event.detail, folder)
            except ItemError as error:
                # There is nothing to do for a video without a frame at this rate.
                short = error.reason == Reason.TOO_SHORT
                state = State.SKIPPED if short else State.FAILED
                ends[one] = SetEnd(state, error.reason, error.detail)
        return Made(self.job, ends)

    def _write(self, one: int, encoding: Encoding, detail: str, folder: Path) -> SetEnd:
        features, times = encoding.finish()
        wanted, job = self._wanted[one], self.job
        write(
            feature_path(folder, wanted.name, wanted.recipe, job.video_id),
            Features(job.video_id, features, times, wanted.recipe, job.duration, wanted.rate),
        )
        return SetEnd(State.OK, None, detail, len(features))


# Many videos.


def plan(
    library: Library,
    wanted: Sequence[Wanted],
    *,
    only: str | None = None,
    limit: int | None = None,
    retry: bool = False,
    numbers: Collection[int] | None = None,
    void: Collection[tuple[Recipe, int]] = (),
    engine: Engine = LOCAL,
) -> Plan:
    """Find out what there is to do, and do nothing. The library should be up to date (`refresh`).

    Args:
        only: only videos with a path that matches this glob.
        limit: the most videos to do.
        retry: do those again that failed.
        numbers: only these videos; None: all.
        void: sets and numbers of videos whose features count as not there.
        engine: where it would be done; a cluster is taken to be as fast as those before it.

    Raises:
        UsageError: a limit below 0.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"the limit is {limit}, expected 0 or more")
    sets = [_Before(library, one, retry, void) for one in wanted]
    unprobed, captions = _unprobed(library), _only_captions(library)
    jobs: list[Job] = []
    ended: dict[int, Mapping[int, SetEnd]] = {}
    adopted: dict[int, Mapping[int, SetEnd]] = {}
    # Of a million videos most ended alike: equal ends are one object.
    alike: dict[tuple[tuple[int, SetEnd], ...], Mapping[int, SetEnd]] = {}
    paths = {
        number: path
        for number, path in videos_of(library, only).items()
        if numbers is None or number in numbers
    }
    for number, video_id, length in _probed(library, paths):
        if video_id is None:
            otherwise = _ONLY_CAPTIONS if number in captions else _NEVER_PROBED
            ended[number] = dict.fromkeys(range(len(sets)), unprobed.get(number, otherwise))
            continue
        ends, found, lacking = {}, {}, []
        for one, before in enumerate(sets):
            if end := before.ended(number, video_id):
                ends[one] = end
            elif end := before.adopted(number, video_id):
                if end.state == State.OK:
                    found[one] = end
                else:  # left as it is, without a row: the next run looks again
                    ends[one] = end
            else:
                lacking.append(one)
        for there, of_all in ((ends, ended), (found, adopted)):
            if there:
                of_all[number] = alike.setdefault(tuple(there.items()), there)
        if lacking:
            jobs.append(
                Job(number, video_id, library.folder / paths[number], length, tuple(lacking))
            )
    taken = tuple(jobs[:limit])
    speeds = [one.stored.speed(engine.kind) for one in sets]
    seconds = _estimated_seconds(speeds, taken)
    size = _estimated_size(wanted, taken)
    return Plan(tuple(wanted), taken, len(jobs) - len(taken), ended, adopted, seconds, size)


class _Before:
    """What a library has of one feature set: rows, and files."""

    def __init__(
        self,
        library: Library,
        wanted: Wanted,
        retry: bool,
        void: Collection[tuple[Recipe, int]],
    ) -> None:
        self.stored = StoredFeatures(library, wanted.recipe)
        self._retry = retry
        self._void = {number for recipe, number in void if recipe == wanted.recipe}
        self._rows = self.stored.ends()
        self._files = {path.name for path in files_of(self.stored.folder)}

    def ended(self, number: int, video_id: str) -> SetEnd | None:
        """How a video ended, if that still stands."""
        end = self._rows.get(number)
        if end is None or number in self._void:
            return None
        if end.state == State.OK:
            return end if file_name(video_id) in self._files else None
        return None if self._retry or end.reason in _PASSING else end

    def adopted(self, number: int, video_id: str) -> SetEnd | None:
        """A whole file without a row: the run was killed between the two, or the rows are gone;
        or one that cannot be read now, which may be whole."""
        if number in self._rows or file_name(video_id) not in self._files:
            return None
        try:
            found = read(self.stored.path(video_id))
        except Unreachable as error:
            return SetEnd(State.FAILED, why_unreachable(self.stored.folder), str(error))
        except LibraryError:
            return None
        if (found.video_id, found.recipe) != (video_id, self.stored.recipe):
            return None
        return SetEnd(State.OK, num_features=len(found.features))


def _probed(library: Library, numbers: Iterable[int]) -> Iterator[tuple[int, str | None, float]]:
    """Number, id and duration of videos, in their order; no id for one that cannot be decoded."""
    left = iter(numbers)
    while some := list(islice(left, _AT_ONCE)):
        rows = library.connection.execute(
            "SELECT number, video_id, duration FROM videos"
            " WHERE number IN (SELECT value FROM json_each(?))"
            " AND json_extract(info, '$.video_codec') <> ''",
            (json.dumps(some),),
        )
        found = {number: (video_id, duration) for number, video_id, duration in rows}
        for number in some:
            yield number, *found.get(number, (None, 0.0))


def _only_captions(library: Library) -> set[int]:
    """The videos of which nothing but captions was collected: their length is stated, no more."""
    rows = library.connection.execute(
        "SELECT number FROM videos WHERE json_extract(info, '$.video_codec') = ''"
    )
    return {number for (number,) in rows}


def _unprobed(library: Library) -> dict[int, SetEnd]:
    """How the videos ended that could not be probed; there is nothing to decode in them."""
    rows = library.connection.execute(
        "SELECT number, state, reason, detail FROM outcomes WHERE stage = ? AND state <> ?",
        (Stage.PROBE, State.OK),
    )
    return {
        number: SetEnd(State(state), Reason(reason), detail)
        for number, state, reason, detail in rows
    }


def _estimated_seconds(speeds: Sequence[float | None], jobs: Sequence[Job]) -> float | None:
    seconds = 0.0
    for one, speed in enumerate(speeds):
        length = sum(job.duration for job in jobs if one in job.sets)
        if length and speed is None:
            return None
        seconds += length / speed if speed else 0.0
    return seconds


def _estimated_size(wanted: Sequence[Wanted], jobs: Sequence[Job]) -> int:
    size = 0
    for job in jobs:
        for one in job.sets:
            num_features = float(wanted[one].rate) * job.duration
            size += _HEADER_SIZE + round(num_features * (2 * wanted[one].backbone.dim + 8))
    return size


def extract_videos(
    library: Library,
    wanted: Sequence[Wanted],
    *,
    only: str | None = None,
    limit: int | None = None,
    retry: bool = False,
    numbers: Collection[int] | None = None,
    batch: int = BATCH,
    workers: int | None = None,
    time_limit: float = TIME_LIMIT,
    engine: Engine = LOCAL,
    on_progress: Progress | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Extracted:
    """Make the features that are missing.

    Args:
        only, limit, retry, numbers: as for `plan`.
        batch, workers, time_limit: as for `Extractor`; on Ray the workers are actors.
        engine: where. On Ray the machines see the library's folder under the same path.
        on_wait: called once where another process is doing the same and is waited for.

    Raises:
        LibraryBusy: another process has been doing this for an hour.
        PluginError: a backbone's weights are missing or do not fit.
        HowtoError: no decoder can start, or the device's memory is too small.
    """
    began = time.monotonic()
    with library.exclusive("extract", on_wait=on_wait):
        planned = plan(library, wanted, only=only, limit=limit, retry=retry, numbers=numbers)
        for one in wanted:
            remove_parts(StoredFeatures(library, one.recipe).folder)
        before = _keep_ended(library, planned)
        now: dict[int, Outcome] = {}
        files, length = 0, 0.0
        if planned.jobs:
            makes = _makes(library, planned, engine, batch, workers, time_limit)
            with contextlib.closing(makes):
                for made in makes:
                    number = made.job.number
                    now[number] = _commit(library, planned, made)
                    files += sum(end.state == State.OK for end in made.ends.values())
                    length += made.job.duration
                    if on_progress:
                        on_progress(len(now), len(planned.jobs), _name(library, made.job))
    unchanged = sum(one.state == State.OK for one in before.values())
    outcomes = _with_paths(library, {**before, **now})
    return Extracted(files, unchanged, time.monotonic() - began, length, outcomes)


def _name(library: Library, job: Job) -> str:
    """The path of a video as a library has it."""
    inside = job.path.is_relative_to(library.folder)
    return os.fspath(job.path.relative_to(library.folder) if inside else job.path)


def _with_paths(library: Library, outcomes: Mapping[int, Outcome]) -> tuple[Outcome, ...]:
    paths = library.paths()
    return tuple(
        replace(outcome, paths=tuple(paths[number])) for number, outcome in outcomes.items()
    )


def _makes(
    library: Library,
    planned: Plan,
    engine: Engine,
    batch: int,
    workers: int | None,
    time_limit: float,
) -> Generator[Made]:
    """Do the jobs where they are to be done."""
    wanted, root = planned.wanted, features_root(library)
    if engine.kind == "local":
        with Extractor(
            wanted, root, batch=batch, workers=workers, time_limit=time_limit
        ) as extractor:
            makes = extractor.extract_all(planned.jobs)
            yield from _timed(
                library, wanted, engine, makes, lambda: [one.seconds for one in extractor.encoders]
            )
        return
    from howto.extract.actors import made_on_ray

    computed = [0.0] * len(wanted)

    def counted() -> Iterator[Made]:
        made_there = made_on_ray(
            engine,
            wanted,
            root,
            planned.jobs,
            owner=str(library.state),
            batch=batch,
            workers=workers,
            time_limit=time_limit,
        )
        for made in made_there:
            for one, seconds in made.computed.items():
                computed[one] += seconds
            yield made

    yield from _timed(library, wanted, engine, counted(), lambda: computed)


def _timed(
    library: Library,
    wanted: Sequence[Wanted],
    engine: Engine,
    makes: Iterator[Made],
    computed: Callable[[], Sequence[float]],
) -> Iterator[Made]:
    """Pass on what is made, and keep how long it took: the time shared out as backbones used
    theirs.

    Args:
        computed: tells the seconds inside each backbone.
    """
    began = time.monotonic()
    lengths = [0.0] * len(wanted)
    try:
        for made in makes:
            for one in made.ends:
                lengths[one] += made.job.duration
            yield made
    finally:
        passed = time.monotonic() - began
        inside = computed()
        with library.writing():
            for a_set, length, seconds in zip(wanted, lengths, inside, strict=True):
                if length and seconds:
                    share = passed * seconds / sum(inside)
                    StoredFeatures(library, a_set.recipe).add_work(length, share, engine.kind)


def _keep_ended(library: Library, planned: Plan) -> dict[int, Outcome]:
    """The outcomes of the videos for which nothing is to be done, brought up to date."""
    busy = {job.number for job in planned.jobs}
    ended = {
        number: _ended_before(planned, number)
        for number in {**planned.ended, **planned.adopted}
        if number not in busy
    }
    # A video past the limit has some of its sets only: how it ends is not known yet.
    whole = {number: ends for number, ends in ended.items() if len(ends) == len(planned.wanted)}
    known = library.connection.execute(
        "SELECT number, video_id, state || coalesce(reason, '') || detail FROM videos"
        " LEFT JOIN (SELECT * FROM outcomes WHERE stage = ?) USING (number)",
        (Stage.EXTRACT,),
    )
    outcomes: dict[int, Outcome] = {}
    changed = []
    for number, video_id, told in known:
        if number in whole:
            outcome = _outcome(video_id, planned, whole[number])
            outcomes[number] = outcome
            if told != f"{outcome.state}{outcome.reason or ''}{outcome.detail}":
                changed.append(number)
    with library.writing():
        for number, ends in planned.adopted.items():
            for one, end in ends.items():
                StoredFeatures(library, planned.wanted[one].recipe).put(number, end)
        for number in changed:
            library.put_outcome(number, outcomes[number])
    # In the order in which the plan has them.
    return {number: outcomes[number] for number in whole}


def _ended_before(planned: Plan, number: int) -> Mapping[int, SetEnd]:
    ended, adopted = planned.ended.get(number, {}), planned.adopted.get(number, {})
    return {**ended, **adopted} if ended and adopted else ended or adopted


def _commit(library: Library, planned: Plan, made: Made) -> Outcome:
    """Write down how one video ended: one transaction, after its files are in place."""
    number = made.job.number
    ends = {**_ended_before(planned, number), **made.ends}
    outcome = _outcome(made.job.video_id, planned, ends)
    with library.writing():
        for one, end in made.ends.items():
            StoredFeatures(library, planned.wanted[one].recipe).put(number, end)
        library.put_outcome(number, outcome)
    return outcome


def _outcome(video_id: str, planned: Plan, ends: Mapping[int, SetEnd]) -> Outcome:
    """One outcome for all sets: the worst, with its backbone named where they differ."""
    order = [State.OK, State.SKIPPED, State.FAILED]
    one = max(sorted(ends), key=lambda one: order.index(ends[one].state))
    worst = ends[one]
    alike = all((end.state, end.reason) == (worst.state, worst.reason) for end in ends.values())
    name = "" if alike else f"{planned.wanted[one].name}: "
    detail = worst.detail if alike else f"{name}{worst.detail or worst.reason or ''}"
    return Outcome(video_id, Stage.EXTRACT, worst.state, worst.reason, detail)
