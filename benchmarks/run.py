"""Run every benchmark, and rewrite the table of docs/performance.md from what they print.

With `--quick` the sizes are small and the page is left alone.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from measure import parse

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
NOT_BENCHMARKS = {"run.py", "measure.py", "library_of_clips.py", "pairs_100k.py", "train_loader.py"}
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> None:
    quick = parse(__doc__).quick
    figures = []
    failed = []
    for script in sorted(HERE.glob("*.py")):
        if script.name in NOT_BENCHMARKS:
            continue
        print(f"{script.name} ...", flush=True)
        command = [sys.executable, str(script), *(["--quick"] if quick else [])]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(ended.stdout, end="", flush=True)
        if ended.returncode:
            failed.append(script.name)
        figures += _figures(ended.stdout)
    if not quick:
        _rewrite(figures)
    missed = [figure["benchmark"] for figure in figures if not figure["holds"]]
    if failed or missed:
        sys.exit(
            f"failed: {', '.join(failed) or 'none'}; goals missed: {', '.join(missed) or 'none'}"
        )


def _figures(printed: str) -> list[dict[str, object]]:
    """The JSON lines that a benchmark prints last of all."""
    lines = [line for line in printed.splitlines() if line.startswith('{"benchmark"')]
    return [json.loads(line) for line in lines]


def _rewrite(figures: list[dict[str, object]]) -> None:
    rows = ["| figure | value | goal | holds |", "|---|---|---|---|"]
    rows += [
        f"| `{one['benchmark']}` | {one['value']:g} {one['unit']} | {one['goal']} |"
        f" {'yes' if one['holds'] else '**no**'} |"
        for one in figures
    ]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    table = "\n".join([BEGIN, "", f"Measured on: {machine}.", "", *rows, "", END])
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + table + rest.split(END)[1])


if __name__ == "__main__":
    main()
