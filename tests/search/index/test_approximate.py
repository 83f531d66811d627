"""The approximate index against exact search: recall, rows that wait or are dead, and filters."""

from pathlib import Path

import numpy as np
import pytest

from howto.recipe import Recipe
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
