"""False negatives of a batch: wrong pairs that are right all the same.

Two pairs of one batch may carry the same words, and clips of one video may overlap; drawing with
replacement may even draw one pair twice. Option `--mask-overlaps` leaves such cells out.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MIN_IOU", "caption_ids", "false_negatives", "masked"]

MIN_IOU = 0.5
"""Clips of one video that overlap by this much, intersection over union, show the same."""


def caption_ids(words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number the captions of a batch: those of the same words in the same order are the same.

    Args:
        words: whole numbers (..., W), the word ids of each caption, padded.

    Returns:
        int64 (...).
    """
    rows = np.ascontiguousarray(words.reshape(-1, words.shape[-1]))
    ids = np.unique(rows, axis=0, return_inverse=True)[1]
    return ids.reshape(words.shape[:-1]).astype(np.int64)


def false_negatives(
    video_ids: NDArray[np.int64],
    spans: ArrayLike,
    text_ids: NDArray[np.int64],
    *,
    min_iou: float = MIN_IOU,
) -> NDArray[np.bool_]:
    """Find the cells of a score matrix that are no honest negatives.

    Caption j is one of clip i, though not paired with it, if it is equal to a caption of clip i; or
    if its own clip is of the same video and overlaps clip i with an IoU of `min_iou` or more. Two
    equal spans without length overlap wholly.

    Args:
        video_ids: int64 (B,).
        spans: (B, 2), start and end of each clip in seconds.
        text_ids: int64 (B,), or (B, K) with K candidates a clip; equal numbers are equal captions.
        min_iou: over 0, at most 1.

    Returns:
        bool (B, B K); False for right pairs.
    """
    texts = text_ids.reshape(len(video_ids), -1)
    cells = np.zeros((len(texts), texts.size), bool)
    for own in texts.T:
        cells |= np.equal.outer(own, texts.ravel())
    by_clip = cells.reshape(len(texts), *texts.shape)
    first, second = np.nonzero(np.equal.outer(video_ids, video_ids))
    by_clip[first, second] |= _overlap(np.asarray(spans, np.float64), first, second, min_iou)[
        :, None
    ]
    right = np.arange(len(texts))
    by_clip[right, right] = False
    return cells


def _overlap(
    spans: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64], min_iou: float
) -> NDArray[np.bool_]:
    """Tell of pairs of clips of one video, by their numbers, whether they overlap enough."""
    starts, ends = spans.reshape(-1, 2).T
    shared = np.minimum(ends[first], ends[second]) - np.maximum(starts[first], starts[second])
    lengths = ends - starts
    covered = lengths[first] + lengths[second] - shared
    equal = (starts[first] == starts[second]) & (ends[first] == ends[second])
    enough: NDArray[np.bool_] = ((shared > 0) & (shared >= min_iou * covered)) | equal
    return enough


def masked(weights: NDArray[np.float32], cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weights with those of some cells set to 0; a new array."""
    return np.where(cells, np.float32(0), weights)
