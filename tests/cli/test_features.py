"""`howto features`: list, export and import."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def films(tmp_path: Path, small_video) -> Path:
    (tmp_path / "films").mkdir()
    small_video(tmp_path / "films" / "a.mp4", seconds=5)
    return tmp_path / "films"


def test_out_and_in_again(cli, films: Path, tmp_path: Path) -> None:
    cli("extract", films, "--backbone", "template-mean-colour", "--workers", "1")
    out = tmp_path / "out"
    ran = cli("features", "export", "-L", films, "--to", out, "--json")
    assert (ran.code, ran.json["videos"]) == (0, 1)
    (file,) = out.glob("*.npy")
    options = ("--backbone", "mean-colour", "--rate", "1")
    ran = cli("features", "import", out, "-L", films, *options)
    assert ran.code == 0
    assert "1 known by id" in ran.out
    # Now there are two sets, and which one is meant must be said.
    ambiguous = cli("features", "export", "-L", films, "--to", tmp_path / "more")
    assert ambiguous.code == 2
    assert "mean-colour (" in ambiguous.err
    chosen = ("--backbone", "mean-colour", "--to", tmp_path / "more")
    assert cli("features", "export", "-L", films, *chosen).code == 0
    (again,) = (tmp_path / "more").glob("*.npy")
    assert again.name == file.name
    np.testing.assert_array_equal(np.load(again), np.load(file))


def test_nothing_yet(cli, films: Path, tmp_path: Path) -> None:
    cli("search", "x", films)
    assert "No features yet" in cli("features", "-L", films).out
    ran = cli("features", "export", "-L", films, "--to", tmp_path / "out")
    assert ran.code == 2
    assert "no features" in ran.err


def test_a_folder_that_is_damaged_in_part_is_taken_in_part(cli, films: Path, tmp_path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "a.npy", np.ones((5, 4), np.float16))
    (folder / "b.npy").write_bytes(b"half")
    ran = cli("features", "import", folder, "-L", films, "--backbone", "resnet152", "--json")
    assert ran.code == 1
    assert ran.json["sets"][0]["files"] == 1
    assert ran.json["lost"][0].startswith("b: ")
    assert "Failed: b: " in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import",), "name what to import"),
        (("export",), "--to DIR"),
        (("list", "x"), "only import takes a source"),
        (("import", "x", "--to", "y"), "--to"),
        (("import", "none.npy"), "expected a folder"),
        (("import", "none.npy", "--rate", "x"), "--rate x"),
        (("sell",), "sell"),
    ],
)
def test_wrong_usage(cli, films: Path, arguments, said: str) -> None:
    cli("search", "x", films)
    ran = cli("features", *arguments, "-L", films)
    assert ran.code == 2
    assert said in ran.err
