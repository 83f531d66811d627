"""Metrics by moment: worked by hand, and chance against guessing many times."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.evaluate.moments import (
    CRITERIA,
    KS,
    Asked,
    Searched,
    Span,
    chance_at,
    gain,
    interval_over_groups,
    intervals_over_groups,
    measure,
    overlap,
)
from howto.evaluate.ranks import interval_over_videos

LIBRARY = Searched({"a": 100.0, "b": 40.0, "c": 60.0})
TRUTH = Span("a", 10.0, 20.0)


def asked(*hits: Span, truths: tuple[Span, ...] = (TRUTH,)) -> Asked:
    return Asked(truths, hits, LIBRARY)


def right(one: Asked, k: int = 1) -> set[str]:
    return {name for name, by_k in measure([one]).found.items() if by_k[k].right[0]}


@pytest.mark.parametrize(
    ("hit", "expected"),
    [
        (Span("a", 10, 20), {"video", "centre", "IoU 0.3", "IoU 0.5", "IoU 0.7"}),
        # 7 s of 13 s in common: 0.54.
        (Span("a", 13, 23), {"video", "centre", "IoU 0.3", "IoU 0.5"}),
        # 5 of 15: a third; its middle is the true moment's end, which counts as inside.
        (Span("a", 15, 25), {"video", "centre", "IoU 0.3"}),
        (Span("a", 16, 26), {"video"}),
        # 10 of 60: long hits around the moment do not overlap enough, and its middle lies outside.
        (Span("a", 0, 60), {"video"}),
        (Span("a", 14, 14), {"video", "centre"}),
        (Span("b", 10, 20), set()),
    ],
)
def test_criteria_worked_by_hand(hit: Span, expected: set[str]) -> None:
    assert right(asked(hit)) == expected


def test_bounds_count_as_reached() -> None:
    # Half of 20 s in common.
    assert overlap(Span("a", 0, 20), Span("a", 0, 10)) == 0.5
    assert "IoU 0.5" in right(asked(Span("a", 0, 20), truths=(Span("a", 0, 10),)))


def test_any_of_several_true_moments_counts_and_only_the_first_k_hits_do() -> None:
    truths = (TRUTH, Span("c", 0, 10))
    one = asked(Span("b", 0, 5), Span("c", 1, 9), truths=truths)
    assert right(one, k=1) == set()
    assert right(one, k=5) == {"video", "centre", "IoU 0.3", "IoU 0.5", "IoU 0.7"}
    many = asked(*[Span("b", 0, 5)] * 5, Span("c", 1, 9), truths=truths)
    assert right(many, k=5) == set()
    assert right(asked(), k=5) == set()


def test_recall_is_the_share_of_queries_and_says_chance() -> None:
    scores = measure([asked(Span("a", 10, 20)), asked(Span("b", 0, 10)), asked()])
    found = scores.found["centre"][1]
    assert found.recall.value == pytest.approx(1 / 3)
    # A 10 s hit in a: starts from 5 to 15 of 0 to 90; a is half of all seconds. No hit: no chance.
    assert found.chance == pytest.approx((2 * 0.5 * 10 / 90 + 0) / 3)
    assert scores.as_json()["R@1"]["centre"]["chance"] == found.chance


def guess(one: Asked, k: int, draws: int, seed: int) -> dict[str, float]:
    """What a guesser finds: each hit of the same length, in a video by its duration, anywhere."""
    rng = np.random.default_rng(seed)
    names = list(one.searched.durations)
    lengths = np.array(list(one.searched.durations.values()))
    hit_once = {criterion.name: np.zeros(draws, bool) for criterion in CRITERIA}
    for hit in one.hits[:k]:
        videos = rng.choice(len(names), draws, p=lengths / lengths.sum())
        length = np.minimum(hit.end - hit.start, lengths[videos])
        starts = rng.random(draws) * (lengths[videos] - length)
        for truth in one.truths:
            same = np.array(names)[videos] == truth.video
            ends, middles = starts + length, starts + length / 2
            common = np.minimum(ends, truth.end) - np.maximum(starts, truth.start)
            iou = np.maximum(common, 0) / (length + truth.end - truth.start - common)
            hit_once["video"] |= same
            hit_once["centre"] |= same & (middles >= truth.start) & (middles <= truth.end)
            for least in (0.3, 0.5, 0.7):
                hit_once[f"IoU {least}"] |= same & (iou >= least)
    return {name: float(found.mean()) for name, found in hit_once.items()}


@pytest.mark.parametrize(
    "one",
    [
        asked(Span("a", 0, 8), Span("b", 0, 13), Span("b", 5, 25)),
        # Two moments whose right places overlap, one at an edge, one in another video.
        asked(
            Span("a", 0, 10),
            Span("a", 0, 6),
            truths=(TRUTH, Span("a", 14, 26), Span("a", 95, 100), Span("c", 0, 30)),
        ),
        # A hit longer than two of the videos, and a whole video as the true moment.
        asked(Span("a", 0, 70), Span("a", 0, 55), truths=(Span("b", 0, 40), Span("a", 20, 80))),
    ],
)
@pytest.mark.parametrize("k", KS)
def test_chance_is_what_guessing_gives(one: Asked, k: int) -> None:
    draws = 200_000
    found = guess(one, k, draws, seed=k)
    for criterion in CRITERIA:
        exact = chance_at(one, k, criterion)
        error = 4 * np.sqrt(exact * (1 - exact) / draws) + 1e-9
        assert found[criterion.name] == pytest.approx(exact, abs=error), criterion.name


seconds = st.floats(0, 50, allow_nan=False).map(lambda one: round(one, 2))


@given(seconds, seconds, seconds, st.floats(0.01, 30))
def test_chance_is_a_probability_that_grows_with_k(
    start: float, length: float, truth_start: float, truth_length: float
) -> None:
    truths = (Span("a", truth_start, truth_start + truth_length),)
    one = asked(*[Span("c", start, start + length)] * 5, truths=truths)
    for criterion in CRITERIA:
        first, fifth = chance_at(one, 1, criterion), chance_at(one, 5, criterion)
        assert 0 <= first <= fifth <= 1
    strict = [chance_at(one, 1, criterion) for criterion in CRITERIA if criterion.kind == "iou"]
    assert strict == sorted(strict, reverse=True)


def test_intervals_resample_videos_and_those_much_like_them_together() -> None:
    hit, miss = Span("a", 10, 20), Span("b", 0, 1)
    queries = [asked(hit)] * 10 + [asked(miss, truths=(Span("b", 20, 30),))] * 10
    apart = measure(queries)
    recall = apart.found["centre"][1].recall
    assert (recall.value, recall.low, recall.high) == (0.5, 0.0, 1.0)
    together = measure(queries, lambda video: "a" if video == "b" else video)
    recall = together.found["centre"][1].recall
    assert (recall.value, recall.low, recall.high) == (0.5, 0.5, 0.5)


def test_a_query_belongs_to_each_of_its_videos_by_an_equal_share() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.0])
    groups = [{"a"}, {"b"}, {"a", "b"}, {"a", "b", "c"}]
    found = interval_over_groups(values, groups, resamples=500, seed=3)
    drawn = np.random.default_rng(3).integers(0, 3, (500, 3))
    means = []
    for row in drawn:
        # How often each video was drawn, and so how much each query counts.
        times = {name: int((row == place).sum()) for place, name in enumerate("abc")}
        weights = [sum(times[name] for name in own) / len(own) for own in groups]
        means.append(np.average(values, weights=weights))
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))


def test_intervals_of_queries_with_one_video_are_those_of_ranks() -> None:
    rng = np.random.default_rng(0)
    values, videos = rng.random(60), np.sort(rng.integers(0, 9, 60))
    theirs = interval_over_videos(values, videos, seed=1)
    ours = interval_over_groups(values, [{str(video)} for video in videos], seed=1)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_several_intervals_over_the_same_draws_are_those_of_each() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((40, 3))
    groups = [{str(one), str(one // 2)} for one in rng.integers(0, 12, 40)]
    together = intervals_over_groups(values, groups, seed=2)
    for column, found in zip(values.T, together, strict=True):
        alone = interval_over_groups(column, groups, seed=2)
        ours, theirs = (found.value, found.low, found.high), (alone.value, alone.low, alone.high)
        assert ours == pytest.approx(theirs)


def test_intervals_of_very_many_videos_take_little_memory() -> None:
    groups = [{str(one)} for one in range(20_000)]
    values = np.tile([0.0, 1.0], 10_000)[:, None] * np.ones(10)
    tracemalloc.start()
    try:
        found = intervals_over_groups(values, groups, resamples=400)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All draws at once would be 64 MB, and as much again for what they choose.
    assert peak < 32 << 20
    assert found[0].low < 0.5 < found[0].high


def test_a_gain_is_paired() -> None:
    truths = [Span("a", 0, 10), Span("b", 0, 10), Span("c", 0, 10)]
    all_right = measure([asked(truth, truths=(truth,)) for truth in truths])
    one_right = measure([asked(truths[0], truths=(truth,)) for truth in truths])
    found = gain(all_right, one_right, criterion="centre", k=1)
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == (0, 1)
    assert gain(all_right, all_right, criterion="centre", k=5).high == 0
    with pytest.raises(ValueError, match="different queries"):
        gain(all_right, measure([asked(TRUTH)]), criterion="centre", k=1)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="no query"):
        measure([])
    with pytest.raises(ValueError, match="true moment"):
        measure([asked(TRUTH, truths=())])
    with pytest.raises(ValueError, match="not searched"):
        measure([asked(TRUTH, truths=(Span("z", 0, 1),))])
