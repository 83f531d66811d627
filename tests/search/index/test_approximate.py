"""The approximate index against exact search: recall, rows that wait or are dead, and filters."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from howto.recipe import Recipe
from howto.search.index import approximate as approximate_module
from howto.search.index import vectors as vectors_module
from howto.search.index import writer as writer_module
from howto.search.index.manifest import read_manifest
from howto.search.index.vectors import Found, VectorIndex
from howto.search.index.writer import IndexWriter

pytest.importorskip("faiss", reason="pip install 'howto[index]'")

RECIPE = Recipe.of(model="one")
DIM, PER_GROUP = 32, 50
CENTRES = np.random.default_rng(1).normal(size=(40, DIM))


def mixture(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = CENTRES[rng.integers(0, len(CENTRES), count)] + 0.7 * rng.normal(size=(count, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made at 50,000 rows is made at some thousand."""
    monkeypatch.setattr(writer_module, "APPROXIMATE_FROM", 2000)
    monkeypatch.setattr(writer_module, "_MOST_UNCOVERED", 600)
    monkeypatch.setattr(vectors_module, "_FEW_ROWS", 300)


def add(folder: Path, groups: range) -> None:
    with IndexWriter(folder, RECIPE, DIM) as writer:
        for group in groups:
            writer.put(f"v{group:03}", "1", mixture(PER_GROUP, 100 + group))
        writer.finish()


def take_out(folder: Path, groups: range) -> None:
    with IndexWriter(folder, RECIPE, DIM) as writer:
        for group in groups:
            writer.take_out(f"v{group:03}")
        writer.finish()


def opened(folder: Path) -> VectorIndex:
    index = VectorIndex.open(folder, RECIPE)
    assert index is not None
    index.warm()
    return index


def recall(index: VectorIndex, names: set[str] | None = None) -> float:
    """The share of the exact best ten that is found; found scores are exact in any case."""
    shares = []
    for query in mixture(50, 7):
        found = index.search(query, 10, names=names)
        exact = index.search(query, 10, names=names, exact=True)
        shares.append(len(set(found.rows.tolist()) & set(exact.rows.tolist())) / len(exact.rows))
        np.testing.assert_allclose(
            found.scores, np.asarray(index.vectors[found.rows], np.float32) @ query, atol=1e-5
        )
    return float(np.mean(shares))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the cells were asked, of each search that was not exact."""
    calls: list[bool] = []
    near = VectorIndex._near

    def spy(self, cells, query, count, allowed):
        calls.append(allowed is None)
        return near(self, cells, query, count, allowed)

    monkeypatch.setattr(VectorIndex, "_near", spy)
    return calls


def test_there_is_none_before_it_pays(tmp_path: Path) -> None:
    add(tmp_path, range(20))
    assert read_manifest(tmp_path).approximate is None
    add(tmp_path, range(20, 60))
    assert read_manifest(tmp_path).approximate.rows == 60 * PER_GROUP


def test_the_best_are_found(tmp_path: Path, asked: list[bool]) -> None:
    add(tmp_path, range(100))
    assert recall(opened(tmp_path)) >= 0.95
    assert asked == [True] * 50


def test_rows_that_are_in_no_cell_yet_are_found(tmp_path: Path, asked: list[bool]) -> None:
    add(tmp_path, range(100))
    before = read_manifest(tmp_path).approximate
    add(tmp_path, range(100, 110))
    assert read_manifest(tmp_path).approximate == before
    index = opened(tmp_path)
    assert recall(index) >= 0.95
    assert asked == [True] * 50
    newest = index.manifest.groups["v109"].first
    query = np.asarray(index.vectors[newest], np.float32)
    assert index.search(query, 1).rows.tolist() == [newest]


def test_many_of_them_go_into_cells_and_twice_as_many_choose_cells_anew(tmp_path: Path) -> None:
    add(tmp_path, range(50))
    first = read_manifest(tmp_path).approximate
    add(tmp_path, range(50, 65))
    extended = read_manifest(tmp_path).approximate
    assert (extended.rows, extended.cells) == (65 * PER_GROUP, first.cells)
    assert recall(opened(tmp_path)) >= 0.95
    add(tmp_path, range(65, 110))
    assert read_manifest(tmp_path).approximate.cells.rows == 110 * PER_GROUP
    assert {path.name for path in tmp_path.glob("*.faiss")} == {
        "cells-0-5500.faiss",
        "shard-0-0-5500.faiss",
    }


def test_dead_rows_and_other_groups_are_not_found(tmp_path: Path, asked: list[bool]) -> None:
    add(tmp_path, range(100))
    take_out(tmp_path, range(0, 100, 10))
    index = opened(tmp_path)
    assert recall(index) >= 0.95
    names = {f"v{group:03}" for group in range(0, 100, 3)}
    assert recall(index, names) >= 0.95
    assert asked == [False] * 100

    def groups_of(found: Found) -> set[str]:
        return {name for name, _ in index.places(found.rows)}

    for query in mixture(20, 8):
        assert groups_of(index.search(query, 30, names=names)) <= names
        assert all(int(name[1:]) % 10 for name in groups_of(index.search(query, 30)))


def test_few_allowed_rows_are_looked_at_one_by_one(tmp_path: Path, asked: list[bool]) -> None:
    add(tmp_path, range(100))
    index = opened(tmp_path)
    assert recall(index, {"v003", "v050"}) == 1
    assert asked == []


@pytest.mark.parametrize("part", ["cells", "shard"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut off")])
def test_without_its_file_search_is_exact_and_the_next_writer_mends_it(
    tmp_path: Path, damage, part: str, asked: list[bool]
) -> None:
    add(tmp_path, range(100))
    (file,) = tmp_path.glob(f"{part}-*")
    damage(file)
    assert recall(opened(tmp_path)) == 1
    assert asked == []
    add(tmp_path, range(100, 101))
    assert read_manifest(tmp_path).approximate.rows == 101 * PER_GROUP
    assert recall(opened(tmp_path)) >= 0.95
    assert asked


def test_the_same_vectors_make_the_same_cells(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        add(tmp_path / name, range(60))
        approximate = read_manifest(tmp_path / name).approximate
        pieces = [tmp_path / name / piece.file for piece in approximate.pieces]
        files.append([path.read_bytes() for path in pieces])
    assert files[0] == files[1]


def test_without_faiss_search_is_exact(tmp_path: Path, monkeypatch, asked: list[bool]) -> None:
    monkeypatch.setattr(writer_module, "is_installed", lambda: False)
    monkeypatch.setattr(vectors_module, "is_installed", lambda: False)
    add(tmp_path, range(60))
    assert read_manifest(tmp_path).approximate is None
    assert recall(opened(tmp_path)) == 1
    assert asked == []


# --- shards ---


def shards_of(folder: Path) -> list[int]:
    return [shard.rows for shard in read_manifest(folder).approximate.shards]


def add_in_shards(folder: Path, groups: range, shard_rows: int) -> None:
    with IndexWriter(folder, RECIPE, DIM, shard_rows=shard_rows) as writer:
        for group in groups:
            writer.put(f"v{group:03}", "1", mixture(PER_GROUP, 100 + group))
        writer.finish()


def test_shards_answer_as_one_index_does(tmp_path: Path, asked: list[bool]) -> None:
    add_in_shards(tmp_path / "one", range(100), 1_000_000)
    add_in_shards(tmp_path / "many", range(100), 1200)
    assert shards_of(tmp_path / "one") == [5000]
    assert shards_of(tmp_path / "many") == [1200, 1200, 1200, 1200, 200]
    one, many = opened(tmp_path / "one"), opened(tmp_path / "many")
    for query in mixture(40, 9):
        assert many.search(query, 10).rows.tolist() == one.search(query, 10).rows.tolist()
    assert recall(many) >= 0.95
    assert all(asked)


def test_rows_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_in_shards(tmp_path / "whole", range(60), 1200)
    monkeypatch.setattr(approximate_module, "_CHUNK", 70)
    add_in_shards(tmp_path / "pieces", range(60), 1200)
    pieces = read_manifest(tmp_path / "whole").approximate.pieces
    assert pieces == read_manifest(tmp_path / "pieces").approximate.pieces
    for piece in pieces:
        first, second = (tmp_path / name / piece.file for name in ("whole", "pieces"))
        assert first.read_bytes() == second.read_bytes()


def test_what_comes_later_fills_the_last_shard_and_leaves_the_others(tmp_path: Path) -> None:
    add_in_shards(tmp_path, range(50), 1200)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*")}
    add_in_shards(tmp_path, range(50, 80), 1200)
    assert shards_of(tmp_path) == [1200, 1200, 1200, 400]
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*")}
    assert len(before.items() & after.items()) == 2  # those that were full
    index = opened(tmp_path)
    assert recall(index) >= 0.95
    newest = index.manifest.groups["v079"].first
    query = np.asarray(index.vectors[newest], np.float32)
    assert index.search(query, 1).rows.tolist() == [newest]


def test_what_is_taken_out_is_found_in_no_shard(tmp_path: Path) -> None:
    add_in_shards(tmp_path, range(100), 1200)
    take_out(tmp_path, range(0, 100, 7))
    index = opened(tmp_path)
    assert len(index.manifest.approximate.shards) == 5
    assert recall(index) >= 0.95
    gone = {f"v{group:03}" for group in range(0, 100, 7)}
    for query in mixture(20, 8):
        places = index.places(index.search(query, 30).rows)
        assert len(places) == 30
        assert not gone & {name for name, _ in places}


def test_few_rows_wait_outside_however_large_the_index_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_MOST_UNCOVERED", 60)
    add(tmp_path, range(100))
    add(tmp_path, range(100, 101))
    assert sum(shards_of(tmp_path)) == 100 * PER_GROUP  # each query looks at the 50 others
    add(tmp_path, range(101, 102))
    assert sum(shards_of(tmp_path)) == 102 * PER_GROUP


BUILDER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    import test_approximate as here
    from howto.search.index import writer
    writer.APPROXIMATE_FROM, writer._MOST_UNCOVERED = 2000, 600
    write = writer.write_shard
    def slowly(path, *arguments):
        write(path, *arguments)
        print("written", flush=True)
        sys.stdin.readline()
    writer.write_shard = slowly
    here.add_in_shards(Path(sys.argv[2]), range(int(sys.argv[3]), int(sys.argv[4])), 1200)
"""


def kill_at_shard(folder: Path, groups: range, number: int) -> None:
    """Build, and be killed when so many shards are written but the last is not put in its place."""
    arguments = [Path(__file__).parent, folder, groups.start, groups.stop]
    command = [sys.executable, "-c", textwrap.dedent(BUILDER), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        for left in range(number - 1, -1, -1):
            assert worker.stdout.readline() == b"written\n"
            if left:
                worker.stdin.write(b"\n")
                worker.stdin.flush()
        worker.kill()


def test_a_kill_while_shards_are_built_keeps_those_that_were(tmp_path: Path) -> None:
    kill_at_shard(tmp_path, range(100), 3)
    assert shards_of(tmp_path) == [1200, 1200]
    assert recall(opened(tmp_path)) >= 0.95  # what is in no shard is looked at one by one
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*.faiss")}
    with IndexWriter(tmp_path, RECIPE, DIM, shard_rows=1200) as writer:
        writer.finish()
    assert shards_of(tmp_path) == [1200, 1200, 1200, 1200, 200]
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*.faiss")}
    assert kept.items() <= after.items()
    assert not list(tmp_path.glob("*.part"))
    assert recall(opened(tmp_path)) >= 0.95


def test_a_kill_while_cells_are_chosen_anew_leaves_the_old_index(tmp_path: Path) -> None:
    add_in_shards(tmp_path, range(45), 1200)
    before = read_manifest(tmp_path).approximate
    kill_at_shard(tmp_path, range(45, 100), 3)
    assert read_manifest(tmp_path).approximate == before
    index = opened(tmp_path)
    assert index.manifest.rows > 2 * before.rows
    assert recall(index) >= 0.95
    with IndexWriter(tmp_path, RECIPE, DIM, shard_rows=1200) as writer:
        writer.finish()
    assert read_manifest(tmp_path).approximate.rows == index.manifest.rows
    assert {path.name for path in tmp_path.glob("*.faiss*")} == {
        piece.file for piece in read_manifest(tmp_path).approximate.pieces
    }
