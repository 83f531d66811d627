"""Whisper's weights: where they lie, what to say when they do not, and loading them.

Nothing is downloaded unless that was asked for. A file under one of OpenAI's names must have the
SHA-256 that openai-whisper's own table holds for it; tensors load with weights_only=True.
"""

import functools
import hashlib
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import PluginError

if TYPE_CHECKING:
    import whisper

__all__ = ["FOLDER_VARIABLE", "load", "missing", "wanted_file", "weights_folder"]

FOLDER_VARIABLE = "HOWTO_WHISPER_WEIGHTS"
# Two of OpenAI's names stand for another's file.
ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}


def weights_folder(folder: str | None = None) -> Path:
    """The folder asked for, else the one that the environment names, else openai-whisper's own."""
    named = folder or os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "whisper"


def wanted_file(model: str, folder: Path) -> Path:
    """The checkpoint that a model's name or path stands for, whether or not it is there."""
    if _is_path(model):
        return Path(model).expanduser()
    return folder / f"{ALIASES.get(model, model)}.pt"


def missing(model: str, folder: Path) -> str | None:
    """Say which file is missing and where it is wanted; None: it is there. Imports nothing."""
    file = wanted_file(model, folder)
    return None if file.is_file() else f"the weights of whisper model {model!r}: no file {file}"


@functools.lru_cache(maxsize=2)
def load(model: str, folder: Path, device: str, download: bool) -> "whisper.Whisper":
    """Load a model once in a process.

    Args:
        model: one of OpenAI's names, or the path of a checkpoint.
        folder: where the files of named models lie.
        device: as torch names it.
        download: fetch a named model that is not there; openai-whisper checks its hash.

    Raises:
        PluginError: no such name; the file is missing, is not the one that OpenAI published under
            the name, or is no Whisper checkpoint.
    """
    import whisper

    file = wanted_file(model, folder)
    address = _address(model)
    if not file.is_file():
        if address is None or not download:
            raise PluginError(_how_to_get(model, file, address))
        # The only call that may reach the network; it checks the hash of what it fetched.
        loaded: whisper.Whisper = whisper.load_model(model, device, str(folder))
        return loaded.eval()
    if address is not None:
        _require_hash(file, address)
    network = _read(file, device)
    if address is not None:
        # Known heads give better word times than the default, which is all of the upper half.
        network.set_alignment_heads(whisper._ALIGNMENT_HEADS[model])
    return network.eval()


def _is_path(model: str) -> bool:
    return model.endswith(".pt") or os.sep in model


def _address(model: str) -> str | None:
    """The address that openai-whisper's table holds for a name; None for a path."""
    import whisper

    if _is_path(model):
        return None
    if model not in whisper._MODELS:
        known = ", ".join(whisper.available_models())
        raise PluginError(
            f"no whisper model named {model!r}. Known: {known}; or give a path to a .pt"
        )
    address: str = whisper._MODELS[model]
    return address


def _how_to_get(model: str, file: Path, address: str | None) -> str:
    if address is None:
        return f"there is no whisper checkpoint at {file}"
    return (
        f"the weights of whisper model {model!r} are not here: no file {file}. Put {address} there"
        f" (or into another folder: --option whisper.weights=FOLDER, or {FOLDER_VARIABLE}), or"
        " allow the download: --option whisper.download=true. Another model: --option"
        " whisper.model=NAME"
    )


def _require_hash(file: Path, address: str) -> None:
    expected = address.split("/")[-2]  # openai-whisper keeps the SHA-256 in the address
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != expected:
        raise PluginError(
            f"{file} is not the file that OpenAI published: its SHA-256 is {found}, expected"
            f" {expected}. Put {address} there"
        )


def _read(file: Path, device: str) -> "whisper.Whisper":
    import torch
    import whisper

    try:
        checkpoint = torch.load(file, map_location=device, weights_only=True)
        network = whisper.Whisper(whisper.ModelDimensions(**checkpoint["dims"]))
        network.load_state_dict(checkpoint["model_state_dict"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, EOFError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise PluginError(f"{file} is no Whisper checkpoint: {said}") from error
    return network.to(device)
