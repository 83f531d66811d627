"""The files of a pack while they are written: each grows, and a killed build goes on.

Rows are added to .npy files; every two seconds what was added is flushed to the disk, and only then
a line of the journal says so. A build that starts again cuts every file back to what the journal
says, and goes on there.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError

__all__ = ["CAPTIONS", "JOURNAL", "Entry", "GrowingArray", "PartialPack", "flush_tree"]

_FLUSH_SECONDS = 2.0
JOURNAL = "journal.jsonl"
CAPTIONS = "captions.jsonl"


class GrowingArray:
    """A .npy that rows are added to; its header is right whenever it is flushed.

    Args:
        path: an existing file is cut back to `rows` rows, and gone on with.
        dtype: as in a .npy header, such as `<f2`.
        row: the shape of one row.
    """

    def __init__(self, path: Path, dtype: str, row: tuple[int, ...], rows: int = 0) -> None:
        self.rows = rows
        self._dtype, self._row = np.dtype(dtype), row
        header = self._header()
        there = rows > 0 and path.is_file()
        self._file: IO[bytes] = path.open("r+b" if there else "w+b")
        size = len(header) + rows * self._dtype.itemsize * int(np.prod(row))
        if there and path.stat().st_size < size:
            raise LibraryError(f"{path} is shorter than its journal says; remove {path.parent}")
        self._file.truncate(size if there else 0)
        self._file.write(header)
        self._file.seek(0, os.SEEK_END)

    def _header(self) -> bytes:
        """Of the same length for any number of rows: numpy leaves room for the number to grow."""
        import io

        header = io.BytesIO()
        shape = (self.rows, *self._row)
        told = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, told)
        return header.getvalue()

    def add(self, rows: NDArray[Any]) -> None:
        """Add rows of the file's type and shape."""
        if rows.shape[1:] != self._row or rows.dtype != self._dtype:
            raise ValueError(
                f"expected {self._dtype} (n, *{self._row}), got {rows.dtype} {rows.shape}"
            )
        self._file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def flush(self) -> None:
        """Bring everything to the disk, the header too."""
        end = self._file.tell()
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(end)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One video that is done.

    Attributes:
        source: the fingerprint of what its rows were made from.
        rows: how many it has; 0 for one that gave none.
        empty: clips without a feature, of each stream; `empty_in_all`: without any.
        lost: reason and detail where it gave no rows.
    """

    video_id: str
    source: str
    rows: int
    empty: tuple[int, ...] = ()
    empty_in_all: int = 0
    lost: tuple[str, str] | None = None

    def as_json(self) -> list[Any]:
        """For a line of the journal."""
        lost = list(self.lost) if self.lost else None
        return [self.video_id, self.source, self.rows, list(self.empty), self.empty_in_all, lost]

    @classmethod
    def of_json(cls, told: Sequence[Any]) -> "Entry":
        """Of a line of the journal."""
        video_id, source, rows, empty, empty_in_all, lost = told
        return cls(
            video_id, source, rows, tuple(empty), empty_in_all, tuple(lost) if lost else None
        )


class PartialPack:
    """The clips, spans and captions of a pack that is being built, in a folder of its own.

    Args:
        folder: made where it is not there; one that is there is gone on with.
        columns: D, of clips.
        wanted: the fingerprint of each video; what an earlier run made holds if all of it is of
            these, and is thrown away otherwise.
        goes_on: says of an entry of an earlier run whether it still holds; if not all do, the
            earlier run's work is thrown away.
    """

    def __init__(self, folder: Path, columns: int, wanted: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.entries, captions, told = _journalled(folder)
        if any(wanted.get(one.video_id) != one.source for one in self.entries):
            self.entries, captions, told = [], 0, 0
        rows = sum(one.rows for one in self.entries)
        self._clips = GrowingArray(folder / "clips.npy", "<f2", (columns,), rows)
        self._spans = GrowingArray(folder / "spans.npy", "<f8", (2,), rows)
        path = folder / CAPTIONS
        self._captions = path.open("r+b" if captions and path.is_file() else "w+b")
        self._captions.truncate(captions)
        self._captions.seek(captions)
        self._waiting: list[Entry] = []
        self._journal = (folder / JOURNAL).open("ab")
        self._journal.truncate(told)
        self._flushed = time.monotonic()

    def add(
        self,
        entry: Entry,
        clips: NDArray[np.float16],
        spans: NDArray[np.float64],
        captions: bytes,
    ) -> None:
        """Add one video.

        Args:
            captions: its line of `captions.jsonl`, with the line feed.
        """
        self._clips.add(clips)
        self._spans.add(spans)
        self._captions.write(captions)
        self.add_entry(entry)

    def add_entry(self, entry: Entry) -> None:
        """Say that a video is done; one that gave no rows has nothing else."""
        self.entries.append(entry)
        self._waiting.append(entry)
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring everything to the disk, and then say so in the journal."""
        self._clips.flush()
        self._spans.flush()
        self._captions.flush()
        os.fsync(self._captions.fileno())
        if self._waiting:
            line = [self._captions.tell(), [one.as_json() for one in self._waiting]]
            self._journal.write(json.dumps(line).encode() + b"\n")
            self._journal.flush()
            os.fsync(self._journal.fileno())
        self._waiting = []
        self._flushed = time.monotonic()

    def __enter__(self) -> "PartialPack":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what is there, however it ended."""
        self.flush()
        for file in (self._clips, self._spans, self._captions, self._journal):
            file.close()


def _journalled(folder: Path) -> tuple[list[Entry], int, int]:
    """What an earlier run finished, and how long its captions and its journal are.

    A last line that is cut off does not count; a journal that is damaged counts for nothing.
    """
    path = folder / JOURNAL
    lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    entries: list[Entry] = []
    captions = 0
    try:
        for line in lines:
            captions, told = json.loads(line)
            entries += [Entry.of_json(one) for one in told]
    except (ValueError, TypeError):
        return [], 0, 0
    return entries, captions, sum(len(line) + 1 for line in lines)


def flush_tree(folder: Path) -> None:
    """Bring all files of a folder, and the folder, to the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
