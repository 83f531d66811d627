"""Which checkpoint of a run is used, and its hash; read without torch."""

import os
from pathlib import Path

from howto.errors import LibraryError, UsageError

__all__ = ["is_best", "model_file", "model_hash"]

# As `howto.train.checkpoint` has them, which needs torch.
_POINTERS = ("best", "last")
_MODEL = "model.safetensors"


def model_file(run: Path) -> Path:
    """What a run's model learned, at its best checkpoint, else its last.

    Raises:
        UsageError: it has none yet.
        LibraryError: it is named and not there.
    """
    for pointer in _POINTERS:
        try:
            name = (run / pointer).read_text().strip()
        except FileNotFoundError:
            continue
        path = run / "checkpoints" / name / _MODEL
        if not path.is_file():
            raise LibraryError(f"the run {run} is damaged: there is no {path}")
        return path
    raise UsageError(f"the run {run.name!r} has no checkpoint yet; go on with it: howto train")


def is_best(run: Path) -> bool:
    """Whether `model_file` is the best of several by the videos held out, not merely the last."""
    return (run / _POINTERS[0]).is_file()


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
