"""How long a person waits before anything happens: help, and a search of a library that has not
changed.

Figures:
    startup.help_over_typer         `howto --help` over the help of a bare typer program with two
    commands
    startup.search_over_help.10k    a repeated `howto search` on 10,000 clips over `howto --help`
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from library_of_clips import make_library
from measure import Figure, emit, median_ratio, parse

PAIRS, PAIRS_QUICK = 15, 5
BARE_PROGRAM = '''
import typer

app = typer.Typer()


@app.command()
def first(name: str = "x") -> None:
    """Do one thing."""


@app.command()
def second(name: str = "x") -> None:
    """Do another thing."""


app()
'''


def seconds(*command: str | Path) -> float:
    """Wall time of one run, from the start of the process to its end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    pairs = PAIRS_QUICK if parse(__doc__).quick else PAIRS
    howto = Path(sys.executable).with_name("howto")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = folder / "bare.py"
        bare.write_text(BARE_PROGRAM)
        library = make_library(folder / "library", videos=100, lines=100)
        seconds(howto, "search", "fold the shirt", library)
        help_over_typer = median_ratio(
            lambda: seconds(howto, "--help"), lambda: seconds(sys.executable, bare, "--help"), pairs
        )
        search_over_help = median_ratio(
            lambda: seconds(howto, "search", "fold the shirt", library),
            lambda: seconds(howto, "--help"),
            pairs,
        )
    emit(
        [
            Figure.at_most("startup.help_over_typer", help_over_typer, 1.3),
            Figure.at_most("startup.search_over_help.10k", search_over_help, 2.5),
        ]
    )


if __name__ == "__main__":
    main()
