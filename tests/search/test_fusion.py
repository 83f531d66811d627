"""Reciprocal-rank fusion against a plain restatement."""

from hypothesis import given
from hypothesis import strategies as st

from howto.search.fusion import fuse

RANKING = st.lists(st.integers(0, 12), unique=True, max_size=12)


def test_one_ranking_keeps_its_order() -> None:
    fused = fuse({"words": ["c", "a", "b"]})
    assert [one.item for one in fused] == ["c", "a", "b"]
    assert [one.ranks for one in fused] == [{"words": 1}, {"words": 2}, {"words": 3}]


def test_what_two_signals_like_comes_first() -> None:
    fused = fuse({"words": ["a", "b"], "pictures": ["c", "b"]})
    assert [one.item for one in fused] == ["b", "a", "c"]
    assert fused[0].ranks == {"words": 2, "pictures": 2}


@given(RANKING, RANKING)
def test_scores_never_rise_down_the_list(one: list[int], two: list[int]) -> None:
    fused = fuse({"one": one, "two": two})
    scores = []
    for item in (entry.item for entry in fused):
        score = 0.0
        for ranking in (one, two):
            if item in ranking:
                score += 1 / (60 + ranking.index(item) + 1)
        scores.append(score)
    assert scores == sorted(scores, reverse=True)
    assert {entry.item for entry in fused} == set(one) | set(two)
