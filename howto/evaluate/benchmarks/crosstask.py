"""CrossTask: videos of 18 tasks, with the time of each step.

| file of the release | form |
|---|---|
| `tasks_primary.txt` | for each task five lines: id, title, address, number of steps, steps with |
| | commas between; then an empty one |
| `videos.csv`, `videos_val.csv` | task, video, address; no header |
| `annotations/<task>_<video>.csv` | step (from 1), start, end; no header |

CrossTask's own code leaves out the videos of videos_val.csv, trains on 30 random ones of each task
and tests on the rest. Nothing is trained here, so the split `test` is all of videos.csv but those
of videos_val.csv; `all` and `validation` are what they say. Which was scored, and how many videos,
belongs to a figure.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from howto.collect.lists import youtube_id
from howto.errors import UsageError
from howto.evaluate.benchmarks.files import (
    Release,
    ReleaseFiles,
    check_split,
    lines,
    no_ready_features,
    plain_rows,
    seconds,
    shape_error,
)
from howto.evaluate.benchmarks.sets import About, Place, StepSet, StepTask, StepVideo
from howto.evaluate.localise import StepSpan
from howto.train.pack_source import Lost

__all__ = ["CrossTaskBenchmark", "steps_in"]

_RELEASE = Release(
    "CrossTask",
    "Zhukov, Alayrac, Cinbis, Fouhey, Laptev and Sivic, Cross-task weakly supervised learning from "
    "instructional videos, CVPR 2019 (the CrossTask project, crosstask_release)",
)
_LINES = 5
"""Of a task in tasks_primary.txt."""


class CrossTaskBenchmark:
    """Steps to be found in videos of known tasks."""

    name: ClassVar[str] = "crosstask"
    protocol: ClassVar[str] = "steps"
    splits: ClassVar[tuple[str, ...]] = ("test", "validation", "all")
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
        tasks_file = files.need("list of tasks", "tasks_primary.txt")
        lists = [files.need("list of videos", name) for name in _lists(split)]
        tasks = {task.task_id: task for task in _tasks(tasks_file)}
        chosen = list(_listed(lists[0]))
        if split == "test":
            left_out = set(_listed(lists[1]))
            chosen = [one for one in chosen if one not in left_out]
        folder = tasks_file.parent / "annotations"
        videos, lost = _annotated(folder, [one for one in chosen if one[0] in tasks], tasks)
        if not videos:
            why = f": {lost[0].detail}" if lost else ""
            raise UsageError(f"{lists[0]} has no annotated video of {tasks_file}{why}")
        scored = " without ".join(path.name for path in lists)
        note = f"the list that was scored: {scored}, {len(videos)} videos"
        about = About((tasks_file, *lists, folder), tuple(lost), (note,))
        return StepSet(tuple(tasks.values()), tuple(videos), about)


def _lists(split: str) -> tuple[str, ...]:
    lists = {"all": ("videos.csv",), "validation": ("videos_val.csv",)}
    return lists.get(split, ("videos.csv", "videos_val.csv"))


def _tasks(path: Path) -> Iterator[StepTask]:
    told = list(lines(path))
    if not told or len(told) % _LINES:
        raise UsageError(
            f"{path}: expected {_LINES} lines for each task (id, title, address, number of steps, "
            f"steps), found {len(told)} lines"
        )
    for first in range(0, len(told), _LINES):
        block = told[first : first + _LINES]
        task_id, title, _, count, names = (text.strip() for _, text in block)
        steps = tuple(name.strip() for name in names.split(","))
        if count != str(len(steps)):
            where = f"{path}, line {block[3][0]}"
            raise shape_error(where, f"{len(steps)}, as many as steps in the next line", count)
        yield StepTask(task_id, title, steps)


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """Task and video of each row, each once."""
    rows = (row for _, row in plain_rows(path, 2))
    yield from dict.fromkeys((row[0].strip(), row[1].strip()) for row in rows)


def _annotated(
    folder: Path, chosen: list[tuple[str, str]], tasks: dict[str, StepTask]
) -> tuple[list[StepVideo], list[Lost]]:
    """The videos whose file of annotations is there."""
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder} with a file <task>_<video>.csv for each video. The "
            f"release is described in {_RELEASE.described}"
        )
    # Looked up among the names that are there: what a list says never becomes a path.
    there = {path.name: path for path in folder.iterdir()}
    videos, lost = [], []
    for task_id, video in chosen:
        path = there.get(f"{task_id}_{video}.csv")
        if path is None:
            lost.append(Lost(video, "no_annotations", f"no {task_id}_{video}.csv in {folder}"))
            continue
        rows = (
            (f"{path}, line {number}", row[0], row[1], row[2])
            for number, row in plain_rows(path, 3)
        )
        spans, bad = steps_in(video, rows, len(tasks[task_id].steps))
        lost += bad
        known = frozenset({video, youtube_id(video) or video})
        videos.append(StepVideo(video, task_id, spans, (Place(video),), known))
    return videos, lost


def steps_in(
    video: str, rows: Iterable[tuple[str, object, object, object]], count: int
) -> tuple[tuple[StepSpan, ...], list[Lost]]:
    """The steps that a video's annotations name.

    Args:
        rows: where it stands, step, start and end of each.
        count: how many steps the task has.

    Returns:
        The spans, and those that are lost because they end before they start.

    Raises:
        UsageError: a step that is none of the task's, or a time that is no number.
    """
    spans, lost = [], []
    for where, step, start, end in rows:
        number = seconds(step, where)
        if number not in range(1, count + 1):
            raise shape_error(where, f"a step of 1 to {count}", step)
        begin, finish = seconds(start, where), seconds(end, where)
        if finish < begin:
            lost.append(Lost(video, "impossible_times", f"{where}: {start} to {end} s"))
        else:
            spans.append(StepSpan(int(number), begin, finish))
    return tuple(spans), lost
