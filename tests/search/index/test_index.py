"""An index on the disk: groups in and out, refusals, damage, and a kill at any instant."""

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howto.errors import LibraryError, RecipeMismatch
from howto.recipe import Recipe
from howto.search.index import manifest as manifest_module
from howto.search.index import vectors as vectors_module
from howto.search.index import writer as writer_module
from howto.search.index.approximate import is_installed
from howto.search.index.manifest import index_folder, read_manifest
from howto.search.index.vectors import VectorIndex
from howto.search.index.writer import IndexWriter

RECIPE = Recipe.of(model="one", version=1)
DIM = 8


def vectors_of(name: str, stamp: str, count: int = 3) -> np.ndarray:
    """Vectors that name and stamp alone determine."""
    rng = np.random.default_rng([*f"{name}/{stamp}".encode()])
    return rng.normal(size=(count, DIM)).astype(np.float16).astype(np.float32)


def fill(folder: Path, groups: dict[str, tuple[str, int]], recipe: Recipe = RECIPE) -> None:
    """Make the index hold these groups: stamp and count by name."""
    with IndexWriter(folder, recipe, DIM) as writer:
        for name in [name for name in writer.groups if name not in groups]:
            writer.take_out(name)
        for name, (stamp, count) in groups.items():
            if name not in writer.groups or writer.groups[name].stamp != stamp:
                writer.put(name, stamp, vectors_of(name, stamp, count))
        writer.finish()


def content(folder: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Stamp and vectors of each group, through a fresh look."""
    index = VectorIndex.open(folder, RECIPE)
    assert index is not None
    return {
        name: (group.stamp, np.array(index.vectors[group.first : group.first + group.count]))
        for name, group in index.manifest.groups.items()
    }


def check(folder: Path, groups: dict[str, tuple[str, int]]) -> None:
    found = content(folder)
    assert found.keys() == groups.keys()
    for name, (stamp, count) in groups.items():
        assert found[name][0] == stamp
        np.testing.assert_array_equal(found[name][1], vectors_of(name, stamp, count))


def test_groups_come_go_and_change(tmp_path: Path) -> None:
    assert VectorIndex.open(tmp_path) is None
    fill(tmp_path, {"a": ("1", 3), "b": ("1", 2)})
    fill(tmp_path, {"b": ("1", 2), "c": ("1", 4)})
    check(tmp_path, {"b": ("1", 2), "c": ("1", 4)})
    fill(tmp_path, {"b": ("2", 5), "c": ("1", 4)})
    check(tmp_path, {"b": ("2", 5), "c": ("1", 4)})
    assert read_manifest(tmp_path).rows == 3 + 2 + 4 + 5  # the dead ones are still there


def test_search_by_hand(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, RECIPE, 2) as writer:
        writer.put("gone", "1", np.array([[9.0, 9.0]], np.float32))
        writer.put("a", "1", np.array([[1, 0], [0, 1]], np.float32))
        writer.put("b", "1", np.array([[2, 0], [0.5, 0.5], [1, 0]], np.float32))
        writer.take_out("gone")
        writer.finish()
    index = VectorIndex.open(tmp_path, RECIPE)
    found = index.search(np.array([1, 0], np.float32), 3)
    assert index.places(found.rows) == [("b", 0), ("a", 0), ("b", 2)]
    assert found.scores.tolist() == [2, 1, 1]
    inside = index.search(np.array([0, 1], np.float32), 9, names={"a", "gone", "unheard of"})
    assert index.places(inside.rows) == [("a", 1), ("a", 0)]
    assert len(index.search(np.array([0, 1], np.float32), 9, names=()).rows) == 0
    with pytest.raises(ValueError, match="is in no group"):
        index.places([0])
    with pytest.raises(ValueError, match="expected 2 finite values"):
        index.search(np.array([1, np.nan], np.float32), 1)


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from("12"), st.just(2))),
        min_size=1,
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_any_changes_leave_what_was_last_wanted(tmp_path_factory, states, chance) -> None:
    folder = tmp_path_factory.mktemp("index")
    for state in states:
        fill(folder, state)
        check(folder, state)
    index = VectorIndex.open(folder, RECIPE)
    alive = set(np.flatnonzero(index.alive).tolist())
    rows = [
        row for g in index.manifest.groups.values() for row in range(g.first, g.first + g.count)
    ]
    assert alive == set(rows)


def test_dead_rows_are_swept_away_when_they_are_many(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(writer_module, "_MOST_DEAD", 5)
    fill(tmp_path, dict.fromkeys("abcd", ("1", 3)))
    before = VectorIndex.open(tmp_path, RECIPE)
    fill(tmp_path, {"b": ("1", 3), "d": ("1", 3)})
    manifest = read_manifest(tmp_path)
    assert (manifest.generation, manifest.rows) == (1, 6)
    check(tmp_path, {"b": ("1", 3), "d": ("1", 3)})
    assert [path.name for path in tmp_path.glob("vectors-*")] == ["vectors-1.f16"]
    # Who had it open still sees what was there then.
    first = before.manifest.groups["a"].first
    np.testing.assert_array_equal(before.vectors[first : first + 3], vectors_of("a", "1"))


def test_another_recipe_is_refused_and_the_keys_are_named(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ("1", 3)})
    other = Recipe.of(model="one", version=2)
    with pytest.raises(RecipeMismatch, match=r"version: 1 \| 2"):
        VectorIndex.open(tmp_path, other)
    with pytest.raises(RecipeMismatch, match=r"version: 1 \| 2"), IndexWriter(tmp_path, other, DIM):
        pass
    check(tmp_path, {"a": ("1", 3)})
    with IndexWriter(tmp_path, other, DIM, anew=True) as writer:
        assert not writer.groups
        writer.put("z", "1", vectors_of("z", "1"))
        writer.commit()
    assert set(VectorIndex.open(tmp_path, other).manifest.groups) == {"z"}


@pytest.mark.parametrize("tables", [0, 1, 2])
def test_a_database_without_its_first_transaction_is_no_index_and_no_damage(
    tmp_path: Path, tables: int
) -> None:
    """As a kill in the first build leaves it, and as another process sees it meanwhile."""
    with sqlite3.connect(tmp_path / "index.db") as connection:
        connection.execute("PRAGMA user_version = 0")
        for statement in manifest_module._TABLES.split(";")[:tables]:
            connection.execute(statement)
    connection.close()
    assert (tmp_path / "index.db").exists()
    assert read_manifest(tmp_path) is None
    assert VectorIndex.open(tmp_path, RECIPE) is None
    fill(tmp_path, {"a": ("1", 3)})
    check(tmp_path, {"a": ("1", 3)})


def test_what_was_not_committed_is_gone(tmp_path: Path) -> None:
    fill(tmp_path, {"a": ("1", 3)})
    with IndexWriter(tmp_path, RECIPE, DIM) as writer:
        writer.put("b", "1", vectors_of("b", "1"))
    check(tmp_path, {"a": ("1", 3)})
    fill(tmp_path, {"a": ("1", 3), "c": ("1", 3)})
    check(tmp_path, {"a": ("1", 3), "c": ("1", 3)})


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("vectors-0.f16", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("vectors-0.f16", Path.unlink),
        ("index.db", lambda path: path.write_bytes(b"no database at all, but long enough")),
        ("index.db", lambda path: path.write_bytes(path.read_bytes()[:3000])),
    ],
)
def test_damage_is_told_and_made_anew(tmp_path: Path, file: str, damage) -> None:
    fill(tmp_path, {"a": ("1", 3)})
    damage(tmp_path / file)
    with pytest.raises(LibraryError, match="Delete the folder"):
        VectorIndex.open(tmp_path, RECIPE)
    with pytest.raises(LibraryError), IndexWriter(tmp_path, RECIPE, DIM):
        pass
    with IndexWriter(tmp_path, RECIPE, DIM, anew=True) as writer:
        writer.put("b", "1", vectors_of("b", "1"))
        writer.finish()
    check(tmp_path, {"b": ("1", 3)})


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_values_that_do_not_fit_are_refused(tmp_path: Path, value: float) -> None:
    with (
        IndexWriter(tmp_path, RECIPE, DIM) as writer,
        pytest.raises(ValueError, match="not finite as float16"),
    ):
        writer.put("a", "1", np.full((1, DIM), value, np.float32))


@pytest.mark.parametrize("name", ["main", "clip:ViT-B-32.openai", "../x", "..", ".hidden", "a/b"])
def test_a_model_of_any_name_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    folder = index_folder(tmp_path, name)
    assert folder.resolve().parent == tmp_path / "index"


# --- kills ---

WORKER = """
    import random, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    import test_index as here
    from howto.search.index import writer as module
    module._MOST_DEAD = 40
    module.APPROXIMATE_FROM = 100
    if module.is_installed():
        import faiss  # before the first kill may come
    module._MOST_UNCOVERED = 100
    chance = random.Random(int(sys.argv[3]))
    print("ready", flush=True)
    while True:
        names = chance.sample([f"v{one}" for one in range(40)], chance.randint(5, 35))
        here.fill(Path(sys.argv[2]), {name: (chance.choice("12"), 15) for name in names})
"""


@pytest.mark.parametrize("kills", [5, pytest.param(40, marks=pytest.mark.long)])
def test_a_kill_at_any_instant_leaves_a_whole_index(tmp_path: Path, monkeypatch, kills) -> None:
    # So few rows would be searched exactly whatever the cells hold.
    monkeypatch.setattr(vectors_module, "_FEW_ROWS", 20)
    monkeypatch.setattr(vectors_module, "_QUICK_VALUES", 0)
    by_cells = 0
    folder = tmp_path / "index"
    chance = random.Random(0)
    generations = set()
    for attempt in range(60):
        # On a busy machine the first kills may all come before there is anything to lose.
        if attempt >= kills and len(generations) > 1 and (by_cells or not is_installed()):
            break
        command = [sys.executable, "-c", textwrap.dedent(WORKER)]
        worker = subprocess.Popen(
            [*command, str(Path(__file__).parent), str(folder), str(attempt)],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0, 0.8))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        index = VectorIndex.open(folder, RECIPE) if folder.exists() else None
        if index is None:
            continue
        generations.add(index.manifest.generation)
        for name, (stamp, vectors) in content(folder).items():
            np.testing.assert_array_equal(vectors, vectors_of(name, stamp, 15))
        query = vectors_of("query", "1", 1)[0]
        found, exact = index.search(query, 5), index.search(query, 5, exact=True)
        by_cells += "_cells" in vars(index)
        assert np.isin(found.rows, np.flatnonzero(index.alive)).all()
        np.testing.assert_array_equal(found.scores, index.scores_of(found.rows, query))
        assert len(np.intersect1d(found.rows, exact.rows)) >= 3
    if is_installed():
        assert by_cells > 0, "no kill left cells to be searched"
    assert len(generations) > 1, "no kill came while rows were being swept"
    fill(folder, {"last": ("1", 15)})
    check(folder, {"last": ("1", 15)})
    used = {"index.db", "index.lock", f"vectors-{read_manifest(folder).generation}.f16"}
    approximate = read_manifest(folder).approximate
    used |= {piece.file for piece in approximate.pieces} if approximate else set()
    assert {path.name for path in folder.iterdir()} == used
