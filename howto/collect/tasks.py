"""Task lists: what people write down to be searched for, and which of it is visual."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from howto.collect.fetched import Task
from howto.collect.lists import youtube_id
from howto.collect.verbs import Verdict, judge
from howto.errors import UsageError
from howto.transcribe.text import decode

__all__ = ["Judged", "judge_all", "query_of", "read_ids", "read_tasks"]

_HOW_TO = re.compile(r"how\s+to\b", re.IGNORECASE)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COLUMNS = {
    "task": "name",
    "title": "name",
    "name": "name",
    "category": "category",
    "category_1": "category",
    "id": "task_id",
    "task_id": "task_id",
}
_LONGEST_NAME = 300
_ID_COLUMNS = ("video_id", "youtube_id", "id", "video")
_OTHER_ID = re.compile(r"(?:[a-z0-9-]+-)?[0-9a-f]{16,64}")  # as `hashed_id` and contents give


def query_of(name: str) -> str:
    """What a site is asked for a task: its name with "how to" in front, unless it is there."""
    return name if _HOW_TO.match(name) else f"how to {name}"


def read_tasks(path: Path) -> tuple[Task, ...]:
    """Read a task list.

    A .csv or .tsv file has the columns task, category and id, in this order or as its first row
    names them (a first column of nothing but digits is the id); any other file has one task a
    line. Lines that begin with `#` are comments. A task that stands there twice counts once, as it
    was written first.

    Raises:
        UsageError: there is no such file, it cannot be read, or there is no task in it.
    """
    lines = _lines(path)
    delimiter = _DELIMITERS.get(path.suffix.lower())
    if delimiter is None:
        rows = [(number, {"name": line}) for number, line in lines]
    else:
        try:
            rows = list(_table(lines, delimiter))
        except csv.Error as error:
            raise UsageError(f"{path} cannot be read as a table: {error}") from error
    tasks: dict[tuple[str, str], Task] = {}
    for number, row in rows:
        name = " ".join(row.get("name", "").split())
        if not name:
            raise UsageError(f"{path}, line {number}: there is no task in it")
        if len(name) > _LONGEST_NAME:
            raise UsageError(
                f"{path}, line {number}: a task of {len(name)} characters, expected at most "
                f"{_LONGEST_NAME}"
            )
        task = Task(name, row.get("category", ""), row.get("task_id", ""), query_of(name))
        tasks.setdefault((task.name.casefold(), task.task_id), task)
    if not tasks:
        raise UsageError(f"there is no task in {path}; write one a line, such as: fold a shirt")
    return tuple(tasks.values())


def read_ids(path: Path) -> frozenset[str]:
    """Read a list of videos: YouTube ids or addresses, or ids of a library, one a line.

    A table will do: its column is `video_id`, `youtube_id`, `id` or `video` where the first row
    names one of these, else the first. What follows a comma, a tab, a semicolon or a space is
    another column.

    Returns:
        Ids as they stand in a library: with `youtube-` in front.

    Raises:
        UsageError: there is no such file, it cannot be read, it names no video, or a line names
            none; it says which line.
    """
    found: set[str] = set()
    column: int | None = None
    for number, line in _lines(path):
        cells = [one.strip().strip("\"'") for one in re.split(r"[,;\t ]", line.strip())]
        if column is None:
            names = [cell.lower() for cell in cells]
            column = next((names.index(one) for one in _ID_COLUMNS if one in names), 0)
            if names[column] in _ID_COLUMNS:
                continue
        cell = cells[column] if column < len(cells) else ""
        bare = youtube_id(cell)
        if bare is None and not _OTHER_ID.fullmatch(cell):
            raise UsageError(
                f"{path}, line {number}: {cell[:80]!r} is no YouTube id, no address of a YouTube "
                "video and no id of a library"
            )
        found.add(cell if bare is None else f"youtube-{bare}")
    if not found:
        raise UsageError(f"there is no video in {path}; write one id a line")
    return frozenset(found)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold anything, without comments, numbered from 1."""
    try:
        text = decode(path.read_bytes()).text
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip("\r\n")


def _table(
    lines: Iterable[tuple[int, str]], delimiter: str
) -> Iterator[tuple[int, dict[str, str]]]:
    names: list[str] = []
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, line in lines:  # noqa: B007 the row that is read ends there
            yield f"{line}\n"

    for row in csv.reader(texts(), delimiter=delimiter):
        cells = [cell.strip() for cell in row]
        if not names:
            stated = [_COLUMNS.get(cell.lower(), "") for cell in cells]
            if "name" in stated:
                names = stated
                continue
            names = ["name", "category", "task_id"]
            if cells[0].isdecimal() and len(cells) > 1:
                names = ["task_id", "name", "category"]
        yield number, dict(zip(names, cells, strict=False))


@dataclass(frozen=True, slots=True)
class Judged:
    """A task and whether it is visual; `kept` also where a list says so."""

    task: Task
    verdict: Verdict
    kept: bool


def judge_all(tasks: Iterable[Task], keep: Collection[str] = ()) -> tuple[Judged, ...]:
    """Judge tasks by their main verbs.

    Args:
        keep: names of tasks to keep whatever their verbs are, with or without "how to".
    """
    kept = {_plain(name) for name in keep}
    return tuple(
        Judged(task, verdict, verdict.visual or _plain(task.name) in kept)
        for task in tasks
        for verdict in (judge(task.name),)
    )


def _plain(name: str) -> str:
    return " ".join(_HOW_TO.sub("", name, count=1).split()).casefold()
