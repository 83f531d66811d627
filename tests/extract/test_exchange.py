"""Features out to others' forms and in from theirs: the values stay, and nothing is executed."""

import csv
import io
import json
import os
import pickle
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import UsageError
from howto.extract.export import FORMS, export_features
from howto.extract.features import Features, read
from howto.extract.imports import import_features
from howto.extract.stage import extract_videos
from howto.extract.store import StoredFeatures, feature_sets
from howto.library import Library

from .conftest import PlainBackbone, wanted_of


@pytest.fixture
def stored(library: Library) -> StoredFeatures:
    wanted = wanted_of(PlainBackbone())
    extract_videos(library, [wanted], workers=1)
    return StoredFeatures(library, wanted.recipe)


def contents(stored: StoredFeatures) -> dict[str, Features]:
    found = [read(path) for path in stored.folder.glob("*/*.safetensors")]
    return {one.video_id: one for one in found}


def read_npy(folder: Path):
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}, None


def read_npz(folder: Path):
    found = {path.stem: np.load(path) for path in folder.glob("*.npz")}
    told = json.loads(str(next(iter(found.values()))["told"]))
    assert told["recipe"]["backbone"] == "plain"
    return {k: v["features"] for k, v in found.items()}, {k: v["times"] for k, v in found.items()}


def read_parquet(folder: Path):
    from pyarrow import parquet

    (path,) = folder.glob("*.parquet")
    table = parquet.read_table(path)
    assert json.loads(table.schema.metadata[b"recipe"])["backbone"] == "plain"
    features: dict[str, list] = {}
    times: dict[str, list] = {}
    for row in table.to_pylist():
        assert row["position"] == len(features.setdefault(row["video_id"], []))
        features[row["video_id"]].append(row["feature"])
        times.setdefault(row["video_id"], []).append(row["time"])
    return {k: np.array(v, np.float16) for k, v in features.items()}, times


def read_hdf5(folder: Path):
    import h5py

    with h5py.File(folder / "features.h5") as file:
        assert all(json.loads(one.attrs["recipe"])["dim"] == 3 for one in file.values())
        features = {one.attrs["video_id"]: one["features"][:] for one in file.values()}
        return features, {one.attrs["video_id"]: one["times"][:] for one in file.values()}


def read_webdataset(folder: Path):
    features, times = {}, {}
    with tarfile.open(folder / "features-000000.tar") as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}
    for name, data in files.items():
        if name.endswith(".json"):
            key, told = name.partition(".")[0], json.loads(data)
            features[told["video_id"]] = np.load(io.BytesIO(files[f"{key}.features.npy"]))
            times[told["video_id"]] = np.load(io.BytesIO(files[f"{key}.times.npy"]))
    return features, times


READERS = {
    "npy": read_npy,
    "npz": read_npz,
    "parquet": read_parquet,
    "hdf5": read_hdf5,
    "webdataset": read_webdataset,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_what_the_library_does(
    library: Library, stored: StoredFeatures, tmp_path: Path, form: str
) -> None:
    exported = export_features(library, stored, form, tmp_path / "out")
    assert (exported.videos, exported.lost) == (3, ())
    features, times = READERS[form](tmp_path / "out")
    held = contents(stored)
    assert features.keys() == held.keys()
    for video_id, one in held.items():
        assert features[video_id].dtype == np.float16
        np.testing.assert_array_equal(features[video_id], one.features)
        if times is not None:
            np.testing.assert_array_equal(times[video_id], one.times)
    with (tmp_path / "out" / "videos.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["video"] for row in rows} == {"a.mp4", "b.mp4", "c.mp4"}
    assert all((tmp_path / "out" / row["file"]).exists() for row in rows)
    with pytest.raises(UsageError, match="there already"):
        export_features(library, stored, form, tmp_path / "out")


def test_a_damaged_file_is_named_and_the_others_exported(
    library: Library, stored: StoredFeatures, tmp_path: Path
) -> None:
    damaged = next(stored.folder.glob("*/*.safetensors"))
    damaged.write_bytes(b"half")
    exported = export_features(library, stored, "npy", tmp_path / "out")
    assert exported.videos == 2
    assert damaged.name in exported.lost[0]


def test_an_unknown_form_is_refused(library: Library, stored: StoredFeatures, tmp_path) -> None:
    with pytest.raises(UsageError, match="npz"):
        export_features(library, stored, "mat", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Import.


def test_the_authors_folders_come_in_unchanged(library: Library, tmp_path: Path) -> None:
    """Half of the ids are file names, as where somebody else downloaded the videos."""
    rng = np.random.default_rng(0)
    ids = [library.video(1, library.folder).video_id, "b", "Ab3dEfGh1Jk"]
    # The second time the id of a video that is not here is known from the first.
    for folder, rate, name, known in (
        ("2d", 1, "resnet152", (1, 1, 1)),
        ("3d", 1.5, "resnext101-3d", (2, 1, 0)),
    ):
        (tmp_path / folder).mkdir()
        arrays = {one: rng.normal(size=(9, 2048)).astype(np.float16) for one in ids}
        for one, array in arrays.items():
            np.save(tmp_path / folder / f"{one}.npy", array)
        done = import_features(library, tmp_path / folder, backbone=name)
        assert (done.by_id, done.by_name, done.unknown) == known
        assert done.lost == ()
        ((stored, count),) = done.sets
        assert count == 3
        found = contents(stored)
        of_b = library.video(library.number_of_file("b.mp4"), library.folder).video_id
        for one, array in arrays.items():
            held = found[of_b if one == "b" else one]
            np.testing.assert_array_equal(held.features, array)
            np.testing.assert_allclose(held.times, np.arange(9) / rate)
            assert held.rate == Fraction(rate)
    assert [stored.backbone for stored, _ in feature_sets(library)] == [
        "resnet152",
        "resnext101-3d",
    ]


STREAMS = {
    "2d": {"video7020": torch.arange(4.0), "video7021": torch.ones(4)},
    "3d": {"video7020": torch.arange(6.0), "video7021": torch.zeros(6)},
}


@pytest.mark.parametrize("make", [lambda one: one, lambda one: one.numpy()])
def test_pth_sets_of_tensors_or_arrays(library: Library, tmp_path: Path, make) -> None:
    """MSRVTT_train.pth and the like: one vector of each network a clip."""
    held = {key: {name: make(v) for name, v in of.items()} for key, of in STREAMS.items()}
    torch.save(held, tmp_path / "MSRVTT_train.pth")
    done = import_features(library, tmp_path / "MSRVTT_train.pth")
    assert [(stored.backbone, count) for stored, count in done.sets] == [
        ("resnet152", 2),
        ("resnext101-3d", 2),
    ]
    found = contents(done.sets[1][0])["video7020"]
    assert found.features.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert found.rate is None
    assert done.unknown == 2


def test_pkl_sets_of_rows(library: Library, tmp_path: Path) -> None:
    """youcook_val.pkl: a list of rows, of which several may be clips of one video."""
    rows = [
        {
            "2d": np.full(4, k, np.float32),
            "3d": np.full(6, k, np.float32),
            "caption": "cut",
            "id": i,
        }
        for k, i in enumerate(("GLd3aX16zBg", "GLd3aX16zBg", "xHr8X2Wpmno"))
    ]
    (tmp_path / "youcook_val.pkl").write_bytes(pickle.dumps(rows))
    done = import_features(library, tmp_path / "youcook_val.pkl")
    found = contents(done.sets[0][0])
    assert {name: one.features[0, 0] for name, one in found.items()} == {
        "GLd3aX16zBg": 0,
        "GLd3aX16zBg#1": 1,
        "xHr8X2Wpmno": 2,
    }


class Trap:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_nothing_is_executed_unless_trusted(library: Library, tmp_path: Path) -> None:
    trap = tmp_path / "trapped"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([{"2d": [1.0, 2.0], "id": "a", "x": Trap(trap)}]))
    torch.save({"2d": {"a": Trap(trap)}}, tmp_path / "a.pth")
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "a.npy", np.array([Trap(trap)], object), allow_pickle=True)
    for source in ("a.pkl", "a.pth", "arrays"):
        with pytest.raises(UsageError):
            import_features(library, tmp_path / source, backbone=None if "." in source else "x")
        assert not trap.exists()
    done = import_features(library, tmp_path / "a.pkl", trust_pickle=True)
    assert trap.exists()
    assert done.sets[0][1] == 1


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({}, "holds no features"),
        ([{"caption": "no id"}], "row 0"),
        ({"2d": [1, 2]}, "expected arrays by id"),
        ("text", "expected arrays by id"),
        ({"a": [1.0, 2.0]}, "does not say what made"),
    ],
)
def test_other_forms_are_refused(library: Library, tmp_path: Path, held, said: str) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(UsageError, match=said):
        import_features(library, tmp_path / "a.pkl")


def test_what_is_wrong_in_a_folder_costs_itself(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    good = np.ones((5, 8), np.float32)
    for name, array in {
        "a": good,
        "cube": np.ones((2, 2, 2)),
        "longer": np.ones((5, 9)),
        "none": np.ones((0, 8)),
        "text": np.array(["x"]),
        "large": good * 1e9,
    }.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "damaged.npy").write_bytes(b"half")
    with pytest.raises(UsageError, match="--rate"):
        import_features(library, folder, backbone="some-net")
    done = import_features(library, folder, backbone="some-net", rate=Fraction(2))
    assert done.sets[0][1] == 1
    assert sorted(one.partition(":")[0] for one in done.lost) == [
        "cube",
        "damaged",
        "large",
        "longer",
        "none",
        "text",
    ]
    assert (done.by_name, done.unknown) == (1, 0)


def test_real_features_of_other_extractors(
    library: Library, tmp_path: Path, shared_data: Path
) -> None:
    """Reference features of a real video, as arrays; their own files hold foreign classes."""
    for name, shape, rate in (
        ("resnet101_1_1_resnet", (18, 2048), Fraction(1)),
        ("ViT-B_32_1_5_clip", (90, 512), Fraction(5)),
        ("None_None_None_s3d", (7, 1024), Fraction(19)),
    ):
        path = shared_data / "reference" / f"v_GGSY1Qvo990_{name}.pt"
        with pytest.raises(UsageError, match="--trust-pickle"):
            import_features(library, path, backbone="x", rate=rate)
        array = reference_array(path)
        assert array.shape == shape
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "v_GGSY1Qvo990.npy", array)
        done = import_features(library, folder, backbone="reference", rate=rate)
        found = contents(done.sets[0][0])["v_GGSY1Qvo990"]
        np.testing.assert_array_equal(found.features, array.astype(np.float16))


class Inert:
    """Stands for whatever class a pickle names; does nothing, whatever is asked of it."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class OfNumpyAlone(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if module.partition(".")[0] == "numpy":
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return lambda text, _: text.encode("latin1")
        return Inert


def reference_array(path: Path) -> np.ndarray:
    """`data` of a file that torch saved together with settings of a foreign class."""
    with zipfile.ZipFile(path) as archive:
        return OfNumpyAlone(io.BytesIO(archive.read("archive/data.pkl"))).load()["data"]
