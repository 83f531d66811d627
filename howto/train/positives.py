"""Positive selection: only the best-scoring right pairs of each video train.

Option `--keep-positives r`, the max-pool rate of the paper's appendix C: narration often says what
is not shown, and a pair that scores high is likelier a true one. Of the n pairs that a batch holds
of a video, the ceil(r n) whose clip and caption score highest against each other stay, at least
one; the batch is then what is left. A pair that goes is neither a positive nor a negative, and
gets no gradient. On ties the pair that comes first stays. r = 1 keeps all, and was best in the
paper.
"""

import math

import torch
from torch import Tensor

from howto.errors import UsageError

__all__ = ["best_positives", "sub_batch"]


def best_positives(right_scores: Tensor, video_ids: Tensor, keep: float) -> Tensor:
    """Choose the pairs of a batch that stay.

    Args:
        right_scores: float32 (B,), each clip against its caption, without a gradient; where a clip
            has several candidates, against the best of them. A NaN counts as the highest, so that
            it stays to be seen.
        video_ids: int64 (B,), the video of each pair, in any order.
        keep: r, over 0, at most 1.

    Returns:
        int64 (M,), ascending indices of pairs.

    Raises:
        UsageError: r out of its range.
    """
    if not 0 < keep <= 1:
        raise UsageError(f"the fraction of positives to keep is over 0, at most 1, got {keep}")
    # Sorted by score, then stably by video: the pairs of a video lie together, the best first.
    by_score = right_scores.argsort(descending=True, stable=True)
    order = by_score[video_ids[by_score].argsort(stable=True)]
    counts = torch.unique(video_ids, return_counts=True)[1]
    firsts = counts.cumsum(0) - counts
    places = torch.arange(len(order), device=order.device) - firsts.repeat_interleave(counts)
    quotas = torch.tensor([_quota(keep, n) for n in counts.tolist()], device=order.device)
    return order[places < quotas.repeat_interleave(counts)].sort().values


def _quota(keep: float, pairs: int) -> int:
    """The ceil(r n) pairs that stay; 0.55 of 100 are 55, though their product is a little more."""
    return math.ceil(round(keep * pairs, 9))


def sub_batch(
    scores: Tensor, weights: Tensor, positives: Tensor, pairs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The batch that some of its pairs make: their rows, and the columns of their captions.

    Args:
        scores, weights, positives: (B, C) as `howto.contracts.Loss` takes them; C = B K.
        pairs: int64 (M,), as `best_positives` gives them.

    Returns:
        The same three, (M, M K), with a gradient to the scores.
    """
    candidates = scores.shape[1] // max(1, len(scores))
    offsets = torch.arange(candidates, device=pairs.device)
    columns = (pairs[:, None] * candidates + offsets).ravel()
    rows = pairs[:, None]
    return scores[rows, columns], weights[rows, columns], positives[rows, columns]
