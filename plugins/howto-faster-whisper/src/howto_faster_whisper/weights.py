"""The folders of converted models: where they lie, and what to say when they do not.

Nothing is downloaded unless that was asked for. faster-whisper would fetch a model by its name, and
a tokenizer for a folder that lacks one; so the folder is found and looked into before it is given
to it.
"""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import PluginError

if TYPE_CHECKING:
    import faster_whisper

__all__ = ["FOLDER_VARIABLE", "load", "missing"]

FOLDER_VARIABLE = "HOWTO_FASTER_WHISPER_WEIGHTS"
NEEDED = ("model.bin", "config.json", "tokenizer.json")


def missing(model: str, folder: str | None) -> str | None:
    """Say which folder is missing, or which file of it; None: all is there. Loads nothing."""
    hub = _hub_folder(folder)
    if not _is_path(model) and not hub.is_dir():  # spares importing faster-whisper for its table
        return f"the weights of faster-whisper model {model!r}: no folder {hub}"
    if _found(model, hub) is not None:
        return None
    listed = " or ".join(str(one) for one in _candidates(model, hub))
    files = ", ".join(NEEDED)
    return f"the weights of faster-whisper model {model!r}: no folder {listed} with {files}"


@functools.lru_cache(maxsize=2)
def load(
    model: str, folder: str | None, device: str, compute_type: str, download: bool
) -> "faster_whisper.WhisperModel":
    """Load a model once in a process.

    Args:
        model: a name that faster-whisper knows, or the path of a converted model's folder.
        folder: where the folders of named models lie, as folders of their own or as a cache of the
            Hugging Face hub; None: what HOWTO_FASTER_WHISPER_WEIGHTS names, else the hub's cache.
        device, compute_type: as faster-whisper names them.
        download: fetch a named model that is not there.

    Raises:
        PluginError: no such name; the folder or a file of it is missing; it cannot be loaded.
    """
    import faster_whisper

    hub = _hub_folder(folder)
    found = _found(model, hub)
    if found is None and download and not _is_path(model):
        found = Path(faster_whisper.download_model(model, cache_dir=str(hub)))
    if found is None:
        raise PluginError(_how_to_get(model, hub))
    try:
        return faster_whisper.WhisperModel(
            str(found), device=device, compute_type=compute_type, local_files_only=True
        )
    except (RuntimeError, ValueError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise PluginError(f"{found} cannot be loaded as a faster-whisper model: {said}") from error


def _hub_folder(folder: str | None) -> Path:
    """Where named models lie, by the variables of the Hugging Face hub's own client."""
    named = folder or os.environ.get(FOLDER_VARIABLE) or os.environ.get("HF_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(cache) / "huggingface")
    return Path(home).expanduser() / "hub"


def _is_path(model: str) -> bool:
    # Hub names such as Systran/faster-whisper-base hold one slash, and are not paths.
    return model.startswith((".", "~", os.sep)) or Path(model).is_dir()


def _found(model: str, hub: Path) -> Path | None:
    """The first folder that has all that is needed."""
    for folder in _candidates(model, hub):
        if all((folder / name).is_file() for name in NEEDED):
            return folder
    return None


def _candidates(model: str, hub: Path) -> list[Path]:
    if _is_path(model):
        return [Path(model).expanduser()]
    repository = _repository(model)
    cached = hub / f"models--{repository.replace('/', '--')}"
    reference = cached / "refs" / "main"
    revision = reference.read_text().strip() if reference.is_file() else "main"
    return [hub / repository.rpartition("/")[2], cached / "snapshots" / revision]


def _repository(model: str) -> str:
    """The hub's name of a model, by faster-whisper's own table."""
    from faster_whisper.utils import _MODELS, available_models

    if "/" in model:
        return model
    if model not in _MODELS:
        raise PluginError(
            f"no faster-whisper model named {model!r}. Known: {', '.join(available_models())};"
            " or give the folder of a converted model"
        )
    name: str = _MODELS[model]
    return name


def _how_to_get(model: str, hub: Path) -> str:
    wanted = _candidates(model, hub)[0]
    message = (
        f"the weights of faster-whisper model {model!r} are not here: no folder {wanted} with"
        f" {', '.join(NEEDED)}"
    )
    if _is_path(model):
        return message
    return (
        f"{message}. Put the files of https://huggingface.co/{_repository(model)} there (or into"
        f" another folder: --option faster-whisper.weights=FOLDER, or {FOLDER_VARIABLE}), or allow"
        " the download: --option faster-whisper.download=true. Another model:"
        " --option faster-whisper.model=NAME"
    )
