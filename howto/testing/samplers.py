"""The suite for negative samplers."""

import itertools
import random
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from howto.testing.contract import PluginContract, expect

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SamplerContract"]

# Pairs of each video of a library: videos without pairs first, last and in the middle.
_LIBRARIES = {
    "40 videos": [10] * 40,
    "videos without pairs": [0, 5, 0, 0, 3, 7, 1, 4, 0],
    "videos of one pair": [1] * 12,
    "one video": [8],
    "one pair": [1],
}
_SIZES = [(4, 3), (1, 1), (1, 4), (4, 1), (32, 64)]
# A sampler that has not ended its epoch after so many batches a video does not end it at all.
_BATCHES_PER_VIDEO = 100

# The video of each pair of a batch.
_BATCHES = {
    "one pair": [7],
    "one video": [7, 7, 7, 7],
    "a pair of each video": [4, 9, 2],
    "three of each video": [5, 5, 5, 0, 0, 0, 8, 8, 8],
    "unequal numbers": [1, 1, 1, 6, 2, 2],
    "videos mixed": [3, 1, 3, 1],
    "large ids": [2**40, 2**40, 5, 5],
}


class SamplerContract(PluginContract):
    """A sampler draws k pairs of each of v videos, and weighs cells by which videos are equal."""

    kind: ClassVar[str] = "samplers"

    @pytest.mark.parametrize("library", _LIBRARIES)
    @pytest.mark.parametrize("size", _SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_batches_are_whole(self, library: str, size: tuple[int, int]) -> None:
        """int64 (v k,), a video's k pairs side by side; v shrinks to the videos there are."""
        offsets = _offsets(_LIBRARIES[library])
        batches = self._epoch(offsets, *size)
        expect(batches, f"{library}: expected at least one batch, got none")
        num_videos = min(size[0], int((np.diff(offsets) > 0).sum()))
        for batch in batches:
            _expect_batch(library, batch, offsets, num_videos, size[1])

    @pytest.mark.parametrize("pairs", [[], [0], [0, 0, 0]], ids=str)
    def test_nothing_to_draw(self, pairs: list[int]) -> None:
        """A library without pairs has no batches, and that is no error."""
        batches = self._epoch(_offsets(pairs), 4, 3)
        expect(not batches, f"expected no batches of a library without pairs, got {len(batches)}")

    def test_every_pair_can_be_drawn(self) -> None:
        """Over many epochs each pair comes up, first and last ones of a video included."""
        offsets = _offsets([3, 0, 2, 4])
        drawn: set[int] = set()
        for seed in range(50):
            for batch in self._epoch(offsets, 2, 4, seed):
                drawn.update(batch.tolist())
        missing = sorted(set(range(9)) - drawn)
        expect(not missing, f"expected every one of 9 pairs in 50 epochs, never drawn: {missing}")

    def test_the_same_rng_gives_the_same_batches(self) -> None:
        """rng is the only source of chance: neither the global seeds nor the object matter."""
        offsets = _offsets(_LIBRARIES["40 videos"])
        epochs = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)
            epochs.append(self._epoch(offsets, 4, 3))
        expect(_same(*epochs), "expected the same batches of the same rng state, got others")
        other = self._epoch(offsets, 4, 3, seed=8)
        expect(not _same(epochs[0], other), "expected other batches of another rng state")

    def test_leaves_the_offsets_alone(self) -> None:
        """The offsets are the pack's own, mapped from disk, and cannot be written to."""
        offsets = _offsets([3, 0, 2])
        offsets.flags.writeable = False
        self._epoch(offsets, 2, 2)

    @pytest.mark.parametrize("batch", _BATCHES)
    def test_weights_are_numbers(self, batch: str) -> None:
        """float32 (B, B), finite, symmetric, >= 0; one video or one pair divides nothing by 0."""
        ids = np.array(_BATCHES[batch], dtype=np.int64)
        ids.flags.writeable = False
        weights = self.create().weights(ids)
        shape = (len(ids), len(ids))
        expect(isinstance(weights, np.ndarray), f"expected an array, got {type(weights).__name__}")
        expect(weights.shape == shape, f"{batch}: expected {shape}, got {weights.shape}")
        expect(weights.dtype == np.float32, f"{batch}: expected float32, got {weights.dtype}")
        expect(np.isfinite(weights).all(), f"{batch}: expected finite weights, got\n{weights}")
        expect((weights >= 0).all(), f"{batch}: expected weights >= 0, got\n{weights}")
        expect(np.array_equal(weights, weights.T), f"{batch}: expected symmetry, got\n{weights}")

    @pytest.mark.parametrize("batch", _BATCHES)
    def test_weights_know_only_which_videos_are_equal(self, batch: str) -> None:
        """Other ids give the same weights, another order gives them in that order."""
        sampler, ids = self.create(), np.array(_BATCHES[batch], dtype=np.int64)
        weights = sampler.weights(ids)
        renamed = sampler.weights(1000 - np.unique(ids, return_inverse=True)[1].astype(np.int64))
        expect(
            np.allclose(weights, renamed),
            f"{batch}: expected the same weights for other ids, got\n{weights}\nand\n{renamed}",
        )
        order = np.random.default_rng(0).permutation(len(ids))
        expect(
            np.allclose(weights[np.ix_(order, order)], sampler.weights(ids[order])),
            f"{batch}: expected the weights to follow the order of the pairs",
        )

    def test_weights_leave_something_to_learn(self) -> None:
        """With several pairs of several videos, some wrong pair weighs more than nothing."""
        weights = self.create().weights(np.array(_BATCHES["three of each video"], dtype=np.int64))
        off_diagonal = weights[~np.eye(len(weights), dtype=bool)]
        expect((off_diagonal > 0).any(), "expected a wrong pair with a weight > 0, all are 0")

    def _epoch(
        self, offsets: "NDArray[np.int64]", videos: int, pairs: int, seed: int = 7
    ) -> list["NDArray[np.int64]"]:
        limit = _BATCHES_PER_VIDEO * len(offsets)
        rng = np.random.default_rng(seed)
        epoch = self.create().batches(offsets, videos, pairs, rng)
        batches = list(itertools.islice(epoch, limit + 1))
        expect(len(batches) <= limit, f"expected an end of the epoch, got over {limit} batches")
        return batches


def _expect_batch(
    library: str,
    batch: "NDArray[np.int64]",
    offsets: "NDArray[np.int64]",
    num_videos: int,
    pairs_per_video: int,
) -> None:
    expect(isinstance(batch, np.ndarray), f"expected an array, got {type(batch).__name__}")
    expect(batch.dtype == np.int64, f"expected pair ids as int64, got {batch.dtype}")
    shape = (num_videos * pairs_per_video,)
    expect(batch.shape == shape, f"{library}: expected shape {shape}, got {batch.shape}")
    expect(
        batch.min() >= 0 and batch.max() < offsets[-1],
        f"{library}: expected ids in 0 .. {offsets[-1] - 1}, got {batch.min()} .. {batch.max()}",
    )
    videos = (np.searchsorted(offsets, batch, side="right") - 1).tolist()
    runs = [(video, len(list(run))) for video, run in itertools.groupby(videos)]
    expect(
        len({video for video, _ in runs}) == len(runs) == num_videos
        and all(count == pairs_per_video for _, count in runs),
        f"{library}: expected {pairs_per_video} pairs of each of {num_videos} videos, side by "
        f"side, got runs of (video, pairs) {runs}",
    )


def _offsets(pairs: list[int]) -> "NDArray[np.int64]":
    return np.concatenate([[0], np.cumsum(pairs)]).astype(np.int64)


def _same(first: list["NDArray[np.int64]"], second: list["NDArray[np.int64]"]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))
