"""Results of retrieval: both ways, several captions a video, and intervals over videos."""

import json

import numpy as np
import pytest

from howto.evaluate.ranks import TIES, ranks_of
from howto.evaluate.retrieval import direction, result_of_embeddings, result_of_scores

SCORES = np.array(
    [
        [0.9, 0.1, 0.2, 0.0],
        [0.5, 0.4, 0.6, 0.0],
        [0.3, 0.3, 0.3, 0.0],
        [0.1, 0.2, 0.3, 0.4],
    ]
)


def test_both_ways_worked_by_hand() -> None:
    found = result_of_scores(SCORES)
    assert (found.queries, found.candidates) == (4, 4)
    there, back = found.text_to_video, found.video_to_text
    assert there.ranks.ranks.tolist() == [1, 3, 2, 1]
    assert back.ranks.ranks.tolist() == [1, 1, 2.5, 1]
    assert there.recalls[1].value == pytest.approx((1 + 0 + 1 / 3 + 1) / 4)
    assert (there.median_rank.value, there.mean_rank.value) == (1.5, 1.75)
    assert (back.median_rank.value, back.mean_rank.value) == (1, 1.375)
    assert there.chances == {1: 0.25, 5: 1, 10: 1}


def test_json_is_what_scripts_were_promised() -> None:
    value = json.loads(json.dumps(result_of_scores(SCORES).as_json()))
    assert (value["queries"], value["candidates"]) == (4, 4)
    for way in ("text_to_video", "video_to_text"):
        figures = {"R@1", "R@5", "R@10", "median_rank", "mean_rank"}
        assert figures <= set(value[way])
        assert set(value[way]["intervals"]) == figures
        for name in figures:
            low, high = value[way]["intervals"][name]
            assert low <= value[way][name] <= high
    assert value["text_to_video"]["R@5"] == 1


def test_of_several_captions_the_best_ranked_counts() -> None:
    answers = [0, 0, 1, 1]
    scores = [[0.9, 0.0], [0.2, 0.8], [0.5, 0.7], [0.3, 0.1]]
    found = result_of_scores(scores, answers)
    assert found.text_to_video.ranks.ranks.tolist() == [1, 2, 1, 2]
    # Video 0 finds its first caption first; video 1 finds its own second, after one of video 0.
    assert found.video_to_text.ranks.ranks.tolist() == [1, 2]
    assert (found.queries, found.candidates) == (4, 2)


def test_a_video_without_captions_only_distracts() -> None:
    found = result_of_scores([[0.5, 0.9, 0.1]], [0])
    assert found.text_to_video.ranks.ranks.tolist() == [2]
    assert found.as_json()["video_to_text"]["queries"] == 1


@pytest.mark.parametrize("ties", TIES)
def test_embeddings_give_what_their_scores_give(ties) -> None:
    rng = np.random.default_rng(0)
    clips = rng.integers(-2, 3, (15, 4)).astype(np.float32)
    captions = np.repeat(clips, 3, axis=0) + rng.integers(-1, 2, (45, 4)).astype(np.float32)
    answers, videos = np.repeat(np.arange(15), 3), np.arange(15) // 2
    found = result_of_embeddings(captions, clips, answers, videos=videos, ties=ties)
    expected = result_of_scores(captions @ clips.T, answers, videos=videos, ties=ties)
    assert found.as_json() == expected.as_json()


@pytest.mark.parametrize("ties", TIES)
def test_intervals_are_those_of_drawing_videos_one_by_one(ties) -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 4, (30, 30)).astype(float) + 2 * np.eye(30)
    video_of = np.arange(30) // 3
    ranks = ranks_of(scores, np.arange(30), ties=ties)
    found = direction(ranks, video_of, resamples=4000)
    figures: list[tuple[float, float, float]] = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(video_of == v) for v in rng.integers(0, 10, 10)])
        one = ranks_of(scores[rows], rows, ties=ties)
        figures.append((one.recall_at(5), one.mean_rank, one.median_rank))
    lows, highs = np.percentile(figures, [2.5, 97.5], axis=0)
    for interval, low, high in zip(
        (found.recalls[5], found.mean_rank, found.median_rank), lows, highs, strict=True
    ):
        width = high - low
        assert interval.low == pytest.approx(low, abs=0.15 * width + 0.01)
        assert interval.high == pytest.approx(high, abs=0.15 * width + 0.01)


def test_clips_of_one_video_are_drawn_together() -> None:
    scores = np.eye(100) + 2 * np.roll(np.eye(100), 1, axis=1) * (np.arange(100) < 50)[:, None]
    apart = result_of_scores(scores).text_to_video.recalls[1]
    together = result_of_scores(scores, videos=np.arange(100) // 25).text_to_video.recalls[1]
    assert together.value == apart.value == 0.5
    assert together.high - together.low > 3 * (apart.high - apart.low)
    names = np.repeat(["a", "b", "c", "d"], 25)
    assert result_of_scores(scores, videos=names).text_to_video.recalls[1] == together


def test_videos_are_those_of_the_clips_that_ask() -> None:
    scores = [[0.9, 0.1, 0.5, 0.2], [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.1]]
    found = result_of_scores(scores, [3, 2, 2], videos=["a", "b", "c", "d"])
    assert found.text_to_video.video_of.tolist() == [1, 0, 0]
    assert found.video_to_text.video_of.tolist() == [0, 1]
    alike = result_of_scores(scores, [3, 2, 2], videos=["a", "b", "c", "c"]).video_to_text
    assert alike.ranks.ranks.tolist() == [2, 2]
    assert alike.video_of.tolist() == [0, 0]


def test_the_interval_of_the_median_draws_whole_videos() -> None:
    # Video 0 finds its ten clips first, video 1 finds its own last.
    scores = np.eye(20) * np.where(np.arange(20) < 10, 1, -1)
    found = result_of_scores(scores, videos=np.arange(20) // 10).text_to_video
    assert found.median_rank.value == (1 + 20) / 2
    assert (found.median_rank.low, found.median_rank.high) == (1, 20)
    assert (found.mean_rank.low, found.mean_rank.high) == (1, 20)


def test_resamples_in_which_all_is_dropped_have_no_figures() -> None:
    scores = np.diag([np.nan, 1.0, 1.0])
    found = direction(ranks_of(scores, range(3), ties="authors"), range(3), resamples=200)
    assert found.recalls[1].low == found.recalls[1].high == 1


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(ValueError, match="no query"):
        result_of_scores(np.zeros((0, 0)))
    with pytest.raises(ValueError, match="no query"):
        result_of_embeddings(np.zeros((0, 4)), np.zeros((3, 4)), [])
    with pytest.raises(ValueError, match="a video for each of 4 columns"):
        result_of_scores(SCORES, videos=[0, 1])
    with pytest.raises(ValueError, match="row 2 without an answer"):
        result_of_scores(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="video of each of 4 queries"):
        direction(ranks_of(SCORES, range(4)), [0])


def test_intervals_hold_95_per_cent() -> None:
    """Of 400 queries, each a video of its own and every other right, the share is binomial."""
    scores = np.eye(400) * (np.arange(400) % 2 * 2 - 1)
    found = direction(ranks_of(scores, np.arange(400)), np.arange(400), resamples=20000).recalls[1]
    half = 1.96 * np.sqrt(0.5 * 0.5 / 400)
    assert found.low == pytest.approx(0.5 - half, abs=0.003)
    assert found.high == pytest.approx(0.5 + half, abs=0.003)
