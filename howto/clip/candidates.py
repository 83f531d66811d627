"""Positive candidates: the K nearby captions that MIL-NCE may match to a clip, and its clip rule.

Source: Miech et al., End-to-End Learning of Visual Representations from Uncurated Instructional
Videos, CVPR 2020 (arXiv:1912.06430), and the behaviour of the code published with it.
"""

from collections.abc import Sequence

from howto.errors import UsageError

__all__ = ["candidates", "widened"]


def candidates(starts: Sequence[float], ends: Sequence[float], num_candidates: int) -> list[range]:
    """Choose for each caption the run of K consecutive captions around it.

    A run grows by one caption at a time to the side that leaves the shorter interval, to the next
    one on a tie (growing a clip takes the previous one). Once it has reached the first caption it
    starts there. Once it has reached the last, all that is missing is taken before it, and where
    there are not so many the run reaches before the first: the published loader does so.

    Args:
        starts, ends: (N,) seconds, one per caption, in their order. Nothing is sorted here.
        num_candidates: K, the captions of a run, the caption itself among them.

    Returns:
        (N,) runs of K indices, in order. An index below 0 stands for the first caption and one of N
        or more for the last, which then count several times: `max(0, min(index, N - 1))`.

    Raises:
        UsageError: the two differ in length, or num_candidates is below 1.
    """
    if len(starts) != len(ends):
        raise UsageError(f"candidates need a start and an end each: {len(starts)} and {len(ends)}")
    if num_candidates < 1:
        raise UsageError(f"{num_candidates} candidates: the caption itself is one, so at least 1")
    firsts = [_first(index, starts, ends, num_candidates) for index in range(len(starts))]
    return [range(first, first + num_candidates) for first in firsts]


def _first(index: int, starts: Sequence[float], ends: Sequence[float], num_candidates: int) -> int:
    """Return where the run around one caption starts."""
    first = last = index
    while first > 0 and last - first + 1 < num_candidates:
        if last + 1 == len(starts):
            return last - num_candidates + 1
        with_previous = ends[last] - starts[first - 1]
        with_next = ends[last + 1] - starts[first]
        if with_previous < with_next:
            first -= 1
        else:
            last += 1
    return first


def widened(
    start: float, end: float, min_seconds: float = 5.0, duration: float | None = None
) -> tuple[float, float]:
    """Widen a caption's interval about its centre to a least length, and cut it to whole seconds.

    Before 0 there is nothing to widen into: what is missing there is added at the end. Cutting
    rounds both times down, so a clip can be up to a second shorter than `min_seconds`; it lasts a
    second at least, or to the end of the video.

    Args:
        start, end: seconds, 0 <= start <= end.
        min_seconds: an interval at least this long is only cut.
        duration: of the video in seconds, where it is known: no clip ends after it.
    """
    if end - start < min_seconds:
        start = max(0.0, start - (min_seconds - (end - start)) / 2)
        end = start + min_seconds
    if duration is not None:
        end = min(end, duration)
    whole_start, whole_end = float(int(start)), float(int(end))
    if whole_end <= whole_start:
        whole_end = whole_start + 1
        if duration is not None:
            whole_end = min(whole_end, duration)
    return whole_start, whole_end
