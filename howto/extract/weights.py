"""Find, fetch and load weights: by path, by a known name, or by torchvision's own names.

Weights that are fetched lie in one folder: what HOWTO_WEIGHTS names, else `weights` in the user's
cache folder. A file put there by hand, under the name the message gives, serves as well. With
HOWTO_OFFLINE=1 nothing is fetched.

A download goes on where it broke off, and the file is there whole or not at all. Its SHA-256 must
be the published one; where none is published, that of the first download is kept beside it (in
`<file>.sha256`) and a later one must be the same. Nothing in a file of weights is executed:
`weights_only=True`, or safetensors. Torch is imported on first use.
"""

import functools
import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError
from howto.extract.known_weights import KNOWN_WEIGHTS, KnownWeights, known_for
from howto.extract.pth import DAMAGE, first_line

if TYPE_CHECKING:
    import torch

__all__ = [
    "FOLDER_VARIABLE",
    "OFFLINE_VARIABLE",
    "ResolvedWeights",
    "WeightsNotHere",
    "file_hash",
    "fit",
    "load_state_dict",
    "may_fetch",
    "resolve",
    "weights_folder",
    "without_downloads",
]

FOLDER_VARIABLE = "HOWTO_WEIGHTS"
OFFLINE_VARIABLE = "HOWTO_OFFLINE"
MOST_NAMED = 4  # keys or names listed in a message
_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin", ".npy", ".ckpt", ".tar")
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PARALLEL = "module."
_SINCE_TORCH_0_4 = "num_batches_tracked"
_TORCHVISION = "torchvision:"
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")


_may_fetch: ContextVar[bool] = ContextVar("may_fetch", default=True)


class WeightsNotHere(PluginError):
    """The file of known weights is not there, and was not fetched.

    Attributes:
        told: the file and, where it is published, its size.
    """

    def __init__(self, message: str, known: KnownWeights) -> None:
        super().__init__(message)
        size = f", {known.size / 1e6:,.0f} MB" if known.size else ""
        self.told = f"{known.file_name}{size}"


def may_fetch() -> bool:
    """Whether missing weights may be fetched now; a backbone with a way of its own asks, too."""
    return _may_fetch.get()


@contextmanager
def without_downloads() -> Iterator[None]:
    """Inside, `resolve` fetches nothing, whoever calls it."""
    before = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(before)


@dataclass(frozen=True, slots=True)
class ResolvedWeights:
    """A file of weights that is there.

    Attributes:
        path: of the file.
        sha256: of its bytes, 64 hexadecimal digits: what a recipe holds.
        source: where it came from, for messages: an address, or `file`.
    """

    path: Path
    sha256: str
    source: str


def weights_folder() -> Path:
    """Where files of named weights lie; it need not exist."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("howto", appauthor=False) / "weights"


def resolve(name_or_path: str | None, backbone: str, *, download: bool = True) -> ResolvedWeights:
    """Find a file of weights, and fetch it where it has a known address and is not there.

    Args:
        name_or_path: a path; a name of `known_weights`; one of torchvision's own names
            (`IMAGENET1K_V1`, `ResNet152_Weights.IMAGENET1K_V1`, `DEFAULT`) for a backbone of
            torchvision; None: the backbone's own default.
        backbone: its full name, such as `resnet152` or `torchvision:resnet18`.
        download: fetch what is not there; False: an error instead.

    Raises:
        PluginError: there is no such name or file, it could not be fetched, or it is not the file
            that was published; the message says which file to put where.
    """
    if name_or_path is not None and _is_path(name_or_path):
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            raise PluginError(f"weights of backbone {backbone!r}: there is no file {path}")
        return ResolvedWeights(path, file_hash(path), "file")
    known = _known(name_or_path, backbone)
    if known.backbone not in ("", backbone.removeprefix(_TORCHVISION)):
        raise PluginError(
            f"the weights {known.name!r} are those of {known.backbone!r}, not of {backbone!r}"
        )
    path = weights_folder() / known.file_name
    if not path.is_file():
        _fetch(known, path, download)
    return ResolvedWeights(path, _checked(path, known), known.address or "file")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes; computed once in a process while size and time stay."""
    state = path.stat()
    return _file_hash(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _file_hash(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- names ---


def _is_path(text: str) -> bool:
    seps = ("/", os.sep)
    return (
        text.endswith(_SUFFIXES)
        or text.startswith(("~", "."))
        or any(sep in text for sep in seps)
        or Path(text).is_file()
    )


def _known(name: str | None, backbone: str) -> KnownWeights:
    if name is None:
        if known := known_for(backbone):
            return known
    elif name in KNOWN_WEIGHTS:
        return KNOWN_WEIGHTS[name]
    if backbone == "resnet152" or backbone.startswith(_TORCHVISION):
        return _of_torchvision(name or "DEFAULT", backbone.removeprefix(_TORCHVISION))
    if name is None:
        raise PluginError(f"backbone {backbone!r} has no default weights: name a file of them")
    raise PluginError(
        f"no weights named {name!r} for backbone {backbone!r}. "
        f"Known: {', '.join(KNOWN_WEIGHTS)}; or give the path of a file"
    )


def _of_torchvision(name: str, model: str) -> KnownWeights:
    """What torchvision's own table says of one of its names."""
    from torchvision.models import get_model_weights

    try:
        table = get_model_weights(model)
    except ValueError as error:
        raise PluginError(f"torchvision has no model named {model!r}") from error
    family, _, tag = name.rpartition(".")
    if tag not in table.__members__ or family not in ("", table.__name__):
        names = ", ".join(table.__members__) or "none"
        raise PluginError(
            f"no weights named {name!r} for torchvision's {model}. Known: {names}; or give the "
            "path of a file"
        )
    entry = table[tag]
    file_name = entry.url.rpartition("/")[2]
    prefix = _HASH_IN_NAME.search(file_name)
    return KnownWeights(
        name=f"{model}.{entry.name}",
        backbone="",
        file_name=file_name,
        address=entry.url,
        page="https://docs.pytorch.org/vision/stable/models.html",
        licence="BSD-3-Clause (torchvision), and the terms of what it was trained on",
        citation="",
        sha256=prefix.group(1) if prefix else "",
    )


# --- files ---


def _fetch(known: KnownWeights, path: Path, download: bool) -> None:
    offline = os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
    if known.address is None:
        raise _not_here(known, path, "it has no address to fetch it from")
    if offline:
        raise _not_here(known, path, f"{OFFLINE_VARIABLE} is set")
    if not (download and may_fetch()):
        raise _not_here(known, path, "not fetched yet")
    from howto.extract import download as web  # what speaks to the network is slow to import

    try:
        web.fetch(known.address, path, sha256=known.sha256 or _first_seen(path), size=known.size)
    except web.DownloadFailed as error:
        raise PluginError(_how_to_get(known, path, str(error))) from error


def _not_here(known: KnownWeights, path: Path, why: str) -> WeightsNotHere:
    return WeightsNotHere(_how_to_get(known, path, why), known)


def _how_to_get(known: KnownWeights, path: Path, why: str) -> str:
    return (
        f"the weights {known.name!r} are not here: no file {path} ({why}). Put "
        f"{known.address or f'the file of {known.page}'} there, or into the folder that "
        f"{FOLDER_VARIABLE} names, or give the path of a file of weights (--weights NAME=PATH)"
    )


def _checked(path: Path, known: KnownWeights) -> str:
    """The file's hash, held against the published one, or that of the first time it was seen."""
    found = file_hash(path)
    expected = known.sha256 or _first_seen(path)
    if not found.startswith(expected):
        raise PluginError(
            f"{path} is not the file of the weights {known.name!r}: its SHA-256 is {found}, "
            f"expected {expected}{'...' if len(expected) < len(found) else ''}. Remove it and "
            f"start again, or name your own file by its path. (Where the publisher changed the "
            f"file, remove {_note(path)} too.)"
        )
    if not known.sha256 and not expected:
        _keep_first_seen(path, found)
    return found


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _first_seen(path: Path) -> str:
    note = _note(path)
    return note.read_text().partition(" ")[0].strip() if note.is_file() else ""


def _keep_first_seen(path: Path, found: str) -> None:
    """Write the hash in the form of sha256sum; a folder that cannot be written keeps none."""
    if os.access(path.parent, os.W_OK):
        _note(path).write_text(f"{found}  {path.name}\n")


# --- state dicts ---


def load_state_dict(resolved: ResolvedWeights) -> "dict[str, torch.Tensor]":
    """Read the tensors of a file of weights, on the CPU.

    A state dict inside a checkpoint (under `state_dict`, `model_state_dict` or `model`) is taken
    out of it, and the prefix `module.` of data-parallel training is taken off.

    Raises:
        PluginError: the file holds no state dict, or more than tensors and plain values.
    """
    path = resolved.path
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    while isinstance(loaded, Mapping) and not _is_state_dict(loaded):
        inner = next((loaded[key] for key in _WRAPPERS if key in loaded), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, Mapping) or not _is_state_dict(loaded):
        raise PluginError(f"{path} holds no state dict (names with a tensor each)")
    if all(key.startswith(_PARALLEL) for key in loaded):
        return {key.removeprefix(_PARALLEL): tensor for key, tensor in loaded.items()}
    return dict(loaded)


def _is_state_dict(loaded: Mapping[Any, Any]) -> bool:
    import torch

    return bool(loaded) and all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in loaded.items()
    )


def _read_torch(path: Path) -> object:
    import torch

    try:
        with warnings.catch_warnings():
            # Loading it says better whether a pickle of another protocol can be read.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise PluginError(f"{path} cannot be read as weights: {first_line(error)}") from error


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise PluginError(f"{path} cannot be read as weights: {error}") from error


def fit(
    module: "torch.nn.Module",
    state_dict: "Mapping[str, torch.Tensor]",
    what: str,
    *,
    unused: tuple[str, ...] = (),
) -> None:
    """Put a state dict into a module, all of it or nothing.

    Args:
        module: its parameters and buffers are overwritten, in their own types.
        state_dict: names as the module has them.
        what: for the message: `backbone 'resnet152', resnet152.pth`.
        unused: names beginning so may be there without being needed, such as `fc.`, the
            classifier of a network whose features are wanted.

    Raises:
        PluginError: names are missing, unexpected, or have other shapes; the message gives how
            many there are of each, and the first.
    """
    own = module.state_dict()
    # Counters that torch had not yet invented when some networks were published; of no use here.
    missing = [k for k in own if k not in state_dict and not k.endswith(_SINCE_TORCH_0_4)]
    unexpected = [k for k in state_dict if k not in own and not (unused and k.startswith(unused))]
    shapes = [
        f"{key} {tuple(state_dict[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state_dict and state_dict[key].shape != own[key].shape
    ]
    found = [
        _listed("missing", missing),
        _listed("not expected", unexpected),
        _listed("of another shape", shapes),
    ]
    if any(found):
        raise PluginError(f"{what}: these weights do not fit. {'; '.join(filter(None, found))}.")
    module.load_state_dict({k: v for k, v in state_dict.items() if k in own}, strict=False)


def _listed(what: str, names: list[str]) -> str:
    more = f", ... ({len(names)})" if len(names) > MOST_NAMED else ""
    return f"{what}: {', '.join(names[:MOST_NAMED])}{more}" if names else ""
