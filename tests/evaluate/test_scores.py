"""Matrices of scores from files: what is read, and what is refused by name."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from howto.errors import UsageError
from howto.evaluate.scores import evaluate_scores, read_array


def saved(path: Path, array) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32])
def test_a_file_is_evaluated(tmp_path: Path, kind: type) -> None:
    scores = np.array([[3, 1, 2], [1, 3, 2], [2, 1, 0]], kind)
    for one in (scores, np.asfortranarray(scores)):
        found = evaluate_scores(saved(tmp_path / "scores.npy", one))
        assert found.text_to_video.ranks.ranks.tolist() == [1, 1, 3]


def test_answers_and_videos(tmp_path: Path) -> None:
    scores = saved(tmp_path / "scores.npy", np.array([[0.1, 0.9], [0.2, 0.1], [0.3, 0.5]]))
    answers = saved(tmp_path / "answers.npy", np.array([1, 0, 0], np.uint8))
    videos = saved(tmp_path / "videos.npy", np.array(["film", "film"]))
    found = evaluate_scores(scores, answers, videos)
    assert found.text_to_video.ranks.ranks.tolist() == [1, 1, 2]
    assert found.text_to_video.recalls[1].low == found.text_to_video.recalls[1].high
    assert found.queries == 3


def test_more_captions_than_clips_want_answers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"3 rows and 2 columns.*--answers"):
        evaluate_scores(saved(tmp_path / "scores.npy", np.zeros((3, 2))))


@pytest.mark.parametrize(
    ("scores", "answers", "said"),
    [
        (np.where(np.arange(25).reshape(5, 5) == 16, np.nan, 0), None, "row 3 "),
        (np.zeros(4), None, r"got shape \(4,\)"),
        (np.zeros((2, 2), complex), None, "complex"),
        (np.full((2, 2), "a"), None, "real numbers"),
        (np.zeros((0, 0)), None, "no query"),
        (np.zeros((2, 3)), np.array([0, 3]), "row 1 without an answer: 3"),
        (np.zeros((2, 3)), np.array([0.0, 1.0]), "whole numbers"),
        (np.zeros((2, 3)), np.array([0, 1, 2]), "each of 2 rows"),
    ],
)
def test_what_cannot_be_evaluated_is_named(tmp_path: Path, scores, answers, said: str) -> None:
    file = saved(tmp_path / "scores.npy", scores)
    other = None if answers is None else saved(tmp_path / "answers.npy", answers)
    with pytest.raises(UsageError, match=f"scores.npy.*{said}"):
        evaluate_scores(file, other)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    class Touch:
        def __reduce__(self):
            return (Path.touch, (touched,))

    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Touch()))
    np.save(tmp_path / "objects.npy", np.array([Touch()], object), allow_pickle=True)
    for name in ("plain.npy", "objects.npy"):
        with pytest.raises(UsageError, match=name):
            read_array(tmp_path / name)
    assert not touched.exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.npy", np.zeros((8, 8))).read_bytes()
    for name, content in (
        ("empty.npy", b""),
        ("cut.npy", whole[:-9]),
        ("head.npy", whole[:20]),
        ("text.npy", b"1 2 3\n"),
    ):
        (tmp_path / name).write_bytes(content)
        with warnings.catch_warnings(), pytest.raises(UsageError, match=name):
            read_array(tmp_path / name)
    np.savez(tmp_path / "several.npz", np.zeros(3))
    with pytest.raises(UsageError, match=r"no \.npy file"):
        read_array(tmp_path / "several.npz")
    with pytest.raises(UsageError, match="no file"):
        read_array(tmp_path / "missing.npy")
    with pytest.raises(UsageError, match=str(tmp_path)):
        read_array(tmp_path)
