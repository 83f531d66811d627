"""Training sets in the authors' forms, generated small: read, packed, and refused where damaged."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import UsageError
from howto.train.authors_sets import (
    AuthorsFolders,
    lsmdc_set,
    msrvtt_set,
    read_ranks,
    youcook_set,
)
from howto.train.pack import Pack, rank_at_most
from howto.train.pack_build import build_pack
from howto.train.pack_text import TextChoice

RNG = np.random.default_rng(0)
TEXT = TextChoice("learned", {"min_count": 1, "max_words": 30})


def packed(source, folder: Path) -> Pack:
    return build_pack(source, TEXT, folder / "packs").pack


def told(pack: Pack) -> list[tuple[str, str]]:
    """Video and caption of each row."""
    return [
        (name, caption)
        for name, captions in zip(pack.video_ids, pack.captions(), strict=True)
        for caption in captions
    ]


def vector(dim: int = 4) -> np.ndarray:
    return RNG.normal(0, 1, dim).astype(np.float32)


@pytest.fixture
def youcook(tmp_path: Path) -> tuple[Path, list[dict]]:
    """As the authors' files are: rows of one video apart, written by Python 2's protocol."""
    rows = [
        {"2d": vector(), "3d": vector(3), "caption": f"Cut the {what}", "id": video}
        for video, what in [("x", "onion"), ("y", "leek"), ("x", "Garlic")]
    ]
    path = tmp_path / "youcook_train.pkl"
    path.write_bytes(pickle.dumps(rows, protocol=2))
    return path, rows


def test_youcook(youcook, tmp_path: Path) -> None:
    path, rows = youcook
    pack = packed(youcook_set(path), tmp_path)
    assert told(pack) == [("x", "Cut the onion"), ("x", "Cut the Garlic"), ("y", "Cut the leek")]
    assert [(one.name, one.dim, one.rate) for one in pack.streams] == [
        ("resnet152", 4, ""),
        ("resnext101-3d", 3, ""),
    ]
    for row, place in enumerate((0, 2, 1)):
        expected = np.concatenate([rows[place]["2d"], rows[place]["3d"]]).astype(np.float16)
        np.testing.assert_array_equal(pack.clips[row], expected)
    # Two clips of a video do not overlap.
    assert pack.spans.tolist() == [[0, 1], [1, 2], [0, 1]]
    assert build_pack(youcook_set(path), TEXT, tmp_path / "packs").made == 0


@pytest.fixture
def features(tmp_path: Path) -> Callable[..., Path]:
    def write(*ids: str, name: str = "MSRVTT_train.pth") -> Path:
        held = {
            "2d": {one: torch.from_numpy(vector()) for one in ids},
            "3d": {one: torch.from_numpy(vector(3)) for one in ids},
        }
        torch.save(held, tmp_path / name)
        return tmp_path / name

    return write


def test_msrvtt_for_training(features, tmp_path: Path) -> None:
    sentences = [
        {"video_id": "video0", "caption": "a man cooks", "sen_id": 0},
        {"video_id": "video2", "caption": "left out by the list", "sen_id": 1},
        {"video_id": "video1", "caption": "a car", "sen_id": 2},
        {"video_id": "video0", "caption": "someone fries an egg", "sen_id": 3},
        {"video_id": "video9", "caption": "has no features", "sen_id": 4},
    ]
    data = tmp_path / "MSRVTT_data.json"
    data.write_text(json.dumps({"sentences": sentences, "videos": []}))
    (tmp_path / "MSRVTT_train.csv").write_text("video_id\nvideo0\nvideo1\nvideo9\n")
    path = features("video0", "video1", "video2")
    source = msrvtt_set(path, data, tmp_path / "MSRVTT_train.csv")
    pack = packed(source, tmp_path)
    assert told(pack) == [
        ("video0", "a man cooks"),
        ("video0", "someone fries an egg"),
        ("video1", "a car"),
    ]
    assert [(one.video_id, one.reason) for one in source.lost] == [("video9", "no_features")]
    held = torch.load(path)
    np.testing.assert_array_equal(pack.clips[0], pack.clips[1])
    np.testing.assert_array_equal(pack.clips[2, :4], held["2d"]["video1"].half())
    # Two captions of one clip overlap wholly: neither is a negative of the other's clip.
    assert pack.spans.tolist() == [[0, 1], [0, 1], [0, 1]]
    everything = packed(msrvtt_set(path, data), tmp_path)
    assert everything.num_videos == 3


def test_msrvtt_for_testing(features, tmp_path: Path) -> None:
    path = features("video7", "video8", name="MSRVTT_JSFUSION_test.pth")
    table = tmp_path / "MSRVTT_JSFUSION_test.csv"
    table.write_text(
        "key,vid_key,video_id,sentence\n"
        'ret0,msr7,video7,"a woman, who sings"\nret1,msr8,video8,a dog\n'
    )
    pack = packed(msrvtt_set(path, table), tmp_path)
    assert told(pack) == [("video7", "a woman, who sings"), ("video8", "a dog")]


def test_lsmdc(features, tmp_path: Path) -> None:
    path = features("0001_A_00.1", "0001_A_00.2", name="LSMDC_train.pth")
    table = tmp_path / "LSMDC16_annos_training.csv"
    table.write_text(
        '0001_A_00.1\t00.1\t00.2\t00.1\t00.2\tSOMEONE "nods.\n'
        "0001_A_00.2\t00.2\t00.3\t00.2\t00.3\tHe runs, then falls.\r\n"
    )
    pack = packed(lsmdc_set(path, table), tmp_path)
    assert told(pack) == [
        ("0001_A_00.1", 'SOMEONE "nods.'),
        ("0001_A_00.2", "He runs, then falls."),
    ]


def test_ranks_are_a_videos_best(tmp_path: Path) -> None:
    table = tmp_path / "HowTo100M_v1.csv"
    table.write_text(
        "video_id,category_1,category_2,rank,task_id\n"
        "a,Food,Meat,12,3\nb,Food,Meat,2,3\na,Food,Fish,5,4\n"
    )
    ranks = read_ranks(table)
    assert ranks == {"a": 5, "b": 2}
    assert rank_at_most(["a", "b"], ranks, 2).tolist() == [False, True]
    table.write_text("video_id,rank\na,first\n")
    with pytest.raises(UsageError, match="row 2: 'first' is no rank"):
        read_ranks(table)


# --- HowTo100M itself ---


@pytest.fixture
def howto100m(tmp_path: Path) -> dict[str, Path]:
    """Four videos of a list: whole, of short lines, without features, without captions."""
    for folder, dim, per_second in (("2d", 5, 1.0), ("3d", 3, 1.5)):
        (tmp_path / folder).mkdir()
        for name in ("whole", "lines", "other"):
            array = RNG.normal(0, 1, (int(20 * per_second), dim)).astype(np.float16)
            np.save(tmp_path / folder / f"{name}.npy", array)
    captions = {
        "other": {"start": [0], "end": [9], "text": ["not in the list"]},
        "whole": {"start": [0.0, 6.2], "end": [6.1, 13.0], "text": ["cut the onion", "fry it"]},
        "lines": {"start": [0, 2, 4, 8], "end": [2, 4, 8, 9.5], "text": ["a", "b c", "d", "e"]},
        "none": {"start": [0], "end": [9], "text": ["no features"]},
    }
    (tmp_path / "caption.json").write_text(json.dumps(captions))
    rows = [
        f"{name},Food,Meat,1,3\n" for name in ("lines", "whole", "none", "uncaptioned", "lines")
    ]
    (tmp_path / "HowTo100M_v1.csv").write_text(
        "video_id,category_1,category_2,rank,task_id\n" + "".join(rows)
    )
    return {
        "videos": tmp_path / "HowTo100M_v1.csv",
        "captions": tmp_path / "caption.json",
        "features_2d": tmp_path / "2d",
        "features_3d": tmp_path / "3d",
    }


def authors_growth(start, end, text, index: int, min_time: float) -> tuple[float, float, str]:
    """The growth of the authors' loader, re-stated for min_words 0."""
    words, first, last = text[index], index, index
    while end[last] - start[first] < min_time and (first > 0 or last < len(start) - 1):
        before = end[last] - start[first - 1] if first > 0 else np.inf
        after = end[last + 1] - start[first] if last < len(start) - 1 else np.inf
        if before <= after:
            first -= 1
            words += f" {text[first]}"
        else:
            last += 1
            words += f" {text[last]}"
    return start[first], end[last], words


def test_howto100m_with_no_library(howto100m, tmp_path: Path) -> None:
    source = AuthorsFolders(**howto100m)
    pack = packed(source, tmp_path)
    captions = json.loads(howto100m["captions"].read_text())
    assert pack.video_ids == ("whole", "lines")  # in the order of the captions
    grown = [
        authors_growth(*(captions[name][key] for key in ("start", "end", "text")), index, 5.0)
        for name in pack.video_ids
        for index in range(len(captions[name]["text"]))
    ]
    assert [caption for _, caption in told(pack)] == [text for *_, text in grown]
    assert pack.spans.tolist() == [[start, end] for start, end, _ in grown]
    assert grown[-1] == (4, 9.5, "e d")
    assert {one.video_id: one.reason for one in source.lost} == {
        "none": "no_features",
        "uncaptioned": "no_pairs",
    }
    assert [one.rate for one in pack.streams] == ["1", "3/2"]
    row = 2 + 1  # the line "b c" of `lines`
    start, end, _ = grown[row]
    parts = []
    for folder, rate in (("2d", 1.0), ("3d", 1.5)):
        array = np.load(tmp_path / folder / "lines.npy")
        parts.append(array[int(start * rate) : int(end * rate) + 1].max(axis=0))
    np.testing.assert_array_equal(pack.clips[row], np.concatenate(parts))


def test_howto100m_as_a_pickle_with_other_growth(howto100m, tmp_path: Path) -> None:
    captions = json.loads(howto100m["captions"].read_text())
    path = tmp_path / "caption.pickle"
    arrays = {name: {k: np.array(v) for k, v in one.items()} for name, one in captions.items()}
    path.write_bytes(pickle.dumps(arrays, protocol=4))
    first = packed(AuthorsFolders(**howto100m), tmp_path)
    same = packed(AuthorsFolders(**{**howto100m, "captions": path}), tmp_path)
    assert told(same) == told(first)
    plain = AuthorsFolders(**howto100m, min_seconds=0, min_words=2)
    pack = packed(plain, tmp_path)
    assert pack.folder != first.folder
    assert [text for name, text in told(pack) if name == "lines"] == [
        "a b c",
        "b c",
        "d b c",
        "e d",
    ]


def test_a_list_with_paths(howto100m, tmp_path: Path) -> None:
    howto100m["videos"].write_text("video_id,path\nwhole,lines.webm\n")
    pack = packed(AuthorsFolders(**howto100m), tmp_path)
    array = np.load(tmp_path / "2d" / "lines.npy")
    np.testing.assert_array_equal(pack.clips[0, :5], array[:7].max(axis=0))
    howto100m["videos"].write_text("video_id\n../whole\n")
    with pytest.raises(UsageError, match=r"'\.\./whole.npy' is no name of a file"):
        AuthorsFolders(**howto100m)


def test_new_and_changed_videos_of_howto100m(howto100m, tmp_path: Path) -> None:
    packed(AuthorsFolders(**howto100m), tmp_path)
    captions = json.loads(howto100m["captions"].read_text())
    captions["whole"]["text"][0] = "cut two onions"
    howto100m["captions"].write_text(json.dumps(captions))
    with howto100m["videos"].open("a") as file:
        file.write("other,Food,Meat,1,3\n")
    built = build_pack(AuthorsFolders(**howto100m), TEXT, tmp_path / "packs")
    assert (built.kept, built.made, built.gone) == (1, 2, 1)
    assert built.pack.video_ids == ("lines", "other", "whole")


def test_a_damaged_file_of_features_costs_its_video(howto100m, tmp_path: Path) -> None:
    path = tmp_path / "3d" / "whole.npy"
    path.write_bytes(path.read_bytes()[:90])
    built = build_pack(AuthorsFolders(**howto100m), TEXT, tmp_path / "packs")
    assert built.pack.video_ids == ("lines",)
    assert [one.reason for one in built.lost if one.video_id == "whole"] == ["damaged_features"]
    np.save(path, np.full((30, 3), np.nan, np.float16))
    built = build_pack(AuthorsFolders(**howto100m), TEXT, tmp_path / "packs")
    assert "values that are not finite" in built.lost[-1].detail


# --- damage ---


class Evil:
    def __reduce__(self):
        return (eval, ("1 + 1",))


def test_nothing_in_a_file_is_run(features, tmp_path: Path) -> None:
    path = tmp_path / "youcook_val.pkl"
    path.write_bytes(pickle.dumps([Evil()]))
    with pytest.raises(UsageError, match=r"names builtins\.eval"):
        youcook_set(path)
    with pytest.raises(UsageError, match="row 0: expected 2d, 3d, caption, id"):
        youcook_set(path, trust=True)
    torch.save({"2d": Evil(), "3d": {}}, tmp_path / "LSMDC_train.pth")
    (tmp_path / "l.csv").write_text("a\t1\t2\t3\t4\tb\n")
    with pytest.raises(UsageError, match="If you trust its maker"):
        lsmdc_set(tmp_path / "LSMDC_train.pth", tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("held", "match"),
    [
        ([], "no caption with features"),
        ([{"2d": vector(), "caption": "a", "id": 1}], "row 0: expected 2d, 3d, caption, id"),
        (
            [{"2d": np.zeros((2, 2)), "3d": vector(), "caption": "a", "id": 1}],
            r"row 0, 2d: expected one vector, found float64 \(2, 2\)",
        ),
    ],
)
def test_other_pickles(held, match: str, tmp_path: Path) -> None:
    path = tmp_path / "y.pkl"
    path.write_bytes(pickle.dumps(held))
    with pytest.raises(UsageError, match=match):
        youcook_set(path)
    with pytest.raises(UsageError, match="there is no file"):
        youcook_set(tmp_path / "none.pkl")
    with pytest.raises(UsageError, match="expected a file ending in"):
        youcook_set(Path(__file__))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("a\t1\t2\n", "line 1: expected 6 columns with tabs"),
        ("", "no caption with features"),
        ("b\t1\t2\t3\t4\tword\n", "no 2d and 3d features of b"),
    ],
)
def test_other_tables_of_lsmdc(features, data: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(data)
    with pytest.raises(UsageError, match=match):
        lsmdc_set(features("a"), tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ('{"sentences": [{"video_id": "a"}]}', "expected .*sentences"),
        ("[", "expected .*sentences"),
        ("video_id,caption\na,b\n", "no column sentence; found video_id, caption"),
        ("video_id,sentence\na\n", "line 2: cut off or damaged"),
        ('video_id,sentence\na,"b\n', "damaged table"),
    ],
)
def test_other_captions_of_msrvtt(features, data: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / ("m.json" if data.startswith(("{", "[")) else "m.csv")
    path.write_text(data)
    with pytest.raises(UsageError, match=match):
        msrvtt_set(features("a"), path)


def test_files_of_howto100m_that_are_missing(howto100m, tmp_path: Path) -> None:
    for name in howto100m:
        with pytest.raises(
            UsageError, match=r"no folder of features|no file of captions|cannot be"
        ):
            AuthorsFolders(**{**howto100m, name: tmp_path / "none"})
    howto100m["videos"].write_text("video_id\n")
    with pytest.raises(UsageError, match="lists no video"):
        AuthorsFolders(**howto100m)
    howto100m["videos"].write_text("video_id\nnobody\n")
    with pytest.raises(UsageError, match=r"nobody is not in caption\.json"):
        AuthorsFolders(**howto100m)
    howto100m["captions"].write_text('{"whole": {"start": [1')
    with pytest.raises(UsageError, match=r"caption\.json: damaged JSON"):
        AuthorsFolders(**howto100m)
