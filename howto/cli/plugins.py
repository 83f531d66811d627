"""`howto plugins`: the backends that are installed."""

from typing import Annotated

import typer

from howto.cli.console import errors, output, plain_table, print_json
from howto.contracts import GROUPS
from howto.plugins import Plugin, check, installed, unreadable
from howto.search.phrases import in_one_line

__all__ = ["plugins"]

EXIT_BROKEN = 1


def plugins(
    kind: Annotated[str | None, typer.Argument(help=f"One kind only: {', '.join(GROUPS)}.")] = None,
    no_load: Annotated[
        bool, typer.Option("--no-load", help="List without importing anything.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List the backends that are installed, and whether they load.

    Ends with exit code 1 if one does not.

    Example:  howto plugins backbones
    """
    found = installed(kind)
    problems = {plugin: None if no_load else check(plugin) for plugin in found}
    if json:
        print_json([_as_json(plugin, problems[plugin]) for plugin in found])
    else:
        _show(problems, loaded=not no_load)
    for problem in unreadable():
        errors.print(f"Note: {problem}")
    if any(problems.values()):
        raise typer.Exit(EXIT_BROKEN)


def _as_json(plugin: Plugin, problem: str | None) -> dict[str, object]:
    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "target": plugin.target,
        "problem": problem,
    }


def _show(problems: dict[Plugin, str | None], *, loaded: bool) -> None:
    from rich.text import Text

    table = plain_table("kind", "name", "from", *(("loads",) if loaded else ()))
    for plugin, problem in problems.items():
        row = [plugin.kind, plugin.name, plugin.origin]
        if loaded:
            told = in_one_line(problem) if problem else "yes"
            table.add_row(*row, Text(told, style="red" if problem else ""))
        else:
            table.add_row(*row)
    output.print(table)
