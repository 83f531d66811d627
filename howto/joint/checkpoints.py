"""Which checkpoint of a run is used, and its hash; read without torch."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from howto.errors import LibraryError, UsageError

__all__ = ["is_best", "model_file", "model_hash", "read_model"]

# As `howto.train.checkpoint` has them, which needs torch.
_POINTERS = ("best", "last")
_MODEL = "model.safetensors"
_TRIES = 10

Result = TypeVar("Result")


def model_file(run: Path) -> Path:
    """What a run's model learned, at its best checkpoint, else its last.

    Raises:
        UsageError: it has none yet.
        LibraryError: it is named and not there.
    """
    for pointer in _POINTERS:
        path = _pointed(run, pointer)
        while path is not None and not path.is_file():
            # A run that trains removes a checkpoint once it points to the next.
            missing, path = path, _pointed(run, pointer)
            if path == missing:
                raise LibraryError(f"the run {run} is damaged: there is no {path}")
        if path is not None:
            return path
    raise UsageError(f"the run {run.name!r} has no checkpoint yet; go on with it: howto train")


def _pointed(run: Path, pointer: str) -> Path | None:
    try:
        name = (run / pointer).read_text().strip()
    except FileNotFoundError:
        return None
    return run / "checkpoints" / name / _MODEL


def read_model(run: Path, read: Callable[[Path], Result]) -> Result:
    """What `read` makes of `model_file`; of the next one where a run that trains removed it.

    Raises:
        UsageError, LibraryError: as `model_file`; or it is replaced faster than it can be read.
    """
    for _ in range(_TRIES):
        model = model_file(run)
        try:
            return read(model)
        except (OSError, LibraryError):
            if model_file(run) == model:
                raise
    raise LibraryError(
        f"the checkpoints of {run} are replaced faster than one can be read: try again"
    )


def is_best(run: Path, model: Path) -> bool:
    """Whether a model is the best of several by the videos held out, not merely the last."""
    return _pointed(run, _POINTERS[0]) == model


def model_hash(model: Path) -> str:
    """The SHA-256 of a checkpoint's model; kept beside it, for a checkpoint never changes."""
    from howto.extract.weights import file_hash

    note = model.with_suffix(".sha256")
    try:
        return note.read_text().split()[0]
    except (FileNotFoundError, IndexError):
        found = file_hash(model)
    if os.access(model.parent, os.W_OK):
        part = note.with_name(f".{note.name}.{os.getpid()}.part")
        part.write_text(f"{found}  {model.name}\n")
        part.replace(note)
    return found
