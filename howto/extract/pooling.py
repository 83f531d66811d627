"""Clip vectors: the maximum over a clip's features, for many overlapping clips of a video at once.

Needs numpy; `clip_vectors` needs torch. A clip's rows are int(start * rate) .. int(end * rate) of
each stream, as the HowTo100M authors slice them. The maximum of float16 rows is exact, so it is
kept un-normalised and normalised in float32, which gives the bits of the authors' loader.

How: float16 values are ordered by integers, which processors compare many times faster, and a
sparse table answers any clip by the maximum of two runs of a power of two that cover it.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["clip_rows", "clip_vectors", "pool"]

_INFINITY = 0x7C00  # as the bits of a float16; what lies above it is not a number
_NEGATIVE_INFINITY = -0x7C01  # as an ordered integer


def clip_rows(
    num_features: int, rate: Fraction | float, starts: ArrayLike, ends: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of each clip, and the row after its last, cut to those there are.

    Args:
        num_features: T.
        rate: features a second.
        starts, ends: (N,), seconds.

    Raises:
        ValueError: as many starts as ends are expected, all of them finite.
    """
    begin, finish = (np.asarray(times, np.float64) for times in (starts, ends))
    if begin.shape != finish.shape or begin.ndim != 1:
        raise ValueError(f"expected as many starts as ends, got {begin.shape} and {finish.shape}")
    if not (np.isfinite(begin).all() and np.isfinite(finish).all()):
        raise ValueError("expected finite starts and ends")
    with np.errstate(over="ignore"):  # what lies past all floats lies past the end, too
        first, last = np.trunc(begin * float(rate)), np.trunc(finish * float(rate))
    # Cut as floats: integers would turn round.
    return (
        np.clip(first, 0, num_features).astype(np.int64),
        np.clip(last + 1, 0, num_features).astype(np.int64),
    )


def pool(
    features: NDArray[np.float16], rate: Fraction | float, starts: ArrayLike, ends: ArrayLike
) -> NDArray[np.float16]:
    """The maximum over each clip's features, exact and not normalised.

    Args:
        features: float16 (T, D), no NaN.
        rate: features a second.
        starts, ends: (N,), seconds.

    Returns:
        float16 (N, D); zeros for a clip that holds no feature. Of 0 and -0 the maximum is 0.

    Raises:
        ValueError: another shape or type, or a NaN.
    """
    if features.ndim != 2 or features.dtype != np.float16:
        raise ValueError(f"expected float16 (T, D), got {features.dtype} {features.shape}")
    first, after = clip_rows(len(features), rate, starts, ends)
    pooled = np.zeros((len(first), features.shape[1]), np.int16)
    filled = np.flatnonzero(after > first)
    if len(filled) and features.shape[1]:
        _fill(pooled, _ordered(features), first, after, filled)
    return _unordered(pooled)


def _fill(
    pooled: NDArray[np.int16],
    level: NDArray[np.int16],
    first: NDArray[np.int64],
    after: NDArray[np.int64],
    filled: NDArray[np.int64],
) -> None:
    """Answer the clips level by level: row i of level k is the maximum of rows i .. i + 2^k - 1."""
    exponents = np.frexp((after - first)[filled])[1] - 1
    for exponent in range(int(exponents.max()) + 1):
        run = 1 << exponent
        if exponent:
            half = run >> 1
            level = np.maximum(level[:-half], level[half:])
        clips = filled[exponents == exponent]
        if len(clips):
            pooled[clips] = np.maximum(level[first[clips]], level[after[clips] - run])


def _ordered(features: NDArray[np.float16]) -> NDArray[np.int16]:
    """Integers in the order of the values: the bits, with those of negative values turned round."""
    bits = np.ascontiguousarray(features).view(np.int16)
    lowest, highest = int(bits.min()), int(bits.max())
    if lowest < 0:  # most backbones end in a rectifier and have nothing below 0
        bits = bits ^ ((bits >> 15) & 0x7FFF)
        lowest = int(bits.min())
    if lowest < _NEGATIVE_INFINITY or highest > _INFINITY:
        raise ValueError("expected features without NaN")
    return bits


def _unordered(ordered: NDArray[np.int16]) -> NDArray[np.float16]:
    if ordered.size and ordered.min() < 0:
        ordered = ordered ^ ((ordered >> 15) & 0x7FFF)
    return ordered.view(np.float16)


def clip_vectors(
    streams: Sequence[tuple[NDArray[np.float16], Fraction | float]],
    starts: ArrayLike,
    ends: ArrayLike,
) -> NDArray[np.float32]:
    """The clip vectors a model is fed with: each stream pooled and normalised, side by side.

    Args:
        streams: features float16 (T, D) and features a second of each; the paper's are 2D, then 3D.
        starts, ends: (N,), seconds.

    Returns:
        float32 (N, sum of D): bit-equal to the HowTo100M authors' loader. A stream in which a clip
        has no feature gives zeros.

    Raises:
        ValueError: as `pool` does.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows

    parts = []
    for features, rate in streams:
        pooled = torch.from_numpy(pool(features, rate, starts, ends)).float()
        parts.append(F.normalize(pooled, dim=1))
    vectors: NDArray[np.float32] = torch.cat(parts, dim=1).numpy()
    return vectors
