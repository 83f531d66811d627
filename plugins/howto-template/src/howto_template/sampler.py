"""A negative sampler: only pairs of the same video are negatives."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["IntraOnlySampler"]


class IntraOnlySampler:
    """Draws k pairs of each of v videos; cells between two videos weigh nothing.

    The opposite of training without intra-video negatives, for comparing: nobody has shown it to be
    of use. With k = 1 no negative is left.
    """

    name = "template-intra-only"

    def batches(
        self,
        offsets: NDArray[np.int64],
        videos_per_batch: int,
        pairs_per_video: int,
        rng: np.random.Generator,
    ) -> Iterator[NDArray[np.int64]]:
        """Visit each video with pairs once, in random order; the last partial batch is dropped."""
        videos = rng.permutation(np.flatnonzero(np.diff(offsets)))
        size = min(videos_per_batch, len(videos))
        for batch in range(len(videos) // size if size else 0):
            chosen = videos[batch * size : (batch + 1) * size, None]
            pairs = rng.integers(offsets[chosen], offsets[chosen + 1], (size, pairs_per_video))
            yield pairs.ravel()

    def weights(self, video_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Weigh cells of one video 1, all others 0."""
        return np.equal.outer(video_ids, video_ids).astype(np.float32)
