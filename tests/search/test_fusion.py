"""Reciprocal-rank fusion against a plain restatement."""

from hypothesis import given
from hypothesis import strategies as st

from howto.search.fusion import fuse
from howto.search.moments import join
from howto.search.words import Candidate

RANKING = st.lists(st.integers(0, 12), unique=True, max_size=12)


def test_one_ranking_keeps_its_order() -> None:
    fused = fuse({"words": ["c", "a", "b"]}, key=str)
    assert [one.item for one in fused] == ["c", "a", "b"]
    assert [one.ranks for one in fused] == [{"words": 1}, {"words": 2}, {"words": 3}]


def test_what_two_signals_like_comes_first() -> None:
    fused = fuse({"words": ["a", "b"], "pictures": ["c", "b"]}, key=str)
    assert [one.item for one in fused] == ["b", "a", "c"]
    assert fused[0].ranks == {"words": 2, "pictures": 2}


def test_of_equal_sums_the_better_best_rank_comes_first() -> None:
    # 1/84 + 1/63 = 1/72 + 1/72
    words = [f"w{rank}" for rank in range(1, 25)]
    pictures = [f"p{rank}" for rank in range(1, 25)]
    words[11] = pictures[11] = "even"
    words[23] = pictures[2] = "uneven"
    order = [one.item for one in fuse({"words": words, "pictures": pictures}, key=str)]
    assert order[:2] == ["uneven", "even"]


@given(RANKING, RANKING)
def test_scores_never_rise_down_the_list(one: list[int], two: list[int]) -> None:
    fused = fuse({"one": one, "two": two}, key=int)
    scores = []
    for item in (entry.item for entry in fused):
        score = 0.0
        for ranking in (one, two):
            if item in ranking:
                score += 1 / (60 + ranking.index(item) + 1)
        scores.append(score)
    assert scores == sorted(scores, reverse=True)
    assert {entry.item for entry in fused} == set(one) | set(two)


def test_the_same_clip_found_by_two_signals_is_one_thing() -> None:
    said = Candidate(1, 2.0, 4.0, "fold it", 7, 0.9, ("narration",))
    seen = Candidate(1, 2.0, 4.0, "fold it", 7, 0.4, ("pictures",))
    other = Candidate(1, 26.0, 28.0, "wait", 8, 0.5, ("narration",))
    fused = fuse({"words": [other, said], "pictures": [seen]}, key=lambda one: one.key)
    assert [dict(one.ranks) for one in fused] == [{"words": 2, "pictures": 1}, {"words": 1}]
    assert fused[0].item is seen
    (moment, _) = join(fused, top=5)
    assert (moment.caption, moment.score) == ("fold it", 0.9)
    assert moment.matched == ("narration", "pictures")
