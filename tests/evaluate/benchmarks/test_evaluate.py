"""A model on a benchmark: what is found, what is left out, and what is said of the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from howto.errors import UnknownPlugin, UsageError
from howto.evaluate.benchmark import evaluate_benchmark, read_benchmark
from howto.evaluate.benchmarks.found import Found
from howto.evaluate.benchmarks.score import proposals, step_scores
from howto.evaluate.benchmarks.sets import About, StepSet, StepTask, StepVideo
from howto.evaluate.localise import StepSpan
from howto.library import Library
from howto.records import MediaInfo
from tests.evaluate.benchmarks import releases
from tests.evaluate.benchmarks.conftest import Constant, Oracle

YOUCOOK = {
    video: [(a, b, said) for other, a, b, said in releases.YOUCOOK if other == video]
    for video, *_ in releases.YOUCOOK
}


@pytest.fixture
def youcook2(tmp_path: Path) -> Path:
    folder = tmp_path / "youcook2"
    folder.mkdir()
    releases.youcook2(folder, "validation")
    return folder


@pytest.fixture
def crosstask(tmp_path: Path) -> Path:
    folder = tmp_path / "crosstask"
    folder.mkdir()
    releases.crosstask(folder, "test")
    return folder


# --- retrieval ---


def test_ready_features(youcook2: Path) -> None:
    result = evaluate_benchmark("youcook2", Oracle(), data=youcook2)
    assert result.from_features
    assert [path.name for path in result.files] == ["youcook_val.pkl"]
    assert result.scores.text_to_video.recalls[1].value == 1
    assert result.scores.video_to_text.recalls[1].value == 1
    assert result.scored.captions == tuple(said for *_, said in releases.YOUCOOK)
    told = json.loads(json.dumps(result.as_json()))
    assert (told["benchmark"], told["features"], told["videos"]) == ("youcook2", "ready", 3)
    assert told["text_to_video"]["R@1"] == 1


def test_videos_of_a_library(youcook2: Path, named: Callable[..., Library]) -> None:
    """One by YouTube id, one by its own id, one by the name of its file."""
    library = named("youtube-AAAAAAAAAAA", "BBBBBBBBBBB", h123="sub/CCCCCCCCCCC.webm")
    names = {"AAAAAAAAAAA": "youtube-AAAAAAAAAAA", "CCCCCCCCCCC": "h123"}
    shown = {names.get(video, video): spans for video, spans in YOUCOOK.items()}
    model = Oracle(shown)
    result = evaluate_benchmark("youcook2", model, data=youcook2, library=library, features=False)
    assert not result.from_features
    assert result.scores.text_to_video.recalls[1].value == 1
    assert result.scores.candidates == 5
    # Each video is opened once for all of its clips.
    assert sorted(model.asked) == ["BBBBBBBBBBB", "h123", "youtube-AAAAAAAAAAA"]


def test_a_ready_model_takes_no_features_of_others(
    youcook2: Path, named: Callable[..., Library]
) -> None:
    library = named(*YOUCOOK)
    result = evaluate_benchmark(
        "youcook2", Oracle(YOUCOOK, kind="ready"), data=youcook2, library=library
    )
    assert not result.from_features
    assert "nobody says which videos" in result.notes[0]


def test_features_of_another_model(youcook2: Path) -> None:
    model = Oracle(streams={"colour-motion": 38})
    with pytest.raises(UsageError, match="of lengths 6 and 4, and 'oracle' takes 38"):
        evaluate_benchmark("youcook2", model, data=youcook2)


def test_without_a_library(youcook2: Path) -> None:
    with pytest.raises(UsageError, match="name the library that holds them"):
        evaluate_benchmark("youcook2", Oracle(), data=youcook2, features=False)


def test_videos_that_are_not_there_are_counted(
    youcook2: Path, named: Callable[..., Library]
) -> None:
    library = named("AAAAAAAAAAA", "BBBBBBBBBBB", x="a/CCCCCCCCCCC.mp4", y="b/CCCCCCCCCCC.mp4")
    shown = {"AAAAAAAAAAA": YOUCOOK["AAAAAAAAAAA"]}
    result = evaluate_benchmark(
        "youcook2", Oracle(shown), data=youcook2, library=library, features=False
    )
    assert result.scores.candidates == 2
    assert {one.video_id: one.reason for one in result.lost} == {
        "BBBBBBBBBBB": "no_features",
        "CCCCCCCCCCC": "not_in_library",
    }
    assert "2 different videos have files named CCCCCCCCCCC" in result.lost[0].detail
    assert result.as_json()["lost"] == {"not_in_library": 1, "no_features": 1}


def test_nothing_is_left(youcook2: Path, named: Callable[..., Library]) -> None:
    with pytest.raises(UsageError, match="no caption is left to be scored: 3 not_in_library"):
        evaluate_benchmark("youcook2", Oracle(), data=youcook2, library=named(), features=False)


def test_a_clip_of_msrvtt_is_found_in_the_video_that_it_was_cut_from(
    tmp_path: Path, named: Callable[..., Library]
) -> None:
    releases.msrvtt(tmp_path, "1k-A")
    shown = {
        "youtube-DDDDDDDDDDD": [(1.0, 9.5, "a man cooks"), (20.0, 31.0, "a car, red")],
    }
    library = named("youtube-DDDDDDDDDDD")
    result = evaluate_benchmark(
        "msrvtt", Oracle(shown), data=tmp_path, library=library, features=False
    )
    assert result.scores.text_to_video.recalls[1].value == 1
    # Both clips are of one video, so there is nothing to resample.
    assert result.videos == 1
    # A file that bears the clip's own name is preferred, and seen whole.
    library = named("youtube-DDDDDDDDDDD", "video7020", "video7021")
    whole = {"video7020": [(0.0, 9.0, "a man cooks")], "video7021": [(0.0, 9.0, "a car, red")]}
    model = Oracle({**shown, **whole})
    evaluate_benchmark("msrvtt", model, data=tmp_path, library=library, features=False)
    assert sorted(model.asked) == ["video7020", "video7021"]


def test_films_are_the_videos_of_lsmdc(tmp_path: Path) -> None:
    releases.lsmdc(tmp_path, "test")
    result = evaluate_benchmark("lsmdc", Oracle(), data=tmp_path)
    assert result.scores.text_to_video.recalls[1].value == 1
    assert result.videos == 2


# --- contamination ---


@pytest.mark.parametrize("name", ["AAAAAAAAAAA", "youtube-AAAAAAAAAAA"])
def test_what_was_trained_on_is_left_out(youcook2: Path, name: str) -> None:
    result = evaluate_benchmark("youcook2", Oracle(trained_on=[name, "other"]), data=youcook2)
    assert result.shared == ("AAAAAAAAAAA",)
    assert result.scores.candidates == result.scores.queries == 3
    assert {clip.video for clip in result.scored.clips} == {"BBBBBBBBBBB", "CCCCCCCCCCC"}
    assert result.as_json()["shared_with_training"] == {"videos": 1, "ids": ["AAAAAAAAAAA"]}


def test_files_that_were_trained_on_are_known_by_their_own_ids(
    youcook2: Path, named: Callable[..., Library]
) -> None:
    library = named("AAAAAAAAAAA", "BBBBBBBBBBB", h123="CCCCCCCCCCC.mp4")
    shown = {**YOUCOOK, "h123": YOUCOOK["CCCCCCCCCCC"]}
    model = Oracle(shown, trained_on=["h123"])
    result = evaluate_benchmark("youcook2", model, data=youcook2, library=library, features=False)
    assert result.shared == ("CCCCCCCCCCC",)
    assert "h123" not in model.asked


def test_msrvtt_is_known_by_its_youtube_ids(tmp_path: Path) -> None:
    releases.msrvtt(tmp_path, "1k-A")
    with pytest.raises(UsageError, match="no caption is left to be scored: 1 video trained"):
        evaluate_benchmark("msrvtt", Oracle(trained_on=["youtube-DDDDDDDDDDD"]), data=tmp_path)
    one = evaluate_benchmark("msrvtt", Oracle(trained_on=["video7020"]), data=tmp_path)
    assert [clip.name for clip in one.scored.clips] == ["video7021"]
    # Without the addresses only names can tell, and that is said.
    (tmp_path / "MSRVTT_data.json").unlink()
    other = evaluate_benchmark("msrvtt", Oracle(trained_on=["youtube-DDDDDDDDDDD"]), data=tmp_path)
    assert other.shared == ()
    assert any("YouTube ids of the clips are not known" in note for note in other.notes)


# --- steps ---

STEP_VIDEOS = {
    video: [(start, end, releases.TASKS[task][1][step - 1]) for step, start, end in steps]
    for (task, video), steps in releases.STEPS.items()
}


def test_steps(crosstask: Path, named: Callable[..., Library]) -> None:
    library = named(*STEP_VIDEOS)
    told: list[tuple[int, int, str]] = []
    result = evaluate_benchmark(
        "crosstask",
        Oracle(STEP_VIDEOS),
        data=crosstask,
        library=library,
        on_progress=lambda *one: told.append(one),
    )
    assert told == [(1, 3, "GGGGGGGGGGG"), (2, 3, "HHHHHHHHHHH"), (3, 3, "IIIIIIIIIII")]
    assert result.protocol == "steps"
    assert result.scores.free.recall.value == 1
    assert result.videos == 3
    assert "videos.csv without videos_val.csv, 3 videos" in result.notes[0]
    tasks = {task.task: task for task in result.scores.free.tasks}
    assert {name: (task.videos, task.present) for name, task in tasks.items()} == {
        "16815 Change a Tire": (1, 2),
        "23521 Make Jello Shots": (2, 3),
    }
    figures = json.loads(json.dumps(result.as_json()))
    assert figures["free"]["recall"] == 1
    assert 0 < figures["ordered"]["chance"] < figures["ordered"]["recall"]


@pytest.mark.parametrize(("split", "videos"), [("test", 3), ("validation", 1), ("all", 4)])
def test_lists_of_crosstask(
    crosstask: Path, named: Callable[..., Library], split: str, videos: int
) -> None:
    library = named(*STEP_VIDEOS)
    result = evaluate_benchmark(
        "crosstask", Oracle(STEP_VIDEOS), data=crosstask, library=library, split=split
    )
    assert len(result.scored.videos) == videos


def test_steps_by_hand(crosstask: Path, named: Callable[..., Library]) -> None:
    """A model that sees step 2 where step 1 is, and in a video of two seconds."""
    shown = {
        "IIIIIIIIIII": [(0.0, 6.0, "nothing"), (2.0, 4.0, "get things out")],
        "HHHHHHHHHHH": [(0.0, 2.0, "pour jello powder")],
    }
    library = named(*STEP_VIDEOS)
    result = evaluate_benchmark("crosstask", Oracle(shown), data=crosstask, library=library)
    # The video of 2 s has no room for three steps, and one has no features.
    assert {one.video_id: one.reason for one in result.lost} == {
        "GGGGGGGGGGG": "no_features",
        "HHHHHHHHHHH": "fewer_seconds_than_steps",
    }
    assert [video.video for video in result.scored.videos] == ["IIIIIIIIIII"]
    # Step 2 lies in 4..6, and is seen in 2..4.
    assert result.scores.free.tasks[0].present == 2
    assert result.scores.free.tasks[0].matched < 2


def test_steps_of_videos_trained_on(crosstask: Path, named: Callable[..., Library]) -> None:
    library = named(*STEP_VIDEOS)
    model = Oracle(STEP_VIDEOS, trained_on=["youtube-GGGGGGGGGGG"])
    result = evaluate_benchmark("crosstask", model, data=crosstask, library=library)
    assert result.shared == ("GGGGGGGGGGG",)
    assert len(result.scored.videos) == 2


def test_coin(tmp_path: Path, named: Callable[..., Library]) -> None:
    releases.coin(tmp_path, "testing")
    library = named(*STEP_VIDEOS)
    result = evaluate_benchmark("coin", Oracle(STEP_VIDEOS), data=tmp_path, library=library)
    assert result.scores.free.recall.value == 1
    assert len(result.scored.videos) == 4


# --- moments ---

MOMENT_VIDEOS = {
    video: [
        (start, end, said)
        for other, said, times, _ in releases.MOMENTS
        if other == video
        for start, end in times
    ]
    for video, *_ in releases.MOMENTS
}


def test_moments(tmp_path: Path, named: Callable[..., Library]) -> None:
    releases.tacos(tmp_path, "test")
    library = named(*MOMENT_VIDEOS)
    result = evaluate_benchmark(
        "moments:tacos", Oracle(MOMENT_VIDEOS), data=tmp_path, library=library
    )
    found = result.scores.found
    assert result.scores.queries == 3
    assert found["centre"][1].recall.value == 1
    assert found["IoU 0.5"][1].recall.value == 1
    assert found["IoU 0.5"][1].chance < 0.5
    assert result.benchmark == "moments:tacos"


def test_moments_on_a_grid(tmp_path: Path, named: Callable[..., Library]) -> None:
    releases.didemo(tmp_path, "test")
    video = "54322086@N00_2408598493_274c77d26a"
    library = named(h9=f"{video}.avi")
    said = [row[1] for row in releases.MOMENTS]
    # The last second is dark: the grid goes to the end of the file.
    shown = {"h9": [(5.0, 15.0, said[0]), (20.0, 25.0, said[1]), (0.0, 5.0, said[2]), (0, 29, "x")]}
    result = evaluate_benchmark("moments", Oracle(shown), data=tmp_path, library=library)
    assert result.scores.found["IoU 0.7"][1].recall.value == 1
    assert result.notes[0] == "DiDeMo, split 'test'"


def test_moments_in_the_video_that_a_stretch_was_cut_from(
    tmp_path: Path, named: Callable[..., Library]
) -> None:
    row = ("NUsG9BgSes0_210.0_360.0", "a dog runs", [[30.0, 44.0]], 150.0)
    (tmp_path / "highlight_val_release.jsonl").write_text(releases.moment_lines([row]))
    library = named("youtube-NUsG9BgSes0")
    shown = {"youtube-NUsG9BgSes0": [(240.0, 254.0, "a dog runs"), (0.0, 400.0, "a street")]}
    result = evaluate_benchmark(
        "moments:qvhighlights", Oracle(shown), data=tmp_path, library=library
    )
    assert result.scores.found["IoU 0.5"][1].recall.value == 1
    # Where the file ends before the stretch begins there is nothing to rank.
    short = {"youtube-NUsG9BgSes0": [(0.0, 100.0, "a dog runs")]}
    with pytest.raises(UsageError, match=r"ends at 100 s, before 210 s"):
        evaluate_benchmark("moments:qvhighlights", Oracle(short), data=tmp_path, library=library)


def test_hits_of_one_query_are_different(tmp_path: Path, named: Callable[..., Library]) -> None:
    """What is asked for is seen best where it is not; around there are more than five stretches."""
    row = ("s13-d21", "a dog runs", [[40.7, 47.9]], 100.0)
    (tmp_path / "tacos_test_release.jsonl").write_text(releases.moment_lines([row]))
    strong, weak = (8.0, 16.0, "a dog runs"), (40.7, 47.9, "a dog runs")
    shown = {"s13-d21": [strong, strong, weak, (99.0, 100.0, "a street")]}
    result = evaluate_benchmark(
        "moments:tacos", Oracle(shown), data=tmp_path, library=named("s13-d21")
    )
    found = result.scores.found["IoU 0.5"]
    assert (found[1].recall.value, found[5].recall.value) == (0, 1)


@pytest.mark.parametrize("duration", [0.5, 2.0, 7.3, 150.0, 1400.0])
def test_proposals_lie_in_the_video(duration: float) -> None:
    spans = proposals(duration)
    assert (spans[:, 0] >= 0).all()
    assert (spans[:, 1] <= duration + 1e-6).all()
    assert (spans[:, 1] > spans[:, 0]).all()
    # Whatever is at least as long as the shortest one is met well by one of them.
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, end = np.sort(rng.uniform(0, duration, 2))
        if end - start >= 2:
            common = np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], start)
            both = (spans[:, 1] - spans[:, 0]) + (end - start) - common
            assert (common / both).max() >= 0.65


def test_proposals_on_a_grid() -> None:
    assert len(proposals(30.0, 5.0)) == 21
    assert proposals(12.0, 5.0).tolist() == [
        [0, 5], [0, 10], [0, 15], [5, 10], [5, 15], [10, 15],
    ]  # fmt: skip


# --- names ---


def test_unknown_names(youcook2: Path) -> None:
    with pytest.raises(UnknownPlugin, match=r"no benchmark named 'youcook'.*youcook2"):
        evaluate_benchmark("youcook", Oracle(), data=youcook2)
    with pytest.raises(
        UnknownPlugin, match=r"no data set of moments named 'tacoss'.*moments:tacos"
    ):
        evaluate_benchmark("moments:tacoss", Oracle(), data=youcook2)
    with pytest.raises(
        UsageError, match=r"Splits: validation, training\. Did you mean 'validation'"
    ):
        evaluate_benchmark("youcook2", Oracle(), data=youcook2, split="valid")


def test_a_constant_model_is_at_chance(youcook2: Path) -> None:
    way = evaluate_benchmark("youcook2", Constant(), data=youcook2).scores.text_to_video
    assert [one.value for one in way.recalls.values()] == [0.2, 1.0, 1.0]
    assert way.median_rank.value == 3


# --- ends of videos ---


def lasting(library: Library, **seconds: float) -> Library:
    """Let the library know how long its files are."""
    with library.writing():
        for video_id, duration in seconds.items():
            info = MediaInfo(duration, 0, 16, 16, 16, 16, 1, 0, 2, False, "h264", "", False)
            library.put_video(library.number_of(video_id), info, "", "", "")
    return library


@pytest.mark.parametrize(("length", "piece"), [(26.0, 5), (10.4, 2)])
def test_the_last_piece_of_didemo_is_whole(
    tmp_path: Path, named: Callable[..., Library], length: float, piece: int
) -> None:
    """People marked it as 5 s, however little of it the file has."""
    row = {"video": "v1.avi", "description": "a dog runs", "times": [[piece, piece]]}
    (tmp_path / "test_data.json").write_text(json.dumps([row]))
    library = lasting(named("v1"), v1=length)
    shown = {"v1": [(5.0 * piece, 5.0 * (piece + 1), "a dog runs"), (0.0, length, "a street")]}
    result = evaluate_benchmark("moments:didemo", Oracle(shown), data=tmp_path, library=library)
    assert [found[1].recall.value for found in result.scores.found.values()] == [1] * 5
    assert 0 < result.scores.found["IoU 0.7"][1].chance < 1


def test_chance_on_a_grid_has_room_for_all_pieces(
    tmp_path: Path, named: Callable[..., Library]
) -> None:
    """A hit of 5 s in 30 s meets the first piece by 0.7 where it starts before 15 / 17 s."""
    row = {"video": "v1.avi", "description": "a dog runs", "times": [[0, 0]]}
    (tmp_path / "test_data.json").write_text(json.dumps([row]))
    library = lasting(named("v1"), v1=26.0)
    shown = {"v1": [(0.0, 5.0, "a dog runs"), (0.0, 26.0, "a street")]}
    result = evaluate_benchmark("moments:didemo", Oracle(shown), data=tmp_path, library=library)
    assert result.scores.found["IoU 0.7"][1].chance == pytest.approx(15 / 17 / 25)


def test_seconds_without_features_are_not_looked_at(
    crosstask: Path, named: Callable[..., Library]
) -> None:
    """The sound of a file may be longer than its picture: what nobody saw is no candidate."""
    shown = {"IIIIIIIIIII": [(2.0, 4.0, "brake on"), (4.0, 6.0, "get things out")]}
    library = lasting(named("IIIIIIIIIII"), IIIIIIIIIII=40.0)
    result = evaluate_benchmark("crosstask", Oracle(shown), data=crosstask, library=library)
    assert result.scores.free.recall.value == 1
    assert result.scores.free.chance == pytest.approx(2 / 6)
    # Where the file ends first, it counts.
    library = lasting(named("IIIIIIIIIII"), IIIIIIIIIII=4.2)
    result = evaluate_benchmark("crosstask", Oracle(shown), data=crosstask, library=library)
    assert result.scores.free.tasks[0].present == 2
    assert result.scores.free.chance == pytest.approx((2 + 1) / 5 / 2)


def test_steps_of_a_stretch_of_a_longer_video(named: Callable[..., Library]) -> None:
    steps = ("pour", "stir", "serve")
    shown = [(10.0 + 2 * n, 12.0 + 2 * n, step) for n, step in enumerate(steps)]
    spans = tuple(StepSpan(n, 2.0 * n - 2, 2.0 * n) for n in (1, 2, 3))
    video = StepVideo("v1", "7", spans, (), frozenset({"v1"}))
    asked = StepSet((StepTask("7", "Cook", steps),), (video,), About(()))
    model = Oracle({"v1": [*shown, (0.0, 40.0, "a street")]})
    place = {"v1": Found("v1", 10.0, 16.0)}
    scores, scored, lost = step_scores(asked, place, model, named("v1"))
    assert scores.ordered.recall.value == 1
    assert scores.free.chance == pytest.approx(2 / 6)
    assert (scored, lost) == ([video], [])


def test_clips_past_the_end_are_lost(youcook2: Path, named: Callable[..., Library]) -> None:
    library = lasting(named(*YOUCOOK), AAAAAAAAAAA=22.0, BBBBBBBBBBB=60.0, CCCCCCCCCCC=60.0)
    result = evaluate_benchmark(
        "youcook2", Oracle(YOUCOOK), data=youcook2, library=library, features=False
    )
    assert result.scores.candidates == 4
    (lost,) = result.lost
    assert (lost.reason, lost.detail) == (
        "outside_video",
        "AAAAAAAAAAA ends at 22 s, before 25 s",
    )
    assert "fry it in oil" not in result.scored.captions


def test_files_of_another_length_are_told(tmp_path: Path, named: Callable[..., Library]) -> None:
    """The release says 12.5 s of each."""
    releases.coin(tmp_path, "testing")
    lengths = dict.fromkeys(STEP_VIDEOS, 13.0) | {"HHHHHHHHHHH": 30.0}
    library = lasting(named(*STEP_VIDEOS), **lengths)
    notes = evaluate_benchmark("coin", Oracle(STEP_VIDEOS), data=tmp_path, library=library).notes
    (note,) = [note for note in notes if "longer or shorter" in note]
    assert note.startswith("1 file longer or shorter by over 2 s than the release says")
    assert "HHHHHHHHHHH" in note
    library = lasting(named(*STEP_VIDEOS), **dict.fromkeys(STEP_VIDEOS, 13.0))
    notes = evaluate_benchmark("coin", Oracle(STEP_VIDEOS), data=tmp_path, library=library).notes
    assert not [note for note in notes if "longer or shorter" in note]


# --- nothing to score ---


def test_why_no_step_is_left(crosstask: Path, named: Callable[..., Library]) -> None:
    """One video has no features, one is not there, one was trained on."""
    library = named("GGGGGGGGGGG", "IIIIIIIIIII")
    model = Oracle({}, trained_on=["IIIIIIIIIII"])
    with pytest.raises(UsageError) as error:
        evaluate_benchmark("crosstask", model, data=crosstask, library=library)
    assert str(error.value) == (
        "no video that shows a step is left to be scored: 1 video trained on, 1 not_in_library, "
        "1 no_features, such as GGGGGGGGGGG has no features"
    )
    # Steps that are marked only after the last second that was seen.
    short = {"HHHHHHHHHHH": [(0.0, 1.0, "pour water")], "GGGGGGGGGGG": [(0.0, 1.0, "x")]}
    (crosstask / "crosstask_release" / "tasks_primary.txt").write_text(
        "23521\nMake Jello Shots\nhttps://example.org\n1\npour water\n"
    )
    for path in (crosstask / "crosstask_release" / "annotations").iterdir():
        path.write_text("1,8.0,9.0\n")
    library = named("GGGGGGGGGGG", "HHHHHHHHHHH")
    with pytest.raises(UsageError, match="2 videos in which no step is marked where it was seen"):
        evaluate_benchmark("crosstask", Oracle(short), data=crosstask, library=library)


def test_a_rule_of_ties_is_for_retrieval(crosstask: Path, named: Callable[..., Library]) -> None:
    with pytest.raises(UsageError, match="a rule of ties is for retrieval; crosstask asks for st"):
        evaluate_benchmark(
            "crosstask",
            Oracle(STEP_VIDEOS),
            data=crosstask,
            library=named(*STEP_VIDEOS),
            ties="authors",
        )


# --- files and splits ---


@pytest.mark.parametrize(
    ("benchmark", "file", "split", "own"),
    [
        ("youcook2", "yc2_val.json", "training", "validation"),
        ("youcook2", "youcook_train.pkl", "validation", "training"),
        ("lsmdc", "LSMDC16_annos_val.csv", "test", "validation"),
        ("msrvtt", "MSRVTT_train.9k.csv", "1k-A", "train-9k"),
        ("moments:tacos", "tacos_val_release.jsonl", None, "val"),
        ("moments:didemo", "val_data.json", "train", "val"),
    ],
)
def test_a_file_of_another_split_is_refused(
    tmp_path: Path, benchmark: str, file: str, split: str | None, own: str
) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(UsageError, match=rf"has the name of a file of .*split '{own}'.*--split"):
        read_benchmark(benchmark, tmp_path / file, split=split)


def test_a_file_of_several_splits_and_one_of_any_name(tmp_path: Path) -> None:
    releases.youcook2(tmp_path, "training")
    path = tmp_path / "annotations" / "youcookii_annotations_trainval.json"
    assert len(read_benchmark("youcook2", path, split="training")[2].clips) == 5
    path = path.rename(tmp_path / "mine.json")
    assert len(read_benchmark("youcook2", path, split="training")[2].clips) == 5


@pytest.mark.parametrize("is_file", [True, False])
def test_moments_of_another_split_are_told(tmp_path: Path, is_file: bool) -> None:
    path = tmp_path / "tacos_val_release.jsonl"
    path.write_text(releases.moment_lines())
    data = path if is_file else tmp_path
    with pytest.raises(
        UsageError, match=r"tacos_val_release\.jsonl \(TACoS\): --split val"
    ) as told:
        read_benchmark("moments", data)
    assert "moments:qvhighlights" in str(told.value)
    assert len(read_benchmark("moments", data, split="val")[2].queries) == 3
