"""One ranking out of several, by reciprocal ranks.

Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms Condorcet and individual
Rank Learning
Methods, SIGIR 2009: the score of an item is the sum over rankings of 1 / (60 + rank).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Fused", "fuse"]

Item = TypeVar("Item")

_SMOOTHING = 60


@dataclass(frozen=True, slots=True)
class Fused(Generic[Item]):
    """One thing that signals ranked.

    Attributes:
        found: what each signal says of it, by signal.
        ranks: its rank in every signal that ranked it, counted from 1.
    """

    found: Mapping[str, Item]
    ranks: Mapping[str, int]

    @property
    def item(self) -> Item:
        """What the signal that ranked it best says of it; of equal ones the one named first."""
        return self.found[min(self.ranks, key=self.ranks.__getitem__)]


def fuse(
    rankings: Mapping[str, Sequence[Item]], key: Callable[[Item], Hashable]
) -> list[Fused[Item]]:
    """Fuse rankings; with one ranking its order is kept.

    Args:
        rankings: signal to its items, best first, each at most once.
        key: equal for what two signals found to be the same thing.

    Returns:
        Best first. Ties go to the one whose best rank is better, then to the signal named first.
    """
    ranks: dict[Hashable, dict[str, int]] = {}
    found: dict[Hashable, dict[str, Item]] = {}
    for signal, items in rankings.items():
        for rank, item in enumerate(items, start=1):
            ranks.setdefault(key(item), {})[signal] = rank
            found.setdefault(key(item), {})[signal] = item
    order = sorted(
        ranks,
        key=lambda one: (
            -sum(1 / (_SMOOTHING + rank) for rank in ranks[one].values()),
            min(ranks[one].values()),
        ),
    )
    return [Fused(found[one], ranks[one]) for one in order]
