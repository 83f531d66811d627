"""Pictures of an evaluation, judged by what is drawn where."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from howto.evaluate import plot
from howto.evaluate.moments import Asked, Searched, Span, measure
from howto.evaluate.plot import (
    Bar,
    RecallLine,
    draw_bars,
    draw_recalls,
    line_of,
    moment_bars,
    published_line,
)
from howto.evaluate.published import RETRIEVAL
from howto.evaluate.retrieval import result_of_scores

BLUE, GREEN = plot._OURS[0], plot._OURS[2]


def places(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of one colour."""
    return np.argwhere((picture == colour).all(axis=2))


def test_a_curve_lies_where_its_numbers_say(tmp_path: Path) -> None:
    recalls = [0.1 * k for k in plot.CURVE_KS]
    line = RecallLine("straight", plot.CURVE_KS, recalls, is_ours=True)
    draw_recalls([line], "title", tmp_path / "curve.png")
    picture = cv2.imread(str(tmp_path / "curve.png"))
    found = places(picture[:, : plot._WIDTH - plot._NAMES], BLUE)
    # From a tenth of the height at K = 1 to the very top at K = 10.
    for k, recall in ((1, 0.1), (5, 0.5), (10, 1.0)):
        x, y = plot._at(k, recall, 1.0)
        near = found[abs(found[:, 1] - x) <= 3]
        assert len(near)
        assert abs(near[:, 0] - y).max() <= 8
    assert len(places(picture[:, plot._WIDTH - plot._NAMES + 26 :], BLUE)) > 20


def test_ours_has_a_band_and_lies_above_what_was_published(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).normal(size=(60, 60)) + 2 * np.eye(60)
    ours = line_of("ours", result_of_scores(scores).text_to_video)
    assert list(ours.recalls) == sorted(ours.recalls)
    assert all(a <= b <= c for a, b, c in zip(ours.lows, ours.recalls, ours.highs, strict=True))
    theirs = [published_line(row) for row in RETRIEVAL["youcook2", "validation"]]
    assert theirs[-1].recalls == [0.151, 0.38, 0.512]
    assert [line.is_chance for line in theirs] == [True, *[False] * 5]
    draw_recalls([ours, *theirs], "YouCook2", tmp_path / "both.png")
    draw_recalls(theirs, "YouCook2", tmp_path / "theirs.png")
    both, alone = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("both", "theirs"))
    assert both.shape == alone.shape
    assert len(places(both, BLUE)) > 500
    assert not len(places(alone, BLUE))
    middle = plot._at(5, 0.9 * ours.highs[4] + 0.1 * ours.recalls[4], plot._top(max(ours.highs)))
    assert (both[middle[1], middle[0]] < 250).any()


def test_names_do_not_cover_each_other() -> None:
    rows = plot._spread([60, 61, 62, 63, 300, 470, 471, 472])
    assert all(b - a >= plot._LINE for a, b in pairwise(rows))
    assert rows[0] == 60
    assert rows[4] == 300
    assert rows[-1] <= plot._HEIGHT - plot._BOTTOM


@pytest.mark.parametrize("highest", [0.003, 0.01, 0.3, 0.352, 0.6, 0.99, 1.0])
def test_the_axis_ends_just_above_the_highest_point(highest: float) -> None:
    top = plot._top(highest)
    assert highest <= top <= max(1.0, highest + plot._step(highest))
    assert top / plot._step(top) == pytest.approx(round(top / plot._step(top)))


def test_nothing_found_is_drawn_too(tmp_path: Path) -> None:
    line = RecallLine("none", plot.CURVE_KS, [0.0] * 10, is_ours=True)
    draw_recalls([line], "title", tmp_path / "none.png")
    draw_bars([Bar("none", 0.0)], "title", tmp_path / "bar.png")
    assert cv2.imread(str(tmp_path / "none.png")) is not None


def test_bars_are_as_long_as_their_recall(tmp_path: Path) -> None:
    bars = [Bar("a", 0.2, 0.1, 0.3, 0.05, is_ours=True), Bar("b", 0.4)]
    draw_bars(bars, "title", tmp_path / "bars.png")
    picture = cv2.imread(str(tmp_path / "bars.png"))
    picture[:, : plot._BAR_NAMES] = 0
    ours = places(picture, BLUE)[:, 1]
    theirs = places(picture[plot._TOP + plot._BAR :], (200, 200, 200))[:, 1]
    assert ours.min() == theirs.min() == plot._BAR_NAMES
    assert (ours.max() - ours.min()) * 2 == pytest.approx(theirs.max() - theirs.min(), abs=3)


def test_the_legend_of_chance_stands_where_no_mark_can_be(tmp_path: Path) -> None:
    draw_bars([Bar("a", 0.2, 0.1, 0.3, 0.05, is_ours=True)], "title", tmp_path / "bars.png")
    picture = cv2.imread(str(tmp_path / "bars.png"))
    below = picture[len(picture) - 22 :]  # under the numbers of the axis
    assert (below[:, : plot._BAR_NAMES - 30] < 200).any()
    assert not (below[:, plot._BAR_NAMES - 30 :] < 200).any()


def test_bars_of_moments() -> None:
    searched = Searched({"a": 100.0, "b": 100.0})
    asked = [
        Asked((Span("a", 10, 20),), (Span("a", 10, 20),), searched),
        Asked((Span("b", 10, 20),), (Span("a", 10, 20), Span("b", 10, 14)), searched),
    ]
    bars = {bar.name: bar for bar in moment_bars(measure(asked))}
    assert bars["R@1, IoU 0.7"].recall == 0.5
    assert bars["R@5, IoU 0.3"].recall == 1.0
    assert bars["R@5, IoU 0.7"].recall == 0.5
    assert 0 < bars["R@1, IoU 0.7"].chance < bars["R@1, video"].chance <= 0.5


def test_there_must_be_something_to_draw(tmp_path: Path) -> None:
    for draw in (draw_recalls, draw_bars):
        with pytest.raises(ValueError, match="to draw"):
            draw([], "title", tmp_path / "x.png")
