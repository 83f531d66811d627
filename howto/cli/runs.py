"""`howto runs`: what was trained, and how runs compare."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from howto.cli.console import chosen_folder, output, plain_table, print_json
from howto.errors import UsageError
from howto.library import Library
from howto.train.runs import Run, differences, open_run, read_metrics, run_folder, runs_of

__all__ = ["runs"]


def runs(
    names: Annotated[
        list[str] | None, typer.Argument(help="Runs to compare; without names: all.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The library, by default this folder.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw their curves into one file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the library keeps what howto knows.")
    ] = None,
) -> None:
    """List the runs of a library, or compare some of them.

    Named runs are shown with the options in which they differ.

    Example:  howto runs first second -L my_videos/ --plot curves.png
    """
    with Library.open(chosen_folder(None, library), state_dir, create=False) as opened:
        state = opened.state
    folders = [run_folder(state, name) for name in names or ()]
    found = [open_run(folder) for folder in folders] if names else runs_of(state)
    if plot is not None:
        _plot(found, plot)
    if json:
        print_json([_as_json(run) for run in found])
    elif found:
        output.print(_table(found, differences(found) if names else {}))
    else:
        output.print("No runs yet. Train one: howto train")


def _plot(found: Sequence[Run], path: Path) -> None:
    if not found:
        raise UsageError("--plot: there is no run to draw")
    from howto.train.curves import curves_of_run, draw_curves

    panels: dict[str, list[Any]] = {}
    for run in found:
        label = run.name if len(found) > 1 else ""
        for title, curves in curves_of_run(list(read_metrics(run.folder)), label).items():
            panels.setdefault(title, []).extend(curves)
    draw_curves(panels, path)


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "folder": str(run.folder),
        "finished": run.is_finished,
        "state": dict(run.state),
        "loss": run.loss,
        "evaluation": run.evaluation,
        "config": dict(run.config),
    }


def _table(found: Sequence[Run], different: dict[str, list[Any]]) -> Table:
    numbers = ("epochs", "steps", "pairs", "dim", "loss", "R@10", "chance", "within R@1")
    options = [option.replace("_", "-") for option in different]
    table = plain_table("run", *numbers, *options, right=numbers)
    for place, run in enumerate(found):
        values = [_short(row[place]) for row in different.values()]
        table.add_row(*_row(run), *values)
    return table


def _row(run: Run) -> list[str]:
    coarse = run.evaluation["coarse"]["recall_at_10"] if run.evaluation else None
    fine = run.evaluation["fine"] if run.evaluation else None
    done = run.state.get("epoch", 0)
    return [
        run.name,
        f"{done}" if run.is_finished else f"{done} of {run.config['epochs']}",
        str(run.state.get("step", 0)),
        str(run.config["pairs"]),
        str(run.config["dim"]),
        "" if run.loss is None else f"{run.loss:.4f}",
        f"{coarse['value']:.1%} ({coarse['low']:.0%} to {coarse['high']:.0%})" if coarse else "",
        f"{coarse['chance']:.1%}" if coarse else "",
        f"{fine['recall_at_1']['value']:.1%}" if fine else "",
    ]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
