"""Features as files for people who train elsewhere: npy, npz, parquet, hdf5, webdataset.

The folder is absent or whole. Beside the features lies videos.csv: which file is which video's.
"""

import csv
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from howto.errors import LibraryError, PluginError, UsageError
from howto.extract.features import Features, read, safe_name
from howto.extract.store import StoredFeatures
from howto.library import Library
from howto.records import State

__all__ = ["FORMS", "ExportedFeatures", "check_export", "export_features"]

FORMS = ("npy", "npz", "parquet", "hdf5", "webdataset")
VIDEOS_PER_SHARD = 500
_COLUMNS = ("file", "video_id", "video", "num_features", "duration", "rate")
_BATCH = 64  # videos in one Parquet row group


@dataclass(frozen=True, slots=True)
class ExportedFeatures:
    """What was written.

    Attributes:
        folder: where.
        videos: how many are in it.
        lost: feature files that are missing or damaged, with the reason.
    """

    folder: Path
    videos: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One video's features, and its first path, '' where it has no file here."""

    video: str
    found: Features


_T = TypeVar("_T")
_Row = tuple[str, _Item]
"""A file's name, and what is in it."""


def check_export(form: str, folder: Path) -> None:
    """Refuse an export that cannot be written, before any work is done.

    Raises:
        UsageError: no such form, or a folder that is not new.
        PluginError: the package for that form is missing.
    """
    if form not in FORMS:
        raise UsageError(f"no export named {form!r}. There are: {', '.join(FORMS)}")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} is there already; name a new folder")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {folder.absolute().parent}")
    if form == "parquet":
        _arrow()
    if form == "hdf5":
        _h5py()


def export_features(
    library: Library, stored: StoredFeatures, form: str, folder: Path
) -> ExportedFeatures:
    """Write all features of a set, in the order of their videos' ids.

    Args:
        form: one of `FORMS`. `npy` is the authors' form: `<video_id>.npy`, float16 (T, D).
        folder: a new one.

    Raises:
        UsageError, PluginError: as `check_export`.
    """
    check_export(form, folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    lost: list[str] = []
    try:
        part.mkdir()
        rows = _WRITERS[form](_items(library, stored, lost), part)
        videos = _write_table(rows, part / "videos.csv")
        if folder.is_dir():
            folder.rmdir()  # empty, as check_export has seen
        part.rename(folder)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ExportedFeatures(folder, videos, tuple(lost))


def _items(library: Library, stored: StoredFeatures, lost: list[str]) -> Iterator[_Item]:
    paths = library.paths()
    ids = dict(library.connection.execute("SELECT number, video_id FROM videos"))
    there = {ids[number]: number for number, end in stored.ends().items() if end.state == State.OK}
    for video_id, number in sorted(there.items()):
        try:
            found = read(stored.path(video_id))
        except LibraryError as error:
            lost.append(str(error))
            continue
        yield _Item(_text(paths.get(number, [""])[0]), found)


def _text(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def _write_table(rows: Iterable[_Row], path: Path) -> int:
    videos = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for name, item in rows:
            one = item.found
            videos += 1
            table.writerow(
                (name, _text(one.video_id), item.video, len(one.features), one.duration, _rate(one))
            )
    return videos


def _rate(one: Features) -> str:
    return "" if one.rate is None else str(one.rate)


def _told(item: _Item) -> dict[str, Any]:
    one = item.found
    return {
        "video_id": _text(one.video_id),
        "video": item.video,
        "duration": one.duration,
        "rate": _rate(one),
        "recipe": one.recipe.parts,
    }


def _shards(items: Iterable[_T]) -> Iterator[tuple[int, _T, Iterator[_T]]]:
    """Runs of items, as they come: a number, the first, and all of the run.

    Items keep their files open, and a process may have but so many open: none is held on to. Each
    run has to be gone through before the next is asked for.
    """
    source = iter(items)
    for number in count():
        first = next(source, None)
        if first is None:
            return
        yield number, first, chain([first], islice(source, VIDEOS_PER_SHARD - 1))


# Each writes its files into a folder, and yields what it wrote as it goes.


def _write_npy(items: Iterable[_Item], folder: Path) -> Iterator[_Row]:
    for item in items:
        name = f"{safe_name(item.found.video_id)}.npy"
        np.save(folder / name, item.found.features)
        yield name, item


def _write_npz(items: Iterable[_Item], folder: Path) -> Iterator[_Row]:
    for item in items:
        name = f"{safe_name(item.found.video_id)}.npz"
        np.savez(
            folder / name,
            features=item.found.features,
            times=item.found.times,
            told=np.array(json.dumps(_told(item))),
        )
        yield name, item


def _write_parquet(items: Iterable[_Item], folder: Path) -> Iterator[_Row]:
    """One row a feature: video_id, video, position, time, and its values as float16."""
    arrow, parquet = _arrow()
    for number, first, shard in _shards(items):
        name = f"features-{number:06d}.parquet"
        dim = first.found.features.shape[1]
        schema = arrow.schema(
            [
                ("video_id", arrow.string()),
                ("video", arrow.string()),
                ("position", arrow.int32()),
                ("time", arrow.float64()),
                ("feature", arrow.list_(arrow.float16(), dim)),
            ],
            metadata={"recipe": first.found.recipe.text},
        )
        with parquet.ParquetWriter(folder / name, schema) as writer:
            while batch := list(islice(shard, _BATCH)):
                writer.write_table(_table(arrow, schema, batch, dim))
                yield from ((name, item) for item in batch)
                batch.clear()  # before the next ones are opened


def _table(arrow: Any, schema: Any, batch: list[_Item], dim: int) -> Any:
    lengths = [len(item.found.features) for item in batch]
    values = np.concatenate([item.found.features for item in batch]).reshape(-1)
    columns = [
        np.repeat([_text(item.found.video_id) for item in batch], lengths),
        np.repeat([item.video for item in batch], lengths),
        np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]),
        np.concatenate([item.found.times for item in batch]),
        arrow.FixedSizeListArray.from_arrays(arrow.array(values), dim),
    ]
    return arrow.Table.from_arrays(
        [arrow.array(one, type=field.type) for one, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise PluginError(
            "export 'parquet' needs pyarrow. Install it with: pip install 'howto[parquet]'"
        ) from error
    return arrow, parquet


def _write_hdf5(items: Iterable[_Item], folder: Path) -> Iterator[_Row]:
    """One group a video, with `features` and `times`, and what is known of it as attributes."""
    name = "features.h5"
    with _h5py().File(folder / name, "w") as file:
        for item in items:
            group = file.create_group(safe_name(item.found.video_id))
            group["features"] = item.found.features
            group["times"] = item.found.times
            for key, value in _told(item).items():
                group.attrs[key] = json.dumps(value) if key == "recipe" else value
            yield name, item


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise PluginError(
            "export 'hdf5' needs h5py. Install it with: pip install 'howto[hdf5]'"
        ) from error
    return h5py


def _write_webdataset(items: Iterable[_Item], folder: Path) -> Iterator[_Row]:
    """Tar files of NUMBER.features.npy, NUMBER.times.npy and NUMBER.json."""
    for shard_number, _, shard in _shards(enumerate(items)):
        name = f"features-{shard_number:06d}.tar"
        with tarfile.open(folder / name, "w") as tar:
            for number, item in shard:
                # A number for a key: webdataset reads a key up to its first dot.
                key = f"{number:09d}"
                _add(tar, f"{key}.features.npy", _as_npy(item.found.features))
                _add(tar, f"{key}.times.npy", _as_npy(item.found.times))
                _add(tar, f"{key}.json", json.dumps(_told(item), sort_keys=True).encode())
                yield name, item


def _as_npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # nothing of this machine, no clock
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


_WRITERS: dict[str, Callable[[Iterable[_Item], Path], Iterator[_Row]]] = {
    "npy": _write_npy,
    "npz": _write_npz,
    "parquet": _write_parquet,
    "hdf5": _write_hdf5,
    "webdataset": _write_webdataset,
}
