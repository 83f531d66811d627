"""Ranks and recall against hand-worked matrices, plain loops and brute force over all orders."""

import tracemalloc
import warnings
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from howto.evaluate import ranks as module
from howto.evaluate.ranks import (
    TIES,
    Ranks,
    interval_over_videos,
    joined,
    ranks_back_of,
    ranks_back_of_embeddings,
    ranks_of,
    ranks_of_embeddings,
)

# Few values, so that most rows hold ties.
TABLES = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda size: st.tuples(
        arrays(np.float32, size, elements=st.sampled_from([-np.inf, -1, 0, 0.5, 2, np.inf])),
        arrays(np.int64, size[0], elements=st.integers(0, size[1] - 1)),
    )
)
SQUARES = st.integers(1, 6).flatmap(
    lambda size: arrays(
        np.float32, (size, size), elements=st.sampled_from([-np.inf, -1, 0, 0.5, 2, np.inf, np.nan])
    )
)


def orders(row: list[float]) -> list[tuple[int, ...]]:
    """Every order of the candidates in which no score follows a lower one."""
    places = permutations(range(len(row)))
    return [one for one in places if all(row[a] >= row[b] for a, b in pairwise(one))]


def by_all_orders(row: list[float], answers: set[int]) -> list[int]:
    """The rank of the first answer in each order."""
    return [1 + next(p for p, c in enumerate(one) if c in answers) for one in orders(row)]


def check(found: Ranks, rows: list[list[float]], answers: list[set[int]], ties: str) -> None:
    over = {"average": np.mean, "optimistic": min, "pessimistic": max}[ties]
    places = [by_all_orders(row, own) for row, own in zip(rows, answers, strict=True)]
    np.testing.assert_allclose(found.ranks, [over(one) for one in places])
    for k in (1, 2, 3, 5):
        if ties == "average":
            hits = [np.mean([place <= k for place in one]) for one in places]
        else:
            hits = [float(over(one) <= k) for one in places]
        np.testing.assert_allclose(found.hits_at(k), hits, atol=1e-12)
        assert found.recall_at(k) == pytest.approx(np.mean(hits))
    assert found.median_rank == pytest.approx(np.median([over(one) for one in places]))
    assert found.mean_rank == pytest.approx(np.mean([over(one) for one in places]))


def test_a_matrix_worked_by_hand() -> None:
    scores = [[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.3]]
    ranks = ranks_of(scores, [0, 1, 2])
    assert ranks.better.tolist() == [0, 2, 0]
    assert ranks.tied.tolist() == [1, 1, 3]
    assert ranks.ranks.tolist() == [1, 3, 2]
    assert ranks.recall_at(1) == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert ranks.recall_at(2) == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert ranks.recall_at(3) == 1
    assert ranks.median_rank == ranks.mean_rank == 2


@pytest.mark.parametrize("ties", ["average", "optimistic", "pessimistic"])
@given(table=TABLES)
def test_ranks_are_those_of_all_orders(ties, table) -> None:
    scores, answers = table
    found = ranks_of(scores, answers, ties=ties)
    check(found, scores.tolist(), [{int(one)} for one in answers], ties)
    assert found.num_candidates.tolist() == [scores.shape[1]] * len(scores)


@pytest.mark.parametrize("ties", ["average", "optimistic", "pessimistic"])
@given(table=TABLES)
def test_the_best_of_several_answers_counts(ties, table) -> None:
    scores, answers = table
    found = ranks_back_of(scores, answers, ties=ties)
    asked = np.unique(answers)
    own = [set(np.flatnonzero(answers == one).tolist()) for one in asked]
    check(found, scores.T[asked].tolist(), own, ties)
    assert found.num_answers.tolist() == [len(one) for one in own]


@given(SQUARES)
def test_the_published_metric_is_met_where_it_miscounts(scores) -> None:
    # As published: sort each row from the best, subtract the answer's score, and take the places
    # of all zeros. Two infinities have no difference, and nothing equals a NaN.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        zeros = np.sort(-scores, axis=1) - np.diagonal(-scores)[:, None] == 0
    places = np.nonzero(zeros)[1]
    found = ranks_of(scores, np.arange(len(scores)), ties="authors")
    assert found.counted.sum() == len(places)
    if not len(places):
        with pytest.raises(ValueError, match="drops all"):
            found.recall_at(1)
        return
    for k in (1, 5, 10):
        assert found.recall_at(k) == pytest.approx(float(np.sum(places < k)) / len(places))
    assert found.median_rank == np.median(places) + 1
    assert found.mean_rank == pytest.approx(np.mean(places) + 1)


def test_one_tie_of_four_queries_makes_five_in_the_published_metric() -> None:
    scores = np.eye(4)
    scores[2, 0] = 1
    found = ranks_of(scores, range(4), ties="authors")
    assert found.recall_at(1) == 0.8
    assert ranks_of(scores, range(4)).recall_at(1) == 0.875
    scores[3, 3] = np.nan
    assert ranks_of(scores, range(4), ties="authors").recall_at(1) == 0.75


@pytest.mark.parametrize("captions", [1, 3, 20])
def test_a_constant_scorer_gets_chance(captions: int) -> None:
    answers = np.arange(40 * captions) % 40
    scores = np.zeros((len(answers), 40))
    for found in (ranks_of(scores, answers), ranks_back_of(scores, answers)):
        for k in range(1, 45):
            assert found.recall_at(k) == found.chance_at(k)
        assert found.median_rank == found.chance_median_rank
    assert ranks_of(scores, answers).recall_at(3) == 3 / 40
    assert ranks_back_of(scores, answers).recall_at(1) == pytest.approx(1 / 40)


def test_chance_with_several_answers_is_that_of_a_draw() -> None:
    rng = np.random.default_rng(0)
    answers = np.repeat(np.arange(5), 4)
    found = ranks_back_of(np.zeros((20, 5)), answers)
    first = np.array([np.flatnonzero(answers[rng.permutation(20)] == 0)[0] for _ in range(20000)])
    for k in (1, 3, 10):
        assert found.chance_at(k) == pytest.approx((first < k).mean(), abs=0.012)
    assert found.chance_median_rank == pytest.approx(first.mean() + 1, abs=0.08)


def test_many_rows_are_ranked_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=(250, 70)).round(1)
    answers = np.arange(250) % 70
    whole, back = ranks_of(scores, answers), ranks_back_of(scores, answers)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 7000)
    assert ranks_of(scores, answers).ranks.tolist() == whole.ranks.tolist()
    assert ranks_back_of(scores, answers).ranks.tolist() == back.ranks.tolist()
    for row in (0, 11, 12, 249):
        alone = ranks_of(scores[row : row + 1], answers[row : row + 1])
        assert whole.ranks[row] == alone.ranks[0]


def test_what_answers_nothing_makes_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1 << 20)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "scores.npy", rng.random((1500, 2000), np.float32))
    scores = np.load(tmp_path / "scores.npy", mmap_mode="r")
    answers = np.flatnonzero(np.arange(2000) % 7)[:1500]
    clips = rng.random((2000, 2000), np.float32)
    captions = clips[answers] + rng.random((1500, 2000), np.float32)
    for rank, parts in ((ranks_back_of, (scores,)), (ranks_back_of_embeddings, (captions, clips))):
        tracemalloc.start()
        rank(*parts, answers)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 6 << 20 < parts[0].nbytes


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, np.uint8, np.int64, bool])
def test_numbers_of_any_sort(kind: type) -> None:
    scores = np.random.default_rng(1).integers(0, 3, (9, 7)).astype(kind)
    expected = ranks_of(scores.astype(np.float64), np.arange(9) % 7)
    found = ranks_of(scores, np.arange(9) % 7)
    assert found.ranks.tolist() == expected.ranks.tolist()


@pytest.mark.parametrize("ties", ["average", "optimistic", "pessimistic"])
def test_a_nan_is_named(ties, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1600)
    scores = np.zeros((1030, 2))
    scores[1027, 1] = np.nan
    with pytest.raises(ValueError, match=r"^row 1027 of the scores"):
        ranks_of(scores, np.zeros(1030, int), ties=ties)
    with pytest.raises(ValueError, match=r"^column 1 of the scores"):
        ranks_back_of(scores, np.arange(1030) % 2, ties=ties)
    scores[[3, 5, 7, 9]] = np.nan
    with pytest.raises(ValueError, match=r"^row 3, row 5, row 7 and 1 more of the scores"):
        ranks_of(scores, np.zeros(1030, int), ties=ties)


@pytest.mark.parametrize("answers", [[0, 5], [0, -1], [0], [0.0, 1.0], [[0, 1]]])
def test_answers_that_are_none(answers: list[int]) -> None:
    for rank in (ranks_of, ranks_back_of):
        with pytest.raises(ValueError, match="answer"):
            rank(np.zeros((2, 5)), answers)
        with pytest.raises(ValueError, match="answer"):
            ranks_of_embeddings(np.zeros((2, 3)), np.zeros((5, 3)), answers)


def test_a_query_without_an_answer_is_named() -> None:
    with pytest.raises(ValueError, match="row 1, row 3 without an answer: -1"):
        ranks_of(np.zeros((4, 2)), [0, -1, 1, 2])


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((3, 3), complex), np.full((3, 3), "a")])
def test_what_is_no_matrix_of_scores(scores) -> None:
    with pytest.raises(ValueError, match="scores"):
        ranks_of(scores, [0, 1, 2])


def test_no_query_has_no_recall() -> None:
    none = ranks_of(np.zeros((0, 3)), np.zeros(0, int))
    for figure in (
        lambda: none.recall_at(1),
        lambda: none.chance_at(1),
        lambda: none.median_rank,
        lambda: none.chance_median_rank,
    ):
        with pytest.raises(ValueError, match="no query"):
            figure()


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_embeddings_are_ranked_as_their_products(ties, kind, monkeypatch) -> None:
    rng = np.random.default_rng(2)
    # Small whole numbers: every order of summing gives the same product, and many are equal.
    queries = rng.integers(-2, 3, (83, 6)).astype(kind)
    candidates = rng.integers(-2, 3, (37, 6)).astype(kind)
    answers = rng.integers(0, 30, 83)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1000)
    scores = queries.astype(float) @ candidates.T.astype(float)
    for found, expected in (
        (
            ranks_of_embeddings(queries, candidates, answers, ties=ties),
            ranks_of(scores, answers, ties=ties),
        ),
        (
            ranks_back_of_embeddings(queries, candidates, answers, ties=ties),
            ranks_back_of(scores, answers, ties=ties),
        ),
    ):
        assert found.ranks.tolist() == expected.ranks.tolist()
        assert found.counted.tolist() == expected.counted.tolist()


@pytest.mark.parametrize("size", [(29, 407, 495), (7, 31, 64), (40, 1001, 33)])
def test_candidates_that_are_alike_tie(size: tuple[int, int, int]) -> None:
    # A matrix product rounds its last columns differently: equal candidates got unequal scores.
    queries, candidates, dim = size
    rng = np.random.default_rng(3)
    asking = rng.normal(size=(queries, dim)).astype(np.float32)
    same = np.tile(rng.normal(size=dim).astype(np.float32), (candidates, 1))
    same[:, 0] = 0.0
    same[-1, 0] = -0.0
    found = ranks_of_embeddings(asking, same, np.arange(queries))
    assert found.better.tolist() == [0] * queries
    assert found.tied.tolist() == [candidates] * queries
    assert found.recall_at(1) == found.chance_at(1)


def test_embeddings_that_are_none() -> None:
    good, bad = np.zeros((6, 3)), np.zeros((6, 3), np.float32)
    bad[[3, 5], 1] = [np.nan, np.inf]
    answers = np.arange(6)
    with pytest.raises(ValueError, match="row 3, row 5 of the queries"):
        ranks_of_embeddings(bad, good, answers)
    with pytest.raises(ValueError, match="row 3, row 5 of the candidates"):
        ranks_back_of_embeddings(good, bad, answers)
    with pytest.raises(ValueError, match="one length, got 3 and 4"):
        ranks_of_embeddings(good, np.zeros((6, 4)), answers)
    with pytest.raises(ValueError, match="queries"):
        ranks_of_embeddings(np.zeros(3), good, answers)
    # Finite, and yet their product is not.
    huge = np.float32(3e38) * np.array([[1, -1]], np.float32)
    with pytest.raises(ValueError, match="query 0 of the scores"):
        ranks_of_embeddings(huge, np.abs(huge), [0])


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


def test_intervals_do_not_depend_on_how_draws_are_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    hits, videos = np.arange(60) % 7, np.arange(60) // 3
    together = interval_over_videos(hits, videos)
    monkeypatch.setattr(module, "_DRAWN_BYTES", 20 * 8 * 2)
    apart = interval_over_videos(hits, videos)
    assert apart.low == pytest.approx(together.low, rel=0.02)
    assert apart.high == pytest.approx(together.high, rel=0.02)


def test_one_video_says_nothing_about_others() -> None:
    found = interval_over_videos([0, 1, 1], ["a", "a", "a"])
    assert found.low == found.high == pytest.approx(2 / 3)


def test_an_interval_of_differences_says_on_which_side_it_lies() -> None:
    videos = np.arange(30)
    assert interval_over_videos(np.full(30, 0.1), videos).excludes_zero
    assert not interval_over_videos(np.resize([0.5, -0.5], 30), videos).excludes_zero


def test_an_interval_needs_a_video_for_each_value() -> None:
    for values, videos in (([], []), ([1.0], [0, 1])):
        with pytest.raises(ValueError, match="as many values as videos"):
            interval_over_videos(values, videos)
