"""`howto bench`: the rates of this machine."""

import os
import platform
from dataclasses import asdict
from typing import Annotated

import typer

from howto.bench import measure
from howto.cli.console import output, plain_table, print_json, progress

__all__ = ["bench"]


def bench(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Measure how fast this machine is at each stage.

    Draws a video of 20 s at 640 x 360 for the purpose; takes about half a minute.

    Example:  howto bench --json
    """
    with progress("Measuring") as show:
        rates = measure(show)
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if json:
        print_json({"machine": machine, "rates": [asdict(rate) for rate in rates]})
        return

    output.print(
        f"{machine['cores']} cores, {machine['machine']}, {machine['system']}, "
        f"Python {machine['python']}"
    )
    table = plain_table("work", "rate", "unit", right=("rate",), header=False)
    for rate in rates:
        table.add_row(rate.work, f"{rate.value:,.1f}", rate.unit)
    output.print(table)
