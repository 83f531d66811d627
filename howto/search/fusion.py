"""One ranking out of several, by reciprocal ranks.

Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms Condorcet and individual
Rank Learning
Methods, SIGIR 2009: the score of an item is the sum over rankings of 1 / (60 + rank).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Fused", "fuse"]

Item = TypeVar("Item", bound=Hashable)

_SMOOTHING = 60


@dataclass(frozen=True, slots=True)
class Fused(Generic[Item]):
    """An item with its rank in every signal that ranked it; ranks count from 1."""

    item: Item
    ranks: Mapping[str, int]


def fuse(rankings: Mapping[str, Sequence[Item]]) -> list[Fused[Item]]:
    """Fuse rankings; with one ranking its order is kept.

    Args:
        rankings: signal to its items, best first, each item at most once.

    Returns:
        Best first. Ties go to the item whose best rank is better, then to the signal named first.
    """
    ranks: dict[Item, dict[str, int]] = {}
    for signal, items in rankings.items():
        for rank, item in enumerate(items, start=1):
            ranks.setdefault(item, {})[signal] = rank
    order = sorted(
        ranks,
        key=lambda item: (
            -sum(1 / (_SMOOTHING + rank) for rank in ranks[item].values()),
            min(ranks[item].values()),
        ),
    )
    return [Fused(item, ranks[item]) for item in order]
