"""Checkpoints: all that a run needs to go on as if it had never stopped.

    <run>/checkpoints/step-00000120/    model.safetensors   what the model learnt
                                        optimiser.safetensors   Adam's moments, torch's random state
                                        state.json          where the loop stands
    <run>/last, <run>/best              the name of one of these folders each

A folder is written beside, flushed and renamed; then its name is put into `last` or `best` the same
way. So at any instant both point to whole checkpoints. Folders that neither points to are removed.
The random state of the sampler needs no place: its generator is made anew for each epoch, of the
seed and the number of the epoch.
"""

import errno
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from howto.errors import LibraryError

__all__ = [
    "BEST",
    "LAST",
    "MODEL",
    "Checkpoint",
    "LoopState",
    "load",
    "pointed",
    "put_weights",
    "restore",
    "save",
]

LAST, BEST = "last", "best"
_FOLDER = "checkpoints"
MODEL, _OPTIMISER, _STATE = "model.safetensors", "optimiser.safetensors", "state.json"
_RNG = "rng."
_TRIES = 3
_IN_USE = (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY)
"""A search writes a hash into it, or reads it on a network's disk: the next save removes it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where a run stands, after a whole step.

    Attributes:
        step: optimiser steps done in all.
        epoch: the one that the next step belongs to, from 0.
        step_of_epoch: steps done of that epoch.
        seconds: spent training, evaluations included.
        best: R@10 of the best evaluation; None: there was none.
        finished: nothing is left to do.
    """

    step: int = 0
    epoch: int = 0
    step_of_epoch: int = 0
    seconds: float = 0.0
    best: float | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint as it lies on the disk.

    Attributes:
        model: the model's state dict, on the CPU.
        optimiser: its tensors, by number of the parameter and name: `3.exp_avg`; none where the
            model alone was read.
        rng: torch's random states, by device; as the optimiser's.
    """

    folder: Path
    state: LoopState
    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    rng: dict[str, Tensor]


def save(
    run: Path,
    state: LoopState,
    model: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    *,
    best: bool = False,
) -> Path:
    """Write a checkpoint, which is the run's last from then on; and remove those no longer wanted.

    Args:
        run: the folder of the run.
        model: its state dict.
        best: it is the best one, too.

    Returns:
        Its folder.
    """
    home = run / _FOLDER
    home.mkdir(parents=True, exist_ok=True)
    folder = _new_name(home, state.step)
    part = home / f".{folder.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    save_file(_on_cpu(model), part / MODEL)
    save_file(_on_cpu(_moments(optimiser) | _random_states()), part / _OPTIMISER)
    (part / _STATE).write_text(json.dumps(asdict(state), indent=1))
    for path in [*part.iterdir(), part]:
        _flush(path)
    part.rename(folder)
    _flush(home)
    for pointer in [LAST, BEST] if best else [LAST]:
        _point(run, pointer, folder.name)
    _remove_others(run)
    return folder


def _new_name(home: Path, step: int) -> Path:
    """A name that nothing has: a run that is resumed may come to the same step again."""
    folder, again = home / f"step-{step:08}", 1
    while folder.exists():
        folder, again = home / f"step-{step:08}-{again}", again + 1
    return folder


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{number}.{name}": value
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def _random_states() -> dict[str, Tensor]:
    states = {f"{_RNG}cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states[f"{_RNG}cuda"] = torch.cuda.get_rng_state()
    return states


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _point(run: Path, pointer: str, name: str) -> None:
    part = run / f".{pointer}.part"
    part.write_text(f"{name}\n")
    _flush(part)
    part.replace(run / pointer)
    _flush(run)


def _remove_others(run: Path) -> None:
    wanted = {folder.name for folder in (pointed(run, LAST), pointed(run, BEST)) if folder}
    for folder in (run / _FOLDER).iterdir():
        if folder.name not in wanted and folder.is_dir():
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a checkpoint, or say that it stays: that is no reason to end a training."""
    for _ in range(_TRIES):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in _IN_USE:
                _log.warning("the old checkpoint %s cannot be removed: %s", folder, error)
                return
        if not folder.exists():
            return


def pointed(run: Path, which: str) -> Path | None:
    """The folder of the last or best checkpoint of a run; None where there is none yet."""
    try:
        name = (run / which).read_text().strip()
    except FileNotFoundError:
        return None
    return run / _FOLDER / name


def load(run: Path, which: str = LAST, *, model_only: bool = False) -> Checkpoint | None:
    """Read a checkpoint; None where the run has none.

    Args:
        model_only: leave out what only training needs, which is twice as large.

    Raises:
        LibraryError: there is one, and it is damaged; the message names it.
    """
    folder = pointed(run, which)
    if folder is None:
        return None
    try:
        kept = {} if model_only else load_file(folder / _OPTIMISER)
        return Checkpoint(
            folder,
            LoopState(**json.loads((folder / _STATE).read_text())),
            load_file(folder / MODEL),
            {name: value for name, value in kept.items() if not name.startswith(_RNG)},
            {n.removeprefix(_RNG): value for n, value in kept.items() if n.startswith(_RNG)},
        )
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        # torch's own error for a file that went away after its header was read is a RuntimeError.
        raise LibraryError(
            f"the checkpoint {folder} cannot be read ({error}). Train again under another --name, "
            f"or remove {run}"
        ) from error


def restore(
    found: Checkpoint, model: torch.nn.Module, optimiser: torch.optim.Optimizer | None = None
) -> LoopState:
    """Put a model, an optimiser and torch's chance back to where a checkpoint was.

    Args:
        found: read whole, where there is an optimiser.
        optimiser: None: the model alone, to evaluate it or to go on from it in another way.

    Raises:
        LibraryError: the checkpoint is of a model of another form.
    """
    put_weights(model, found.model, found.folder)
    if optimiser is not None:
        values: dict[int, dict[str, Any]] = {}
        for key, tensor in found.optimiser.items():
            number, _, name = key.partition(".")
            values.setdefault(int(number), {})[name] = tensor
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": values, "param_groups": groups})
        torch.set_rng_state(found.rng["cpu"])
        if "cuda" in found.rng and torch.cuda.is_available():
            torch.cuda.set_rng_state(found.rng["cuda"])
    return found.state


def put_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Give a model what it learned.

    Args:
        weights: its state dict.
        folder: where they are from.

    Raises:
        LibraryError: they are of a model of another form.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise LibraryError(f"{folder} is of another model: {error}") from error
