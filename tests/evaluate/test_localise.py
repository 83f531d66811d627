"""Step localisation against brute force, and recall against sums worked by hand."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from howto.errors import ItemError, Reason
from howto.evaluate.localise import (
    StepSpan,
    VideoSteps,
    assign_free,
    assign_ordered,
    chance_free,
    chance_ordered,
    judged,
    pooled,
    truth_of,
)

SMALL = st.tuples(st.integers(1, 4), st.integers(0, 5)).flatmap(
    lambda size: arrays(np.int64, (size[0], size[0] + size[1]), elements=st.integers(-3, 3))
)


def every_assignment(steps: int, seconds: int) -> list[tuple[int, ...]]:
    """All strictly growing ones."""
    return list(combinations(range(seconds), steps))


@given(SMALL)
def test_ordered_is_the_best_of_all_assignments_and_the_earliest_of_those(scores) -> None:
    steps, seconds = scores.shape
    totals = {
        one: sum(int(scores[step, at]) for step, at in enumerate(one))
        for one in every_assignment(steps, seconds)
    }
    best = max(totals.values())
    equal = np.array([one for one, total in totals.items() if total == best])
    # Of two best assignments the earlier second at each step is a best one too, so the earliest
    # is one of them.
    assert assign_ordered(scores).tolist() == equal.min(axis=0).tolist()


@given(
    st.tuples(st.integers(1, 4), st.integers(0, 5)).flatmap(
        lambda size: arrays(np.float64, (size[0], size[0] + size[1]), elements=st.floats(-1e6, 1e6))
    )
)
def test_ordered_reaches_the_highest_sum_of_any_numbers(scores) -> None:
    steps, seconds = scores.shape
    found = assign_ordered(scores)
    assert (np.diff(found) > 0).all()
    rows = np.arange(steps)
    best = max(scores[rows, list(one)].sum() for one in every_assignment(steps, seconds))
    assert scores[rows, found].sum() == pytest.approx(best)


def test_order_wins_over_the_best_second() -> None:
    scores = [[0, 0, 0, 9], [0, 5, 0, 0], [0, 0, 4, 0]]
    assert assign_free(scores).tolist() == [3, 1, 2]
    assert assign_ordered(scores).tolist() == [0, 1, 2]


def test_steps_never_share_a_second() -> None:
    scores = np.zeros((3, 9))
    scores[:, 4] = 1
    assert assign_free(scores).tolist() == [4, 4, 4]
    assert assign_ordered(scores).tolist() == [0, 1, 4]


def test_as_many_seconds_as_steps_leave_one_assignment() -> None:
    scores = np.random.default_rng(0).normal(size=(6, 6))
    assert assign_ordered(scores).tolist() == [0, 1, 2, 3, 4, 5]


def test_fewer_seconds_than_steps_is_named() -> None:
    with pytest.raises(ItemError, match="4 steps in 3 s") as caught:
        assign_ordered(np.zeros((4, 3)))
    assert caught.value.reason == Reason.FEWER_SECONDS_THAN_STEPS
    assert assign_free(np.zeros((4, 3))).tolist() == [0, 0, 0, 0]
    with pytest.raises(ItemError, match="no second"):
        assign_free(np.zeros((4, 0)))


def test_no_steps_are_assigned_nowhere() -> None:
    for assign in (assign_ordered, assign_free):
        assert assign(np.zeros((0, 5))).tolist() == []
        assert assign(np.zeros((0, 0))).dtype == np.int64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_named(bad: float) -> None:
    scores = np.zeros((2, 5), np.float32)
    scores[1, 3] = bad
    for assign in (assign_ordered, assign_free):
        with pytest.raises(ValueError, match="step 2 at 3 s"):
            assign(scores)
    with pytest.raises(ValueError, match="shape"):
        assign_ordered(np.zeros(3))


def test_a_span_covers_whole_seconds() -> None:
    spans = [StepSpan(1, 1.2, 2.1), StepSpan(3, 4, 5), StepSpan(3, 0, 0.1), StepSpan(2, 3, 3)]
    truth = truth_of(spans, 3, 6)
    assert [np.flatnonzero(row).tolist() for row in truth] == [[1, 2], [], [0, 4]]


def test_what_lies_outside_the_video_is_cut_off() -> None:
    truth = truth_of([StepSpan(1, -2.5, 0.5), StepSpan(2, 3.5, 99), StepSpan(3, 7, 9)], 4, 5)
    assert [np.flatnonzero(row).tolist() for row in truth] == [[0], [3, 4], [], []]
    assert not truth_of([StepSpan(1, -5, -2.5)], 1, 5).any()


@pytest.mark.parametrize(
    "span", [StepSpan(0, 1, 2), StepSpan(4, 1, 2), StepSpan(1, 3, 2), StepSpan(1, 0, np.nan)]
)
def test_a_span_that_means_nothing(span: StepSpan) -> None:
    with pytest.raises(ValueError, match=f"step {span.step}"):
        truth_of([span], 3, 6)


@pytest.mark.parametrize(("steps", "seconds"), [(1, 1), (1, 4), (3, 3), (3, 7), (4, 9)])
def test_ordered_chance_counts_all_assignments(steps: int, seconds: int) -> None:
    counted = np.zeros((steps, seconds))
    ways = every_assignment(steps, seconds)
    for one in ways:
        counted[np.arange(steps), one] += 1 / len(ways)
    np.testing.assert_allclose(chance_ordered(steps, seconds), counted, atol=1e-12)


def test_chance_of_long_videos_sums_to_one() -> None:
    for chance in (chance_ordered(10, 3600), chance_free(10, 3600)):
        np.testing.assert_allclose(chance.sum(axis=1), 1, rtol=1e-9)
    assert not chance_ordered(4, 3).any()


def test_a_video_is_judged_by_the_steps_it_shows() -> None:
    truth = truth_of([StepSpan(1, 0, 2), StepSpan(3, 2, 4), StepSpan(3, 9, 10)], 3, 10)
    found = judged("tea", "a", np.array([1, 5, 9]), truth, chance_free(3, 10))
    assert (found.present, found.matched) == (2, 2)
    assert found.by_chance == pytest.approx(0.5)
    assert judged("tea", "a", np.array([2, 5, 4]), truth, chance_free(3, 10)).matched == 0


def test_recall_is_pooled_in_a_task_and_averaged_over_tasks() -> None:
    videos = [
        VideoSteps("tea", "a", 1, 1, 0.5),
        VideoSteps("shelf", "b", 4, 1, 1.0),
        VideoSteps("tea", "c", 5, 1, 0.7),
        VideoSteps("tea", "d", 0, 0, 0.0),
        VideoSteps("tyre", "e", 0, 0, 0.0),
    ]
    found = pooled(videos)
    assert [(one.task, one.videos, one.recall) for one in found.tasks] == [
        ("shelf", 1, 0.25),
        ("tea", 2, pytest.approx(2 / 6)),
    ]
    assert found.recall.value == pytest.approx((1 / 4 + 2 / 6) / 2)
    assert found.chance == pytest.approx((1 / 4 + 1.2 / 6) / 2)
    assert found.videos == 5
    # Of the draws of a and c, recall of tea is 2/2, 2/6 or 2/10; shelf has one video only.
    assert found.recall.low == pytest.approx((0.25 + 0.2) / 2)
    assert found.recall.high == pytest.approx((0.25 + 1) / 2)
    assert pooled(videos) == found


def test_no_step_anywhere_has_no_recall() -> None:
    with pytest.raises(ValueError, match="no video shows a step"):
        pooled([VideoSteps("tea", "a", 0, 0, 0.0)])
    with pytest.raises(ValueError, match="no video shows a step"):
        pooled([])
