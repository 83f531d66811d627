"""Feature files: what is written is what is read, whatever the id; and damage is seen."""

import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from howto.errors import LibraryError
from howto.extract.features import (
    Features,
    feature_path,
    read,
    remove_parts,
    safe_name,
    set_folder,
    sets,
    write,
)
from howto.extract.storage import Unreachable
from howto.recipe import Recipe

RECIPE = Recipe.of(backbone="torchvision:r2plus1d_18", dim=4, weights="abc")


def some(video_id: str = "Ab3-dEf_h1J", length: int = 5) -> Features:
    rng = np.random.default_rng(length)
    values = rng.normal(size=(length, 4)).astype(np.float16)
    return Features(video_id, values, np.arange(length) * 0.5, RECIPE, 2.5, Fraction(3, 2))


def test_what_is_written_is_read_without_reading_it_all(tmp_path: Path) -> None:
    path = feature_path(tmp_path, "torchvision:r2plus1d_18", RECIPE, "Ab3-dEf_h1J")
    write(path, some())
    found = read(path)
    assert isinstance(found.features, np.memmap)
    np.testing.assert_array_equal(found.features, some().features)
    np.testing.assert_array_equal(found.times, some().times)
    assert (found.video_id, found.recipe) == ("Ab3-dEf_h1J", RECIPE)
    assert (found.duration, found.rate) == (2.5, Fraction(3, 2))
    np.testing.assert_array_equal(load_file(path)["features"], some().features)


def test_views_of_larger_arrays_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    values = np.arange(80, dtype=np.float16).reshape(10, 8)[::2, ::2]
    times = np.arange(10.0)[::2]
    write(path, Features("a", values, times, RECIPE, 1.0, None))
    np.testing.assert_array_equal(read(path).features, values)
    np.testing.assert_array_equal(read(path).times, times)


def test_where_it_lies(tmp_path: Path) -> None:
    path = feature_path(tmp_path, "torchvision:r2plus1d_18", RECIPE, "abc")
    # sha256("abc") begins with ba78.
    assert path.relative_to(tmp_path) == Path(
        f"torchvision_r2plus1d_18-{RECIPE.short}/ba/abc.safetensors"
    )


@given(st.text(min_size=1))
def test_no_id_leads_out_of_the_folder(video_id: str) -> None:
    path = feature_path(Path("/state"), "net", RECIPE, video_id)
    assert path.parent.parent == set_folder(Path("/state"), "net", RECIPE)
    assert ".." not in path.parts
    assert len(path.name) < 256
    assert not path.name.startswith(".")


@given(st.text(max_size=20), st.text(max_size=20))
def test_other_ids_have_other_names(first: str, second: str) -> None:
    assert (safe_name(first) == safe_name(second)) == (first == second)


def test_an_id_of_any_bytes_comes_back(tmp_path: Path) -> None:
    video_id = "https://example/ü?v=1\udcff" + "x" * 300
    path = feature_path(tmp_path, "net", RECIPE, video_id)
    write(path, some(video_id))
    assert read(path).video_id == video_id


def test_none_for_a_rate_and_no_rows(tmp_path: Path) -> None:
    empty = Features("a", np.empty((0, 4), np.float16), np.empty(0, np.float64), RECIPE, 0.0, None)
    write(tmp_path / "a.safetensors", empty)
    found = read(tmp_path / "a.safetensors")
    assert found.features.shape == (0, 4)
    assert found.rate is None


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: b"\xff" * len(data),
        lambda data: data.replace(b'"F16"', b'"F32"'),
        lambda data: data.replace(b'"video_id"', b'"video_ie"'),
        lambda data: data.replace(b"[5,4]", b"[5,9]"),
    ],
)
def test_damage_is_named(tmp_path: Path, change) -> None:
    path = tmp_path / "a.safetensors"
    write(path, some())
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(LibraryError, match=r"a\.safetensors is damaged or no feature file"):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no feature file"):
        read(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.zeros((2, 4), np.float32), np.zeros(2)),
        (np.zeros(4, np.float16), np.zeros(4)),
        (np.zeros((2, 4), np.float16), np.zeros(3)),
        (np.full((2, 4), np.inf, np.float16), np.zeros(2)),
        (np.zeros((2, 4), np.float16), np.array([0, np.nan])),
    ],
)
def test_what_are_no_features_is_not_written(tmp_path: Path, values, times) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match="expected"):
        write(path, Features("a", values, times, RECIPE, 1.0, None))
    assert list(tmp_path.iterdir()) == []


def test_sets_are_found_on_the_disk(tmp_path: Path) -> None:
    other = Recipe.of(backbone="net", dim=4)
    for recipe, ids in ((RECIPE, "abc"), (other, "ab")):
        for video_id in ids:
            path = feature_path(tmp_path, recipe.parts["backbone"], recipe, video_id)
            write(path, Features(video_id, *arrays_of(some()), recipe, 1.0, None))
    (tmp_path / "stray").mkdir()
    found = {one.backbone: one for one in sets(tmp_path)}
    assert {name: one.files for name, one in found.items()} == {
        "torchvision:r2plus1d_18": 3,
        "net": 2,
    }
    assert found["net"].recipe == other
    assert found["net"].size == sum(
        path.stat().st_size for path in found["net"].folder.glob("*/*.safetensors")
    )


def arrays_of(features: Features) -> tuple[np.ndarray, np.ndarray]:
    return features.features, features.times


def test_half_written_files_are_removed(tmp_path: Path) -> None:
    path = feature_path(tmp_path, "net", RECIPE, "abc")
    write(path, some())
    killed, now = (path.with_name(f".{path.name}.{key}.part") for key in ("1", "2"))
    for part in (killed, now):
        part.write_bytes(b"half")
    os.utime(killed, (time.time() - 90_000,) * 2)
    remove_parts(set_folder(tmp_path, "net", RECIPE))
    assert sorted(path.parent.iterdir()) == [now, path], "another library may be writing it"


@pytest.mark.parametrize("video_id", [".", "..", ".hidden", "../../x", "a/b"])
def test_dots_and_slashes_in_ids_and_names(video_id: str) -> None:
    path = feature_path(Path("/state"), "../../net/x", RECIPE, video_id)
    assert path.parts[:2] == ("/", "state")
    assert len(path.parts) == 5
    assert not path.name.startswith(".")


def test_a_folder_in_a_files_place_costs_that_file(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(LibraryError, match=r"a\.safetensors cannot be read"):
        read(tmp_path / "a.safetensors")


def test_an_error_of_the_disk_says_nothing_of_the_file(tmp_path: Path) -> None:
    """Reading the first bytes of one's own memory is such an error."""
    path = tmp_path / "a.safetensors"
    path.symlink_to("/proc/self/mem")
    with pytest.raises(Unreachable, match=r"a\.safetensors cannot be read: Input/output error"):
        read(path)


@pytest.mark.parametrize("header", [b"[" * 200_000, b"1e999", b"{}", b"[1]"])
def test_a_header_of_anything_costs_that_file(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(LibraryError, match="damaged or no feature file"):
        read(path)


def test_a_cut_file_is_called_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write(path, some())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LibraryError, match="cut off"):
        read(path)


def test_nothing_is_left_of_a_file_that_could_not_be_put_there(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.mkdir()
    with pytest.raises(OSError, match="irectory"):
        write(path, some())
    assert [*tmp_path.iterdir()] == [path]
