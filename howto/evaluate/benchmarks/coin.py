"""COIN: videos of 180 tasks, with the time of each step.

| file | form |
|---|---|
| `COIN.json` | {"database": {video: {"class", "recipe_type", "subset", "duration", |
| | "annotation": [{"id", "segment": [start, end], "label"}]}}} |
| `coin_task_test.csv`, `coin_task_train.csv` | video file, number of the task, duration, with |
| | spaces between: the videos that others could still fetch |

A task's steps are all that its videos name, in the order of their ids. The release says no order of
steps beyond that, and its papers score frames, not steps: figures of CrossTask's protocol on it
compare with each other alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from howto.errors import UsageError
from howto.evaluate.benchmarks.crosstask import steps_in
from howto.evaluate.benchmarks.files import (
    Release,
    ReleaseFiles,
    check_split,
    lines,
    no_ready_features,
    read_json,
    seconds,
    shape_error,
)
from howto.evaluate.benchmarks.sets import About, Place, StepSet, StepTask, StepVideo
from howto.train.pack_source import Lost

__all__ = ["CoinBenchmark", "ListedVideo", "listed_videos"]

_RELEASE = Release(
    "COIN",
    "Tang, Ding, Rao, Zheng, Zhang, Zhao, Lu and Zhou, COIN: A Large-scale Dataset for "
    "Comprehensive Instructional Video Analysis, CVPR 2019 (the COIN project)",
)
_LISTS = {"testing": ("coin_task_test.csv",), "training": ("coin_task_train.csv",)}


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """A row of a list of videos.

    Attributes:
        file: its name, such as `4bgWwnZQPaA.mkv`.
        task: the number of the task, from 0.
        duration: seconds.
    """

    file: str
    task: int
    duration: float

    @property
    def video(self) -> str:
        """The YouTube id: the file's name without its ending."""
        return Path(self.file).stem


class CoinBenchmark:
    """Steps to be found in videos of known tasks."""

    name: ClassVar[str] = "coin"
    protocol: ClassVar[str] = "steps"
    splits: ClassVar[tuple[str, ...]] = ("testing", "training")
    described: ClassVar[str] = _RELEASE.described

    def read(
        self,
        data: Path,
        split: str,
        features: bool | None = None,
        trust_pickle: bool = False,  # noqa: ARG002 nothing here is a pickle
    ) -> StepSet:
        """Read the files: as `howto.contracts.Benchmark.read`."""
        check_split(self.name, self.splits, split)
        no_ready_features(self.name, features)
        files = ReleaseFiles(data, _RELEASE, split)
        path, listed = files.need("file of steps", "COIN.json"), files.find(*_LISTS[split])
        rows = list(_rows(path))
        steps = _steps(rows)
        chosen = [row for row in rows if row.subset == split]
        notes: tuple[str, ...] = ()
        if listed is not None:
            wanted = {one.video for one in listed_videos(listed)}
            left_out = sum(row.video not in wanted for row in chosen)
            notes = (f"{left_out} videos of the split are not in {listed.name}, and left out",)
            chosen = [row for row in chosen if row.video in wanted]
        lost: list[Lost] = []
        videos = [_video(row, steps[row.task], lost) for row in chosen]
        if not videos:
            raise UsageError(f"{path} has no video of the split {split!r}")
        tasks = tuple(StepTask(name, name, tuple(found.values())) for name, found in steps.items())
        used = (path,) if listed is None else (path, listed)
        return StepSet(tasks, tuple(videos), About(used, tuple(lost), notes))


def listed_videos(path: Path) -> Iterator[ListedVideo]:
    """Read a list of videos: `4bgWwnZQPaA.mkv 123 157.3572`.

    Raises:
        UsageError: the file is missing, or a line is another; it names the line.
    """
    for number, line in lines(path):
        where, fields = f"{path}, line {number}", line.split()
        if len(fields) != 3 or not (fields[1].isascii() and fields[1].isdigit()):
            raise shape_error(where, "file, number of the task and seconds", line)
        yield ListedVideo(fields[0], int(fields[1][:9]), seconds(fields[2], where))


@dataclass(frozen=True, slots=True)
class _Row:
    """A video of COIN.json. `steps` holds where it stands, id, start, end and label of each."""

    video: str
    task: str
    subset: str
    duration: float | None
    steps: tuple[tuple[str, int, object, object, str], ...]


def _rows(path: Path) -> Iterator[_Row]:
    held = read_json(path)
    database = held.get("database") if isinstance(held, Mapping) else None
    if not isinstance(database, Mapping):
        raise shape_error(path, '{"database": {video: ...}}', held)
    for video, told in database.items():
        yield _row(video, told, f"{path}, {video}")


def _row(video: str, told: Any, where: str) -> _Row:
    try:
        steps = []
        for one in told["annotation"]:
            start, end = one["segment"]
            steps.append((where, int(one["id"]), start, end, str(one["label"])))
        duration = told.get("duration")
        return _Row(
            video,
            str(told["class"]),
            str(told["subset"]),
            None if duration is None else seconds(duration, where),
            tuple(steps),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        expected = "class, subset and steps with id, segment and label"
        raise shape_error(where, expected, told) from error


def _steps(rows: list[_Row]) -> dict[str, dict[int, str]]:
    """The steps of each task by their ids, in order."""
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        found.setdefault(row.task, {}).update({one[1]: one[4] for one in row.steps})
    return {task: dict(sorted(steps.items())) for task, steps in found.items()}


def _video(row: _Row, steps: dict[int, str], lost: list[Lost]) -> StepVideo:
    number = {step: place for place, step in enumerate(steps, start=1)}
    told = ((where, number[step], start, end) for where, step, start, end, _ in row.steps)
    spans, bad = steps_in(row.video, told, len(steps))
    lost += bad
    places, known = (Place(row.video),), frozenset({row.video})
    return StepVideo(row.video, row.task, spans, places, known, row.duration)
