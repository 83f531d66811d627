"""Moments: neighbouring hits of one video joined into the span that a person wants to watch."""

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass

from howto.search.fusion import Fused
from howto.search.words import Candidate

__all__ = ["Moment", "join"]

MAX_GAP_SECONDS = 2.0
"""A pause longer than this parts two moments: the next sentence is about something else."""
MAX_SECONDS = 30.0
"""A talk that names its subject in every line would else be one moment of ten minutes."""
MIN_SCORE_SHARE = 0.5
"""A neighbour with less than this share of the best line's score says a common word, not the
thing. What their chapter and video are named says the same of all lines, so it does not count.
Scores of different signals are not compared: a moment would begin with ten seconds in which
something of the kind is seen, long before it is said."""

_BY_EXACTNESS = ("words", "meaning", "pictures")


@dataclass(frozen=True, slots=True)
class Moment:
    """A span of one video that answers a query.

    Attributes:
        number: the library's short key of the video.
        caption: what is said in it, its lines joined; or the name of the chapter or video.
        score: of its best line, 0..1.
        ranks: of its best line, for each signal that ranked it; counted from 1.
        matched: where the words were found, over all its lines.
        at: the second that shows it best: the middle of its best line.
    """

    number: int
    start: float
    end: float
    caption: str
    score: float
    ranks: Mapping[str, int]
    matched: tuple[str, ...]
    at: float


def join(ranked: Sequence[Fused[Candidate]], top: int) -> list[Moment]:
    """Join neighbouring hits, best hit first.

    Args:
        ranked: best first.
        top: how many moments are wanted.

    Returns:
        At most `top` moments, by the rank of their best hit. No clip is in two of them.
    """
    by_video: dict[int, list[Fused[Candidate]]] = {}
    for hit in ranked:
        if hit.item.clip is not None:
            by_video.setdefault(hit.item.number, []).append(hit)
    for hits in by_video.values():
        hits.sort(key=lambda hit: (hit.item.start, hit.item.end))
    taken: set[Hashable] = set()
    moments: list[Moment] = []
    for hit in ranked:
        if hit.item.key in taken:
            continue
        if len(moments) == top:
            break
        alone = hit.item.clip is None
        lines = [hit] if alone else _neighbours(hit, by_video[hit.item.number], taken)
        taken.update(line.item.key for line in lines)
        moments.append(_moment(hit, lines))
    return moments


def _neighbours(
    best: Fused[Candidate], hits: list[Fused[Candidate]], taken: Set[Hashable]
) -> list[Fused[Candidate]]:
    """The run of hits around the best one that belong to the same moment, in order of time."""
    first = last = next(place for place, hit in enumerate(hits) if hit is best)
    start, end = best.item.start, best.item.end
    by = _placed_by(best)
    while True:
        grown = False
        for step, edge in ((-1, first - 1), (1, last + 1)):
            if not 0 <= edge < len(hits):
                continue
            item = hits[edge].item
            gap = start - item.end if step < 0 else item.start - end
            span = max(end, item.end) - min(start, item.start)
            if (
                item.key in taken
                or gap > MAX_GAP_SECONDS
                or span > MAX_SECONDS
                or _own(hits[edge], by) < MIN_SCORE_SHARE * _own(best, by)
            ):
                continue
            start, end = min(start, item.start), max(end, item.end)
            first, last = min(first, edge), max(last, edge)
            grown = True
        if not grown:
            return hits[first : last + 1]


def _score(hit: Fused[Candidate]) -> float:
    """What the signal that thinks best of a hit says of it."""
    return max(item.score for item in hit.found.values())


def _own(hit: Fused[Candidate], signal: str) -> float:
    """What a signal says of a hit, without what the names around it add; 0 where it says
    nothing."""
    return hit.found[signal].own if signal in hit.found else 0.0


def _placed_by(hit: Fused[Candidate]) -> str:
    """The signal that says best where a hit is: words tell the second, then meaning, and of a
    picture it is known only that it is somewhere in its clip. One that gives a hit less than half
    of what another does says little of it."""
    most = max(item.own for item in hit.found.values())
    telling = [name for name in hit.found if _own(hit, name) >= MIN_SCORE_SHARE * most]
    return min(telling, key=_BY_EXACTNESS.index)


def _moment(best: Fused[Candidate], lines: list[Fused[Candidate]]) -> Moment:
    items = [line.item for line in lines]
    return Moment(
        number=best.item.number,
        start=min(item.start for item in items),
        end=max(item.end for item in items),
        caption=" ".join(item.caption for item in items if item.caption),
        score=_score(best),
        ranks=best.ranks,
        matched=tuple(
            dict.fromkeys(
                where for line in lines for item in line.found.values() for where in item.matched
            )
        ),
        at=(best.item.start + best.item.end) / 2,
    )
