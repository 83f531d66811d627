"""Ranks from embeddings, against the plain matrix product that they cannot do without.

Figures:
    ranks.share_of_matmul.<size>  time of `queries @ candidates.T` over that of the exact ranks of
                                  all queries; 10k is 10,000 x 10,000 in 4096 dimensions
    ranks.memory.<size>           what a process that ranks memory-mapped embeddings takes at its
                                  peak beside them; 100k is 100,000 x 100,000 in 512 dimensions,
                                  whose scores would be 40 GB
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Figure, emit, median_ratio, parse
from numpy.typing import NDArray

from howto.evaluate.ranks import ranks_of_embeddings

__all__ = ["figures"]

PAIRS = 3
GB = 1e9
KIB = 1 << 10
MEMORY_DIM = 512
CHILD = "--rank"


def made(rows: int, dim: int, seed: int) -> NDArray[np.float32]:
    """Embeddings of length 1, (rows, dim)."""
    found = np.random.default_rng(seed).standard_normal((rows, dim), np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """The same, returning its seconds."""

    def run() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return run


def share(name: str, rows: int, dim: int) -> Figure:
    """How much of the time of ranking is the product."""
    queries, candidates = made(rows, dim, 0), made(rows, dim, 1)
    answers = np.arange(rows)
    ratio = median_ratio(
        timed(lambda: queries @ candidates.T),
        timed(lambda: ranks_of_embeddings(queries, candidates, answers)),
        PAIRS,
    )
    return Figure.at_least(f"ranks.share_of_matmul.{name}", ratio, 0.7)


def memory(name: str, rows: int) -> Figure:
    """What a process of its own takes beside the mapped inputs."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{side}.npy" for side in ("queries", "candidates")]
        for seed, file in enumerate(files):
            np.save(file, made(rows, MEMORY_DIM, seed))
        command = [sys.executable, __file__, CHILD, *map(str, files)]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        peak = int(printed) - sum(file.stat().st_size for file in files)
    return Figure.at_most(f"ranks.memory.{name}", peak / GB, 2.0, "GB")


def rank_mapped(queries: str, candidates: str) -> None:
    """Rank two mapped files, and print the most bytes that this process held, these included."""
    asking, found = (np.load(file, mmap_mode="r") for file in (queries, candidates))
    ranks_of_embeddings(asking, found, np.arange(len(asking)))
    # Linux counts in KiB.
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB)


def figures(*, quick: bool) -> list[Figure]:
    """Measure both, smaller where it should be quick."""
    if quick:
        return [share("2k", 2000, 2048), memory("10k", 10_000)]
    return [share("10k", 10_000, 4096), memory("100k", 100_000)]


if __name__ == "__main__":
    if CHILD in sys.argv:
        rank_mapped(*sys.argv[2:])
    else:
        emit(figures(quick=parse(__doc__).quick))
