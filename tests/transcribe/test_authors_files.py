"""The authors' caption.json, caption.pickle and caption CSVs: unchanged, and nothing is run."""

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from howto.errors import CaptionError, Reason
from howto.records import Kind, Line
from howto.transcribe import authors
from howto.transcribe.authors import read_caption_file
from howto.transcribe.formats import read_captions
from howto.transcribe.write import to_csv

COLUMNS = {"start": [0.41, 3.92], "end": [5.9, 68.46000000000001], "text": ["pick bowl", "a, b"]}
LINES = (Line(0.41, 5.9, "pick bowl"), Line(3.92, 68.46000000000001, "a, b"))


def write(path: Path, videos: object) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(videos))
    else:
        path.write_bytes(pickle.dumps(videos, protocol=2))
    return path


@pytest.mark.parametrize("suffix", [".json", ".pickle", ".pkl"])
def test_many_videos_in_order(tmp_path: Path, suffix: str) -> None:
    videos = {"-tCQ4tCQdWE": COLUMNS, "empty": {"start": [], "end": [], "text": []}, "é": COLUMNS}
    found = dict(read_caption_file(write(tmp_path / f"caption{suffix}", videos)))
    assert list(found) == list(videos)
    assert found["-tCQ4tCQdWE"].lines == found["é"].lines == LINES
    assert found["empty"].lines == ()


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_json_is_read_piece_by_piece(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_CHUNK", chunk)
    videos = {f"vidéo {i}": COLUMNS for i in range(20)}
    path = tmp_path / "caption.json"
    path.write_text(json.dumps(videos, indent=1, ensure_ascii=False), encoding="utf-8")
    assert [one.lines for one in dict(read_caption_file(path)).values()] == [LINES] * 20
    (tmp_path / "none.json").write_text(" {\n} ")
    assert dict(read_caption_file(tmp_path / "none.json")) == {}


def test_only_a_piece_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    more = authors._Buffer._more

    def watched(buffer: authors._Buffer) -> bool:
        again = more(buffer)
        held.append(len(buffer.text))
        return again

    monkeypatch.setattr(authors, "_CHUNK", 4096)
    monkeypatch.setattr(authors._Buffer, "_more", watched)
    path = write(tmp_path / "caption.json", {f"v{i}": COLUMNS for i in range(5000)})
    assert sum(1 for _ in read_caption_file(path)) == 5000
    assert max(held) < 3 * 4096 < path.stat().st_size / 10


def test_pickles_of_numpy_arrays(tmp_path: Path) -> None:
    videos = OrderedDict(
        a={
            "start": np.array([0.41, 3.92]),
            "end": np.array([5.9, 68.46000000000001]),
            "text": np.array(["pick bowl", "a, b"], dtype=object),
        },
        b={"start": [np.float64(0.41), np.float32(3)], "end": [np.int64(5), 6], "text": ["c", "d"]},
    )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "caption.pickle"
        path.write_bytes(pickle.dumps(videos, protocol=protocol))
        found = dict(read_caption_file(path))
        assert found["a"].lines == LINES
        assert found["b"].lines == (Line(0.41, 5, "c"), Line(3, 6, "d"))


class Attack:
    def __reduce__(self) -> tuple:
        return (os.system, (f"touch {self.path}",))

    def __init__(self, path: Path) -> None:
        self.path = path


class Encodes:
    def __reduce__(self) -> tuple:
        import codecs

        return (codecs.encode, ("x" * 9, "rot13"))


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    for number, content in enumerate([Attack(tmp_path / "ran"), {"v": Attack(tmp_path / "ran")}]):
        path = tmp_path / f"{number}.pickle"
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(CaptionError, match=r"system: expected containers"):
            list(read_caption_file(path))
    path.write_bytes(pickle.dumps(Encodes()))
    with pytest.raises(CaptionError, match="rot13"):
        list(read_caption_file(path))
    for name in (b"builtins\neval", b"builtins\ngetattr", b"numpy\nload", b"os\nsystem"):
        path.write_bytes(b"c" + name + b"\n.")
        with pytest.raises(CaptionError, match="it names"):
            list(read_caption_file(path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"[1]", "expected '{'"),
        ("a.json", b'{"v": {"start": [0], "end": [1]', "damaged JSON"),
        ("a.json", b'{"v": {"start": [0], "end": [1], "text": []}}', "video v: 1 starts, 1 ends"),
        ("a.json", b'{"v": 3}', "video v: expected start, end and text"),
        ("a.json", b"", "expected '{'"),
        ("a.json", b'{"v": {"start": 1.0, "end": 2, "text": "a"}}', "a list as start, found 1.0"),
        ("a.json", b'{"v": {"start": null, "end": [], "text": []}}', "a list as start, found None"),
        ("a.json", b'{"v": {"start": [], "end": [], "text": "ab"}}', "a list as text, found 'ab'"),
        ("a.json", b'{"v": {"start": [' + b"9" * 5000 + b"]}}", "damaged JSON"),
        ("a.json", b'{"wireMagic": "pb3", "events": []}', "json3, the captions of one video"),
        ("a.json", b'{"events": []}', "json3, the captions of one video"),
        ("a.json", b"{3: {}}", "the id of a video, found 3"),
        ("a.json", b'{} {"w": 1}', "expected the end of the file, found '{"),
        ("a.pickle", pickle.dumps({10**5000: 1}), "the id of a video, found int"),
        ("a.pickle", b"", "damaged pickle"),
        ("a.pickle", b"\x80\x04rubbish", "damaged pickle"),
        ("a.pickle", pickle.dumps([1, 2]), "expected videos by id, found list"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptionError) as caught:
        list(read_caption_file(tmp_path / name))
    assert caught.value.reason is Reason.UNREADABLE_CAPTIONS
    assert message in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptionError) as caught:
        list(read_caption_file(tmp_path / "none.json"))
    assert caught.value.reason is Reason.UNREADABLE_FILE


def test_captions_that_make_no_sense_are_named(tmp_path: Path) -> None:
    videos = {"v": {"start": [33.0, 1, "x", -1], "end": [31.4, 2, 3, 4], "text": list("abcd")}}
    narration = dict(read_caption_file(write(tmp_path / "caption.json", videos)))["v"]
    assert narration.lines == (Line(1, 2, "b"),)
    assert [problem.what for problem in narration.problems] == [
        "video v, caption 0: from 33.0 to 31.4",
        "video v, caption 2: from 'x' to 3",
        "video v, caption 3: from -1 to 4",
    ]


def test_numbers_and_texts_that_are_none(tmp_path: Path) -> None:
    """An integer that is no float, no text, NaN as pandas has it: named, and never a caption."""
    path = tmp_path / "caption.json"
    huge, texts = "9" * 400, '"a", "b", "c", null, NaN, 7, "d"'
    path.write_text(
        f'{{"v": {{"start": [{huge}, Infinity, NaN, 1, 2, 3, 4],'
        f' "end": [1, 1, 2, 2, 3, {huge}, 5], "text": [{texts}]}}}}'
    )
    narration = dict(read_caption_file(path))["v"]
    assert narration.lines == (Line(4, 5, "d"),)
    assert [problem.what.partition(", ")[2] for problem in narration.problems] == [
        f"caption 0: from {huge[:18]}...{huge[:19]} to 1",
        "caption 1: from inf to 1",
        "caption 2: from nan to 2",
        "caption 3: expected a text, found None",
        "caption 4: expected a text, found nan",
        f"caption 5: from 3 to {huge[:18]}...{huge[:19]}",
    ]
    rows = {"start": np.zeros((1, 2)), "end": [], "text": []}
    with pytest.raises(CaptionError, match="a list as start"):
        list(read_caption_file(write(tmp_path / "caption.pickle", {"v": rows})))


def test_what_follows_the_videos_is_damage(tmp_path: Path) -> None:
    """Two files in one: the videos of the first are given, and then it says so."""
    path = write(tmp_path / "caption.json", {"v": COLUMNS})
    path.write_text(path.read_text() + path.read_text())
    read = read_caption_file(path)
    assert next(read)[0] == "v"
    with pytest.raises(CaptionError, match="expected the end of the file"):
        next(read)


def test_a_damaged_video_is_not_looked_for_through_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_CHUNK", 1000)
    monkeypatch.setattr(authors, "_LONGEST_MEMBER", 10_000)
    path = write(tmp_path / "caption.json", {f"v{i}": COLUMNS for i in range(5000)})
    path.write_text(path.read_text().replace('"end"', "'end'", 1))
    with path.open("rb") as file:
        with pytest.raises(CaptionError, match="damaged JSON"):
            list(authors._json_pairs(file))
        assert file.tell() < 50_000 < path.stat().st_size


def test_the_published_tables_come_back_byte_for_byte(captions: Path) -> None:
    files = sorted(captions.glob("howto100m_*.csv"))
    assert len(files) == 50
    overlaps = 0
    for path in files:
        narration = read_captions(path)
        assert not narration.problems
        assert to_csv(narration).encode() == path.read_bytes()
        pairs = zip(narration.lines, narration.lines[1:], strict=False)
        overlaps += any(line.end > following.start for line, following in pairs)
    # Overlapping lines are part of these files, and no rule for ends touches them.
    assert overlaps > 5


def test_tables_with_quotes_and_damaged_rows(tmp_path: Path) -> None:
    path = tmp_path / "video.csv"
    path.write_text(
        'start,end,text\n0.5,1.5,"fold, ""it"""\n2,1,backwards\nx,3,y\n4,5\n\n6.0,7.0,it\n'
    )
    narration = read_captions(path)
    assert narration.lines == (Line(0.5, 1.5, 'fold, "it"'), Line(6, 7, "it"))
    assert [problem.line for problem in narration.problems] == [3, 4, 5]
    assert to_csv(narration) == 'start,end,text\n0.5,1.5,"fold, ""it"""\n6.0,7.0,it\n'


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "video.csv"
    path.write_text("\n".join(["start,end,text", *rows, ""]))
    return path


def test_a_quote_that_nothing_closes_costs_no_other_row(tmp_path: Path) -> None:
    narration = read_captions(table(tmp_path, '1,2,"fold', "3,4,it", '5,6,"now, ""so"""', "7,8,x"))
    assert [line.text for line in narration.lines] == ["fold", "it", 'now, "so"', "x"]
    assert [(one.line, one.what) for one in narration.problems] == [
        (2, "a quote that nothing closes")
    ]
    last = read_captions(table(tmp_path, "1,2,a", '3,4,"fold', "it"))
    assert [line.text for line in last.lines] == ["a", "fold\nit"]
    assert [one.line for one in last.problems] == [3]


def test_a_text_may_have_rows(tmp_path: Path) -> None:
    path = table(tmp_path, '1.0,2.0,"fold', "", '2, 3 and it"', "3.0,4.0,press")
    narration = read_captions(path)
    assert [line.text for line in narration.lines] == ["fold\n\n2, 3 and it", "press"]
    assert not narration.problems
    assert to_csv(narration) == path.read_text()


def test_a_field_that_is_too_long_costs_its_row(tmp_path: Path) -> None:
    narration = read_captions(table(tmp_path, "1,2," + "x" * 200_000, "3,4,it", "5,6,now"))
    assert [line.text for line in narration.lines] == ["it", "now"]
    assert [one.line for one in narration.problems] == [2]


def test_the_authors_tables_are_of_the_kind_of_their_other_files(tmp_path: Path) -> None:
    assert read_captions(table(tmp_path, "1,2,fold")).kind is Kind.AUTOMATIC
    of_json = dict(read_caption_file(write(tmp_path / "caption.json", {"v": COLUMNS})))["v"]
    assert of_json.kind is Kind.AUTOMATIC


def test_a_pickle_that_forges_numpys_types_is_refused(tmp_path: Path) -> None:
    """It took bytes for pointers once, and the process with it."""

    class Forged:
        def __init__(self, *parts: object) -> None:
            self.parts = parts

        def __reduce__(self) -> tuple:
            return self.parts

    kind = Forged(np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, 0))
    texts = Forged(
        np._core.multiarray._reconstruct,
        (np.ndarray, (0,), b"b"),
        (1, (1,), kind, False, b"\x41" * 6 + b"\0\0"),
    )
    path = write(tmp_path / "caption.pickle", {"v": {"start": [1.0], "end": [2.0], "text": texts}})
    with pytest.raises(CaptionError, match="an array of shape"):
        list(read_caption_file(path))
