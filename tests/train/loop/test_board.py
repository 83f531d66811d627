"""TensorBoard events, where it is installed, and curves, which need nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.train.board import board
from howto.train.config import TrainOptions
from howto.train.curves import Curve, curves_of_run, draw_curves, round_ticks
from howto.train.loop import Problem, train
from howto.train.runs import read_metrics

OPTIONS = TrainOptions(epochs=3, lr=0.01, videos_per_batch=4, pairs_per_video=6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what TensorBoard imports
def test_events_say_what_the_metrics_say(
    made_problem: Callable[..., Problem], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writer = board(tmp_path)
    assert writer is not None
    train(made_problem(), OPTIONS, tmp_path, on_event=writer)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    rows = list(read_metrics(tmp_path))
    losses = [row["loss"] for row in rows if row["what"] == "step"]
    assert [one.value for one in events.Scalars("train/loss")] == pytest.approx(losses)
    recalls = [row["coarse"]["recall_at_10"]["value"] for row in rows if row["what"] != "step"]
    found = [one.value for one in events.Scalars("coarse/recall_at_10")]
    assert found == pytest.approx(recalls)


def test_without_it_there_is_no_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howto.train.board.find_spec", lambda _name: None)
    assert board(tmp_path) is None


def colour_at(picture: np.ndarray, x: int, y: int) -> tuple[int, ...]:
    return tuple(int(part) for part in picture[y, x])


def test_a_line_goes_through_its_points(tmp_path: Path) -> None:
    curve = Curve("rising", [0.0, 10.0], [0.0, 1.0])
    draw_curves({"one": [curve], "two": [curve]}, tmp_path / "curves.png")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape == (720, 900, 3)
    # The ends of the axes, and the middle of the panel: 70..880 across, 316..44 up.
    for x, y in ((70, 316), (475, 180), (880, 44)):
        assert colour_at(picture, x, y) == (178, 114, 0)
        assert colour_at(picture, x, y + 360) == (178, 114, 0)
    assert colour_at(picture, 475, 100) == (255, 255, 255)


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((0.173, 0.659), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ((1, 600), [0, 200, 400, 600]),
        ((0.0231, 0.2), [0, 0.05, 0.1, 0.15, 0.2]),
        ((-3, 41), [-10, 0, 10, 20, 30, 40, 50]),
    ],
)
def test_ticks_are_round(ends: tuple[float, float], ticks: list[float]) -> None:
    assert round_ticks(*ends) == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.booleans())
def test_ticks_hold_what_is_shown(low: float, length: float, whole: bool) -> None:
    high = low + length
    ticks = round_ticks(low, high, whole=whole)
    room = 1e-8 * max(abs(low), abs(high), 1)
    assert ticks[0] <= low + room
    assert ticks[-1] >= high - room
    assert 2 <= len(ticks) <= 8
    assert not whole or all(tick == round(tick) for tick in ticks)


def test_by_ratio_each_doubling_is_as_wide(tmp_path: Path) -> None:
    curve = Curve("doubled", [20.0, 40.0, 80.0], [0.0, 1.0, 0.0])
    draw_curves({"one": [curve]}, tmp_path / "curves.png", by_ratio=True)
    picture = cv2.imread(str(tmp_path / "curves.png"))
    for x, y in ((70, 316), (475, 44), (880, 316)):
        assert colour_at(picture, x, y) == (178, 114, 0)


def test_a_run_of_one_point_and_values_that_are_no_numbers(tmp_path: Path) -> None:
    curves = [Curve("point", [3.0], [2.0]), Curve("gap", [1.0, 2.0], [float("nan"), 1.0])]
    draw_curves({"odd": curves, "empty": []}, tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")) is not None
    with pytest.raises(ValueError, match="no curve"):
        draw_curves({}, tmp_path / "none.png")


def test_the_curves_of_a_run_are_its_metrics(
    made_problem: Callable[..., Problem], tmp_path: Path
) -> None:
    train(made_problem(), replace(OPTIONS, epochs=5), tmp_path)
    rows = list(read_metrics(tmp_path))
    panels = curves_of_run(rows)
    loss = panels["loss by step"][0]
    assert list(loss.y) == [row["loss"] for row in rows if row["what"] == "step"]
    recall, chance = panels["R@10 by step, among all held-out clips"]
    assert list(recall.x) == [2, 4, 6, 8, 10]
    assert chance.dashed
    bands = zip(recall.low, recall.y, recall.high, strict=True)
    assert all(low <= value <= high for low, value, high in bands)
