"""The published files load to the counts that their papers state."""

import json
from pathlib import Path

import numpy as np
import pytest

from howto.evaluate.benchmark import evaluate_benchmark, read_benchmark
from howto.evaluate.benchmarks.coin import listed_videos
from tests.evaluate.benchmarks.conftest import Constant, Oracle
from tests.evaluate.benchmarks.releases import write_pkl, write_pth


@pytest.fixture
def annotations(shared_data: Path) -> Path:
    return shared_data / "annotations"


def test_youcook2_as_the_authors_score_it(annotations: Path) -> None:
    _, split, found = read_benchmark("youcook2", annotations / "validation_youcook.csv")
    assert split == "validation"
    assert len(found.clips) == len(found.captions) == 3350
    assert len({clip.video for clip in found.clips}) == 436
    first = found.clips[0]
    assert (first.video, first.places[0].start, first.places[0].end) == ("xHr8X2Wpmno", 47, 60)
    assert found.captions[0] == "pick the ends off the verdalago"
    assert found.streams is None
    assert found.about.lost == ()


def test_youcook2_whole(annotations: Path) -> None:
    path = annotations / "youcookii_annotations_trainval.json"
    counts = {}
    for split in ("training", "validation"):
        found = read_benchmark("youcook2", path, split=split)[2]
        counts[split] = (len(found.clips), len({clip.video for clip in found.clips}))
    assert counts == {"training": (10337, 1333), "validation": (3492, 457)}
    assert 1333 + 457 == len(json.loads(path.read_bytes())["database"]) == 1790


def test_youcook2_in_the_form_of_dense_captions(annotations: Path) -> None:
    found = read_benchmark("youcook2", annotations / "yc2_val.json")[2]
    whole = read_benchmark("youcook2", annotations / "youcookii_annotations_trainval.json")[2]
    assert len(found.clips) == 3492

    def told(one) -> set:
        pairs = zip(one.clips, one.captions, strict=True)
        return {(clip.video, clip.places, said.strip()) for clip, said in pairs}

    assert {row[:2] for row in told(found)} == {row[:2] for row in told(whole)}


def test_a_folder_takes_the_authors_table_first(annotations: Path) -> None:
    found = read_benchmark("youcook2", annotations)[2]
    assert [path.name for path in found.about.files] == ["validation_youcook.csv"]


def test_msrvtt_1k_a(annotations: Path) -> None:
    found = read_benchmark("msrvtt", annotations / "msrvtt_test.csv")[2]
    assert len(found.clips) == len(found.captions) == 1000
    listed = (annotations / "msrvtt_val_list_jsfusion.txt").read_text().split()
    assert {clip.name for clip in found.clips} == set(listed)
    assert "YouTube ids" in found.about.notes[0]


def data_json(annotations: Path, folder: Path) -> None:
    """MSRVTT_data.json of the real sentences of the validation set, said to be its test set."""
    held = json.loads((annotations / "val.json").read_bytes())
    videos = [{"video_id": name, "split": "test"} for name in held]
    sentences = [
        {"video_id": name, "caption": said} for name, of in held.items() for said in of.values()
    ]
    (folder / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))


def test_msrvtt_with_20_captions_a_video(annotations: Path, tmp_path: Path) -> None:
    data_json(annotations, tmp_path)
    found = read_benchmark("msrvtt", tmp_path, split="full")[2]
    assert len(found.clips) == 497
    assert len(found.captions) == 497 * 20
    assert (np.bincount(found.answers) == 20).all()


def test_msrvtt_training_lists(annotations: Path, tmp_path: Path) -> None:
    ids = [f"video{number}" for number in range(10000)]
    sentences = [{"video_id": name, "caption": f"says {name}"} for name in ids]
    parts = ["train"] * 6513 + ["validate"] * 497 + ["test"] * 2990
    videos = [{"video_id": n, "split": part} for n, part in zip(ids, parts, strict=True)]
    told = json.dumps({"videos": videos, "sentences": sentences})
    (tmp_path / "MSRVTT_data.json").write_text(told)
    for name in ("MSRVTT_train.9k.csv", "msrvtt_test_list_miech.txt", "msrvtt_test.csv"):
        (tmp_path / name).symlink_to(annotations / name)
    counts = {
        split: len(read_benchmark("msrvtt", tmp_path, split=split)[2].clips)
        for split in ("train-9k", "train-7k", "1k-B", "full", "validation", "1k-A")
    }
    assert counts == {
        "train-9k": 9000,
        "train-7k": 7010,
        "1k-B": 1000,
        "full": 2990,
        "validation": 497,
        "1k-A": 1000,
    }


def test_tacos(annotations: Path) -> None:
    _, split, found = read_benchmark("moments", annotations, split="val")
    assert split == "val"
    assert len(found.queries) == 4436
    assert len({query.video for query in found.queries}) == 27
    assert found.about.notes == ("TACoS, split 'val'",)
    assert all(query.duration >= query.spans[0][1] for query in found.queries)
    assert read_benchmark("moments:tacos", annotations, split="val")[2] == found


def test_coin_test_list(annotations: Path) -> None:
    listed = list(listed_videos(annotations / "coin_task_test.csv"))
    assert len(listed) == 2594
    assert {one.task for one in listed} == set(range(180))
    assert (listed[0].video, listed[0].task, listed[0].duration) == ("4bgWwnZQPaA", 123, 157.3572)


def test_coin_scores_the_listed_videos(annotations: Path, tmp_path: Path) -> None:
    """With a COIN.json of the real test list and a video that nobody could fetch any more."""
    listed = list(listed_videos(annotations / "coin_task_test.csv"))
    step = {"id": "1", "segment": [0, 5], "label": "do it"}
    database = {
        one.video: {
            "class": f"Task{one.task}",
            "subset": "testing",
            "duration": one.duration,
            "annotation": [step],
        }
        for one in listed
    }
    database["ZZZZZZZZZZZ"] = {**database[listed[0].video]}
    (tmp_path / "COIN.json").write_text(json.dumps({"database": database}))
    assert len(read_benchmark("coin", tmp_path)[2].videos) == 2595
    (tmp_path / "coin_task_test.csv").symlink_to(annotations / "coin_task_test.csv")
    found = read_benchmark("coin", tmp_path)[2]
    assert len(found.videos) == 2594
    assert len(found.tasks) == 180
    assert found.about.notes[0].startswith("1 videos of the split are not in coin_task_test.csv")


# --- from file to figures, with features generated ---


@pytest.fixture
def youcook_pkl(annotations: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """The real captions in the authors' form; the features of a clip show its caption."""
    found = read_benchmark("youcook2", annotations / "validation_youcook.csv")[2]
    rows = [(clip.video, said) for clip, said in zip(found.clips, found.captions, strict=True)]
    return write_pkl(tmp_path / "youcook_val.pkl", rows), list(found.captions)


def test_who_knows_the_answers_finds_all_of_youcook2(youcook_pkl) -> None:
    path, captions = youcook_pkl
    result = evaluate_benchmark("youcook2", Oracle(), data=path)
    assert result.from_features
    assert result.videos == 436
    assert result.scores.candidates == result.scores.queries == 3350
    # 3,273 different captions: of t clips with the same one, each is first once in t times.
    assert len(set(captions)) == 3273
    assert result.scores.text_to_video.recalls[1].value == pytest.approx(3273 / 3350, abs=1e-12)
    authors = evaluate_benchmark("youcook2", Oracle(), data=path, ties="optimistic")
    assert authors.scores.text_to_video.recalls[1].value == 1


def test_who_sees_no_difference_gets_exactly_chance(youcook_pkl) -> None:
    found = evaluate_benchmark("youcook2", Constant(), data=youcook_pkl[0]).scores
    for way in (found.text_to_video, found.video_to_text):
        for k, recall in way.recalls.items():
            assert recall.value == pytest.approx(k / 3350, abs=1e-15)
        assert way.median_rank.value == 1675.5


def test_msrvtt_1k_a_from_the_authors_features(annotations: Path, tmp_path: Path) -> None:
    (tmp_path / "MSRVTT_JSFUSION_test.csv").symlink_to(annotations / "msrvtt_test.csv")
    found = read_benchmark("msrvtt", tmp_path)[2]
    pairs = zip(found.clips, found.captions, strict=True)
    write_pth(tmp_path / "MSRVTT_JSFUSION_test.pth", {clip.name: said for clip, said in pairs})
    result = evaluate_benchmark("msrvtt", Oracle(), data=tmp_path)
    assert result.from_features
    assert result.scores.text_to_video.recalls[1].value == pytest.approx(0.995, abs=1e-12)
    chance = evaluate_benchmark("msrvtt", Constant(), data=tmp_path).scores
    assert chance.text_to_video.recalls[10].value == pytest.approx(0.01, abs=1e-15)


def test_one_of_20_captions_is_enough_to_find(annotations: Path, tmp_path: Path) -> None:
    """A video's features show its first sentence alone: that one of its 20 finds it, and it finds
    that one."""
    data_json(annotations, tmp_path)
    found = read_benchmark("msrvtt", tmp_path, split="full")[2]
    pairs = zip(found.answers[::20], found.captions[::20], strict=True)
    first = {found.clips[answer].name: said for answer, said in pairs}
    write_pth(tmp_path / "MSRVTT_test.pth", first)
    scores = evaluate_benchmark("msrvtt", Oracle(), data=tmp_path, split="full").scores
    assert (scores.queries, scores.candidates) == (9940, 497)
    assert scores.video_to_text.recalls[1].value > 0.95
    assert 0.05 <= scores.text_to_video.recalls[1].value < 0.2
