"""Runs on the disk: what each was made with, how it went, and how several compare.

    <state>/runs/<name>/  config.json     options, recipe, what was chosen
                          metrics.jsonl   one JSON object for each step and each evaluation
                          last, best, checkpoints/   see howto.train.checkpoint
                          curves.png      loss and recall, drawn at the end

Imports neither torch nor numpy: `howto runs` is quick.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howto.errors import LibraryError, UsageError

__all__ = [
    "CONFIG",
    "CURVES",
    "MetricsFile",
    "Run",
    "differences",
    "open_run",
    "read_metrics",
    "run_folder",
    "runs_of",
    "write_config",
]

CONFIG, METRICS, CURVES = "config.json", "metrics.jsonl", "curves.png"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as its folder says.

    Attributes:
        config: what `write_config` wrote: `options`, `recipe` and what was chosen.
        state: of its last checkpoint, as JSON; empty where there is none yet.
        evaluation: its last one, as JSON; None: there was none.
        loss: of its last step.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    state: Mapping[str, Any]
    evaluation: Mapping[str, Any] | None
    loss: float | None

    @property
    def is_finished(self) -> bool:
        """It came to its end."""
        return bool(self.state.get("finished", False))

    @property
    def options(self) -> Mapping[str, Any]:
        """How it was trained."""
        options: Mapping[str, Any] = self.config["options"]
        return options


def run_folder(state: Path, name: str) -> Path:
    """Where a run of that name lies, or would.

    Raises:
        UsageError: the name cannot be that of a folder.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r}: expected letters, digits and . _ - after a letter or digit"
        )
    return state / "runs" / name


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep what a run is made with, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{CONFIG}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / CONFIG)


def open_run(folder: Path) -> Run:
    """Read what a run's folder says.

    Raises:
        UsageError: there is no run.
        LibraryError: its config or state cannot be read.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        state = _state(folder)
    except FileNotFoundError as error:
        raise UsageError(f"there is no run named {folder.name!r} in {folder.parent}") from error
    except ValueError as error:
        raise LibraryError(f"the run {folder} is damaged: {error}") from error
    evaluation, loss = None, None
    for row in read_metrics(folder):
        if row["what"] == "evaluation":
            evaluation = row
        else:
            loss = row["loss"]
    return Run(folder.name, folder, config, state, evaluation, loss)


def _state(folder: Path) -> dict[str, Any]:
    """Where the run stands, by its last checkpoint; empty where it has none.

    Raises:
        LibraryError: the checkpoint is named and not there.
    """
    missing = ""
    while True:
        try:
            name = (folder / "last").read_text().strip()
        except FileNotFoundError:
            return {}
        path = folder / "checkpoints" / name / "state.json"
        try:
            state: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError as error:
            # A run that trains removes a checkpoint once it points to the next.
            if name == missing:
                raise LibraryError(f"the run {folder} is damaged: there is no {path}") from error
            missing = name
        else:
            return state


def runs_of(state: Path) -> list[Run]:
    """All runs that a state folder holds, by name."""
    folders = sorted((state / "runs").glob(f"*/{CONFIG}"))
    return [open_run(path.parent) for path in folders]


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:
    """What a run measured, in order; a last line that was cut off is left out."""
    try:
        lines = (folder / METRICS).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        if line.endswith(b"\n"):
            yield json.loads(line)


class MetricsFile:
    """Adds to the metrics of a run.

    Args:
        folder: of the run.
        after_step: what is there of later steps is removed: they are done again.
    """

    def __init__(self, folder: Path, *, after_step: int = 0) -> None:
        kept = [row for row in read_metrics(folder) if row["step"] <= after_step]
        part = folder / f".{METRICS}.part"
        part.write_text("".join(f"{json.dumps(row)}\n" for row in kept))
        part.replace(folder / METRICS)
        self._file = (folder / METRICS).open("a")

    def add(self, what: str, step: int, figures: Mapping[str, Any]) -> None:
        """Write one line, at once."""
        self._file.write(json.dumps({"what": what, "step": step, **figures}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The options in which runs differ: of each option its value in every run."""
    names = list(dict.fromkeys(name for run in runs for name in run.options))
    values = {name: [run.options.get(name) for run in runs] for name in names}
    return {name: row for name, row in values.items() if any(one != row[0] for one in row)}
