"""Whatever a file holds, a reader gives a set or a UsageError that names the file and the place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from howto import plugins
from howto.errors import UsageError
from howto.evaluate.benchmark import read_benchmark
from howto.evaluate.benchmarks.files import ReleaseFiles, seconds, span
from howto.evaluate.benchmarks.sets import MomentSet, RetrievalSet, StepSet
from howto.testing.benchmarks import BenchmarkContract
from tests.evaluate.benchmarks import releases

FOLDERS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["segment", "1", "1e999", "nan", "-3", "10**400"]),
    st.just(10**400),
)
KEYS = st.one_of(
    st.sampled_from(
        "database subset annotations annotation segment sentence video_id caption class id label "
        "timestamps sentences fps num_frames query vid duration relevant_windows times".split()
    ),
    st.text(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)

# Data set, split, a writer of a sound release, and the file that is replaced.
RELEASES: list[tuple[str, str, Callable[[Path, str], None], str]] = [
    ("youcook2", "validation", releases.youcook2, "youcookii_annotations_trainval.json"),
    ("msrvtt", "1k-A", releases.msrvtt, "MSRVTT_data.json"),
    ("msrvtt", "full", releases.msrvtt, "MSRVTT_data.json"),
    ("msrvtt", "1k-A", releases.msrvtt, "MSRVTT_JSFUSION_test.csv"),
    ("msrvtt", "train-9k", releases.msrvtt, "MSRVTT_train.9k.csv"),
    ("lsmdc", "test", releases.lsmdc, "LSMDC16_challenge_1000_publictect.csv"),
    ("crosstask", "test", releases.crosstask, "tasks_primary.txt"),
    ("crosstask", "test", releases.crosstask, "videos.csv"),
    ("crosstask", "test", releases.crosstask, "videos_val.csv"),
    ("crosstask", "test", releases.crosstask, "23521_GGGGGGGGGGG.csv"),
    ("coin", "testing", releases.coin, "COIN.json"),
    ("moments:tacos", "val", releases.tacos, "tacos_val_release.jsonl"),
    ("moments:qvhighlights", "val", releases.qvhighlights, "highlight_val_release.jsonl"),
    ("moments:charades-sta", "test", releases.charades_sta, "charades_sta_test.txt"),
    ("moments:didemo", "val", releases.didemo, "val_data.json"),
]
IDS = [f"{name} {file}" for name, _, _, file in RELEASES]


class Checked(BenchmarkContract):
    """The suite's own look at a set."""


def read_or_refused(name: str, folder: Path, split: str) -> None:
    try:
        found = plugins.create("benchmarks", name).read(folder, split, False)
    except UsageError as error:
        message = str(error)
    else:
        message = "none"
        assert isinstance(found, RetrievalSet | StepSet | MomentSet)
        suite = type("Suite", (Checked,), {"plugin": name})()
        suite._expect_whole(found, name)
    assert message


def written(folder: Path, write: Callable[[Path, str], None], split: str, file: str) -> Path:
    if not folder.exists():
        folder.mkdir()
        write(folder, split)
    return next(folder.rglob(file))


@pytest.mark.parametrize(("name", "split", "write", "file"), RELEASES, ids=IDS)
@given(content=st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
@FOLDERS
def test_any_bytes(name, split, write, file, tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "release", write, split, file)
    path.write_bytes(content)
    read_or_refused(name, tmp_path / "release", split)


@pytest.mark.parametrize(
    ("name", "split", "write", "file"),
    [one for one in RELEASES if ".json" in one[3]],
    ids=[one for one in IDS if ".json" in one],
)
@given(data=st.data())
@FOLDERS
def test_any_json_in_the_place_of_a_part(
    name, split, write, file, tmp_path: Path, data: st.DataObject
) -> None:
    """One value somewhere in a sound file becomes another."""
    path = written(tmp_path / "release", write, split, file)
    sound = tmp_path / "sound"
    if not sound.exists():
        sound.write_bytes(path.read_bytes())
    lines = sound.read_text().splitlines()
    held = [json.loads(line) for line in lines]
    place = data.draw(st.sampled_from(list(places_in(held))))
    replace_at(held, place, data.draw(VALUES))
    path.write_text("\n".join(json.dumps(one) for one in held))
    read_or_refused(name, tmp_path / "release", split)


def places_in(value: Any, at: tuple = ()) -> Any:
    """The way to every part of some JSON."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from places_in(part, (*at, key))


def replace_at(value: Any, place: tuple, new: Any) -> None:
    *way, last = place
    for key in way:
        value = value[key]
    value[last] = new


@given(
    rows=st.lists(
        st.lists(st.text(alphabet="01.,-ne\"' \t\r\n", max_size=6), max_size=7).map(",".join),
        max_size=6,
    ).map("\n".join)
)
@FOLDERS
def test_any_table(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "validation_youcook.csv"
    path.write_text(f"end,start,task,text,video_id\n{rows}", newline="")
    read_or_refused("youcook2", tmp_path, "validation")


@given(value=SCALARS | VALUES)
def test_seconds_are_finite(value: Any) -> None:
    try:
        found = seconds(value, "here")
    except UsageError as error:
        told = str(error)
    else:
        told = f"here: expected seconds, found {found}"
        assert abs(found) < float("inf")
    assert told.startswith("here: expected seconds")


@given(start=st.floats(-5, 50), end=st.floats(-5, 50))
def test_a_span_goes_forward(start: float, end: float) -> None:
    found = span(start, end, "here")
    assert found is None or 0 <= found[0] < found[1]
    assert (found is not None) == (0 <= start < end)


# --- what is said ---


def refusal(name: str, data: Path, split: str, **options: Any) -> str:
    with pytest.raises(UsageError) as refused:
        read_benchmark(name, data, split=split, **options)
    return str(refused.value)


def test_a_row_that_cannot_be_costs_itself(tmp_path: Path) -> None:
    rows = ["end,start,task,text,video_id", "9,2,1,cut,A", "2,9,1,fry,B", "4,4,1,fold,C"]
    (tmp_path / "validation_youcook.csv").write_text("\n".join(rows))
    found = read_benchmark("youcook2", tmp_path)[2]
    assert found.captions == ("cut",)
    assert [(one.video_id, one.reason) for one in found.about.lost] == [
        ("B", "impossible_times"),
        ("C", "impossible_times"),
    ]
    assert "line 3: 9 to 2 s" in found.about.lost[0].detail


def test_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "validation_youcook.csv"
    path.write_text("end,start,task,text,video_id\n9,2,1,cut,A\nlate,2,1,fry,B\n")
    message = refusal("youcook2", tmp_path, "validation")
    assert message == f"{path}, line 3: expected seconds, found 'late'"
    path.write_text("end,start,text,video_id\n9,2,cut,A\n9,2,fry\n")
    assert f"{path}, line 3: expected 4 fields, found 3" in refusal("youcook2", path, "validation")
    path.write_text("end,begin,text,video_id\n9,2,cut,A\n")
    assert "no column start; found end, begin, text" in refusal("youcook2", path, "validation")


def test_what_was_looked_for(tmp_path: Path) -> None:
    message = refusal("youcook2", tmp_path, "validation")
    for part in (
        "has no file of annotations of YouCook2, split 'validation'",
        "validation_youcook.csv, youcookii_annotations_trainval.json, yc2_val.json",
        "Zhou, Xu and Corso",
        "Nothing is downloaded",
    ):
        assert part in message
    assert "youcook_val.pkl" in refusal("youcook2", tmp_path, "validation", features=True)
    assert "MSRVTT_data.json" in refusal("msrvtt", tmp_path, "full")
    assert "moments:tacos" in refusal("moments", tmp_path, "val")


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        releases.coin(tmp_path / name, "testing")
    message = refusal("coin", tmp_path, "testing")
    assert "COIN.json is there more than once" in message
    assert len(read_benchmark("coin", tmp_path / "a" / "COIN.json")[2].videos) == 4


def test_two_data_sets_of_moments(tmp_path: Path) -> None:
    releases.tacos(tmp_path, "test")
    releases.charades_sta(tmp_path, "test")
    message = refusal("moments", tmp_path, "test")
    assert "which data set of moments" in message
    assert "tacos_test_release.jsonl" in message
    assert "charades_sta_test.txt" in message
    assert len(read_benchmark("moments:charades-sta", tmp_path)[2].queries) == 4
    renamed = tmp_path / "mine.jsonl"
    renamed.write_text(releases.moment_lines())
    assert "which data set" in refusal("moments", renamed, "val")
    assert len(read_benchmark("moments:tacos", renamed, split="val")[2].queries) == 3


def test_a_test_set_whose_moments_are_kept_back(tmp_path: Path) -> None:
    row = {"qid": 1, "query": "a dog", "vid": "x", "duration": 10}
    path = tmp_path / "tacos_test_release.jsonl"
    path.write_text(json.dumps(row))
    message = refusal("moments:tacos", tmp_path, "test")
    assert "line 1: there is no 'relevant_windows'" in message
    assert "kept back" in message


def test_tacos_in_frames(tmp_path: Path) -> None:
    told = {"timestamps": [[294, 588]], "sentences": ["she peels"], "fps": 29.4, "num_frames": 2940}
    (tmp_path / "val.json").write_text(json.dumps({"s13-d21.avi": told}))
    (query,) = read_benchmark("moments:tacos", tmp_path, split="val")[2].queries
    assert (query.video, query.duration) == ("s13-d21", pytest.approx(100))
    assert query.spans == ((pytest.approx(10), pytest.approx(20)),)


def test_the_stretches_of_didemo(tmp_path: Path) -> None:
    row = {"video": "a_b.mov", "description": "x", "times": [[0, 0], [4, 5]], "num_segments": 6}
    (tmp_path / "test_data.json").write_text(json.dumps([row]))
    found = read_benchmark("moments:didemo", tmp_path)[2]
    assert found.unit == 5
    assert found.queries[0].spans == ((0, 5), (20, 30))


def test_steps_that_crosstask_cannot_mean(tmp_path: Path) -> None:
    releases.crosstask(tmp_path, "test")
    inside = tmp_path / "crosstask_release"
    path = inside / "annotations" / "23521_GGGGGGGGGGG.csv"
    path.write_text("4,1.0,2.0\n")
    message = refusal("crosstask", tmp_path, "test")
    assert message == f"{path}, line 1: expected a step of 1 to 3, found '4'"
    path.write_text("1,5.0,2.0\n2,0,1\n")
    found = read_benchmark("crosstask", tmp_path)[2]
    assert [one.reason for one in found.about.lost] == ["impossible_times"]
    path.unlink()
    found = read_benchmark("crosstask", tmp_path)[2]
    assert [(one.video_id, one.reason) for one in found.about.lost] == [
        ("GGGGGGGGGGG", "no_annotations")
    ]
    tasks = inside / "tasks_primary.txt"
    tasks.write_text(tasks.read_text().replace("\n3\n", "\n5\n"))
    assert "as many as steps in the next line, found '5'" in refusal("crosstask", tmp_path, "test")


def test_a_list_never_leads_outside(tmp_path: Path) -> None:
    """Names in a list of videos are looked up, never opened."""
    releases.crosstask(tmp_path, "test")
    outside = tmp_path / "23521_secret.csv"
    outside.write_text("1,0,1\n")
    with (tmp_path / "crosstask_release" / "videos.csv").open("a") as file:
        file.write("../../23521,secret,x\n23521,../../23521_secret,x\n")
    found = read_benchmark("crosstask", tmp_path)[2]
    assert {video.video for video in found.videos} <= {video for _, video in releases.STEPS}


def test_half_characters_are_refused(tmp_path: Path) -> None:
    """They could be kept, and neither printed nor written to a file."""
    path = tmp_path / "test_data.json"
    for said, is_whole in [("\\ud83e\\udd55", True), ("\\ud83e", False), ("\\uDD55 x", False)]:
        path.write_text(f'[{{"video": "a.avi", "description": "{said}", "times": [[0, 1]]}}]')
        if is_whole:
            assert read_benchmark("moments:didemo", tmp_path)[2].queries[0].query == "\U0001f955"
        else:
            assert "cannot be read as JSON" in refusal("moments:didemo", tmp_path, "test")


def test_ready_features_of_whole_videos(tmp_path: Path) -> None:
    releases.crosstask(tmp_path, "test")
    message = refusal("crosstask", tmp_path, "test", features=True)
    assert "howto features import" in message


def test_one_file_is_taken_by_its_ending(tmp_path: Path) -> None:
    release = plugins.create("benchmarks", "youcook2").described
    assert release
    path = tmp_path / "mine.csv"
    path.write_text("end,start,task,text,video_id\n9,2,1,cut,A\n")
    assert len(read_benchmark("youcook2", path)[2].clips) == 1
    from howto.evaluate.benchmarks.files import Release

    files = ReleaseFiles(path, Release("X", "Y"), "test")
    assert files.find("a.json", "b.CSV") == path
    assert files.find("a.json") is None


def test_clips_without_features_are_lost(tmp_path: Path) -> None:
    releases.msrvtt(tmp_path, "1k-A")
    releases.write_pth(tmp_path / "MSRVTT_JSFUSION_test.pth", {"video7020": "a man cooks"})
    found = read_benchmark("msrvtt", tmp_path)[2]
    assert [clip.name for clip in found.clips] == ["video7020"]
    assert [(one.video_id, one.reason) for one in found.about.lost] == [
        ("video7021", "no_features")
    ]


def test_no_file_of_features_is_no_error_unless_they_are_asked_for(tmp_path: Path) -> None:
    releases.lsmdc(tmp_path, "test")
    (tmp_path / "LSMDC_test.pth").unlink()
    assert read_benchmark("lsmdc", tmp_path)[2].streams is None
    assert "LSMDC_test.pth" in refusal("lsmdc", tmp_path, "test", features=True)
