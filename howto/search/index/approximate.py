"""The approximate index: FAISS's inverted lists of 8-bit vectors (IVF-SQ8), re-ranked by the exact
float16 vectors.

Jégou, Douze and Schmid: Product quantization for nearest neighbor search, 2011 (inverted lists);
faiss-cpu is MIT. Measured against usearch: docs/decisions.md. FAISS is imported where it is used,
and only for indexes of some size, because that takes a quarter of a second.
"""

import importlib
import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError

__all__ = ["ApproximateIndex", "extend", "is_installed", "train"]

_CELLS_PER_ROOT = 4  # cells: this times the square root of the rows
_TRAINED_PER_CELL = 40  # vectors that choose each cell; FAISS warns below 39
_ROUNDS = 8  # of k-means; more change nothing that was measured
_PROBED_SHARE = 0.08  # of the cells, for each query
_MOST_PROBED = 128
_RERANKED = 10  # vectors that are looked at exactly for each one wanted
_CHUNK = 50_000
_SEED = 0


def is_installed() -> bool:
    """FAISS is here; nothing is imported."""
    return importlib.util.find_spec("faiss") is not None


def _faiss() -> Any:
    # Its own type stubs deny much of what it has.
    return importlib.import_module("faiss")


def train(path: Path, vectors: NDArray[np.float16]) -> None:
    """Choose cells for these vectors, sort them in, and write the index; same input, same index.

    Args:
        path: of the file, which must not be there.
        vectors: float16 (N, D).
    """
    faiss = _faiss()
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    count, dim = vectors.shape
    cells = max(1, min(int(_CELLS_PER_ROOT * math.sqrt(count)), count // _TRAINED_PER_CELL))
    quantizer = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = _ROUNDS
    index.cp.seed = _SEED
    chosen = np.random.default_rng(_SEED).permutation(count)[: _TRAINED_PER_CELL * cells]
    index.train(vectors[np.sort(chosen)].astype(np.float32))
    _add(index, vectors)
    faiss.write_index(index, str(path))


def extend(path: Path, old: Path, vectors: NDArray[np.float16]) -> None:
    """Sort more vectors into the cells of an index, and write it as another file.

    Args:
        old: the index so far.
        vectors: float16 (N, D): the rows after those it holds.
    """
    faiss = _faiss()
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index = faiss.read_index(str(old))
    _add(index, vectors)
    faiss.write_index(index, str(path))


def _add(index: Any, vectors: NDArray[np.float16]) -> None:
    for part in _parts(vectors):
        index.add(part.astype(np.float32))


def _parts(vectors: NDArray[np.float16]) -> Iterator[NDArray[np.float16]]:
    for first in range(0, len(vectors), _CHUNK):
        yield vectors[first : first + _CHUNK]


class ApproximateIndex:
    """An approximate index, opened to be asked; it is mapped, so only what is used is read.

    Raises:
        LibraryError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        faiss = _faiss()
        # Of one query nothing is worth a thread, and threads that wait for each other cost latency.
        faiss.omp_set_num_threads(1)
        try:
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise LibraryError(f"{path} is damaged. Delete the folder: it is made again") from error
        cells = self._index.nlist
        self._probed = max(1, min(_MOST_PROBED, math.ceil(_PROBED_SHARE * cells)))

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
        parameters = faiss.SearchParametersIVF(nprobe=self._probed)
        if allowed is not None:
            # Kept in names: FAISS holds no reference to either.
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            parameters.sel = selector
        _, rows = self._index.search(query[None], _RERANKED * count, params=parameters)
        found: NDArray[np.int64] = rows[0][rows[0] >= 0].astype(np.int64)
        return found
