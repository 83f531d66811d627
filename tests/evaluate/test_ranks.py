"""Ranks and recall against hand-worked matrices and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.evaluate.ranks import interval_over_videos, joined, ranks_of


def test_a_matrix_worked_by_hand() -> None:
    scores = [[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.3]]
    ranks = ranks_of(scores, [0, 1, 2])
    assert ranks.better.tolist() == [0, 2, 0]
    assert ranks.tied.tolist() == [1, 1, 3]
    assert ranks.ranks.tolist() == [1, 3, 2]
    assert ranks.recall_at(1) == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert ranks.recall_at(2) == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert ranks.recall_at(3) == 1
    assert ranks.median_rank == 2


def test_a_constant_scorer_gets_chance() -> None:
    ranks = ranks_of(np.zeros((40, 40)), np.arange(40))
    for k in (1, 5, 10, 100):
        assert ranks.recall_at(k) == pytest.approx(ranks.chance_at(k))
    assert ranks.median_rank == ranks.chance_median_rank == 20.5


@given(st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=8))
def test_it_is_the_mean_over_all_ways_to_break_ties(rows: list[list[int]]) -> None:
    answers = np.arange(len(rows)) % 5
    found = ranks_of(np.array(rows), answers)
    for query, row in enumerate(rows):
        # In a random order, the answer is equally often at each place among its equals.
        above = sum(score > row[answers[query]] for score in row)
        equal = sum(score == row[answers[query]] for score in row)
        places = [above + one + 1 for one in range(equal)]
        assert found.ranks[query] == pytest.approx(np.mean(places))
        for k in (1, 3, 5):
            assert found.hits_at(k)[query] == pytest.approx(np.mean([p <= k for p in places]))


def test_many_rows_are_ranked_like_one() -> None:
    scores = np.random.default_rng(0).normal(size=(2500, 7)).round(1)
    answers = np.arange(2500) % 7
    together = ranks_of(scores, answers)
    for row in (0, 1023, 1024, 2499):
        alone = ranks_of(scores[row : row + 1], answers[row : row + 1])
        assert together.ranks[row] == alone.ranks[0]


def test_a_nan_is_named() -> None:
    scores = np.zeros((1030, 2))
    scores[1027, 1] = np.nan
    with pytest.raises(ValueError, match="row 1027"):
        ranks_of(scores, np.zeros(1030, int))


@pytest.mark.parametrize("answers", [[0, 5], [0, -1], [0]])
def test_answers_that_are_none(answers: list[int]) -> None:
    with pytest.raises(ValueError, match="answer"):
        ranks_of(np.zeros((2, 5)), answers)


def test_no_query_has_no_recall() -> None:
    with pytest.raises(ValueError, match="no query"):
        ranks_of(np.zeros((0, 3)), np.zeros(0, int)).recall_at(1)


def test_joined_ranks_are_those_of_all_queries() -> None:
    scores = np.random.default_rng(1).normal(size=(9, 4)).round()
    answers = np.arange(9) % 4
    parts = [ranks_of(scores[:5], answers[:5]), ranks_of(scores[5:], answers[5:])]
    assert joined(parts).ranks.tolist() == ranks_of(scores, answers).ranks.tolist()
    assert len(joined([])) == 0


def test_an_interval_is_wider_over_videos_than_over_queries() -> None:
    # 20 videos of 50 queries, alike within a video.
    hits = np.repeat(np.arange(20) % 2, 50)
    over_videos = interval_over_videos(hits, np.repeat(np.arange(20), 50))
    over_queries = interval_over_videos(hits, np.arange(1000))
    assert over_videos.value == over_queries.value == 0.5
    wide, narrow = (one.high - one.low for one in (over_videos, over_queries))
    assert wide > 4 * narrow
    assert 0.2 < over_videos.low < 0.4 < 0.6 < over_videos.high < 0.8


def test_one_video_says_nothing_about_others() -> None:
    found = interval_over_videos([0, 1, 1], ["a", "a", "a"])
    assert found.low == found.high == pytest.approx(2 / 3)


def test_an_interval_of_differences_says_on_which_side_it_lies() -> None:
    videos = np.arange(30)
    assert interval_over_videos(np.full(30, 0.1), videos).excludes_zero
    assert not interval_over_videos(np.resize([0.5, -0.5], 30), videos).excludes_zero
