"""What the commands share: the folder meant, two consoles, JSON, and a progress bar on stderr."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from howto.errors import NoLibrary, UsageError
from howto.library import Library
from howto.records import Outcome, Stage, State
from howto.search.phrases import in_one_line, named

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

__all__ = [
    "check_outputs",
    "chosen_folder",
    "errors",
    "opened_library",
    "output",
    "plain_table",
    "print_json",
    "print_json_lists",
    "print_paths",
    "progress",
    "show_outcomes",
    "tally_table",
]


class _Console(Console):
    """Prints a text as one line, however long, so that a path in it can be searched for and copied;
    only tables and the like are fitted to the width."""

    def __init__(self, *, stderr: bool = False) -> None:
        # A file's name may hold [brackets] and :words: between colons, which mean nothing here.
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **settings: Any) -> None:
        if soft_wrap is None:
            soft_wrap = all(isinstance(one, str | Text) for one in objects)
        lines = [in_one_line(one) if isinstance(one, str) else one for one in objects]
        super().print(*lines, soft_wrap=soft_wrap, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Of a cell of a table: its lines are ours, what is in them need not be."""
        return super().render_str("\n".join(map(in_one_line, text.split("\n"))), **settings)


output = _Console()
errors = _Console(stderr=True)


def chosen_folder(folder: Path | None, library: Path | None) -> Path:
    """The folder meant by an argument and by -L, the current one where both are silent.

    Raises:
        UsageError: both are given and differ, or both are silent in the root of all files.
    """
    if folder is not None and library is not None and folder.resolve() != library.resolve():
        raise UsageError(f"two folders are named, {folder} and -L {library}; name one")
    chosen = folder or library
    if chosen is None and (here := Path.cwd()) == here.parent:
        raise UsageError(
            f"this folder is {here}, where every file of the machine is; name a folder"
        )
    return chosen or Path()


def check_outputs(files: Mapping[str, Path | None]) -> None:
    """Refuse files that could not be written, before any work is done for them.

    Args:
        files: by the option that names them; None: not named.

    Raises:
        UsageError: there is no such folder, it or the file may not be written, or it is a folder.
    """
    for name, path in files.items():
        if path is None:
            continue
        folder = path.absolute().parent
        if not folder.is_dir():
            raise UsageError(f"{name} {path}: there is no folder {path.parent}")
        if path.is_dir():
            raise UsageError(f"{name} {path}: this is a folder; name a file")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise UsageError(f"{name} {path}: it may not be written")


@contextmanager
def opened_library(place: Path, state_dir: Path | None, *, dry_run: bool) -> Iterator[Library]:
    """The library of a folder. A dry run of a folder that is none yet makes none: its videos are
    looked at, and what is found out is thrown away.

    Raises:
        UsageError, LibraryError: as `Library.open`.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(Library.open(place, state_dir, create=not dry_run))
        except NoLibrary:
            from howto.search.refresh import refresh

            state = stack.enter_context(TemporaryDirectory(prefix="howto-dry-run-"))
            opened = stack.enter_context(Library.open(place, Path(state)))
            with progress("Looking at the files") as show:
                refresh(opened, on_progress=show)
        yield opened


def print_json(value: Any) -> None:
    """Print a value as JSON in ASCII, so that a file name of any bytes comes through whole."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_json_lists(value: Mapping[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """As `print_json`, of a dictionary and of lists that are too long for memory: they are written
    as they come, one item a line.

    Args:
        value: not empty.
        lists: further keys, and their items.
    """
    sys.stdout.write(json.dumps(value, indent=2).removesuffix("\n}"))
    for name, items in lists.items():
        sys.stdout.write(f",\n  {json.dumps(name)}: [")
        comma = ""
        for item in items:
            sys.stdout.write(f"{comma}\n    {json.dumps(item)}")
            comma = ","
        sys.stdout.write("\n  ]" if comma else "]")
    sys.stdout.write("\n}\n")


def print_paths(paths: Iterable[str | Path], *, ends_in_null: bool = False) -> None:
    """Print each path once: its very bytes to a pipe, what can be shown to a terminal."""
    for path in dict.fromkeys(paths):
        if ends_in_null or not sys.stdout.isatty():
            sys.stdout.flush()
            sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if ends_in_null else b"\n"))
        else:
            print(named(str(path)))
    sys.stdout.flush()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar with rate and time left, gone when done; nothing where stderr is no terminal.

    Args:
        what: such as 'Looking at new files'.

    Yields:
        A function that takes how many are done, how many there are, and the item just finished.
    """
    if not errors.is_terminal:
        yield lambda _done, _total, _item: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[item]}", style="dim", markup=False),
    )
    began = time.monotonic()
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(in_one_line(what), total=None, rate="", item="")

        def show(done: int, total: int, item: str) -> None:
            rate = done / max(time.monotonic() - began, 1e-3)
            shown = in_one_line(item)
            bar.update(task, completed=done, total=total, rate=f"{rate:.1f}/s", item=shown)

        yield show


def plain_table(
    *names: str, right: Collection[str] = (), whole: Collection[str] = (), header: bool = True
) -> "Table":
    """A table without lines. What has no room in it is folded, never cut off.

    Args:
        names: of its columns.
        right: those of numbers.
        whole: those whose lines stay in one piece: of text where there is room for it.
    """
    from howto.cli.table import FittedTable

    table = FittedTable(header=header)
    for name in names:
        justify: JustifyMethod = "right" if name in right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in whole)
    return table


def tally_table() -> "Table":
    """How many videos ended in each way, by stage: without rows."""
    return plain_table("stage", "ended", "reason", "videos", "which means", right=("videos",))


def show_outcomes(outcomes: Sequence[Outcome], none: str) -> None:
    """Print how many videos ended in each way; those that failed, and notes, are named on stderr.

    Args:
        none: said where there are no outcomes.
    """
    table = tally_table()
    tally = Counter((one.stage, one.state, one.reason) for one in outcomes)
    for (stage, state, reason), count in tally.items():
        table.add_row(stage, state, reason or "", str(count), reason.meaning if reason else "")
    output.print(table if outcomes else none)
    for one in outcomes:
        if one.state == State.FAILED:
            why = f"{one.reason}: {one.detail}" if one.detail else f"{one.reason}"
            errors.print(f"Failed: {one.paths[0]}: {why}")
        elif one.state == State.OK and one.detail and one.stage == Stage.TRANSCRIBE:
            errors.print(f"Note: {one.paths[0]}: {one.detail}")
