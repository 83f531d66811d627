"""The vector index: how quickly it answers at how good a recall, what it costs to build and to add
to, and what a cold search by words and pictures takes.

The vectors are a mixture of Gaussians in 512 dimensions, seeded: 2,000 kinds of clips, each with a
centre drawn from N(0, I/512); a clip is the centre of a kind drawn at random plus N(0, I/512), so
that two clips of a kind have a cosine of about 0.5, and two of different kinds about 0; all at
length 1. Queries are drawn in the same way. The isotropic set has no kinds: directions drawn
evenly, of which nothing but a look at all of them finds the nearest; it has no goal.

Figures:
    index.p95_ms.<size>         95th percentile of the time of one query for the best ten, warm, one
                                after the other, at the recall below
    index.p95_cpu_ms.<size>     the same in time on the processor, which other work does not change
    index.recall.<size>         share of the exact best ten that it finds
    index.isotropic_recall.<size>, index.isotropic_p95_ms.<size>    the same of the isotropic set
    index.bytes_per_vector.<size>   of all files of the index
    index.build_seconds.<size>, index.build_cpu_seconds.<size>  from vectors in memory to an index
                                that is safe on the disk
    index.add_1pct_over_build.<size>    adding 1% more, in groups of 100, over building
    startup.search_over_help.<size>     a repeated cold `howto search` by words and the pictures of
                                a run of ours, over `howto --help`, on the clock
    startup.search_over_help_cpu.<size>     the same in time on the processor
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from library_of_clips import make_library
from measure import Figure, emit, parse

from howto.extract.choice import Choice, choose
from howto.extract.features import Features, write
from howto.extract.store import SetEnd, StoredFeatures
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.search.choice import SignalChoice, remember
from howto.search.index.exact import best, scores
from howto.search.index.vectors import VectorIndex
from howto.search.index.writer import IndexWriter

DIM, KINDS, GROUP = 512, 2_000, 100
SMALL, LARGE, SMALL_QUICK = 100_000, 1_000_000, 60_000
QUERIES, WANTED = 200, 10
MOST_MS, LEAST_RECALL, MOST_ADDING, MOST_OVER_HELP = 10, 0.95, 0.05, 3
RECIPE = Recipe.of(what="benchmark")
BLOCK = 50_000
RUN, BACKBONE = "main", "colour-motion"
VIDEOS, VIDEOS_QUICK, LINES = 1_000, 20, 100
PAIRS, PAIRS_QUICK = 11, 3


def drawn(count: int, seed: int, *, kinds: bool) -> Iterator[np.ndarray]:
    """Vectors, float32 (at most BLOCK, DIM) at a time; the same for the same seed."""
    scale = 1 / np.sqrt(DIM)
    centres = np.random.default_rng(0).normal(0, scale, (KINDS, DIM)).astype(np.float32)
    rng = np.random.default_rng(seed)
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        found = rng.standard_normal((size, DIM), np.float32) * np.float32(scale)
        if kinds:
            found += centres[rng.integers(0, KINDS, size)]
        yield found / np.linalg.norm(found, axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and on all processors."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def clocks() -> Spent:
    """What both clocks of this process say."""
    return Spent(time.perf_counter(), time.process_time())


def since(began: Spent) -> Spent:
    """What was spent since `clocks` was called."""
    now = clocks()
    return Spent(now.wall - began.wall, now.cpu - began.cpu)


def build(folder: Path, count: int, *, kinds: bool = True, seed: int = 1) -> Spent:
    """Build an index; returns what it took, without the time in which vectors were drawn."""
    spent = Spent()
    with IndexWriter(folder, RECIPE, DIM) as writer:
        for part, block in enumerate(drawn(count, seed, kinds=kinds)):
            began = clocks()
            for first in range(0, len(block), GROUP):
                writer.put(f"{seed}-{part}-{first}", "", block[first : first + GROUP])
            spent += since(began)
        began = clocks()
        writer.finish()
        return spent + since(began)


@dataclass(frozen=True, slots=True)
class Asked:
    """How an index answers: 95th percentiles in ms, and the share of the exact best ten found."""

    wall_ms: float
    cpu_ms: float
    recall: float


def asked(index: VectorIndex, queries: np.ndarray, exact: np.ndarray) -> Asked:
    """Ask an index, one query after the other.

    Args:
        exact: int64 (Q, WANTED): the rows of the exact best of each query.
    """
    index.warm()
    for query in queries[:20]:
        index.search(query, WANTED)
    spent, shares = [], []
    for query, best_rows in zip(queries, exact, strict=True):
        began = clocks()
        found = index.search(query, WANTED).rows
        spent.append(since(began))
        shares.append(len(np.intersect1d(found, best_rows)) / WANTED)
    wall = np.percentile([one.wall for one in spent], 95)
    cpu = np.percentile([one.cpu for one in spent], 95)
    return Asked(float(wall) * 1000, float(cpu) * 1000, float(np.mean(shares)))


def opened(folder: Path) -> VectorIndex:
    """The index in a folder."""
    index = VectorIndex.open(folder, RECIPE)
    assert index is not None
    return index


def answers(folder: Path, *, kinds: bool = True) -> Asked:
    """Open an index, and ask it what is drawn for that."""
    index = opened(folder)
    queries = np.concatenate(list(drawn(QUERIES, 2, kinds=kinds)))
    found = scores(index.vectors, queries)
    rows = np.arange(len(found))
    exact = np.stack([best(column, rows, WANTED)[0] for column in found.T])
    return asked(index, queries, exact)


def size_name(count: int) -> str:
    """Such as 100k or 1m."""
    return f"{count // 1_000_000}m" if count >= 1_000_000 else f"{count // 1000}k"


def index_figures(folder: Path, count: int) -> list[Figure]:
    """Build an index of so many vectors, and ask it."""
    name = size_name(count)
    spent = build(folder / name, count)
    files = sum(path.stat().st_size for path in (folder / name).iterdir())
    got = answers(folder / name)
    return [
        Figure.at_most(f"index.p95_ms.{name}", got.wall_ms, MOST_MS, "ms"),
        Figure.reported(f"index.p95_cpu_ms.{name}", got.cpu_ms, "ms"),
        Figure.at_least(f"index.recall.{name}", got.recall, LEAST_RECALL, "share"),
        Figure.reported(f"index.build_seconds.{name}", spent.wall, "s"),
        Figure.reported(f"index.build_cpu_seconds.{name}", spent.cpu, "s"),
        Figure.reported(f"index.bytes_per_vector.{name}", files / count, "bytes"),
    ]


def adding_figure(folder: Path, count: int, building: Figure) -> Figure:
    """Add 1% to an index."""
    name = size_name(count)
    adding = build(folder / name, count // 100, seed=3)
    share = adding.wall / building.value
    return Figure.at_most(f"index.add_1pct_over_build.{name}", share, MOST_ADDING)


def isotropic_figures(folder: Path, count: int) -> list[Figure]:
    """Build and ask an index of vectors without kinds."""
    name = size_name(count)
    build(folder / "isotropic", count, kinds=False)
    got = answers(folder / "isotropic", kinds=False)
    return [
        Figure.reported(f"index.isotropic_p95_ms.{name}", got.wall_ms, "ms"),
        Figure.reported(f"index.isotropic_recall.{name}", got.recall, "share"),
    ]


# --- a cold search ---


def make_features(library: Library) -> None:
    """Features of every video, drawn at random: what they show does not matter here."""
    (wanted,) = choose(Choice((BACKBONE,), "cpu"))
    stored = StoredFeatures(library, wanted.recipe)
    rng = np.random.default_rng(0)
    ids = dict(library.connection.execute("SELECT number, video_id FROM videos"))
    durations = dict(library.connection.execute("SELECT number, duration FROM videos"))
    with library.writing():
        for number, video_id in ids.items():
            count = int(durations[number] * wanted.rate)
            features = rng.random((count, wanted.backbone.dim)).astype(np.float16)
            times = np.arange(count) / float(wanted.rate)
            one = Features(video_id, features, times, wanted.recipe, durations[number], wanted.rate)
            write(stored.path(video_id), one)
            stored.put(number, SetEnd(State.OK, num_features=count))


def environment(folder: Path) -> dict[str, str]:
    """The environment of a person's shell: compiled modules are kept, in a folder of our own."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder)}


def run(folder: Path, *command: str | Path) -> Spent:
    """What a process takes, from its start to its end.

    Args:
        folder: where compiled modules are kept.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment(folder))
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def make_searched(place: Path, compiled: Path, videos: int) -> None:
    """Write a library with a run of ours, and let plain searches take its pictures, too."""
    howto = Path(sys.executable).with_name("howto")
    make_library(place, videos=videos, lines=LINES)
    run(compiled, howto, "search", "fold the shirt", place)
    with Library.open(place) as library:
        make_features(library)
    run(compiled, howto, "clip", place)
    told = ["--backbone", BACKBONE, "--text-encoder", "learned", "--dim", str(DIM), "--epochs", "1"]
    run(compiled, howto, "train", place, "--name", RUN, "--device", "cpu", *told)
    with Library.open(place) as library, library.writing():
        remember(library, SignalChoice(("words", "pictures"), RUN, "this is a benchmark"))


def cold_search(place: Path, compiled: Path, pairs: int) -> Spent:
    """A repeated search by words and pictures, over help: the medians of both ratios."""
    howto = Path(sys.executable).with_name("howto")
    search = (howto, "search", "fold the shirt", place, "--json")
    printed = subprocess.run(search, check=True, capture_output=True, text=True).stdout
    assert json.loads(printed)["signals"] == ["words", "pictures"], printed[-2000:]
    run(compiled, *search)  # from here on, what it imports is compiled
    run(compiled, howto, "--help")
    taken = [(run(compiled, *search), run(compiled, howto, "--help")) for _ in range(pairs)]
    return Spent(
        statistics.median(one.wall / other.wall for one, other in taken),
        statistics.median(one.cpu / other.cpu for one, other in taken),
    )


def startup_figures(folder: Path, videos: int, pairs: int) -> list[Figure]:
    """Make a library that is searched by words and pictures, and search it."""
    make_searched(folder / "library", folder / "compiled", videos)
    ratio = cold_search(folder / "library", folder / "compiled", pairs)
    name = size_name(videos * LINES)
    return [
        Figure.at_most(f"startup.search_over_help.{name}", ratio.wall, MOST_OVER_HELP),
        Figure.reported(f"startup.search_over_help_cpu.{name}", ratio.cpu),
    ]


def main() -> None:
    quick = parse(__doc__).quick
    small = SMALL_QUICK if quick else SMALL
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        figures = index_figures(folder, small)
        (building,) = (one for one in figures if one.benchmark.startswith("index.build_seconds"))
        figures.append(adding_figure(folder, small, building))
        if not quick:
            figures += isotropic_figures(folder, small)
            figures += index_figures(folder, LARGE)
        videos, pairs = (VIDEOS_QUICK, PAIRS_QUICK) if quick else (VIDEOS, PAIRS)
        figures += startup_figures(folder, videos, pairs)
    emit(figures)


if __name__ == "__main__":
    main()
