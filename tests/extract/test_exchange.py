"""Features out to others' forms and in from theirs: the values stay, and nothing is executed."""

import csv
import io
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import UsageError
from howto.extract.export import FORMS, export_features
from howto.extract.features import Features, read, write
from howto.extract.imports import import_features
from howto.extract.pth import load_pth
from howto.extract.stage import extract_videos
from howto.extract.store import SetEnd, StoredFeatures, feature_sets
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.search.refresh import refresh

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


# Many videos.


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_more_videos_than_files_may_be_open(library: Library, tmp_path: Path, form: str) -> None:
    """A video takes two open files; the process may have about 250 more than now."""
    stored = StoredFeatures(library, Recipe.of(backbone="many", dim=2))
    with library.writing():
        for k in range(520):
            array = np.full((1, 2), k, np.float16)
            video = Features(f"v{k:03d}", array, np.zeros(1), stored.recipe, 1.0, Fraction(1))
            write(stored.path(video.video_id), video)
            stored.put(library.number_of(video.video_id), SetEnd(State.OK, num_features=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 250, hard)
    )
    try:
        exported = export_features(library, stored, form, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (exported.videos, exported.lost) == (520, ())
    with (tmp_path / "out" / "videos.csv").open() as file:
        shards = [row["file"] for row in csv.DictReader(file)]
    assert [shards.count(name) for name in sorted(set(shards))] == [500, 20]
    assert len([*(tmp_path / "out").iterdir()]) == 3


# Damaged and forged sources.


def test_tensors_of_any_kind_come_in(library: Library, tmp_path: Path) -> None:
    values = torch.tensor([1.0, 0.0, 2.0])
    held = {
        "half": values.bfloat16(),
        "trained": torch.nn.Parameter(values),
        "sparse": values.to_sparse(),
        "whole": values.int(),
        "complex": values.to(torch.complex64),
    }
    torch.save(held, tmp_path / "a.pth")
    done = import_features(library, tmp_path / "a.pth", backbone="net")
    found = contents(done.sets[0][0])
    assert found.keys() == {"half", "trained", "sparse", "whole"}
    assert all(one.features.tolist() == [[1, 0, 2]] for one in found.values())
    assert [one.partition(":")[0] for one in done.lost] == ["complex"]


# torch says so once a process, of what this test makes.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_a_sparse_tensor_with_places_outside_itself_is_refused(tmp_path: Path) -> None:
    forged = torch.sparse_coo_tensor([[0, 10**12]], [1.0, 2.0], (3,), check_invariants=False)
    torch.save({"a": forged}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match=r"a\.pth: expected containers"):
        load_pth(tmp_path / "a.pth", trust=False)


def test_what_is_wrong_in_a_file_costs_itself(library: Library, tmp_path: Path) -> None:
    held = {"ragged": [[1.0], [2.0, 3.0]], "\ud800": [1.0], "": [1.0], "good": [1.0, 2.0]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(held))
    done = import_features(library, tmp_path / "a.pkl", backbone="net")
    assert contents(done.sets[0][0]).keys() == {"good"}
    assert [one.partition(":")[0] for one in done.lost] == ["ragged", "\\ud800", ""]


def test_npy_files_with_damaged_headers_cost_themselves(library: Library, tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", np.ones(4))
    data = (tmp_path / "good.npy").read_bytes()
    header = data[10 : data.index(b"\n")]
    for k, forged in enumerate((header[:20], b"(" * len(header), b"{'descr': (), " + header[15:])):
        (tmp_path / f"bad{k}.npy").write_bytes(data.replace(header, forged.ljust(len(header))))
    (tmp_path / "gone.npy").symlink_to(tmp_path / "nowhere")
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 broken")
    done = import_features(library, tmp_path, backbone="net")
    assert [*contents(done.sets[0][0])] == ["good"]
    lost = [one.partition(":")[0] for one in done.lost]
    assert lost == ["bad0", "bad1", "bad2", "gone", "zip"]


def test_damaged_pth_files_are_refused(library: Library, tmp_path: Path) -> None:
    """At every byte of the part that says what the file holds."""
    torch.save({"a": torch.ones(2), "b": np.ones(2)}, tmp_path / "a.pth", pickle_protocol=2)
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    (name,) = (one for one in members if one.endswith("data.pkl"))
    whole = members[name]
    damaged = [b"", *(whole[:k] + b"\xff" + whole[k + 1 :] for k in range(0, len(whole), 3))]
    for content in damaged:
        with zipfile.ZipFile(tmp_path / "b.pth", "w") as archive:
            for one, data in members.items():
                archive.writestr(one, content if one == name else data)
        try:
            load_pth(tmp_path / "b.pth", trust=False)
        except UsageError as error:
            assert "b.pth: expected containers" in str(error)  # noqa: PT017 some are read
    (tmp_path / "b.pth").write_bytes(b"")
    with pytest.raises(UsageError, match=r"b\.pth: expected containers"):
        import_features(library, tmp_path / "b.pth", backbone="net")
    (tmp_path / "b.pkl").write_bytes(b"")
    for trust in (False, True):
        with pytest.raises(UsageError, match=r"b\.pkl"):
            import_features(library, tmp_path / "b.pkl", backbone="net", trust_pickle=trust)


def forged_pickle(kind: str, order: bytes) -> bytes:
    """An array of type `kind` with a state of the type that has object fields' flags."""
    core = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tX\x01\x00\x00\x00btR"
    raw = b"c_codecs\nencode\n(X\x08\x00\x00\x00AAAAAAAAX\x06\x00\x00\x00latin1tR"
    name = len(kind).to_bytes(4, "little") + kind.encode()
    typed = b"cnumpy\ndtype\n(X" + name + b"K\x00K\x01tR"
    typed += b"(K\x03X\x01\x00\x00\x00" + order + b"NNNK\x08K\x08K?tb"
    return core + b"(K\x01(K\x01t" + typed + b"\x89" + raw + b"tb"


@pytest.mark.parametrize(("kind", "order"), [("O8", b"|"), ("V8", b"|"), ("f8", b"O")])
def test_a_forged_type_is_refused_and_ends_no_process(
    tmp_path: Path, kind: str, order: bytes
) -> None:
    torch.save({}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    held = b"\x80\x02}X\x01\x00\x00\x00a" + forged_pickle(kind, order) + b"s."
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        for one, data in members.items():
            archive.writestr(one, held if one.endswith("data.pkl") else data)
    code = (
        "import sys; from pathlib import Path; from howto.errors import UsageError\n"
        "from howto.extract.pth import load_pth\n"
        "try: print(load_pth(Path(sys.argv[1]), trust=False))\n"
        "except UsageError as error: print(error); sys.exit(7)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.pth")], capture_output=True, text=True
    )
    assert child.returncode == 7, child.stdout + child.stderr
    assert re.search("an array of type|a state of an array's type", child.stdout)


def test_arrays_of_any_plain_type_come_through_torch(tmp_path: Path) -> None:
    arrays = [
        np.arange(6, dtype=dtype).reshape(2, 3, order=order)
        for dtype in ("<f4", ">f4", "f2", "u1", ">i8")
        for order in "CF"
    ]
    shared = (arrays[0], [arrays[1]])
    torch.save({"a": [*arrays], "b": (shared, shared), "c": np.float32(3)}, tmp_path / "a.pth")
    found = load_pth(tmp_path / "a.pth", trust=False)
    for array, one in zip(arrays, found["a"], strict=True):
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)
    assert found["b"][0] is found["b"][1]
    np.testing.assert_array_equal(found["b"][0][1][0], arrays[1])
    assert found["c"] == 3


# One recipe, one kind, one source.


def test_clips_and_videos_are_not_mixed(library: Library, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(4))
    np.save(tmp_path / "x.npy", np.ones((5, 4)))
    done = import_features(library, tmp_path, backbone="net", rate=Fraction(2))
    ((stored, count),) = done.sets
    assert count == 1
    assert [one.rate for one in contents(stored).values()] == [None]
    assert done.lost == ("x: (5, 4), features of a video among those of clips",)


def test_another_source_or_rate_is_another_set(library: Library, tmp_path: Path) -> None:
    def imported(name: str, values: np.ndarray, rate: int) -> str:
        (tmp_path / name).mkdir(exist_ok=True)
        np.save(tmp_path / name / "x.npy", values)
        done = import_features(library, tmp_path / name, backbone="net", rate=Fraction(rate))
        return done.sets[0][0].recipe.text

    first = imported("one", np.ones((5, 4)), 1)
    assert imported("one", np.ones((5, 4)), 1) == first
    others = {imported("one", np.ones((5, 4)), 2), imported("two", np.ones((6, 4)), 1)}
    assert len({first, *others}) == 3
    for k in range(2):
        torch.save({"x": torch.full((4,), float(k))}, tmp_path / f"{k}.pth")
        others.add(import_features(library, tmp_path / f"{k}.pth", backbone="net").sets[0][0])
    assert len(others) == 4
    assert len(feature_sets(library)) == 5


def test_two_files_of_one_video(library: Library, tmp_path: Path) -> None:
    """One by its id, one by the name of its file: the first is kept."""
    video_id = library.video(library.number_of_file("b.mp4"), library.folder).video_id
    for name, value in ((video_id, 1), ("b", 2)):
        np.save(tmp_path / f"{name}.npy", np.full(4, value))
    first, second = sorted((video_id, "b"))
    done = import_features(library, tmp_path, backbone="net")
    assert done.lost == (f"{second}: a second one of this id",)
    (found,) = contents(done.sets[0][0]).values()
    assert found.features[0, 0] == (1 if first == video_id else 2)


def test_a_name_of_two_videos_is_nobodys(tmp_path: Path, grey_video: Callable[..., Path]) -> None:
    for k, folder in enumerate(("one", "two")):
        (tmp_path / "films" / folder).mkdir(parents=True)
        grey_video(tmp_path / "films" / folder / "same.mp4", 2, start=30 * k)
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "same.npy", np.ones(4))
    with Library.open(tmp_path / "films") as opened:
        refresh(opened, workers=1)
        done = import_features(opened, tmp_path / "arrays", backbone="net")
        assert (done.by_id, done.by_name, done.unknown) == (0, 0, 1)
        assert [*contents(done.sets[0][0])] == ["same"]


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("rate", [None, Fraction(5, 2)])
def test_what_was_exported_comes_back(
    library: Library, tmp_path: Path, table: bool, rate: Fraction | None
) -> None:
    """Ids that are no file names, clip vectors and rates; without the table ids that are short."""
    stored = StoredFeatures(library, Recipe.of(backbone="net", dim=2))
    ids = ["https://a.example/ü?v=1", "50% of it", *(["x" * 300] if table else [])]
    with library.writing():
        for video_id in ids:
            array = np.ones((1, 2), np.float16)
            write(
                stored.path(video_id),
                Features(video_id, array, np.zeros(1), stored.recipe, 1.0, rate),
            )
            stored.put(library.number_of(video_id), SetEnd(State.OK, num_features=1))
    folder = export_features(library, stored, "npy", tmp_path / "out").folder
    if not table:
        (folder / "videos.csv").unlink()
    told = None if table else Fraction(3)
    done = import_features(library, folder, backbone="net", rate=told)
    assert done.by_id == len(ids)
    found = contents(done.sets[0][0])
    assert found.keys() == {*ids}
    assert {one.rate for one in found.values()} == {rate if table else told}


def test_a_table_that_is_none_is_refused(library: Library, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(4))
    (tmp_path / "videos.csv").write_text("file,video_id,rate\nx.npy,y,often\n")
    with pytest.raises(UsageError, match=r"videos\.csv: expected the table"):
        import_features(library, tmp_path, backbone="net")
    (tmp_path / "videos.csv").write_text("title\nmine\n")
    done = import_features(library, tmp_path, backbone="net")
    assert [*contents(done.sets[0][0])] == ["x"]
