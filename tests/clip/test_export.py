"""Exports are read back, are the same bytes again, and are absent or whole."""

import csv
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from howto.clip import export
from howto.clip.export import COLUMNS, check_export, export_pairs
from howto.clip.pairs import Pair
from howto.clip.pairs_store import StoredPair
from howto.errors import PluginError, UsageError
from howto.media.probe import probe


def pair(caption: str, start: float = 0.1, quality: float | None = 0.123456) -> Pair:
    return Pair(start, start + 2.3, caption, 0, 0, quality)


PAIRS = [
    StoredPair("aa", "a.mp4", 1, 0, pair("fold it, \"now\"\tand 'then'")),
    StoredPair("aa", "a.mp4", 1, 1, pair("<b>Привет & 切る</b>", 1 / 3)),
    StoredPair("bb", "b \udcff.mp4", 2, 0, pair("press", 7.0, None)),
    StoredPair("cc", "c.mp4", 3, 0, Pair(1.0, 6.0, "turn", 0, 1, 1.0, ("turn", "the wheel"))),
]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    assert export_pairs(PAIRS, "csv", path).pairs == 4
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row, one in zip(rows, PAIRS, strict=True):
        assert row["video"] == one.video
        assert (float(row["start"]), float(row["end"])) == (one.pair.start, one.pair.end)
        assert row["caption"] == one.pair.caption
    assert [row["quality"] for row in rows] == ["0.1235", "0.1235", "", "1.0"]


def test_caption_json(tmp_path: Path) -> None:
    """The authors' form: their loader's keys, and lists of equal length."""
    path = tmp_path / "caption.json"
    export_pairs(PAIRS, "caption-json", path)
    read = json.loads(path.read_text())
    assert list(read) == ["aa", "bb", "cc"]
    assert read["aa"] == {
        "start": [0.1, 1 / 3],
        "end": [0.1 + 2.3, 1 / 3 + 2.3],
        "text": [one.pair.caption for one in PAIRS[:2]],
    }
    export_pairs([], "caption-json", path)
    assert json.loads(path.read_text()) == {}


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "pairs.parquet"
    export_pairs(PAIRS, "parquet", path)
    rows = parquet.read_table(path).to_pylist()
    assert [row["caption"] for row in rows] == [one.pair.caption for one in PAIRS]
    assert [row["start"] for row in rows] == [one.pair.start for one in PAIRS]
    assert [row["quality"] for row in rows] == [0.1235, 0.1235, None, 1.0]
    assert rows[3]["candidates"] == ["turn", "the wheel"]
    assert rows[2]["video"] == "b \\udcff.mp4"


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for info in tar:
            file = tar.extractfile(info)
            assert file is not None
            yield info.name, file.read()


def test_webdataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAIRS_PER_SHARD", 3)
    done = export_pairs(PAIRS, "webdataset", tmp_path / "shards")
    assert (done.pairs, done.lost) == (4, ())
    shards = sorted((tmp_path / "shards").iterdir())
    assert [shard.name for shard in shards] == ["pairs-000000.tar", "pairs-000001.tar"]
    files = [one for shard in shards for one in members(shard)]
    assert [name for name, _ in files[:2]] == ["000000000.json", "000000000.txt"]
    texts = [content.decode() for name, content in files if name.endswith(".txt")]
    assert texts == [one.pair.caption for one in PAIRS]
    records = [json.loads(content) for name, content in files if name.endswith(".json")]
    assert [row["start"] for row in records] == [one.pair.start for one in PAIRS]
    assert records[3]["candidates"] == ["turn", "the wheel"]
    # A sample's files stand together, each key once, and a key has no dot: webdataset's rules.
    keys = [name.partition(".")[0] for name, _ in files]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(PAIRS)


def test_webdataset_with_media(tmp_path: Path, small_video: Callable[..., Path]) -> None:
    small_video(tmp_path / "a.mp4", seconds=8)
    (tmp_path / "c.mp4").write_text("no video")
    done = export_pairs(
        [PAIRS[0], PAIRS[3], PAIRS[1]], "webdataset", tmp_path / "shards", media_folder=tmp_path
    )
    assert done.pairs == 2
    assert "c.mp4 1.00-6.00" in done.lost[0]
    files = dict(members(tmp_path / "shards" / "pairs-000000.tar"))
    assert sorted(files) == [
        f"00000000{number}.{suffix}" for number in (0, 2) for suffix in ("json", "mp4", "txt")
    ]
    (tmp_path / "cut.mp4").write_bytes(files["000000002.mp4"])
    assert probe(tmp_path / "cut.mp4").duration == pytest.approx(2.3, abs=0.5)


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "p.csv"), ("caption-json", "p.json"), ("parquet", "p.parquet"), ("webdataset", "p")],
)
def test_the_same_bytes_again(form: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    contents = []
    for folder in ("one", "two"):
        export_pairs(iter(PAIRS), form, tmp_path / folder / name)
        files = sorted(one for one in (tmp_path / folder).rglob("*") if one.is_file())
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1] != []


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "p.csv"), ("caption-json", "p.json"), ("parquet", "p.parquet"), ("webdataset", "p")],
)
def test_an_export_that_stops_leaves_nothing(form: str, name: str, tmp_path: Path) -> None:
    def failing() -> Iterator[StoredPair]:
        yield PAIRS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_pairs(failing(), form, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    for form, name, media, said in (
        ("tfrecord", "p", False, "There are: webdataset"),
        ("csv", "p.txt", False, r"ending in \.csv"),
        ("csv", "nowhere/p.csv", False, "no folder"),
        ("csv", "p.csv", True, "holds no media"),
        ("webdataset", "full", False, "is there already"),
    ):
        with pytest.raises(UsageError, match=said):
            check_export(form, tmp_path / name, media=media)
    assert (tmp_path / "full" / "mine.txt").exists()


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PluginError, match=r"pip install 'howto\[parquet\]'"):
        check_export("parquet", tmp_path / "p.parquet", media=False)
