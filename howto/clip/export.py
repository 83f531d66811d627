"""Pairs as files for people who train elsewhere: csv, caption-json, parquet, webdataset.

A file is absent or whole, and the same pairs give the same bytes.
"""

import csv
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any

from howto.clip.pairs_store import StoredPair
from howto.errors import ItemError, PluginError, UsageError

__all__ = ["COLUMNS", "FORMS", "Exported", "check_export", "export_pairs"]

COLUMNS = ("video", "start", "end", "caption", "quality")
FORMS = ("webdataset", "parquet", "csv", "caption-json")

PAIRS_PER_SHARD = 1000
_SUFFIX = {"csv": ".csv", "parquet": ".parquet", "caption-json": ".json"}
_BATCH = 10_000  # rows in one Parquet row group


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: the file, or the folder of shards.
        pairs: how many are in it.
        lost: pairs left out because their clip could not be cut, with the reason.
    """

    path: Path
    pairs: int
    lost: tuple[str, ...] = ()


def check_export(form: str, path: Path, *, media: bool) -> None:
    """Refuse an export that cannot be written, before any work is done.

    Raises:
        UsageError: no such form, a name of another kind, a place that cannot be written to, or
            media for a form that holds none.
        PluginError: pyarrow is missing.
    """
    if form not in FORMS:
        raise UsageError(f"no export named {form!r}. There are: {', '.join(FORMS)}")
    if media and form != "webdataset":
        raise UsageError(f"--media is for webdataset; {form} holds no media")
    if form == "webdataset":
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise UsageError(f"{path} is there already; name a new folder for the shards")
    elif path.is_dir() or path.suffix.lower() != _SUFFIX[form]:
        raise UsageError(f"--to takes a file ending in {_SUFFIX[form]} for {form}, not {path}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.absolute().parent}")
    if form == "parquet":
        _arrow()


def export_pairs(
    pairs: Iterable[StoredPair], form: str, path: Path, *, media_folder: Path | None = None
) -> Exported:
    """Write pairs.

    Args:
        pairs: grouped by video.
        form: one of `FORMS`.
        path: the file to write, replaced where it is there; for webdataset a new folder.
        media_folder: webdataset only: the folder that the pairs' videos are relative to, to cut
            each pair's clip out into the shard; None for captions alone.

    Raises:
        UsageError, PluginError: as `check_export`.
    """
    check_export(form, path, media=media_folder is not None)
    if form == "webdataset":
        return _write_webdataset(pairs, path, media_folder)
    return Exported(path, _WRITERS[form](pairs, path))


# One file.


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A place to write to that becomes the file when the block ends well, and nothing otherwise."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _write_csv(pairs: Iterable[StoredPair], path: Path) -> int:
    count = 0
    # A path's bytes that are no text come out as those bytes.
    with (
        _whole(path) as part,
        part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for count, one in enumerate(pairs, start=1):  # noqa: B007 counted
            rows.writerow(_row(one))
    return count


def _write_caption_json(pairs: Iterable[StoredPair], path: Path) -> int:
    """The authors' form: one object, in which each video's id has three lists of equal length."""
    count = 0
    with _whole(path) as part, part.open("w", encoding="ascii") as file:
        file.write("{")
        for index, (video_id, of_video) in enumerate(groupby(pairs, lambda one: one.video_id)):
            held = [one.pair for one in of_video]
            count += len(held)
            columns = {
                "start": [pair.start for pair in held],
                "end": [pair.end for pair in held],
                "text": [pair.caption for pair in held],
            }
            comma = ",\n" if index else "\n"
            file.write(f"{comma}{json.dumps(video_id)}: {json.dumps(columns)}")
        file.write("\n}\n")
    return count


def _write_parquet(pairs: Iterable[StoredPair], path: Path) -> int:
    arrow, parquet = _arrow()
    schema = arrow.schema(
        [
            ("video", arrow.string()),
            ("video_id", arrow.string()),
            ("start", arrow.float64()),
            ("end", arrow.float64()),
            ("caption", arrow.string()),
            ("quality", arrow.float64()),
            ("candidates", arrow.list_(arrow.string())),
        ]
    )
    count = 0
    source = iter(pairs)
    with _whole(path) as part, parquet.ParquetWriter(part, schema) as writer:
        while batch := list(islice(source, _BATCH)):
            count += len(batch)
            rows = [_as_json(one) for one in batch]
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
    return count


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise PluginError(
            "export 'parquet' needs pyarrow. Install it with: pip install 'howto[parquet]'"
        ) from error
    return arrow, parquet


_WRITERS: dict[str, Callable[[Iterable[StoredPair], Path], int]] = {
    "csv": _write_csv,
    "caption-json": _write_caption_json,
    "parquet": _write_parquet,
}


def _row(one: StoredPair) -> tuple[object, ...]:
    quality = "" if one.pair.quality is None else round(one.pair.quality, 4)
    return one.video, one.pair.start, one.pair.end, one.pair.caption, quality


def _as_json(one: StoredPair) -> dict[str, Any]:
    quality = None if one.pair.quality is None else round(one.pair.quality, 4)
    return {
        "video": one.video.encode(errors="backslashreplace").decode(),
        "video_id": one.video_id,
        "start": one.pair.start,
        "end": one.pair.end,
        "caption": one.pair.caption,
        "quality": quality,
        "candidates": list(one.pair.candidates),
    }


# Shards.


def _write_webdataset(
    pairs: Iterable[StoredPair], path: Path, media_folder: Path | None
) -> Exported:
    """Tar files of at most 1,000 pairs: NUMBER.json, NUMBER.txt and with media NUMBER.mp4 each."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    lost: list[str] = []
    written = 0
    source = enumerate(pairs)
    try:
        part.mkdir()
        shard = 0
        while batch := list(islice(source, PAIRS_PER_SHARD)):
            written += _write_shard(part / f"pairs-{shard:06d}.tar", batch, media_folder, lost)
            shard += 1
        if path.is_dir():
            path.rmdir()  # empty, as check_export has seen
        part.rename(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(path, written, tuple(lost))


def _write_shard(
    path: Path,
    batch: list[tuple[int, StoredPair]],
    media_folder: Path | None,
    lost: list[str],
) -> int:
    written = 0
    with tempfile.TemporaryDirectory(dir=path.parent) as name, tarfile.open(path, "w") as tar:
        cuts = {} if media_folder is None else _cut_all(batch, media_folder, Path(name))
        for index, one in batch:
            if isinstance(problem := cuts.get(index), str):
                lost.append(problem)
                continue
            # A number for a key: webdataset reads a key up to its first dot.
            key = f"{index:09d}"
            record = json.dumps(_as_json(one), sort_keys=True)
            _add(tar, f"{key}.json", io.BytesIO(record.encode()))
            _add(tar, f"{key}.txt", io.BytesIO(one.pair.caption.encode()))
            if isinstance(problem, Path):
                with problem.open("rb") as clip:
                    _add(tar, f"{key}.mp4", clip)
            written += 1
    return written


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes]) -> None:
    """Add a file of which nothing but name and content can differ."""
    info = tarfile.TarInfo(name)
    info.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    tar.addfile(info, file)


@dataclass(frozen=True, slots=True)
class _Cut:
    """One clip to cut out of its video, in a worker."""

    index: int
    video: Path
    start: float
    end: float
    out: Path


def _cut_all(
    batch: list[tuple[int, StoredPair]], media_folder: Path, into: Path
) -> dict[int, Path | str]:
    """Cut a shard's clips out: the file of each, or what went wrong with it."""
    from howto.run.local import run_local

    tasks = [
        _Cut(
            index,
            media_folder / one.video,
            one.pair.start,
            one.pair.end,
            into / f"{index}.mp4",
        )
        for index, one in batch
    ]
    cuts: dict[int, Path | str] = {}
    for ended in run_local(_cut_one, tasks):
        one = ended.item
        problem = ended.result if ended.reason is None else ended.detail or ended.reason.meaning
        where = f"{one.video.name} {one.start:.2f}-{one.end:.2f}"
        cuts[one.index] = f"{where}: {problem}" if problem else one.out
    return cuts


def _cut_one(task: _Cut) -> str:
    """Cut one clip out, exactly; returns what went wrong, or ''."""
    from howto.media.cut import cut

    try:
        cut(task.video, task.start, task.end, task.out, exact=True)
    except (ItemError, UsageError) as error:
        return str(error)
    return ""
