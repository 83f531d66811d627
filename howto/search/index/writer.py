"""Changing an index: groups are put in and taken out, dead rows swept away, cells chosen anew.

One process writes at a time; others search meanwhile what counted when they opened it.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryBusy, LibraryError, RecipeMismatch
from howto.recipe import Recipe
from howto.search.index.approximate import (
    SHARD_ROWS,
    choose_cells,
    is_installed,
    write_shard,
)
from howto.search.index.manifest import (
    BYTES_PER_VALUE,
    DATABASE,
    Approximate,
    Group,
    Manifest,
    Piece,
    connect,
    read_manifest,
    vectors_path,
    write_manifest,
)
from howto.search.index.vectors import VectorIndex, map_vectors

__all__ = ["WAIT_SECONDS", "IndexWriter"]

APPROXIMATE_FROM = 50_000
"""Rows from which an approximate index is made: fewer are searched exactly in milliseconds."""

_MOST_UNCOVERED = 20_000
"""Rows that may wait outside the cells, where every query looks at each of them, in 5 ms. No share
of all: putting them in costs as much as they are, and a copy of the last shard."""
_MOST_DEAD, _MOST_DEAD_SHARE = 1_000, 0.25
_TRAINED_FOR = 2.0  # cells are chosen anew when there are so many times the rows
_LOCK = "index.lock"
WAIT_SECONDS = 3600
"""The most that another process is waited for, unless told."""

_COPIED_AT_ONCE = 50_000  # rows


class IndexWriter:
    """Writes an index. Use it as a context manager; what was not committed is gone at its end.

    Args:
        folder: made where it is missing.
        recipe, dim: of all vectors.
        anew: begin with nothing where there is an index of another recipe, or a damaged one.
        on_wait: called once where another process is writing and is waited for.
        wait: the most seconds to wait for it.
        shard_rows: the most in one file of the approximate index.

    Raises:
        RecipeMismatch: the index was made by another recipe; the message lists the keys.
        LibraryError: it is damaged.
        LibraryBusy: another process has been writing all the while.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        dim: int,
        *,
        anew: bool = False,
        on_wait: Callable[[], None] | None = None,
        wait: float = WAIT_SECONDS,
        shard_rows: int = SHARD_ROWS,
    ) -> None:
        self._folder = folder
        self._wanted = Manifest(folder, recipe, dim, 0, 0, {}, None, {})
        self._anew = anew
        self._on_wait = on_wait
        self._wait = wait
        self._shard_rows = shard_rows

    def __enter__(self) -> Self:
        from filelock import FileLock

        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._folder / _LOCK)
        self._acquire()
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._connection.close()
        self._lock.release()

    def _acquire(self) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            if self._on_wait is not None:
                self._on_wait()
            try:
                self._lock.acquire(timeout=self._wait)
            except Timeout as error:
                raise LibraryBusy(
                    f"another howto has been writing {self._folder} for {self._wait:g} s. "
                    "Wait for it, or end it, and run the command again."
                ) from error

    def _begin(self) -> None:
        found = self._found()
        if found is None:
            _remove_all(self._folder)
        self.manifest = found or self._wanted
        self._kept = dict(found.groups) if found else {}
        self._groups = dict(self._kept)
        self._connection = connect(self._folder)
        self._file = self._opened()
        self._remove_unused()

    def _found(self) -> Manifest | None:
        """What is there and can be gone on with."""
        try:
            found = read_manifest(self._folder)
            if found is None:
                return None
            found.recipe.require_same(
                self._wanted.recipe, f"the index in {self._folder} and what is to be put in"
            )
            map_vectors(found)
        except RecipeMismatch:
            if self._anew:
                return None
            raise
        except (LibraryError, FileNotFoundError) as error:
            if self._anew:
                return None
            raise LibraryError(f"the index in {self._folder} is damaged: {error}") from error
        return found

    def _opened(self) -> BinaryIO:
        """The file of vectors, ready to be added to; what a killed writer left behind is cut."""
        path = self.manifest.vectors_path
        path.touch()
        file = path.open("r+b")
        file.truncate(self.manifest.rows * self._row_bytes)
        file.seek(0, os.SEEK_END)
        return file

    @property
    def _row_bytes(self) -> int:
        return self.manifest.dim * BYTES_PER_VALUE

    @property
    def groups(self) -> Mapping[str, Group]:
        """The groups as they are now, committed or not."""
        return self._groups

    # Changes

    def put(self, name: str, stamp: str, vectors: NDArray[np.float32]) -> None:
        """Put a group in, in place of one of that name.

        Args:
            stamp: what it was made from.
            vectors: float32 (n, D), n >= 1.

        Raises:
            ValueError: another shape, or values that float16 cannot hold.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.manifest.dim or not len(vectors):
            raise ValueError(f"expected (n, {self.manifest.dim}), got {vectors.shape}")
        with np.errstate(over="ignore"):
            halves = np.ascontiguousarray(vectors, "<f2")
        if not np.isfinite(halves).all():
            raise ValueError(f"vectors of {name} are not finite as float16")
        self._file.write(halves.tobytes())
        self._groups[name] = Group(stamp, self.manifest.rows, len(halves))
        self._say(rows=self.manifest.rows + len(halves))

    def take_out(self, name: str) -> None:
        """Take a group out; its rows are dead from the next commit on."""
        del self._groups[name]

    def keep(self, name: str, value: str) -> None:
        """Keep a fact beside the vectors, from the next commit on."""
        self._say(facts={**self.manifest.facts, name: value})

    def commit(self) -> None:
        """Make all changes so far count, together."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._say(groups=dict(sorted(self._groups.items(), key=lambda one: one[1].first)))
        write_manifest(self._connection, self.manifest, self._kept)
        self._kept = dict(self._groups)

    def finish(self, on_slow: Callable[[], None] | None = None) -> None:
        """Commit, sweep dead rows away where they are many, and see to the approximate index.

        Args:
            on_slow: called once before what takes long.
        """
        self.commit()
        dead = self.manifest.rows - self.manifest.live
        if dead > max(_MOST_DEAD, _MOST_DEAD_SHARE * self.manifest.rows):
            self._sweep()
        if is_installed() and self._lacks_approximate():
            if on_slow is not None:
                on_slow()
            self._approximate()

    def opened(self) -> VectorIndex:
        """The index as it was last committed."""
        return VectorIndex(self.manifest, map_vectors(self.manifest))

    def _say(
        self,
        *,
        rows: int | None = None,
        facts: Mapping[str, str] | None = None,
        groups: Mapping[str, Group] | None = None,
    ) -> None:
        was = self.manifest
        self.manifest = replace(
            was,
            rows=was.rows if rows is None else rows,
            facts=was.facts if facts is None else facts,
            groups=was.groups if groups is None else groups,
        )

    # Sweeping

    def _sweep(self) -> None:
        """Write the live rows as another generation, and let that one count."""
        old = map_vectors(self.manifest)
        path = vectors_path(self._folder, self.manifest.generation + 1)
        groups: dict[str, Group] = {}
        rows = 0
        with path.open("wb") as file:
            for name, group in self.manifest.groups.items():
                file.write(old[group.first : group.first + group.count].tobytes())
                groups[name] = replace(group, first=rows)
                rows += group.count
            file.flush()
            os.fsync(file.fileno())
        self.manifest = replace(
            self.manifest,
            generation=self.manifest.generation + 1,
            rows=rows,
            groups=groups,
            approximate=None,
        )
        write_manifest(self._connection, self.manifest, self._kept)
        self._groups, self._kept = dict(groups), dict(groups)
        self._file.close()
        self._file = self._opened()
        self._remove_unused()

    # The approximate index

    def _lacks_approximate(self) -> bool:
        if self.manifest.live < APPROXIMATE_FROM:
            return False
        told = self._sound_approximate()
        if told is None:
            return True
        return self.manifest.rows - told.rows > _MOST_UNCOVERED

    def _sound_approximate(self) -> Approximate | None:
        """The approximate index, if its files are as they were written."""
        told = self.manifest.approximate
        return told if told is not None and told.is_whole(self._folder) else None

    def _approximate(self) -> None:
        """Put the rows that are in no cell into shards, each of which counts as soon as it is
        written; but in place of an index that cells are chosen anew for only when all are."""
        vectors = map_vectors(self.manifest)
        told = self._sound_approximate()
        grown = told is not None and len(vectors) >= _TRAINED_FOR * told.cells.rows
        if told is None or grown:
            name = f"cells-{self.manifest.generation}-{len(vectors)}.faiss"
            cells = self._piece(name, len(vectors), lambda path: choose_cells(path, vectors))
            told = Approximate(cells, ())
        while told.rows < len(vectors):
            if not grown:
                self._put_approximate(told)
            told = self._with_more(told, vectors)
        self._put_approximate(told)
        self._remove_unused()

    def _with_more(self, told: Approximate, vectors: NDArray[np.float16]) -> Approximate:
        """With a shard more, or with one that is not full written anew, longer."""
        full, last = told.shards, None
        if full and full[-1].rows < self._shard_rows:
            *rest, last = full
            full = tuple(rest)
        first = sum(shard.rows for shard in full)
        end = min(first + self._shard_rows, len(vectors))
        rows = vectors[first + (last.rows if last else 0) : end]
        shard = self._piece(
            f"shard-{self.manifest.generation}-{first}-{end}.faiss",
            end - first,
            lambda path: write_shard(
                path,
                self._folder / told.cells.file,
                rows,
                end - len(rows),
                self._folder / last.file if last else None,
            ),
        )
        return replace(told, shards=(*full, shard))

    def _piece(self, name: str, rows: int, write: Callable[[Path], None]) -> Piece:
        """A file written beside, flushed and renamed."""
        part = self._folder / f"{name}.part"
        part.unlink(missing_ok=True)
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self._folder / name)
        return Piece(name, (self._folder / name).stat().st_size, rows)

    def _put_approximate(self, approximate: Approximate) -> None:
        self.manifest = replace(self.manifest, approximate=approximate)
        write_manifest(self._connection, self.manifest, self._kept)

    def _remove_unused(self) -> None:
        """Remove files of vectors and cells that nothing refers to, left by a kill or replaced."""
        told = self.manifest.approximate
        used = {self.manifest.vectors_path.name}
        used |= {piece.file for piece in told.pieces} if told else set()
        for pattern in ("vectors-*", "cells-*", "shard-*"):
            for path in self._folder.glob(pattern):
                if path.name not in used:
                    path.unlink(missing_ok=True)


def _remove_all(folder: Path) -> None:
    """Empty an index's folder, the database first: without it the rest counts for nothing."""
    for suffix in ("", "-journal"):
        (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
