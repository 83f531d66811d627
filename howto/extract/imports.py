"""Features that others have made: the HowTo100M authors' folders of .npy, and .pth and .pkl sets.

| form | what it holds |
|---|---|
| a folder of `<video_id>.npy` | (T, D) of one network, or (D,) of a clip |
| `.pth` (MSR-VTT, LSMDC) | {"2d": {id: (D,)}, "3d": {id: (D,)}} |
| `.pkl` (YouCook2) | [{"2d": (D,), "3d": (D,), "caption": ..., "id": ...}, ...] |

Nothing in a file is executed: .npy without pickles, .pth by `howto.extract.pth`, .pkl by
`howto.safe_pickle`. A folder that howto exported says in its videos.csv whose each file is.
"""

import csv
import hashlib
import pickle
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from howto.errors import PickleError, UsageError
from howto.extract.features import Features, write
from howto.extract.pth import DAMAGE, first_line, load_pth
from howto.extract.store import SetEnd, StoredFeatures
from howto.extract.weights import file_hash
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.safe_pickle import load

__all__ = ["RATES", "ImportedFeatures", "import_features", "load_pickle", "load_pth"]

RATES = {"resnet152": Fraction(1), "resnext101-3d": Fraction(3, 2)}
"""Features a second of the authors' files, by the backbone that made them."""

_STREAMS = {"2d": "resnet152", "3d": "resnext101-3d"}
_TABLE = "videos.csv"
_NPY_DAMAGE = (*DAMAGE, SyntaxError, tokenize.TokenError)
_FAMILY_OF_FORM = {".pth": "pth", ".pt": "pth", ".pkl": "pkl", ".pickle": "pkl"}


@dataclass(frozen=True, slots=True)
class ImportedFeatures:
    """What was taken in.

    Attributes:
        sets: the feature sets, with how many files were written of each.
        by_id, by_name: videos known to the library by their id, and by their file's name.
        unknown: videos that the library has no file of; they are kept under the id given.
        lost: what could not be taken in, with the reason.
    """

    sets: tuple[tuple[StoredFeatures, int], ...]
    by_id: int
    by_name: int
    unknown: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """One array in a file: its stream (`2d`, `3d`, or '' where there is but one), and its id."""

    stream: str
    name: str
    array: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What is imported.

    Attributes:
        label: tells it from other sources, 16 hexadecimal digits.
        found: its arrays.
        rate: features a second, where it says so.
    """

    form: str
    label: str
    found: Iterable[_Found]
    rate: Fraction | None = None


def import_features(
    library: Library,
    source: Path,
    *,
    backbone: str | None = None,
    rate: Fraction | None = None,
    trust_pickle: bool = False,
) -> ImportedFeatures:
    """Take features in as feature files of a library.

    A video is known by its id, else by the name of its file without suffix, where just one has it.
    Values are kept as float16. Each source is a set of its own: two are never mixed. Files of an
    earlier import of the same source are replaced.

    Args:
        source: a folder of .npy, a .pth or a .pkl.
        backbone: that made them; needed where the file does not say. For a file with 2d and 3d
            streams it is left out.
        rate: features a second of (T, D) arrays; None: what the source says, else what `RATES`
            says of the backbone.
        trust_pickle: load pickles freely, which **runs code of their maker**.

    Raises:
        UsageError: another kind of source, a damaged one, or a backbone or rate that is needed.
    """
    opened = _open(source, trust_pickle)
    names = _Names(library)
    sets: dict[str, _Importing] = {}
    lost: list[str] = []
    for one in opened.found:
        try:
            stream = one.stream or ""
            if stream not in sets:
                name = _backbone_of(stream, backbone, source)
                known = rate or opened.rate or RATES.get(name)
                sets[stream] = _Importing(library, name, opened, known)
            video_id, how = names.of(one.name)
            sets[stream].take(video_id, one)
            names.how[one.name] = how
        except _NoFeatures as error:
            name = one.name.encode(errors="backslashreplace").decode()
            lost.append(f"{one.stream} {name}: {error}".strip())
    if not sets:
        raise UsageError(f"{source} holds no features" + (f": {lost[0]}" if lost else ""))
    return ImportedFeatures(
        tuple(one.commit() for one in sets.values()),
        *names.counts(),
        tuple(lost),
    )


class _NoFeatures(Exception):
    """One array that cannot be features; it costs itself alone."""


def _backbone_of(stream: str, backbone: str | None, source: Path) -> str:
    if stream in _STREAMS:
        if backbone is not None:
            raise UsageError(f"{source} says itself which stream is 2d and 3d; no backbone needed")
        return _STREAMS[stream]
    if backbone is None:
        raise UsageError(
            f"{source} does not say what made its features; name it, such as "
            "--backbone resnet152 for the authors' 2D folder, resnext101-3d for the 3D one"
        )
    return backbone


class _Names:
    """Finds the library's id of a video by the name that somebody else gives it."""

    def __init__(self, library: Library) -> None:
        self._ids = dict(library.connection.execute("SELECT video_id, number FROM videos"))
        of_number = {number: video_id for video_id, number in self._ids.items()}
        self._stems: dict[str, set[str]] = {}
        for number, paths in library.paths().items():
            for path in paths:
                self._stems.setdefault(Path(path).stem, set()).add(of_number[number])
        self.how: dict[str, str] = {}

    def of(self, name: str) -> tuple[str, str]:
        """The id, and how it was found."""
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise _NoFeatures("expected an id that is text") from error
        if not name:
            raise _NoFeatures("expected an id, found none")
        if name in self._ids:
            return name, "id"
        stems = self._stems.get(name, set())
        return (next(iter(stems)), "name") if len(stems) == 1 else (name, "")

    def counts(self) -> tuple[int, int, int]:
        """Names found by id, by file name, and not at all."""
        how = list(self.how.values())
        return how.count("id"), how.count("name"), how.count("")


class _Importing:
    """One feature set while its arrays come in; its recipe needs the length of the first, and
    whether that is of a clip."""

    def __init__(
        self, library: Library, backbone: str, source: _Source, rate: Fraction | None
    ) -> None:
        self._library = library
        self._backbone = backbone
        self._source = source
        self._rate = rate
        self._stored: StoredFeatures | None = None
        self._dim = 0
        self._pooled = False
        self._ends: dict[str, SetEnd] = {}

    def take(self, video_id: str, one: _Found) -> None:
        """Write one array as a feature file."""
        array = _float16(one.array)
        pooled = array.ndim == 1
        if not pooled and self._rate is None:
            raise UsageError(
                f"how many features a second does {self._backbone!r} make? Say it with --rate, "
                "such as --rate 3/2"
            )
        if video_id in self._ends:
            raise _NoFeatures("a second one of this id")
        features = np.atleast_2d(array)
        stored = self._set(features.shape[1], pooled)
        if pooled != self._pooled:
            kind, others = ("a clip", "videos") if pooled else ("a video", "clips")
            raise _NoFeatures(f"{array.shape}, features of {kind} among those of {others}")
        if features.shape[1] != self._dim:
            raise _NoFeatures(f"length {features.shape[1]}, expected {self._dim} as before")
        rate = None if pooled else self._rate
        times = np.arange(len(features)) / (1.0 if rate is None else float(rate))
        info = self._library.info(video_id)
        duration = info.duration if info else 0.0
        write(
            stored.path(video_id),
            Features(video_id, features, times, stored.recipe, duration, rate),
        )
        self._ends[video_id] = SetEnd(State.OK, num_features=len(features))

    def _set(self, dim: int, pooled: bool) -> StoredFeatures:
        if self._stored is None:
            self._dim, self._pooled = dim, pooled
            rate = None if pooled or self._rate is None else str(self._rate)
            imported = {"form": self._source.form, "rate": rate, "source": self._source.label}
            recipe = Recipe.of(backbone=self._backbone, dim=dim, imported=imported)
            self._stored = StoredFeatures(self._library, recipe)
        return self._stored

    def commit(self) -> tuple[StoredFeatures, int]:
        """Say in the library that the files are there: one transaction."""
        stored = self._stored
        if stored is None:
            raise UsageError(f"no features of {self._backbone!r} could be taken in")
        with self._library.writing():
            for video_id, end in self._ends.items():
                stored.put(self._library.number_of(video_id), end)
        return stored, len(self._ends)


def _float16(array: Any) -> NDArray[np.float16]:
    found = _array(array)
    if found.dtype.kind not in "fiu" or found.ndim not in (1, 2) or not found.size:
        raise _NoFeatures(f"expected numbers (T, D) or (D,), found {found.dtype} {found.shape}")
    with np.errstate(over="ignore"):
        halved = found.astype(np.float16)
    if not np.isfinite(halved).all():
        raise _NoFeatures("values that are not finite in float16")
    return halved


def _array(held: Any) -> NDArray[Any]:
    """Whatever is held as an array: tensors too, be they sparse, half, or still being trained."""
    try:
        if type(held).__module__.partition(".")[0] == "torch":
            held = held.detach().to_dense()
            held = (held.float() if held.is_floating_point() else held).numpy()
        return np.asarray(held)
    except DAMAGE as error:
        raise _NoFeatures(f"no array of numbers ({first_line(error)})") from error


# Reading.


def _open(source: Path, trust_pickle: bool) -> _Source:
    if source.is_dir():
        table, rate = _table(source)
        return _Source("npy", _label_of_folder(source), _of_folder(source, table), rate)
    form = _FAMILY_OF_FORM.get(source.suffix.lower())
    if form is None or not source.is_file():
        raise UsageError(f"{source}: expected a folder of .npy, a .pth or a .pkl")
    load_form = load_pth if form == "pth" else load_pickle
    held = load_form(source, trust_pickle)
    return _Source(form, file_hash(source)[:16], _of_object(held, source))


def _label_of_folder(folder: Path) -> str:
    paths = sorted(folder.glob("*.npy"))
    files = [(path.name, path.stat().st_size if path.exists() else 0) for path in paths]
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def _table(folder: Path) -> tuple[dict[str, dict[str, str]], Fraction | None]:
    """What howto's own export says of its files, by their names, and their features a second."""
    path = folder / _TABLE
    if not path.is_file():
        return {}, None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"file", "video_id", "rate"} <= rows[0].keys():
            return {}, None  # somebody else's table
        rates = {Fraction(row["rate"]) for row in rows if row["rate"]}
    except (csv.Error, ValueError, TypeError, ZeroDivisionError, OSError) as error:
        raise UsageError(f"{path}: expected the table of an export ({error})") from error
    return {row["file"]: row for row in rows}, rates.pop() if len(rates) == 1 else None


def _of_folder(folder: Path, table: Mapping[str, Mapping[str, str]]) -> Iterator[_Found]:
    for path in sorted(folder.glob("*.npy")):
        row = table.get(path.name)
        # An export writes ids as names of files: with %XX for what is no letter.
        name = row["video_id"] if row else unquote(path.stem, errors="surrogateescape")
        try:
            array: Any = np.lib.format.open_memmap(path, mode="r")
        except _NPY_DAMAGE as error:
            # Told with the others: taken for an array of no kind that can be features.
            array = np.array(first_line(error))
        if row and not row["rate"] and array.ndim == 2 and len(array) == 1:
            array = array[0]
        yield _Found("", name, array)


def _of_object(held: Any, source: Path) -> Iterator[_Found]:
    """The arrays of a loaded file, whatever of the known forms it has."""
    if isinstance(held, Mapping) and held.keys() and held.keys() <= _STREAMS.keys():
        for stream, of_ids in held.items():
            yield from _of_mapping(stream, of_ids, source)
    elif isinstance(held, Mapping):
        yield from _of_mapping("", held, source)
    elif isinstance(held, list | tuple):
        yield from _of_list(held, source)
    else:
        raise UsageError(f"{source}: expected arrays by id, found {type(held).__name__}")


def _of_mapping(stream: str, of_ids: Any, source: Path) -> Iterator[_Found]:
    if not isinstance(of_ids, Mapping):
        raise UsageError(f"{source}: expected arrays by id, found {type(of_ids).__name__}")
    for name, array in of_ids.items():
        yield _Found(stream, str(name), array)


def _of_list(rows: "list[Any] | tuple[Any, ...]", source: Path) -> Iterator[_Found]:
    """YouCook2's rows: clips of one video share its id, so they are numbered where they repeat."""
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or "id" not in row or not row.keys() & _STREAMS.keys():
            raise UsageError(f"{source}, row {number}: expected id, 2d and 3d")
        name = str(row["id"])
        seen[name] = seen.get(name, -1) + 1
        unique = f"{name}#{seen[name]}" if seen[name] else name
        for stream in _STREAMS:
            if stream in row:
                yield _Found(stream, unique, row[stream])


def load_pickle(source: Path, trust: bool) -> Any:
    """Load a pickle of containers, text, numbers and numpy arrays.

    Args:
        trust: load whatever it holds. **This runs code of the file's maker.**

    Raises:
        UsageError: it holds something else, or is damaged.
    """
    try:
        if not trust:
            return load(source)
        with source.open("rb") as file:
            return pickle.load(file, encoding="latin1")  # noqa: S301 it was said to be trusted
    except DAMAGE as error:
        raise UsageError(f"{source} cannot be read: {first_line(error)}") from error
    except PickleError as error:
        raise UsageError(f"{source}: {error}. If you trust its maker: --trust-pickle") from error
