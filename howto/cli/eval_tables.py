"""Tables of `howto eval`: what was measured here in bold, chance below it, then what others
published."""

from collections.abc import Callable, Sequence

from rich.table import Table

from howto.cli.console import output, plain_table
from howto.evaluate.benchmarks.score import StepScores
from howto.evaluate.localise import Localisation
from howto.evaluate.moments import KS, Found, MomentScores
from howto.evaluate.published import PublishedRetrieval, PublishedSteps
from howto.evaluate.ranks import Interval
from howto.evaluate.retrieval import RECALLS, Direction, RetrievalResult

__all__ = [
    "moment_table",
    "own_table",
    "print_table",
    "retrieval_table",
    "step_table",
    "task_table",
]

_INTERVAL = "  95% interval"
_ANY_WIDTH = 10_000  # columns: more than any table has


def print_table(table: Table, narrow: Callable[[], Table] | None = None) -> None:
    """Print a table whole: a terminal that is too narrow gets another form of it, and what is no
    terminal gets lines as long as they are.

    Args:
        narrow: makes the other form; None: there is none, and text is folded.
    """
    widest = output.measure(table, options=output.options.update(width=_ANY_WIDTH)).maximum
    if widest <= output.width:
        output.print(table)
    elif output.is_terminal:
        output.print(table if narrow is None else narrow())
    else:
        table.width = widest
        output.print(table, crop=False)


def _table(*names: str, left: int = 1, folded: int | None = None) -> Table:
    """A table without lines, of which the first columns are text.

    Args:
        left: how many.
        folded: how many of them may be folded; None: all.
    """
    table = plain_table(*names)
    for place, column in enumerate(table.columns):
        column.justify = "left" if place < left else "right"
        column.no_wrap = place >= (left if folded is None else folded)
    return table


def retrieval_table(
    found: RetrievalResult,
    name: str = "",
    trained_on: str = "",
    published: Sequence[PublishedRetrieval] = (),
    *,
    narrow: bool = False,
) -> Table:
    """Both ways to ask, chance, and what was published.

    Args:
        name: of the model; '' where nobody knows it.
        trained_on: of the model; the column is left out where nothing was published.
        narrow: what was trained on stands behind the names, without a column of its own.
    """
    figures = (*(f"R@{k}" for k in RECALLS), "MedR", "mean rank")
    table = _table("", *(("trained on",) if published else ()), *figures, left=1 + bool(published))
    if published and narrow:
        table = _table("", *figures)

    def add(name: str, trained_on: str, *cells: str, style: str = "") -> None:
        """A row, with what was trained on where there is a place for it."""
        if not published:
            table.add_row(name, *cells, style=style)
        elif narrow:
            table.add_row(f"{name} ({trained_on})" if trained_on else name, *cells, style=style)
        else:
            table.add_row(name, trained_on, *cells, style=style)

    prefix = f"{name}: " if name else ""
    ways = (("text to video", found.text_to_video), ("video to text", found.video_to_text))
    for way, one in ways:
        figures_here, intervals = _figures(one)
        style = "bold" if one is found.text_to_video else ""
        add(f"{prefix}{way}", trained_on, *figures_here, style=style)
        add(_INTERVAL, "", *intervals, style="dim")
    for guesser, one in _guessers(found):
        add(guesser, "nothing", *_chance(one), style="dim")
    for row in published:
        recalls = [_published_percent(one) for one in row.recalls]
        add(row.name, row.trained_on, *recalls, _rank(row.median_rank), "")
    return table


def _guessers(found: RetrievalResult) -> list[tuple[str, Direction]]:
    """Chance by name: of both ways where it is not the same, as with several captions a clip."""
    there, back = found.text_to_video, found.video_to_text
    if _chance(there) == _chance(back):
        return [("chance, here", there)]
    return [("chance, text to video", there), ("chance, video to text", back)]


def _figures(found: Direction) -> tuple[list[str], list[str]]:
    """The figures of one way to ask, and their intervals."""
    recalls = [found.recalls[k] for k in RECALLS]
    ranks = (found.median_rank, found.mean_rank)
    figures = [_percent(one) for one in recalls] + [_rank(one.value) for one in ranks]
    intervals = [_percents(one) for one in recalls]
    return figures, intervals + [f"{_rank(one.low)}-{_rank(one.high)}" for one in ranks]


def _chance(found: Direction) -> list[str]:
    recalls = [_published_percent(100 * found.chances[k]) for k in RECALLS]
    return [*recalls, _rank(found.chance_median_rank), ""]


def _percent(found: Interval) -> str:
    return f"{100 * found.value:.1f}%"


def _percents(found: Interval) -> str:
    return f"{100 * found.low:.1f}-{100 * found.high:.1f}"


def _published_percent(value: float) -> str:
    return f"{value:.2f}%" if value < 1 else f"{value:.1f}%"


def _rank(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def step_table(
    found: StepScores, name: str, trained_on: str, published: Sequence[PublishedSteps]
) -> Table:
    """The mean over tasks by both assignments, beside what was published."""
    table = _table("", "trained on", "recall", "chance", left=2)
    for way, one in (("ordered", found.ordered), ("free", found.free)):
        cells = (_percent(one.recall), f"{100 * one.chance:.1f}%")
        style = "bold" if way == "ordered" else ""
        table.add_row(f"{name}: {way} assignment", trained_on, *cells, style=style)
        table.add_row(_INTERVAL, "", _percents(one.recall), "", style="dim")
    for row in published:
        table.add_row(row.name, row.trained_on, f"{row.recall:.1f}%", "")
    return table


def task_table(found: Localisation) -> Table:
    """Recall of each task, pooled over its videos."""
    table = _table("task", "videos", "steps there", "found", "recall", "chance")
    for task in found.tasks:
        counts = (task.videos, task.present, task.matched)
        cells = (f"{100 * task.recall:.1f}%", f"{100 * task.chance:.1f}%")
        table.add_row(task.task, *map(str, counts), *cells)
    return table


def moment_table(found: MomentScores, name: str) -> Table:
    """R@K by each criterion, with chance below."""
    table = _table(name, *found.found)
    for k in KS:
        cells = [by_k[k] for by_k in found.found.values()]
        table.add_row(f"R@{k}", *(_percent(one.recall) for one in cells), style="bold")
        table.add_row(_INTERVAL, *(_percents(one.recall) for one in cells), style="dim")
        table.add_row("  chance", *map(_moment_chance, cells), style="dim")
    return table


def _moment_chance(found: Found) -> str:
    return f"{100 * found.chance:.1f}%"


def own_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, narrow: bool = False
) -> Table:
    """What `OwnResult.table` gives.

    Args:
        narrow: intervals stand below their figures, not beside them.
    """
    table = _table(*header, left=2, folded=1)
    for name, k, *cells in rows:
        # A figure and its interval are one cell, with a space between.
        lines = [cell.replace(" ", "\n") for cell in cells] if narrow else cells
        table.add_row(name, k, *lines, style="dim" if name.strip() == "chance" else "")
    return table
