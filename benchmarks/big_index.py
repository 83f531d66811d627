"""The big index: many times the vectors that memory holds, in shards, built and searched within a
bound of memory.

The vectors are those of benchmarks/index.py (a seeded mixture of 2,000 Gaussians, 512 dimensions),
drawn block by block and put into the index as a library's videos are; the exact best ten of each
query are kept meanwhile. Then cells and shards are built from the file of vectors, and a new
process asks.

`--at` says where the files go: 11 GB for 10 million. `--rows` takes another size.

Figures:
    big_index.p95_ms.<size>, big_index.p95_cpu_ms.<size>    95th percentile of one query for the
                                best ten, warm, one after the other, by one thread
    big_index.recall.<size>     share of the exact best ten that it finds
    big_index.anonymous_gb.<size>   the most anonymous memory (RssAnon) of the process that asks
    big_index.build_anonymous_gb.<size>     and of the one that builds
    big_index.build_seconds.<size>, big_index.build_cpu_seconds.<size>  of cells and shards
    big_index.code_bytes_per_vector.<size>  of cells and shards, beside 1,024 of the vectors
    big_index.shards.<size>     files of codes
"""

import argparse
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from index import (
    DIM,
    GROUP,
    QUERIES,
    RECIPE,
    WANTED,
    asked,
    clocks,
    drawn,
    opened,
    since,
    size_name,
)
from measure import Figure, emit

from howto.search.index.approximate import SHARD_ROWS
from howto.search.index.writer import IndexWriter

ROWS, ROWS_QUICK = 10_000_000, 200_000
SHARD_ROWS_QUICK = 80_000
MOST_MS, LEAST_RECALL, MOST_GB = 50, 0.9, 4
LOOKED_EVERY = 0.05  # seconds
EXACT = "exact.npy"


def draw(folder: Path, count: int) -> None:
    """Write the vectors, and the exact best of each query: int64 (QUERIES, WANTED)."""
    queries = np.concatenate(list(drawn(QUERIES, 2, kinds=True)))
    found = np.full((QUERIES, WANTED), -np.inf, np.float32)
    rows = np.zeros((QUERIES, WANTED), np.int64)
    begun = 0
    with IndexWriter(folder, RECIPE, DIM) as writer:
        for part, block in enumerate(drawn(count, 1, kinds=True)):
            for first in range(0, len(block), GROUP):
                writer.put(f"1-{part}-{first}", "", block[first : first + GROUP])
            # As they are kept.
            scores = queries @ block.astype(np.float16).astype(np.float32).T
            numbers = np.broadcast_to(np.arange(begun, begun + len(block)), scores.shape)
            both = np.concatenate([found, scores], axis=1)
            order = np.argpartition(-both, WANTED - 1, axis=1)[:, :WANTED]
            rows = np.take_along_axis(np.concatenate([rows, numbers], axis=1), order, 1)
            found = np.take_along_axis(both, order, 1)
            begun += len(block)
        writer.commit()
    np.save(folder / EXACT, rows)


def build(folder: Path, shard_rows: int) -> dict[str, float]:
    """Build cells and shards over the vectors that are there."""
    began = clocks()
    with IndexWriter(folder, RECIPE, DIM, shard_rows=shard_rows) as writer:
        writer.finish()
    spent = since(began)
    return {"wall": spent.wall, "cpu": spent.cpu}


def ask(folder: Path) -> dict[str, float]:
    """Ask the index."""
    queries = np.concatenate(list(drawn(QUERIES, 2, kinds=True)))
    got = asked(opened(folder), queries, np.load(folder / EXACT))
    return {"wall_ms": got.wall_ms, "cpu_ms": got.cpu_ms, "recall": got.recall}


def anonymous_gb() -> float:
    """Memory of this process that no file stands behind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return int(kilobytes) * 1024 / 1e9


def watched(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Do something, and say how much anonymous memory the process had at most."""
    most, done = [anonymous_gb()], threading.Event()

    def look() -> None:
        while not done.wait(LOOKED_EVERY):
            most[0] = max(most[0], anonymous_gb())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        got = work(*arguments)
    finally:
        done.set()
        watcher.join()
    return got, most[0]


def in_new_process(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The same in a process of its own, which begins with nothing in memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(watched, work, *arguments).result()


def figures(folder: Path, count: int, shard_rows: int) -> list[Figure]:
    """Draw, build and ask."""
    name = size_name(count)
    in_new_process(draw, folder, count)
    built, build_gb = in_new_process(build, folder, shard_rows)
    got, ask_gb = in_new_process(ask, folder)
    pieces = opened(folder).manifest.approximate
    assert pieces is not None
    size = sum(piece.size for piece in pieces.pieces) / count
    return [
        Figure.at_most(f"big_index.p95_ms.{name}", got["wall_ms"], MOST_MS, "ms"),
        Figure.reported(f"big_index.p95_cpu_ms.{name}", got["cpu_ms"], "ms"),
        Figure.at_least(f"big_index.recall.{name}", got["recall"], LEAST_RECALL, "share"),
        Figure.at_most(f"big_index.anonymous_gb.{name}", ask_gb, MOST_GB, "GB"),
        Figure.at_most(f"big_index.build_anonymous_gb.{name}", build_gb, MOST_GB, "GB"),
        Figure.reported(f"big_index.build_seconds.{name}", built["wall"], "s"),
        Figure.reported(f"big_index.build_cpu_seconds.{name}", built["cpu"], "s"),
        Figure.reported(f"big_index.code_bytes_per_vector.{name}", size, "bytes"),
        Figure.reported(f"big_index.shards.{name}", len(pieces.shards), "files"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, under 40 s")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--at", type=Path, help="a folder on a disk with room enough")
    told = parser.parse_args()
    count, shard_rows = (ROWS_QUICK, SHARD_ROWS_QUICK) if told.quick else (told.rows, SHARD_ROWS)
    if told.at is not None:
        told.at.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=told.at) as place:
        found = figures(Path(place), count, shard_rows)
    emit(found)


if __name__ == "__main__":
    main()
