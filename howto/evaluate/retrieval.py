"""The result of a retrieval evaluation: recall, median and mean rank, both ways, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from howto.evaluate.ranks import (
    RESAMPLES,
    Interval,
    Ranks,
    Ties,
    drawn_videos,
    middle,
    ranks_back_of,
    ranks_back_of_embeddings,
    ranks_of,
    ranks_of_embeddings,
)

__all__ = [
    "RECALLS",
    "Direction",
    "RetrievalResult",
    "direction",
    "result_of_embeddings",
    "result_of_scores",
]

RECALLS = (1, 5, 10)
"""K of R@K."""


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One way to ask: by captions for videos, or by videos for captions.

    Attributes:
        ranks: of each query, by the rule of ties.
        video_of: int64 (Q,), a number for the video of each query; queries of one are resampled
            together.
        recalls: R@K by K, fractions.
        median_rank, mean_rank: 1 is best.
        chances: R@K of a scorer that knows nothing, by K.
        chance_median_rank: of such a scorer.
    """

    ranks: Ranks
    video_of: NDArray[np.int64]
    recalls: dict[int, Interval]
    median_rank: Interval
    mean_rank: Interval
    chances: dict[int, float]
    chance_median_rank: float

    def as_json(self) -> dict[str, Any]:
        """R@K as fractions; `intervals` holds [low, high] of each figure, 95 per cent."""
        found = {
            **{f"R@{k}": one for k, one in self.recalls.items()},
            "median_rank": self.median_rank,
            "mean_rank": self.mean_rank,
        }
        return {
            "queries": len(self.ranks),
            **{name: one.value for name, one in found.items()},
            "intervals": {name: [one.low, one.high] for name, one in found.items()},
            "chance": {
                **{f"R@{k}": chance for k, chance in self.chances.items()},
                "median_rank": self.chance_median_rank,
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalResult:
    """Both ways to ask.

    Attributes:
        queries: captions.
        candidates: clips or videos.
        ties: the rule.
        text_to_video: each caption asks for its video.
        video_to_text: each video that has a caption asks for it; of several the best-ranked counts.
    """

    queries: int
    candidates: int
    ties: Ties
    text_to_video: Direction
    video_to_text: Direction

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            "queries": self.queries,
            "candidates": self.candidates,
            "ties": self.ties,
            "text_to_video": self.text_to_video.as_json(),
            "video_to_text": self.video_to_text.as_json(),
        }


def result_of_scores(
    scores: ArrayLike,
    answers: ArrayLike | None = None,
    *,
    videos: ArrayLike | None = None,
    ties: Ties = "average",
    resamples: int = RESAMPLES,
) -> RetrievalResult:
    """Evaluate a matrix of scores.

    Args:
        scores: (Q, N), captions in rows and clips in columns; may be a memory map.
        answers: whole numbers (Q,), the column that answers each row; None: row i has column i.
        videos: (N,), numbers or names, the video of each clip, for the intervals; None: each
            column is a video of its own.
        resamples: of videos, for the intervals.

    Raises:
        ValueError: as `ranks_of`; no query; `videos` of another length.
    """
    table = np.asarray(scores)
    columns = _answers(table.shape[0] if table.ndim else 0, answers)
    there = ranks_of(table, columns, ties=ties)
    back = ranks_back_of(table, columns, ties=ties)
    return _result(there, back, columns, table.shape[1], videos, ties, resamples)


def result_of_embeddings(
    queries: ArrayLike,
    candidates: ArrayLike,
    answers: ArrayLike | None = None,
    *,
    videos: ArrayLike | None = None,
    ties: Ties = "average",
    resamples: int = RESAMPLES,
) -> RetrievalResult:
    """Evaluate embeddings by their dot products, without ever holding all scores.

    Args:
        queries: (Q, D), of captions; may be a memory map.
        candidates: (N, D), of clips; may be a memory map.
        answers, videos, resamples: as for `result_of_scores`.

    Raises:
        ValueError: as `ranks_of_embeddings`; no query; `videos` of another length.
    """
    asking, found = np.asarray(queries), np.asarray(candidates)
    columns = _answers(len(asking), answers)
    there = ranks_of_embeddings(asking, found, columns, ties=ties)
    back = ranks_back_of_embeddings(asking, found, columns, ties=ties)
    return _result(there, back, columns, len(found), videos, ties, resamples)


def _answers(queries: int, answers: ArrayLike | None) -> NDArray[np.generic]:
    return np.arange(queries) if answers is None else np.asarray(answers)


def _result(
    there: Ranks,
    back: Ranks,
    answers: NDArray[np.generic],
    candidates: int,
    videos: ArrayLike | None,
    ties: Ties,
    resamples: int,
) -> RetrievalResult:
    if not len(there):
        raise ValueError("no query, so no recall")
    video_of = np.arange(candidates) if videos is None else np.asarray(videos)
    if video_of.shape != (candidates,):
        raise ValueError(f"expected a video for each of {candidates} columns, got {video_of.shape}")
    return RetrievalResult(
        len(there),
        candidates,
        ties,
        direction(there, video_of[answers], resamples=resamples),
        direction(back, video_of[np.unique(answers)], resamples=resamples),
    )


def direction(
    ranks: Ranks,
    video_of: ArrayLike,
    *,
    recalls: Sequence[int] = RECALLS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Direction:
    """All figures of some ranks, with 95 per cent intervals from resampling videos.

    Args:
        video_of: (Q,), the video of each query.
        seed: of the resampling; the same gives the same intervals.

    Raises:
        ValueError: no query, or not as many videos.
    """
    own = np.unique(np.asarray(video_of), return_inverse=True)[1]
    if own.shape != (len(ranks),):
        raise ValueError(f"expected the video of each of {len(ranks)} queries, got {own.shape}")
    values = [*(ranks.recall_at(k) for k in recalls), ranks.mean_rank, ranks.median_rank]
    drawn = _drawn_figures(ranks, own, recalls, resamples, seed)
    lows, highs = np.percentile(drawn, [2.5, 97.5], axis=0)
    found = [Interval(v, float(a), float(b)) for v, a, b in zip(values, lows, highs, strict=True)]
    return Direction(
        ranks,
        own,
        dict(zip(recalls, found[:-2], strict=True)),
        median_rank=found[-1],
        mean_rank=found[-2],
        chances={k: ranks.chance_at(k) for k in recalls},
        chance_median_rank=ranks.chance_median_rank,
    )


def _drawn_figures(
    ranks: Ranks, own: NDArray[np.int64], recalls: Sequence[int], resamples: int, seed: int
) -> NDArray[np.float64]:
    """R@K by K, mean rank and median rank of each resample: (R, K + 2).

    Resamples in which every query is dropped have no figures, and no row.
    """
    values = [*(ranks.hits_at(k) for k in recalls), ranks.ranks, np.ones(len(ranks))]
    sums = np.stack([np.bincount(own, one * ranks.counted) for one in values], axis=1)
    places, counts_of = ranks.places()
    rows = []
    for block in drawn_videos(len(sums), resamples, seed):
        for times in block[block @ sums[:, -1] > 0]:
            totals = times @ sums
            counts = counts_of(times[own].astype(np.int64))
            rows.append([*(totals[:-1] / totals[-1]), middle(places, counts)])
    return np.array(rows)
