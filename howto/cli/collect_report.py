"""What `howto collect` shows of all that was collected, and of what is parked."""

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from howto.cli.console import errors, output, plain_table, print_json
from howto.collect.ledger import Parked
from howto.collect.report import Report, Row, as_rows, report
from howto.errors import Reason, UsageError
from howto.library import Library
from howto.search.phrases import clock, counted, named

__all__ = ["local_time", "show_report", "tell_parked"]


def local_time(seconds: float) -> str:
    """A time in seconds since 1970, as a person here reads it."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def tell_parked(parked: Parked) -> None:
    """Say on stderr that a source is left alone, why, and until when."""
    until = f"until {local_time(parked.until)}" if parked.until else "until there is room"
    errors.print(
        f"Parked {until}: {named(parked.site)}: {parked.reason} ({named(parked.detail)}).",
    )


def show_report(library: Library, *, json: bool, as_csv: bool) -> None:
    """Print what was collected: a table for people, or JSON, or a table for programs.

    Raises:
        UsageError: both were asked for.
    """
    if json and as_csv:
        raise UsageError("--json and --as-csv are two ways to print; take one")
    found = report(library)
    if json:
        print_json({"library": str(library.folder), **asdict(found)})
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(as_rows(found))
    else:
        _print_report(found)


def _print_report(found: Report) -> None:

    _show_rows("category", found.categories, found.total)
    if found.tasks:
        output.print()
        _show_rows("task", found.tasks, None)
    if found.outcomes:
        table = plain_table("state", "reason", "videos", "which means", right=("videos",))
        for state, reason, count in found.outcomes:
            table.add_row(state, reason, str(count), Reason(reason).meaning if reason else "")
        output.print()
        output.print(table)
    output.print()
    for note in _report_notes(found):
        output.print(note)
    for one in found.parked:
        tell_parked(one)


def _show_rows(kind: str, rows: tuple[Row, ...], total: Row | None) -> None:

    numbers = ("tasks", "videos", "clips", "hours", "gone", "waiting")
    table = plain_table(kind, *numbers, right=numbers)
    for row in (*rows, *((total,) if total else ())):
        name = "all" if row is total else row.task or row.category
        counts = (row.tasks, row.videos, row.clips, f"{row.hours:.1f}", row.gone, row.waiting)
        table.add_row(named(name), *map(str, counts), style="bold" if row is total else "")
    output.print(table)


def _report_notes(found: Report) -> Iterator[str]:
    total = found.total
    if total.videos:
        yield (
            f"{counted(total.videos, 'video')}, {clock(total.hours * 3600)} long; the mean one "
            f"{clock(total.hours * 3600 / total.videos)} with {total.clips / total.videos:.0f} "
            "clips."
        )
    if found.unknown_views:
        yield (
            f"Nobody says how often {counted(found.unknown_views, 'video')} "
            f"{'was' if found.unknown_views == 1 else 'were'} seen: kept."
        )
    if total.gone:
        yield f"{counted(total.gone, 'video')} gone since listed, or not for everybody to see."
    if found.searches_waiting or found.searches_failed:
        yield (
            f"{found.searches_waiting} searches to do; {found.searches_failed} failed, which "
            "--retry tries again."
        )
    if found.forgotten:
        yield f"{counted(found.forgotten, 'video')} forgotten."
