"""Negative samplers: which pairs make a batch, and what each wrong pair of it weighs.

A batch is v videos with k pairs of each; all other pairs of the batch are negatives. *Intra-video*
negatives are other pairs of the same video, *inter-video* ones are of other videos. An epoch visits
each video that has pairs once, v a batch, and drops the last partial batch; k pairs of each are
drawn with replacement. A library of fewer than v videos with pairs makes batches of all of them.

Weights, for a share p of the negatives' mass that is to come from the same video:

- `code`, as the authors published it: cells of one video weigh v p, others v (1 - p) / (v - 1),
  the diagonal like its video, so that all cells weigh 1 on average. At v = 32, k = 64, p = 0.5 the
  true intra-video share of the negatives is 0.496.
- `exact`, the paper's appendix B: a = p k (v - 1) / ((1 - p) (k - 1)) for one of the same video
  against 1 for others; scaled so that the negatives weigh 1 on average, which leaves p = 1 finite.

The limits, of both: p = 0 gives intra-video cells 0, p = 1 inter-video ones. With v = 1 there are
no inter-video cells, with k = 1 no intra-video negatives: the sort that is there then takes all the
mass and weighs 1, unless its own share of it was 0, which leaves nothing to learn. `code` with
k = 1 has no weighting at all: every cell weighs 1, whatever p is.

Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.2 and appendix B.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from howto.errors import UsageError

if TYPE_CHECKING:
    import torch

__all__ = [
    "WEIGHTINGS",
    "HardSampler",
    "InterVideoSampler",
    "IntraVideoSampler",
    "UniformSampler",
    "epoch_batches",
    "semi_hard",
    "weights_of",
]

WEIGHTINGS = ("code", "exact")
"""Forms of the weights, as the module says."""


def epoch_batches(
    offsets: NDArray[np.int64],
    videos_per_batch: int,
    pairs_per_video: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Yield the pair ids of each batch of one epoch, as `howto.contracts.Sampler.batches` says."""
    videos = rng.permutation(np.flatnonzero(np.diff(offsets)))
    size = min(videos_per_batch, len(videos))
    for first in range(0, len(videos) - size + 1 if size else 0, size or 1):
        chosen = videos[first : first + size, None]
        pairs = rng.integers(offsets[chosen], offsets[chosen + 1], (size, pairs_per_video))
        yield pairs.ravel()


def weights_of(video_ids: NDArray[np.int64], intra: float, weighting: str) -> NDArray[np.float32]:
    """Weigh each cell of a batch's score matrix by whether its two pairs are of one video.

    Args:
        video_ids: int64 (B,), the video of each pair. Videos may have unequal numbers of pairs:
            v is then the number of videos, and `exact` still meets p exactly.
        intra: p, the share of the mass that intra-video negatives are to have, in 0..1.
        weighting: one of WEIGHTINGS; the module says what they are, and their limits.

    Returns:
        float32 (B, B). The diagonal weighs what its video does; whether it counts is the loss's.

    Raises:
        UsageError: p outside of 0..1, or no such weighting.
    """
    _check(intra, weighting)
    same = np.equal.outer(video_ids, video_ids)
    of_code = weighting == "code"
    weighed = _code_weights if of_code else _exact_weights
    within, between = weighed(video_ids, intra)
    return np.where(same, np.float32(within), np.float32(between))


def _check(intra: float, weighting: str) -> None:
    if not 0 <= intra <= 1:
        raise UsageError(f"the share of intra-video negatives lies in 0..1, got {intra}")
    if weighting not in WEIGHTINGS:
        raise UsageError(f"no weighting {weighting!r}; there are {' and '.join(WEIGHTINGS)}")


def _code_weights(video_ids: NDArray[np.int64], intra: float) -> tuple[float, float]:
    """What cells of one video and of two videos weigh in the authors' code."""
    videos = len(np.unique(video_ids))
    if videos == len(video_ids):
        return 1.0, 1.0
    if videos == 1:
        return float(intra > 0), 0.0
    return videos * intra, videos * (1 - intra) / (videos - 1)


def _exact_weights(video_ids: NDArray[np.int64], intra: float) -> tuple[float, float]:
    """What negatives of one video and of two videos weigh by the paper, 1 on average."""
    pairs = len(video_ids)
    sizes = np.unique(video_ids, return_counts=True)[1]
    within = int((sizes * sizes).sum()) - pairs
    between = pairs * pairs - pairs - within
    if not within or not between:
        return float(intra > 0), float(intra < 1)
    return intra * (within + between) / within, (1 - intra) * (within + between) / between


class _VideoSampler:
    """What all samplers here share: how the pairs of a batch are drawn."""

    def batches(
        self,
        offsets: NDArray[np.int64],
        videos_per_batch: int,
        pairs_per_video: int,
        rng: np.random.Generator,
    ) -> Iterator[NDArray[np.int64]]:
        """Visit each video with pairs once, in random order; the last partial batch is dropped."""
        return epoch_batches(offsets, videos_per_batch, pairs_per_video, rng)


class IntraVideoSampler(_VideoSampler):
    """The paper's: a share of the negatives' mass comes from the same video.

    Args:
        intra: that share, p, in 0..1.
        weighting: `code` or `exact`.
    """

    name: ClassVar[str] = "intra-video"

    def __init__(self, *, intra: float = 0.5, weighting: str = "code") -> None:
        _check(intra, weighting)
        self.intra, self.weighting = intra, weighting

    def weights(self, video_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weigh cells as `weights_of` does."""
        return weights_of(video_ids, self.intra, self.weighting)


class InterVideoSampler(_VideoSampler):
    """No intra-video negatives: the paper's comparison, p = 0.

    Args:
        weighting: `code` or `exact`.
    """

    name: ClassVar[str] = "inter-video"

    def __init__(self, *, weighting: str = "code") -> None:
        _check(0.0, weighting)
        self.weighting = weighting

    def weights(self, video_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weigh cells as `weights_of` does with p = 0."""
        return weights_of(video_ids, 0.0, self.weighting)


class UniformSampler(_VideoSampler):
    """All negatives weigh the same; at 32 videos of 64 pairs 3.1% of them are intra-video."""

    name: ClassVar[str] = "uniform"

    def weights(self, video_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weigh every cell 1."""
        return np.ones((len(video_ids), len(video_ids)), np.float32)


class HardSampler(IntraVideoSampler):
    """Intra-video weights, and of each sort of negatives only the semi-hard ones of the batch.

    Args:
        intra, weighting: as for IntraVideoSampler.
        hardest: the share of its negatives of each sort that a clip, and a caption, keeps; over 0,
            at most 1.
    """

    name: ClassVar[str] = "hard"

    def __init__(
        self, *, intra: float = 0.5, weighting: str = "code", hardest: float = 0.25
    ) -> None:
        super().__init__(intra=intra, weighting=weighting)
        if not 0 < hardest <= 1:
            raise UsageError(f"the share of hardest negatives is over 0, at most 1, got {hardest}")
        self.hardest = hardest

    def focus(
        self, scores: "torch.Tensor", positives: "torch.Tensor", video_ids: "torch.Tensor"
    ) -> "torch.Tensor":
        """Keep each clip's and each caption's semi-hard negatives, intra- and inter-video apart.

        A cell is kept if its clip or its caption keeps it. The two sorts are chosen from apart, so
        that the share p of the weights stays what it is. Shapes as `howto.contracts.ScoreFocus`.
        """
        candidates = scores.shape[1] // len(scores)
        same = video_ids[:, None] == video_ids.repeat_interleave(candidates)[None, :]
        kept = positives.clone()
        sorts = (same & ~positives, ~same)
        by_clip = _nearness(scores, positives)
        by_caption = _nearness(scores.T.contiguous(), positives.T.contiguous())
        for sort in sorts:
            kept |= _nearest(by_clip, sort, self.hardest)
            kept |= _nearest(by_caption, sort.T.contiguous(), self.hardest).T
        return kept


def semi_hard(
    scores: "torch.Tensor", positives: "torch.Tensor", among: "torch.Tensor", share: float
) -> "torch.Tensor":
    """Choose of each row the negatives nearest below its right pair.

    Those that score below the right pair come first, the highest first; then those above, which
    may well be right, the lowest first. Scores that are no numbers are chosen or not as it comes: a
    weight of 0 does not hide them from the loss.

    Args:
        scores: float32 (R, C), without a gradient.
        positives: bool (R, C); the right pair of a row is the best of them.
        among: bool (R, C), the cells to choose from.
        share: of each row's cells to choose from, rounded up.

    Returns:
        bool (R, C).

    Source: the rule is that of Schroff et al., FaceNet, CVPR 2015 (arXiv:1503.03832), section 3.2.
    """
    return _nearest(_nearness(scores, positives), among, share)


def _nearness(scores: "torch.Tensor", positives: "torch.Tensor") -> "torch.Tensor":
    """How soon each cell of a row is chosen: the higher the sooner."""
    import torch

    right = scores.masked_fill(~positives, -torch.inf).amax(dim=1, keepdim=True)
    gap = scores - right
    above = 2 * gap.abs().amax(dim=1, keepdim=True) + 1
    return torch.where(gap < 0, gap, -gap - above)


def _nearest(nearness: "torch.Tensor", among: "torch.Tensor", share: float) -> "torch.Tensor":
    """Of each row's cells to choose from that share which is nearest, of equal ones the first."""
    import torch

    # Summed as int32: torch sums booleans as int64, twenty times slower.
    counts = (among.sum(dim=1, keepdim=True, dtype=torch.int32) * share).ceil().long()
    if not counts.any():
        return torch.zeros_like(among)
    among_these = nearness.masked_fill(~among, -torch.inf)
    place = (among.shape[1] - counts).clamp_(max=among.shape[1] - 1)
    least = _sorted_rows(among_these).gather(1, place)
    kept = (among_these >= least) & among & (counts > 0)
    # Of equal ones at the end the first columns stay, no more than are wanted.
    crowded = (kept.sum(dim=1, dtype=torch.int32) > counts[:, 0]).nonzero()[:, 0]
    above = (among_these[crowded] > least[crowded]) & kept[crowded]
    equal = kept[crowded] & ~above
    room = counts[crowded] - above.sum(dim=1, keepdim=True)
    kept[crowded] = above | (equal & (equal.cumsum(dim=1) <= room))
    return kept


def _sorted_rows(values: "torch.Tensor") -> "torch.Tensor":
    """Each row's values, the lowest first; on a CPU by numpy, which is thirty times quicker."""
    import torch

    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values
