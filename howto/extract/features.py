"""Feature files: one safetensors file a video, which says by itself what it is.

    <state>/features/<backbone>-<recipe8>/<ab>/<video_id>.safetensors

holds `features` float16 (T, D), `times` float64 (T,), and as metadata the recipe, the video's id,
its duration and the rate. `ab` are the first two digits of the SHA-256 of the id: ids that begin
with a site's name would all fall into one folder by their own. A file is written beside, flushed
and renamed, so at any instant it is absent or whole; many machines may write at once.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError
from howto.recipe import Recipe

__all__ = [
    "FeatureSet",
    "Features",
    "feature_path",
    "file_name",
    "files_of",
    "read",
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


def set_folder(state: Path, backbone: str, recipe: Recipe) -> Path:
    """The folder of a feature set; a family's member `torchvision:resnet18` has an underscore."""
    return state / "features" / f"{quote(backbone.replace(':', '_'), safe='')}-{recipe.short}"


def feature_path(state: Path, backbone: str, recipe: Recipe, video_id: str) -> Path:
    """Where the features of one video lie, whatever its id holds.

    Args:
        state: the library's state folder.
        backbone: its name, such as `torchvision:r2plus1d_18`.
    """
    folder = set_folder(state, backbone, recipe)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[-_LONGEST_NAME:]}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _check(features: Features) -> None:
    found, times = features.features, features.times
    if found.ndim != 2 or found.dtype != np.float16:
        raise ValueError(f"expected float16 (T, D), got {found.dtype} {found.shape}")
    if times.shape != (len(found),) or times.dtype != np.float64:
        raise ValueError(f"expected {len(found)} times in float64, got {times.dtype} {times.shape}")
    if not (np.isfinite(found).all() and np.isfinite(times).all()):
        raise ValueError("expected finite features and times")


def _flush_folder(folder: Path) -> None:
    """Make the new name itself last; only POSIX systems open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read(path: Path) -> Features:
    """Open a feature file; its arrays are memory-mapped, so only what is used is read.

    Raises:
        LibraryError: the file is missing, damaged, or no feature file; the message names it.
    """
    try:
        with path.open("rb") as file:
            header, begin = _header(file.read(_LENGTH), file)
            size = os.fstat(file.fileno()).st_size
        told = header["__metadata__"]
        rate = str(told["rate"])
        return Features(
            json.loads(told["video_id"]),
            _mapped(path, header["features"], begin, size, "F16", 2),
            _mapped(path, header["times"], begin, size, "F64", 1),
            Recipe.of(**json.loads(told["recipe"])),
            float(told["duration"]),
            Fraction(rate) if rate else None,
        )
    except FileNotFoundError as error:
        raise LibraryError(f"there is no feature file {path}") from error
    except OSError as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror or error}") from error
    except (
        *(KeyError, TypeError, ValueError, AttributeError),
        *(ArithmeticError, RecursionError),
    ) as error:
        raise LibraryError(
            f"{path} is damaged or no feature file ({error}). Make it again: "
            "howto extract --check --redo"
        ) from error


def _header(length: bytes, file: Any) -> tuple[dict[str, Any], int]:
    size = int.from_bytes(length, "little")
    if len(length) < _LENGTH or not 0 < size <= _LONGEST_HEADER:
        raise ValueError("no safetensors header")
    header: dict[str, Any] = json.loads(file.read(size))
    return header, _LENGTH + size


def _mapped(
    path: Path, told: dict[str, Any], begin: int, size: int, dtype: str, dimensions: int
) -> NDArray[Any]:
    """An array inside the file, after a look whether it can be there."""
    shape = tuple(told["shape"])
    start, end = told["data_offsets"]
    if told["dtype"] != dtype or len(shape) != dimensions or min(shape) < 0:
        raise ValueError(f"expected {dtype} of {dimensions} dimensions, found {told}")
    length = math.prod(shape) * _DTYPES[dtype].itemsize
    if start < 0 or end - start != length or begin + end > size:
        raise ValueError("cut off")
    if not length:
        return np.empty(shape, _DTYPES[dtype])
    mapped: NDArray[Any] = np.memmap(path, _DTYPES[dtype], "r", begin + start, shape)
    return mapped


def files_of(folder: Path) -> Iterator[Path]:
    """The feature files of a set, in no order."""
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
    """Remove what killed runs left half-written. Only while nobody writes there."""
    for part in folder.glob(f"*/.*{SUFFIX}.*.part"):
        part.unlink(missing_ok=True)


def sets(state: Path) -> list[FeatureSet]:
    """The feature sets that lie in a state folder, by folder name; the first readable file of each
    says its recipe, and a folder without one is left out."""
    found = []
    for folder in sorted((state / "features").glob("*")):
        recipe, count, size = None, 0, 0
        for path in files_of(folder):
            count += 1
            size += path.stat().st_size
            recipe = recipe or _recipe_of(path)
        if recipe is not None:
            found.append(FeatureSet(folder, recipe, count, size))
    return found


def _recipe_of(path: Path) -> Recipe | None:
    try:
        return read(path).recipe
    except LibraryError:
        return None
