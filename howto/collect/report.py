"""What was collected, as the paper's table 2 has it: tasks, videos, clips and hours by category.

A clip is a line of a video's captions, as in the paper. A video that several tasks found counts in
each of them, and in each of their categories once; in the total it counts once.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from howto.collect.ledger import Ledger, Parked
from howto.errors import Reason
from howto.library import Library

__all__ = ["GONE", "NO_CATEGORY", "Report", "Row", "as_rows", "report"]

NO_CATEGORY = "(none)"

GONE = frozenset(
    {
        Reason.GONE,
        Reason.PRIVATE,
        Reason.AGE_RESTRICTED,
        Reason.REGION_BLOCKED,
        Reason.MEMBERS_ONLY,
    }
)
"""Reasons of a video that was listed or found once and cannot be seen by everybody now."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was collected for one task, one category, or all.

    Attributes:
        category: `NO_CATEGORY` where its tasks have none.
        task: '' for a category.
        tasks: how many.
        videos: that are complete.
        clips: lines of their captions.
        hours: of these videos, as far as their lengths are known.
        gone: listed or found, and not to be seen by everybody when asked for.
        waiting: still to be asked for.
    """

    category: str
    task: str
    tasks: int
    videos: int
    clips: int
    hours: float
    gone: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Report:
    """The state of collecting.

    Attributes:
        total: of all videos, those of lists without tasks included.
        categories: the largest first.
        tasks: by category, the largest first.
        outcomes: (state, reason, videos), the most frequent first; the reason is '' for `done`.
        unknown_views: complete videos of which nobody says how often they were seen.
        searches_waiting, searches_failed: tasks that were not, or in vain, searched for.
        parked: sources that are left alone.
        forgotten: videos that were forgotten.
    """

    total: Row
    categories: tuple[Row, ...]
    tasks: tuple[Row, ...]
    outcomes: tuple[tuple[str, str, int], ...]
    unknown_views: int
    searches_waiting: int
    searches_failed: int
    parked: tuple[Parked, ...]
    forgotten: int


# The length that probing found goes before the one that the site states.
_SUMS = """
    sum(state = 'done'),
    coalesce(sum((state = 'done') * num_lines), 0),
    coalesce(sum((state = 'done') * coalesce(videos.duration, descriptions.duration)), 0) / 3600,
    sum(reason IN (SELECT value FROM json_each(:gone)) AND state = 'rejected'),
    sum(not_before IS NOT NULL)
"""
_KNOWN = " LEFT JOIN descriptions USING (candidate) LEFT JOIN videos USING (video_id)"


def report(library: Library) -> Report:
    """Add up what the ledger of a library holds."""
    gone = {"gone": json.dumps(sorted(GONE))}
    ask = library.connection.execute
    with library.reading():
        total = ask(f"SELECT {_SUMS} FROM candidates {_KNOWN}", gone).fetchone()  # noqa: S608
        num_tasks = _one(library, "SELECT count(*) FROM tasks")
        categories = ask(
            # A video once for each category, however many of its tasks found it.
            f"SELECT category, '', tasks, {_SUMS} FROM"  # noqa: S608
            " (SELECT DISTINCT category, candidate FROM hits JOIN tasks USING (task))"
            " JOIN (SELECT category, count(*) AS tasks FROM tasks GROUP BY category)"
            f" USING (category) JOIN candidates USING (candidate) {_KNOWN} GROUP BY category",
            gone,
        ).fetchall()
        tasks = ask(
            f"SELECT category, name, 1, {_SUMS} FROM hits JOIN tasks USING (task)"  # noqa: S608
            f" JOIN candidates USING (candidate) {_KNOWN} GROUP BY task",
            gone,
        ).fetchall()
        outcomes = ask(
            "SELECT state, coalesce(reason, ''), count(*) FROM candidates"
            " GROUP BY state, reason ORDER BY 3 DESC, 1, 2"
        ).fetchall()
        return Report(
            total=Row("", "", num_tasks, *_numbers(total)),
            categories=tuple(sorted(map(_row, categories), key=_largest)),
            tasks=tuple(sorted(map(_row, tasks), key=lambda row: (row.category, *_largest(row)))),
            outcomes=tuple(outcomes),
            unknown_views=_one(
                library,
                "SELECT count(*) FROM candidates JOIN descriptions USING (candidate)"
                " WHERE state = 'done' AND views IS NULL",
            ),
            searches_waiting=_one(
                library, "SELECT count(*) FROM searches WHERE not_before IS NOT NULL"
            ),
            searches_failed=_one(
                library,
                "SELECT count(*) FROM searches WHERE not_before IS NULL AND reason IS NOT NULL",
            ),
            parked=tuple(Ledger(library).parked().values()),
            forgotten=_one(library, "SELECT count(*) FROM tombstones"),
        )


def _one(library: Library, query: str) -> int:
    number: int = library.connection.execute(query).fetchone()[0]
    return number


def _numbers(sums: Iterable[float | None]) -> tuple[int, int, float, int, int]:
    videos, clips, hours, gone, waiting = (value or 0 for value in sums)
    return int(videos), int(clips), float(hours), int(gone), int(waiting)


def _row(found: tuple[str, str, int, *tuple[float, ...]]) -> Row:
    category, task, tasks, *sums = found
    return Row(category or NO_CATEGORY, task, tasks, *_numbers(sums))


def _largest(row: Row) -> tuple[int, str, str]:
    return -row.videos, row.category, row.task


def as_rows(found: Report) -> Iterator[tuple[str, ...]]:
    """The report as a table for other programs: a row a category, a task, and the total."""
    yield "of", "category", "task", "tasks", "videos", "clips", "hours", "gone", "waiting"
    kinds = (("category", found.categories), ("task", found.tasks), ("total", (found.total,)))
    for kind, rows in kinds:
        for row in rows:
            counts = (row.tasks, row.videos, row.clips, f"{row.hours:.3f}", row.gone, row.waiting)
            yield kind, row.category, row.task, *map(str, counts)
