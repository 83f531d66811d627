"""Feature files: one safetensors file a video, which says by itself what it is.

    <root>/<backbone>-<recipe8>/<ab>/<video_id>.safetensors

holds `features` float16 (T, D), `times` float64 (T,), and as metadata the recipe, the video's id,
its duration and the rate. `ab` are the first two digits of the SHA-256 of the id: ids that begin
with a site's name would all fall into one folder by their own. At any instant a file is absent or
whole (`howto.extract.storage`); many machines may write at once. The root is the folder `features`
of a library's state, or an address of object storage.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from howto.errors import ItemError, LibraryError, Reason
from howto.extract.storage import (
    Unreachable,
    files_below,
    is_folder_path,
    read_whole,
    why_unreachable,
    write_whole,
)
from howto.recipe import Recipe

__all__ = [
    "FeatureSet",
    "Features",
    "NoFeatureFile",
    "feature_path",
    "file_name",
    "files_of",
    "path_in",
    "read",
    "read_of_item",
    "remove_parts",
    "safe_name",
    "set_folder",
    "sets",
    "write",
]

SUFFIX = ".safetensors"
_LONGEST_NAME = 200  # bytes; file systems take 255
_DTYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F64": np.dtype("<f8")}
_LENGTH = 8  # bytes of the header's length, at the beginning
_LONGEST_HEADER = 1 << 20
_PART_SECONDS = 86_400.0


class NoFeatureFile(LibraryError):
    """There is none at that path."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of one video by one backbone.

    Attributes:
        features: float16 (T, D), as the backbone gives them.
        times: float64 (T,), seconds: when the first frame of each feature is shown.
        duration: of the video, in seconds; 0 where it is not known.
        rate: features a second; None where one feature stands for the whole clip.
    """

    video_id: str
    features: NDArray[np.float16]
    times: NDArray[np.float64]
    recipe: Recipe
    duration: float
    rate: Fraction | None


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The feature files of one recipe.

    Attributes:
        files: how many.
        size: of all of them, in bytes.
    """

    folder: Path
    recipe: Recipe
    files: int
    size: int

    @property
    def backbone(self) -> str:
        """The name of the backbone, as it is asked for."""
        return str(self.recipe.parts["backbone"])


def set_folder(root: Path, backbone: str, recipe: Recipe) -> Path:
    """The folder of a feature set; a family's member `torchvision:resnet18` has an underscore."""
    return root / f"{quote(backbone.replace(':', '_'), safe='')}-{recipe.short}"


def feature_path(root: Path, backbone: str, recipe: Recipe, video_id: str) -> Path:
    """Where the features of one video lie, whatever its id holds.

    Args:
        root: of all feature sets of a library (`howto.extract.store.features_root`).
        backbone: its name, such as `torchvision:r2plus1d_18`.
    """
    return path_in(set_folder(root, backbone, recipe), video_id)


def path_in(folder: Path, video_id: str) -> Path:
    """Where the features of one video lie in the folder of their set."""
    return folder / _digest(video_id)[:2] / file_name(video_id)


def file_name(video_id: str) -> str:
    """The name of a video's feature file."""
    return f"{safe_name(video_id)}{SUFFIX}"


def safe_name(video_id: str) -> str:
    """An id as the name of a file: what is no letter, digit or one of `_.-~` becomes %XX."""
    name = quote(os.fsencode(video_id), safe="")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    return name if len(name) <= _LONGEST_NAME else _digest(video_id)


def _digest(video_id: str) -> str:
    return hashlib.sha256(os.fsencode(video_id)).hexdigest()


def write(path: Path, features: Features) -> None:
    """Write a feature file, whole or not at all; one that is there is replaced.

    Raises:
        ValueError: shapes or types that are not those of `Features`, or values that are not finite.
        ItemError: NETWORK, an address does not take it.
    """
    from safetensors.numpy import save

    _check(features)
    # A view of every other row would be saved as the rows that lie there.
    data = save(
        {
            "features": np.ascontiguousarray(features.features),
            "times": np.ascontiguousarray(features.times),
        },
        {
            "recipe": features.recipe.text,
            # Half characters of file names come through JSON's escapes.
            "video_id": json.dumps(features.video_id),
            "duration": repr(features.duration),
            "rate": "" if features.rate is None else str(features.rate),
        },
    )
    write_whole(path, data)


def _check(features: Features) -> None:
    found, times = features.features, features.times
    if found.ndim != 2 or found.dtype != np.float16:
        raise ValueError(f"expected float16 (T, D), got {found.dtype} {found.shape}")
    if times.shape != (len(found),) or times.dtype != np.float64:
        raise ValueError(f"expected {len(found)} times in float64, got {times.dtype} {times.shape}")
    if not (np.isfinite(found).all() and np.isfinite(times).all()):
        raise ValueError("expected finite features and times")


def read(path: Path) -> Features:
    """Open a feature file; its arrays are memory-mapped, so only what is used is read. One at an
    address is read whole.

    Raises:
        NoFeatureFile: the file is missing.
        LibraryError: it is damaged, or no feature file; the message names it.
        Unreachable: it cannot be read now, which says nothing of it.
    """
    try:
        data = None
        if is_folder_path(path):
            with path.open("rb") as file:
                header, begin = _header(file.read(_LENGTH), file)
                size = os.fstat(file.fileno()).st_size
        else:
            data = read_whole(path)
            header, begin = _header(data[:_LENGTH], io.BytesIO(data[_LENGTH:]))
            size = len(data)
        told = header["__metadata__"]
        rate = str(told["rate"])
        return Features(
            json.loads(told["video_id"]),
            _array(data or path, header["features"], begin, size, "F16", 2),
            _array(data or path, header["times"], begin, size, "F64", 1),
            Recipe.of(**json.loads(told["recipe"])),
            float(told["duration"]),
            Fraction(rate) if rate else None,
        )
    except FileNotFoundError as error:
        raise NoFeatureFile(f"there is no feature file {path}") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror or error}") from error
    except (
        *(KeyError, TypeError, ValueError, AttributeError),
        *(ArithmeticError, RecursionError),
    ) as error:
        raise LibraryError(
            f"{path} is damaged or no feature file ({error}). Make it again: "
            "howto extract --check --redo"
        ) from error


def read_of_item(path: Path, missing: str) -> Features:
    """`read`, where what is wrong ends an item.

    Args:
        missing: what to tell where there is no file.

    Raises:
        ItemError: NO_FEATURES, the file is missing or damaged; NETWORK or UNREADABLE_FILE, it
            cannot be read now.
    """
    try:
        return read(path)
    except NoFeatureFile as error:
        raise ItemError(Reason.NO_FEATURES, missing) from error
    except Unreachable as error:
        raise ItemError(why_unreachable(path), str(error)) from error
    except LibraryError as error:
        raise ItemError(Reason.NO_FEATURES, str(error)) from error


def _header(length: bytes, file: Any) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(length, "little")
    if len(length) < _LENGTH or not 0 < size <= _LONGEST_HEADER:
        raise ValueError("no safetensors header")
    header: dict[str, Any] = json.loads(file.read(size))
    return header, _LENGTH + size


def _array(
    source: Path | bytes,
    told: dict[str, Any],
    begin: int,
    size: int,
    dtype: str,
    dimensions: int,
) -> NDArray[Any]:
    """An array inside the file, after a look whether it can be there: mapped from a path."""
    shape = tuple(told["shape"])
    start, end = told["data_offsets"]
    if told["dtype"] != dtype or len(shape) != dimensions or min(shape) < 0:
        raise ValueError(f"expected {dtype} of {dimensions} dimensions, found {told}")
    length = math.prod(shape) * _DTYPES[dtype].itemsize
    if start < 0 or end - start != length or begin + end > size:
        raise ValueError("cut off")
    if not length:
        return np.empty(shape, _DTYPES[dtype])
    if isinstance(source, bytes):
        count = math.prod(shape)
        return np.frombuffer(source, _DTYPES[dtype], count, begin + start).reshape(shape)
    mapped: NDArray[Any] = np.memmap(source, _DTYPES[dtype], "r", begin + start, shape)
    return mapped


def files_of(folder: Path) -> Iterator[Path]:
    """The feature files of a set, in no order."""
    if not is_folder_path(folder):
        yield from (path for path, _ in files_below(folder) if path.name.endswith(SUFFIX))
        return
    if not folder.is_dir():
        return
    with os.scandir(folder) as parts:
        for part in parts:
            if part.is_dir():
                with os.scandir(part.path) as files:
                    for file in files:
                        if file.name.endswith(SUFFIX) and not file.name.startswith("."):
                            yield Path(file.path)


def remove_parts(folder: Path) -> None:
    """Remove what killed runs left half-written, when it is older than any write takes: other
    libraries and machines may write there now. At an address nothing is ever half-written."""
    if not is_folder_path(folder):
        return
    now = time.time()
    for part in folder.glob(f"*/.*{SUFFIX}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # whoever wrote it is done
            if now - part.stat().st_mtime > _PART_SECONDS:
                part.unlink()


def sets(root: Path) -> list[FeatureSet]:
    """The feature sets that lie below a root, by folder name; the first readable file of each says
    its recipe, and a folder without one is left out."""
    files: dict[str, list[tuple[Path, int]]] = {}
    for path, size in _all_files(root):
        files.setdefault(path.parent.parent.name, []).append((path, size))
    found = []
    for name in sorted(files):
        recipe = next(filter(None, (_recipe_of(path) for path, _ in files[name])), None)
        if recipe is not None:
            total = sum(size for _, size in files[name])
            found.append(FeatureSet(root / name, recipe, len(files[name]), total))
    return found


def _all_files(root: Path) -> Iterator[tuple[Path, int]]:
    if is_folder_path(root):
        for folder in root.glob("*"):
            yield from ((path, path.stat().st_size) for path in files_of(folder))
    else:
        yield from ((path, size) for path, size in files_below(root) if path.name.endswith(SUFFIX))


def _recipe_of(path: Path) -> Recipe | None:
    try:
        return read(path).recipe
    except LibraryError:
        return None
