"""Spans that cover a video without a gap, captioned by the lines that are said in them."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from howto.clip.bounds import bounded_clip
from howto.records import Clip, Line, Video

__all__ = ["captioned_spans"]


def captioned_spans(edges: Sequence[float], lines: Sequence[Line], video: Video) -> list[Clip]:
    """Caption each span by the lines whose middle lies in it, '' where there are none.

    So each line is said in one span only, the one that shows most of it, unless it lasts over
    three of them.

    Args:
        edges: seconds, ascending, the first and the last being the ends of the whole.
        lines: that begin before the last edge; a line before the first edge counts as at it.
    """
    count = len(edges) - 1
    held: list[list[int]] = [[] for _ in range(count)]
    for index, line in enumerate(lines):
        middle = max(edges[0], (line.start + min(line.end, edges[-1])) / 2)
        held[bisect_right(edges, middle, hi=count) - 1].append(index)
    clips: list[Clip] = []
    for (start, end), indices in zip(pairwise(edges), held, strict=True):
        caption = " ".join(lines[index].text for index in indices)
        first, last = (indices[0], indices[-1]) if indices else (0, -1)
        clips.append(bounded_clip(video, start, end, caption, first, last))
    return clips
