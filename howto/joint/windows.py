"""What a model sees of one video: spans with an embedding each, and means over spans."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Windows", "checked_spans", "mean_of_windows", "second_spans"]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """What a model sees of one video.

    Attributes:
        spans: float64 (N, 2), seconds, in order of start.
        embeddings: float32 (N, D).
    """

    spans: NDArray[np.float64]
    embeddings: NDArray[np.float32]


def checked_spans(spans: ArrayLike) -> NDArray[np.float64]:
    """Spans as float64 (N, 2).

    Raises:
        ValueError: another shape, or a time that is not finite.
    """
    found = np.asarray(spans, np.float64)
    if found.size == 0:
        return np.empty((0, 2))
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise ValueError(f"expected finite spans (N, 2), got {found.shape}")
    return found


def second_spans(seconds: int, start: float = 0.0) -> NDArray[np.float64]:
    """The spans of each second, float64 (seconds, 2): second k holds the features from start + k
    on, and none from start + k + 1 on.

    A clip's last feature is the one at its end (`howto.extract.pooling.clip_rows`), so a span that
    ended at k + 1 would see into the next second.
    """
    starts = start + np.arange(seconds, dtype=np.float64)
    return np.stack([starts, np.nextafter(starts + 1, 0)], axis=1)


def mean_of_windows(
    embeddings: NDArray[np.floating], centres: NDArray[np.float64], spans: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The mean embedding of the windows in each span.

    Args:
        embeddings: (T, D), T >= 1.
        centres: float64 (T,), seconds, growing: a window lies in a span that holds its centre.
        spans: float64 (N, 2), start included, end not.

    Returns:
        float32 (N, D), not normalised; where no window lies in a span, the one whose centre is
        nearest to the span's middle.
    """
    sums = np.zeros((len(embeddings) + 1, embeddings.shape[1]))
    np.cumsum(embeddings, axis=0, dtype=np.float64, out=sums[1:])
    first = np.searchsorted(centres, spans[:, 0], "left")
    after = np.searchsorted(centres, spans[:, 1], "left")
    empty = after <= first
    first[empty] = _nearest(centres, spans[empty].mean(axis=1))
    after[empty] = first[empty] + 1
    means = (sums[after] - sums[first]) / (after - first)[:, None]
    return means.astype(np.float32)


def _nearest(centres: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    right = np.clip(np.searchsorted(centres, times), 1, max(1, len(centres) - 1))
    right = np.minimum(right, len(centres) - 1)
    left = np.maximum(right - 1, 0)
    is_left = times - centres[left] <= centres[right] - times
    return np.where(is_left, left, right).astype(np.int64)
