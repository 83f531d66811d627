"""How good a model is on videos that it was not trained on.

A part of the library's videos is held out: those whose id has a low hash, so that a video that is
held out stays so in every run, whatever else comes into the library. Each of their captions is then
asked for twice: among all held-out clips (coarse), and among the clips of its own video, which are
much alike (fine).
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from howto.evaluate.ranks import Interval, Ranks, interval_over_videos, joined, ranks_of_embeddings

__all__ = [
    "RECALLS",
    "Evaluation",
    "Retrieval",
    "evaluate",
    "held_out",
    "ranks_among",
    "stable_share",
]

RECALLS = (1, 5, 10)
"""K of R@K."""

LEAST_HELD_OUT = 2
"""Videos: with one, all that is coarse would be fine."""

_LEAST_LEFT = 2  # videos to train on


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Text to video retrieval.

    Attributes:
        recalls: R@K by K, fractions, with intervals over videos.
        chances: R@K of a scorer that knows nothing.
        median_rank: 1 is best.
        queries: how many captions were asked for.
    """

    recalls: dict[int, Interval]
    chances: dict[int, float]
    median_rank: float
    chance_median_rank: float
    queries: int

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            "queries": self.queries,
            "median_rank": self.median_rank,
            "chance_median_rank": self.chance_median_rank,
            **{
                f"recall_at_{k}": {
                    "value": one.value,
                    "low": one.low,
                    "high": one.high,
                    "chance": self.chances[k],
                }
                for k, one in self.recalls.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model can do on held-out videos.

    Attributes:
        videos: how many.
        coarse: among all their clips.
        fine: among the clips of one video; None where no video has two.
    """

    videos: int
    coarse: Retrieval
    fine: Retrieval | None

    def as_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        fine = self.fine.as_json() if self.fine else None
        return {"videos": self.videos, "coarse": self.coarse.as_json(), "fine": fine}


def stable_share(video_id: str, salt: str = "") -> float:
    """A number in 0..1 that depends on the id alone, evenly spread over ids.

    Args:
        salt: another one gives other, unrelated numbers.
    """
    digest = hashlib.sha256(os.fsencode(f"{salt}{video_id}")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def held_out(video_ids: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Choose the videos to evaluate on: those whose stable share is below `share`.

    Where these are fewer than two, the two with the lowest; of fewer than four videos, none.

    Args:
        video_ids: of the videos that have pairs.

    Returns:
        bool (V,), True for a video that is held out.
    """
    if len(video_ids) < LEAST_HELD_OUT + _LEAST_LEFT:
        return np.zeros(len(video_ids), bool)
    shares = np.array([stable_share(video_id) for video_id in video_ids])
    count = max(LEAST_HELD_OUT, int((shares < share).sum()))
    chosen = np.zeros(len(video_ids), bool)
    chosen[np.argsort(shares)[: min(count, len(video_ids) - _LEAST_LEFT)]] = True
    return chosen


def evaluate(
    shown: NDArray[np.float32], said: NDArray[np.float32], video_of: NDArray[np.int64]
) -> Evaluation:
    """Ask for each clip by its caption.

    Args:
        shown: (N, D), embeddings of clips; those of one video lie together.
        said: (N, D), embeddings of their captions.
        video_of: (N,), the video of each.

    Raises:
        ValueError: there is no clip, or an embedding is not finite.
    """

    coarse = ranks_among(shown, said)
    fine, asked = _within_videos(shown, said, video_of)
    return Evaluation(
        len(np.unique(video_of)),
        _retrieval(coarse, video_of),
        _retrieval(fine, video_of[asked]) if len(fine) else None,
    )


def ranks_among(shown: NDArray[np.float32], said: NDArray[np.float32]) -> Ranks:
    """The rank of each clip, asked for by its caption, among all clips given; as `evaluate`."""
    return ranks_of_embeddings(said, shown, np.arange(len(shown)))


def _within_videos(
    shown: NDArray[np.float32], said: NDArray[np.float32], video_of: NDArray[np.int64]
) -> tuple[Ranks, NDArray[np.int64]]:
    """Ranks among the clips of the same video, and which clips were asked for."""
    edges = [0, *(np.flatnonzero(np.diff(video_of)) + 1), len(video_of)]
    spans = [slice(int(a), int(b)) for a, b in pairwise(edges) if b - a > 1]
    ranks = joined([ranks_among(shown[one], said[one]) for one in spans])
    rows = [np.arange(one.start, one.stop) for one in spans]
    return ranks, np.concatenate([np.empty(0, np.int64), *rows])


def _retrieval(ranks: Ranks, video_of: NDArray[np.int64]) -> Retrieval:
    return Retrieval(
        {k: interval_over_videos(ranks.hits_at(k), video_of) for k in RECALLS},
        {k: ranks.chance_at(k) for k in RECALLS},
        ranks.median_rank,
        ranks.chance_median_rank,
        len(ranks),
    )
