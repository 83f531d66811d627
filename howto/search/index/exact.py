"""Exact scores of float16 vectors against queries, without a copy of them all in float32.

A float16's exponent and fraction, moved to where a float32 has its own, are the value times 2^-112:
one shift and one mask, done in the processor's cache, is several times as fast as numpy's own
conversion and gives the same values. The factor goes into the query.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["best", "scores"]

_VALUES_AT_ONCE = 1 << 17  # 512 KiB as float32; more leaves the cache, and wakes BLAS's threads
_SHIFT = 13  # a float32's fraction has 23 bits, a float16's 10
_MASK = np.int32(0x8FFFE000 - (1 << 32))  # the sign, and what was moved
_SCALE = 112  # the difference of the two exponents' biases
_LARGEST = 14  # as a power of two: of a query, so that its product with 2^112 stays finite


def scores(vectors: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products of all vectors with all queries.

    Args:
        vectors: float16 (N, D), finite; a memory map is read once, in order.
        queries: float32 (Q, D), finite.

    Returns:
        float32 (N, Q), as float32 arithmetic gives them.
    """
    count, dim = vectors.shape
    found = np.empty((count, len(queries)), np.float32)
    if not count or not dim:
        found[:] = 0
        return found
    factors, down = _scaled(queries)
    rows = max(1, _VALUES_AT_ONCE // dim)
    bits = vectors.view(np.int16)
    moved = np.empty((rows, dim), np.int32)
    for first in range(0, count, rows):
        part = bits[first : first + rows]
        values = moved[: len(part)]
        np.left_shift(part, _SHIFT, out=values, dtype=np.int32)
        values &= _MASK
        # One query by itself is a product with a vector, which BLAS does several times as fast.
        if len(factors) == 1:
            found[first : first + rows, 0] = values.view(np.float32) @ factors[0]
        else:
            found[first : first + rows] = values.view(np.float32) @ factors.T
    if down.any():
        found = np.ldexp(found, down[None])
    return found


def _scaled(queries: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Queries times 2^112, and the powers of two by which a large one had to stay below that."""
    _, exponents = np.frexp(np.abs(queries).max(axis=1, initial=0))
    down = np.maximum(exponents - _LARGEST, 0).astype(np.int32)
    return np.ldexp(queries, _SCALE - down[:, None]).astype(np.float32), down


def best(
    found: NDArray[np.float32], rows: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows with the highest scores, best first; of equal ones the lower row.

    Args:
        found: float32 (N,), one score a row.
        rows: int64 (N,).
        count: the most wanted.
    """
    if len(found) > count:
        # All that equal the last one wanted stay, or the order of equals would be chance.
        least = np.partition(found, len(found) - count)[len(found) - count]
        kept = np.flatnonzero(found >= least)
        found, rows = found[kept], rows[kept]
    order = np.lexsort((rows, -found))[:count]
    return rows[order], found[order]
