"""Steps on the seconds of a video: the stage, the picture, the command."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import ItemError, Reason, UsageError
from howto.joint.locate import locate_steps, placed, read_steps, seconds_seen
from howto.joint.opened import make_features, open_model
from howto.library import Library
from howto.media.encode import H264Writer
from howto.search.choice import SignalChoice, remember
from howto.search.refresh import refresh

SHADES = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def write_shades(path: Path, *names: str) -> Path:
    """Two seconds of each colour."""
    with H264Writer(path, width=16, height=16, frame_rate=Fraction(10)) as writer:
        for name in names:
            for _ in range(20):
                writer.write_frame(np.full((16, 16, 3), SHADES[name], np.uint8))
    return path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with a video of red, green, blue, red."""
    folder = tmp_path / "films"
    folder.mkdir()
    write_shades(folder / "light.mp4", "red", "green", "blue", "red")
    return folder


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    path = tmp_path / "steps.txt"
    path.write_text("1. show green\n2) then blue\n\n3: and red\n")
    return path


# --- the list ---


def test_steps_are_read_one_a_line(tmp_path: Path, steps: Path) -> None:
    assert read_steps(steps) == ["show green", "then blue", "and red"]
    steps.write_text("- crack it\n* stir\n\u2022 1. serve\n-5 degrees\n-- wait\n")
    assert read_steps(steps) == ["crack it", "stir", "serve", "-5 degrees", "-- wait"]
    steps.write_bytes("\ufeff2 eggs\r\n10 minutes in the oven\r\n  \r\n".encode())
    assert read_steps(steps) == ["2 eggs", "10 minutes in the oven"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no step"), (b"\n \n", "no step"), (b"\xff", "byte 0 is no")]
)
def test_a_list_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "steps.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_steps(path)
    with pytest.raises(UsageError, match="No such file"):
        read_steps(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="Is a directory"):
        read_steps(tmp_path)


# --- places ---


SCORES = np.array([[5, 0, 0, 9], [0, 4, 8, 0], [1, 1, 6, 2]], np.float32)


def test_places_and_what_speaks_against_them() -> None:
    """Worked by hand: 5 + 4 + 6 is the most that growing seconds can have."""
    first, second, third = placed(["a", "b", "c"], SCORES, np.array([True, False, True]))
    assert (first.second, second.second, third.second) == (0, 1, 2)
    assert first.note == "best at 0:03, out of order"
    assert second.note == "the model knows no word of it"
    assert third.note == ""  # what is not known is no rival
    assert [one.share_below for one in (first, second, third)] == [0.5, 0.5, 0.75]
    free = placed(["a", "b", "c"], SCORES, np.ones(3, bool), ordered=False)
    assert [one.second for one in free] == [3, 2, 2]
    assert [one.note for one in free] == ["", "", "step 2 scores higher here"]


def test_a_step_of_no_known_word_moves_no_other() -> None:
    """Its scores would have the second that the step before it has to itself."""
    scores = np.array([[0, 0, 5, 0], [9, 9, 0, 0], [0, 0, 0, 5]], np.float32)
    alone = placed(["a", "c"], scores[[0, 2]], np.ones(2, bool))
    assert [one.second for one in alone] == [2, 3]
    for ordered in (True, False):
        some = np.concatenate([scores, np.zeros((3, 1), np.float32)], axis=1)
        some[2, 3:] = (0, 5)
        found = placed(["a", "zzzz", "c"], some, np.array([True, False, True]), ordered=ordered)
        assert (found[0].second, found[2].second) == (2, 4)
        assert [one.note for one in found] == ["", "the model knows no word of it", ""]
    known = placed(["a", "zzzz", "c"], some, np.ones(3, bool))
    assert known[0].second == 0


@given(
    st.integers(1, 4).flatmap(
        lambda steps: st.lists(
            st.lists(st.integers(-3, 3), min_size=steps, max_size=steps), min_size=steps, max_size=7
        )
    )
)
def test_no_growing_seconds_score_more(columns: list[list[int]]) -> None:
    scores = np.array(columns, np.float32).T
    steps, seconds = scores.shape
    found = placed([""] * steps, scores, np.ones(steps, bool))
    best = max(
        sum(scores[step, second] for step, second in enumerate(some))
        for some in combinations(range(seconds), steps)
    )
    assert sum(one.score for one in found) == best
    assert sorted({one.second for one in found}) == [one.second for one in found]


def test_a_video_that_is_too_short_for_its_steps(
    films: Path, colour_words: Path, steps: Path
) -> None:
    with Library.open(films) as library:
        refresh(library)
        model = open_model(library, "colour-words")
        make_features(library, model)
        [(video_id,)] = library.connection.execute("SELECT video_id FROM videos")
        assert len(seconds_seen(library, model, video_id)) == 8
        with pytest.raises(ItemError, match="9 steps in 8 s") as error:
            locate_steps(library, model, video_id, ["red"] * 9)
        assert error.value.reason == Reason.FEWER_SECONDS_THAN_STEPS
        free = locate_steps(library, model, video_id, ["red"] * 9, ordered=False)
        assert {one.second for one in free.steps} == {0}


def test_seconds_of_which_there_is_no_feature(films: Path, colour_words: Path) -> None:
    """The container says that the film is longer than its pictures."""
    with Library.open(films) as library:
        refresh(library)
        model = open_model(library, "colour-words")
        make_features(library, model)
        [(video_id, number)] = library.connection.execute("SELECT video_id, number FROM videos")
        info = library.info(video_id)
        with library.writing():
            library.put_video(number, replace(info, duration=20.0), "", "", "")
        assert locate_steps(library, model, video_id, ["red"]).scores.shape == (1, 8)
        assert seconds_seen(library, model, video_id, 2.5, 5).tolist() == [
            [2.5, np.nextafter(3.5, 0)], [3.5, np.nextafter(4.5, 0)], [4.5, np.nextafter(5.5, 0)],
        ]  # fmt: skip
        assert len(seconds_seen(library, model, video_id, 30.0)) == 0
        with library.writing():
            library.put_video(number, replace(info, duration=5.2), "", "", "")
        assert len(seconds_seen(library, model, video_id)) == 6


# --- the command ---


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--plot", "nowhere/x.png"), "there is no folder nowhere"),
        (("--plot", "."), "this is a folder"),
        (("--device", "bogus"), "no device 'bogus'"),
    ],
)
def test_options_are_looked_at_before_any_work(
    drawn: Path, films: Path, steps: Path, cli: Callable, option: tuple[str, str], said: str
) -> None:
    ran = cli("locate", steps, films / "light.mp4", "-L", drawn, "--model", "small", *option)
    assert ran.code == 2
    assert said in ran.err
    assert not (films / ".howto").exists()


def test_a_video_outside_any_library(
    films: Path, colour_words: Path, steps: Path, cli: Callable
) -> None:
    """Its folder becomes a library; its features are made once, and kept."""
    picture = films.parent / "timeline.png"
    ran = cli("locate", steps, films / "light.mp4", "--model", "colour-words", "--plot", picture)
    assert ran.code == 0, ran.err
    assert "is a library now" in ran.err
    assert "Making the features joint:colour-words of light.mp4" in ran.err
    times = [line.split()[1] for line in ran.out.splitlines()[1:4]]
    assert times[:2] == ["0:02", "0:04"]
    assert times[2] in ("0:06", "0:07")
    assert cv2.imread(str(picture)).shape[1] == 1100
    again = cli("locate", steps, films / "light.mp4", "--model", "colour-words", "--json")
    assert "Making" not in again.err
    found = again.json
    assert [one["start"] for one in found["steps"]][:2] == [2, 4]
    assert (found["assign"], found["seconds"], len(found["scores"])) == ("ordered", 8, 3)
    assert all(one["note"] == "" for one in found["steps"])


def test_free_steps_ignore_the_order(
    films: Path, colour_words: Path, steps: Path, cli: Callable
) -> None:
    steps.write_text("blue\nred\ngreen\nzzzz\n")
    ran = cli("locate", steps, films / "light.mp4", "--assign", "free", "--json")
    assert ran.code == 2
    assert "--model colour-pairs or --model colour-words" in ran.err
    named = ("--model", "colour-words", "--assign", "free", "--json")
    found = cli("locate", steps, films / "light.mp4", *named).json
    assert [one["start"] for one in found["steps"]][:3] == [4, 0, 2]
    assert found["steps"][3]["known"] is False
    assert found["steps"][3]["note"] == "the model knows no word of it"


def test_only_the_video_that_is_asked_for_is_extracted(
    films: Path, colour_words: Path, steps: Path, cli: Callable
) -> None:
    write_shades(films / "[x] other.mp4", "green", "blue")
    assert cli("locate", steps, films / "[x] other.mp4", "--model", "colour-words").code == 0
    [features] = cli("features", "-L", films, "--json").json["sets"]
    assert features["files"] == 1


def test_a_run_of_another_library(drawn: Path, films: Path, steps: Path, cli: Callable) -> None:
    steps.write_text("fold the shirt\nflip the pancake\n")
    ran = cli("locate", steps, films / "light.mp4", "-L", drawn, "--model", "small", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["model"] == "small"
    assert (films / ".howto" / "features").is_dir()
    assert not ran.json["trained_on_this_video"]


def test_a_video_that_the_run_was_trained_on(
    drawn: Path, library: Library, steps: Path, cli: Callable
) -> None:
    trained_on = open_model(library, "small").trained_on
    paths = {library.video_id(number): paths[0] for number, paths in library.paths().items()}
    for video_id, path in paths.items():
        steps.write_text("now fold it\nand the rest\n")
        found = cli("locate", steps, drawn / path, "--model", "small", "--json").json
        assert found["trained_on_this_video"] == (video_id in trained_on)


def test_without_a_model_it_says_how_to_get_one(
    films: Path, weights: Path, steps: Path, cli: Callable
) -> None:
    ran = cli("locate", steps, films / "light.mp4")
    assert ran.code == 2
    assert "there is no model to see videos by" in ran.err
    assert "howto models fetch NAME" in ran.err
    assert "s3d-milnce" in ran.err
    assert not (films / ".howto").exists()  # nothing is made before it is known to be of use


def test_several_runs_are_to_be_chosen_from(
    drawn: Path, tmp_path: Path, steps: Path, cli: Callable
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    runs = folder / ".howto" / "runs"
    for other in [one for one in runs.iterdir() if one.name != "small"]:
        shutil.rmtree(other)
    video = next(iter(sorted(folder.glob("*.mp4"))))
    said = cli("locate", steps, video, "--json").err
    assert "By the model small, the one that there is." in said
    with Library.open(folder) as library, library.writing():
        remember(library, SignalChoice(("words", "pictures"), "small", "it was measured"))
    said = cli("locate", steps, video, "--json").err
    assert "By the model small, which was measured to be the best here." in said
    with Library.open(folder) as library, library.writing():
        remember(library, SignalChoice(("words",), None, "it was measured"))
    shutil.copytree(runs / "small", runs / "twin")
    ran = cli("locate", steps, video)
    assert ran.code == 2
    assert "--model small or --model twin" in ran.err


def test_what_cannot_be_located(
    films: Path, colour_words: Path, steps: Path, cli: Callable
) -> None:
    """Named outcomes: too many steps, no picture, no video at all."""
    steps.write_text("red\n" * 9)
    long = cli("locate", steps, films / "light.mp4", "--model", "colour-words")
    assert (long.code, "fewer_seconds_than_steps: 9 steps in 8 s" in long.err) == (1, True)
    steps.write_text("red\n")
    (films / "broken.mp4").write_bytes(b"no video at all")
    broken = cli("locate", steps, films / "broken.mp4", "--model", "colour-words")
    assert (broken.code, "not_media" in broken.err) == (1, True)
    (films / "note.txt").write_text("no video")
    assert cli("locate", steps, films / "note.txt", "--model", "colour-words").code == 2
    assert cli("locate", steps, films / "none.mp4").code == 2


def test_the_picture_marks_the_places(
    films: Path, colour_words: Path, steps: Path, tmp_path: Path, cli: Callable
) -> None:
    """The mark's colour stands where the second lies in the strip, in each row."""
    picture = tmp_path / "timeline.png"
    ran = cli(
        "locate", steps, films / "light.mp4", "--model", "colour-words", "--plot", picture, "--json"
    )
    drawn = cv2.imread(str(picture))
    is_mark = np.abs(drawn.astype(int) - (0, 94, 213)).max(axis=2) < 10
    for row, step in enumerate(json.loads(ran.out)["steps"]):
        strip = is_mark[60 + 44 * row : 60 + 44 * row + 24]
        columns = np.flatnonzero(strip.sum(axis=0) > 15)
        left = 330 + 740 * step["start"] / 8
        assert abs(columns.min() - left) <= 4
        assert abs(columns.max() - (left + 740 / 8)) <= 4
