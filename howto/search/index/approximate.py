"""The approximate index: FAISS's inverted lists of one bit a value (IVF-RaBitQ), re-ranked by the
exact float16 vectors.

    cells        the centres that say in which list a vector lies, and the rotation before it
    shards       the lists of so many rows each, one file a shard, with codes of 64 bytes for 512
                 values and the number of the row

Cells are chosen from a sample, and a shard is written from the memory map piece by piece, so that
building takes memory for one shard and one piece, however many rows there are. A search maps all
files and sees the shards as one index.

Jégou, Douze and Schmid: Product quantization for nearest neighbor search, 2011 (inverted lists).
Gao and Long: RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for
approximate nearest neighbor search, 2024. faiss-cpu is MIT. What was measured: docs/decisions.md.
FAISS is imported where it is used, and only for indexes of some size, because that takes a quarter
of a second.
"""

import importlib
import importlib.util
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError

__all__ = ["SHARD_ROWS", "ApproximateIndex", "choose_cells", "is_installed", "write_shard"]

SHARD_ROWS = 4_000_000
"""Rows of a full shard: about 320 MB of 512 values each, and twice that in memory while it is
built. What a kill costs is one shard."""

_CELLS_PER_ROOT = 4  # cells: this times the square root of the rows, while a cell holds few rows;
_ENOUGH_CELLS, _MOST_PER_CELL = 4096, 2500  # then so many that a cell holds at most this
_TRAINED_PER_CELL, _MOST_TRAINED = 40, 500_000  # vectors that choose the cells
_ROUNDS = 10  # of k-means; fewer leave kinds cut apart, more change nothing that was measured
_SCANNED = 10_000  # rows whose codes a query looks at, in the cells next to it;
_LEAST_PROBED = 16  # but no fewer cells than this
_RERANKED, _LEAST_RERANKED = 10, 500  # rows looked at exactly: for each one wanted, and in all
_QUERY_BITS = 8  # of each value of the query
_CHUNK = 20_000  # rows in memory as float32 at once
_SEED = 0


def is_installed() -> bool:
    """FAISS is here; nothing is imported."""
    return importlib.util.find_spec("faiss") is not None


def _faiss() -> Any:
    # Its own type stubs deny much of what it has.
    return importlib.import_module("faiss")


# --- building ---


def choose_cells(path: Path, vectors: NDArray[np.float16]) -> None:
    """Choose cells for these vectors, and write them; same input, same cells.

    Args:
        path: of the file, which must not be there.
        vectors: float16 (N, D); a sample of them is read.
    """
    faiss = _faiss()
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    count, dim = vectors.shape
    cells = _num_cells(count)
    # A code keeps one bit of each value, so that no value may matter more than others do.
    rotation = faiss.HadamardRotation(dim, _SEED)
    size = min(count, _TRAINED_PER_CELL * cells, _MOST_TRAINED)
    chosen = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False, shuffle=False))
    means = faiss.Kmeans(
        rotation.d_out,
        cells,
        niter=_ROUNDS,
        seed=_SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=max(1, size),
    )
    means.train(rotation.apply(vectors[chosen].astype(np.float32)))
    quantizer = faiss.IndexFlatIP(rotation.d_out)
    quantizer.add(means.centroids)
    lists = faiss.IndexIVFRaBitQ(
        quantizer, rotation.d_out, cells, faiss.METRIC_INNER_PRODUCT, True, 1
    )
    lists.train(means.centroids)
    faiss.write_index(faiss.IndexPreTransform(rotation, lists), str(path))


def _num_cells(count: int) -> int:
    wanted = min(_CELLS_PER_ROOT * math.sqrt(count), max(_ENOUGH_CELLS, count / _MOST_PER_CELL))
    return max(1, min(int(wanted), count // _TRAINED_PER_CELL))


def write_shard(
    path: Path, cells: Path, vectors: NDArray[np.float16], first: int, old: Path | None = None
) -> None:
    """Sort rows into lists, and write them as one shard.

    Args:
        path: of the file, which must not be there.
        cells: what `choose_cells` wrote.
        vectors: float16 (n, D): the rows from `first` on.
        first: what the first of these rows is called.
        old: a shard whose rows the new one is to hold, too.

    Raises:
        LibraryError: `old` or `cells` is damaged.
    """
    faiss = _faiss()
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index = _read(cells)
    lists = faiss.downcast_index(index.index)
    if old is not None:
        begun = _read(old)
        lists.replace_invlists(begun.invlists, False)
        index.ntotal = lists.ntotal = begun.ntotal
    for start in range(0, len(vectors), _CHUNK):
        part = vectors[start : start + _CHUNK].astype(np.float32)
        index.add_with_ids(part, np.arange(len(part)) + (first + start))
    quantizer, lists.quantizer = lists.quantizer, None  # it stands in the file of the cells
    try:
        faiss.write_index(lists, str(path))
    finally:
        lists.quantizer = quantizer


def _read(path: Path, flags: int = 0) -> Any:
    try:
        return _faiss().read_index(str(path), flags)
    except RuntimeError as error:
        raise LibraryError(f"{path} is damaged. Delete the folder: it is made again") from error


# --- searching ---


class ApproximateIndex:
    """An approximate index, opened to be asked; shards are mapped, so only what is used is read.

    Args:
        cells: what `choose_cells` wrote.
        shards: what `write_shard` wrote, at least one.

    Raises:
        LibraryError: a file is damaged.
    """

    def __init__(self, cells: Path, shards: Sequence[Path]) -> None:
        faiss = _faiss()
        # Of one query nothing is worth a thread, and threads that wait for each other cost latency.
        faiss.omp_set_num_threads(1)
        self._index = _read(cells)
        lists = faiss.downcast_index(self._index.index)
        # FAISS holds no reference to what is mapped.
        self._shards = [
            _read(path, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY) for path in shards
        ]
        parts = [faiss.downcast_InvertedLists(shard.invlists) for shard in self._shards]
        for part in parts:
            part.prefetch_nthread = 0  # else 32 threads are started for each query
        self._lists = parts[0] if len(parts) == 1 else _side_by_side(parts)
        lists.replace_invlists(self._lists, False)
        self._rows = int(sum(shard.ntotal for shard in self._shards))
        self._index.ntotal = lists.ntotal = self._rows
        self._cells = int(lists.nlist)

    def candidates(
        self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Rows that may be among the best, in no order that counts; more than are wanted.

        Args:
            query: float32 (D,).
            count: how many will be wanted.
            allowed: bool (rows,): no others are given; None: all.
        """
        faiss = _faiss()
        parameters = faiss.IVFRaBitQSearchParameters()
        parameters.qb = _QUERY_BITS
        parameters.nprobe = self._probed(1.0 if allowed is None else float(allowed.mean()))
        if allowed is not None:
            # Kept in names: FAISS holds no reference to either.
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            parameters.sel = selector
        around = faiss.SearchParametersPreTransform(index_params=parameters)
        wanted = max(_LEAST_RERANKED, _RERANKED * count)
        _, rows = self._index.search(query[None], wanted, params=around)
        found: NDArray[np.int64] = rows[0][rows[0] >= 0].astype(np.int64)
        return found

    def _probed(self, share: float) -> int:
        """Cells to look into.

        Args:
            share: of the rows that are allowed: of few, more cells are looked into.
        """
        probed = _SCANNED * self._cells / max(1.0, self._rows * share)
        cells: int = self._cells
        return min(cells, max(_LEAST_PROBED, math.ceil(probed)))


def _side_by_side(parts: Sequence[Any]) -> Any:
    """Lists that hold what the same lists of all parts hold."""
    faiss = _faiss()
    pointers = faiss.InvertedListsPtrVector()
    for part in parts:
        pointers.push_back(part)
    return faiss.HStackInvertedLists(len(parts), pointers.data())
