"""Lists of videos as people and papers publish them, read line by line.

Nothing is held in memory: the published list has 1.2 million rows.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from howto.collect.fetched import Candidate, Task
from howto.errors import UsageError

__all__ = [
    "howto100m_hits",
    "howto100m_tasks",
    "lines_of",
    "listed_youtube_ids",
    "nothing_in",
    "youtube_candidate",
    "youtube_id",
]

_PREFIX = "youtube-"
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_HOSTS = ("youtube.com", "youtu.be", "youtube-nocookie.com")
_IN_PATH = re.compile(r"/(?:shorts|live|embed|v|e)/([A-Za-z0-9_-]{11})(?:[/?]|$)")
_COLUMNS = ("video_id", "category_1", "category_2", "rank", "task_id")


def youtube_id(text: str) -> str | None:
    """The eleven characters of a YouTube video, from themselves, our own id or an address.

    None where the text is neither: a channel, a playlist, another site.
    """
    bare = text.removeprefix(_PREFIX)
    if _ID.fullmatch(bare):
        return bare
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if not any(host == known or host.endswith(f".{known}") for known in _HOSTS):
        return None
    stated = parse_qs(parts.query).get("v", [""])[0]
    if parts.path == "/watch" and _ID.fullmatch(stated):
        return stated
    found = _IN_PATH.match(parts.path)
    short = parts.path[1:] if host.endswith("youtu.be") else ""
    return found[1] if found else short if _ID.fullmatch(short) else None


def youtube_candidate(source: str, bare: str, rank: int = 0, title: str = "") -> Candidate:
    """A YouTube video as a candidate, under the same id whichever list or search it is in."""
    address = f"https://www.youtube.com/watch?v={bare}"
    return Candidate(f"{_PREFIX}{bare}", source, address, rank, title)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a list that say something, with their numbers from 1; `#` begins a comment.

    Raises:
        UsageError: there is no such file, or it is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                text = line.strip()
                if text and not text.startswith("#"):
                    yield number, text
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from error


def listed_youtube_ids(path: Path) -> Iterator[str]:
    """The videos of a list with one id or address a line, each once, in its order.

    What follows a comma, a tab or a space is not read, so the first column of a table will do.

    Raises:
        UsageError: as `lines_of`, or a line is neither; it names the line. Or there is none.
    """
    seen: set[str] = set()
    for number, line in lines_of(path):
        text = re.split(r"[,;\t ]", line, maxsplit=1)[0]
        bare = youtube_id(text)
        if bare is None:
            raise UsageError(
                f"{path}, line {number}: {text!r} is no id of a YouTube video and no address of one"
            )
        if bare not in seen:
            seen.add(bare)
            yield bare
    if not seen:
        raise nothing_in(path)


def howto100m_hits(
    path: Path, source: str, names: Mapping[str, str] | None = None
) -> Iterator[tuple[Task, Candidate]]:
    """The rows of HowTo100M_v1.csv: which video was found for which task, at which rank.

    A video found for several tasks has a row for each.

    Args:
        path: columns video_id, category_1, category_2, rank, task_id in any order, others ignored.
        source: the name that the candidates bear.
        names: of the tasks by their id, from `howto100m_tasks`; a task without one is named by its
            id.

    Raises:
        UsageError: there is no such file, it lacks a column or has no rows, or a row is broken;
            with its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                expected = ", ".join(_COLUMNS)
                raise UsageError(f"{path}: no column {missing[0]!r}; expected {expected}")
            row = None
            for row in rows:
                yield _hit(row, source, names or {}, f"{path}, line {rows.line_num}")
            if row is None:
                raise nothing_in(path)
    except (OSError, UnicodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def howto100m_tasks(path: Path) -> dict[str, str]:
    """The names of tasks by their id, from task_ids.csv: two columns, parted by a tab or a comma.

    Raises:
        UsageError: as `lines_of`, or a line has no two columns.
    """
    names = {}
    for number, line in lines_of(path):
        task_id, parted, name = line.partition("\t" if "\t" in line else ",")
        if not parted:
            raise UsageError(f"{path}, line {number}: expected a task's id and its name")
        names[task_id.strip()] = name.strip().strip('"')
    return names


def _hit(
    row: Mapping[str, str | None], source: str, names: Mapping[str, str], where: str
) -> tuple[Task, Candidate]:
    video_id, category, _, rank, task_id = ((row[name] or "").strip() for name in _COLUMNS)
    bare = youtube_id(video_id)
    if bare is None:
        raise UsageError(f"{where}: {video_id!r} is no id of a YouTube video")
    if not re.fullmatch(r"[0-9]{1,9}", rank):
        raise UsageError(f"{where}: expected a rank, got {rank!r}")
    task = Task(names.get(task_id, task_id), category, task_id)
    return task, youtube_candidate(source, bare, int(rank))


def nothing_in(path: Path) -> UsageError:
    """The error for a list that names no video: there was a reason to give it."""
    return UsageError(f"{path}: no video is listed in it")


def _unreadable(path: Path, error: Exception) -> UsageError:
    if isinstance(error, OSError):
        return UsageError(f"{path}: {error.strerror or error}")
    return UsageError(f"{path}: cannot be read: {error}")
