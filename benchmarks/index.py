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
    index.recall.<size>         share of the exact best ten that it finds
    index.isotropic_recall.<size>, index.isotropic_p95_ms.<size>    the same of the isotropic set
    index.bytes_per_vector.<size>   of all files of the index
    index.build_seconds.<size>  from vectors in memory to an index that is safe on the disk
    index.add_1pct_over_build.<size>    adding 1% more, in groups of 100, over building
    startup.search_over_help.<size>     a repeated cold `howto search` by words and the pictures of
                                a run of ours, over `howto --help`
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from library_of_clips import make_library
from measure import Figure, emit, median_ratio, parse

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


def build(folder: Path, count: int, *, kinds: bool = True, seed: int = 1) -> float:
    """Build an index; returns seconds, without those in which vectors were drawn."""
    seconds = 0.0
    with IndexWriter(folder, RECIPE, DIM) as writer:
        for part, block in enumerate(drawn(count, seed, kinds=kinds)):
            began = time.perf_counter()
            for first in range(0, len(block), GROUP):
                writer.put(f"{seed}-{part}-{first}", "", block[first : first + GROUP])
            seconds += time.perf_counter() - began
        began = time.perf_counter()
        writer.finish()
        return seconds + time.perf_counter() - began


def asked(folder: Path, *, kinds: bool = True) -> tuple[float, float]:
    """95th percentile of milliseconds, and recall."""
    index = VectorIndex.open(folder, RECIPE)
    assert index is not None
    index.warm()
    queries = np.concatenate(list(drawn(QUERIES, 2, kinds=kinds)))
    for query in queries[:20]:
        index.search(query, WANTED)
    taken, found = [], []
    for query in queries:
        began = time.perf_counter()
        found.append(index.search(query, WANTED).rows)
        taken.append(time.perf_counter() - began)
    exact = scores(index.vectors, queries)
    rows = np.arange(len(exact))
    shares = [
        len(np.intersect1d(one, best(column, rows, WANTED)[0])) / WANTED
        for one, column in zip(found, exact.T, strict=True)
    ]
    return float(np.percentile(taken, 95)) * 1000, float(np.mean(shares))


def reported(name: str, value: float, unit: str) -> Figure:
    """A figure without a goal."""
    return Figure(name, round(value, 3), unit, "none", True)


def size_name(count: int) -> str:
    """Such as 100k or 1m."""
    return f"{count // 1_000_000}m" if count >= 1_000_000 else f"{count // 1000}k"


def index_figures(folder: Path, count: int, *, large: bool) -> list[Figure]:
    """Build an index of so many vectors, ask it, and add to it."""
    name = size_name(count)
    seconds = build(folder / name, count)
    files = sum(path.stat().st_size for path in (folder / name).iterdir())
    milliseconds, recall = asked(folder / name)
    figures = [
        Figure.at_most(f"index.p95_ms.{name}", milliseconds, MOST_MS, "ms"),
        Figure.at_least(f"index.recall.{name}", recall, LEAST_RECALL, "share"),
        reported(f"index.build_seconds.{name}", seconds, "s"),
        reported(f"index.bytes_per_vector.{name}", files / count, "bytes"),
    ]
    if not large:
        adding = build(folder / name, count // 100, seed=3)
        share = adding / seconds
        figures.append(Figure.at_most(f"index.add_1pct_over_build.{name}", share, MOST_ADDING))
        build(folder / "isotropic", count, kinds=False)
        milliseconds, recall = asked(folder / "isotropic", kinds=False)
        figures.append(reported(f"index.isotropic_p95_ms.{name}", milliseconds, "ms"))
        figures.append(reported(f"index.isotropic_recall.{name}", recall, "share"))
    return figures


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


def run(folder: Path, *command: str | Path) -> float:
    """Wall time of a process, from its start to its end.

    Args:
        folder: where compiled modules are kept.
    """
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment(folder))
    return time.perf_counter() - began


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


def cold_search(place: Path, compiled: Path, pairs: int) -> float:
    """A repeated search by words and pictures, over help."""
    howto = Path(sys.executable).with_name("howto")
    search = (howto, "search", "fold the shirt", place, "--json")
    printed = subprocess.run(search, check=True, capture_output=True, text=True).stdout
    assert json.loads(printed)["signals"] == ["words", "pictures"], printed[-2000:]
    return median_ratio(
        lambda: run(compiled, *search), lambda: run(compiled, howto, "--help"), pairs
    )


def main() -> None:
    quick = parse(__doc__).quick
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        figures = index_figures(folder, SMALL_QUICK if quick else SMALL, large=False)
        if not quick:
            figures += index_figures(folder, LARGE, large=True)
        videos, pairs = (VIDEOS_QUICK, PAIRS_QUICK) if quick else (VIDEOS, PAIRS)
        make_searched(folder / "library", folder / "compiled", videos)
        ratio = cold_search(folder / "library", folder / "compiled", pairs)
        name = f"startup.search_over_help.{size_name(videos * LINES)}"
        figures.append(Figure.at_most(name, ratio, MOST_OVER_HELP))
    emit(figures)


if __name__ == "__main__":
    main()
