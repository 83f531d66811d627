"""What every benchmark shares: runs taken in turns, medians of ratios, and one JSON line a figure.

The machine is noisy and each machine is another, so a figure is a ratio of two sides measured in
one run, first one, then the other, again and again; the median of the pairs is what counts.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass

__all__ = ["Figure", "emit", "median_ratio", "parse"]

PAIRS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One result.

    Attributes:
        benchmark: `subject.figure`, with the size in it where there are several:
            `ranks.recall.100k`.
        goal: such as '<= 1.3'.
        holds: the value meets the goal.
    """

    benchmark: str
    value: float
    unit: str
    goal: str
    holds: bool

    @classmethod
    def at_most(cls, benchmark: str, value: float, limit: float, unit: str = "ratio") -> "Figure":
        """A figure that must not exceed its limit."""
        return cls(benchmark, round(value, 3), unit, f"<= {limit:g}", value <= limit)

    @classmethod
    def at_least(cls, benchmark: str, value: float, limit: float, unit: str = "ratio") -> "Figure":
        """A figure that must reach its limit."""
        return cls(benchmark, round(value, 3), unit, f">= {limit:g}", value >= limit)

    @classmethod
    def reported(cls, benchmark: str, value: float, unit: str = "ratio") -> "Figure":
        """A figure without a goal."""
        return cls(benchmark, round(value, 3), unit, "none", True)


def parse(description: str) -> argparse.Namespace:
    """The command line that every benchmark has: `--quick` for smaller sizes, all of it under 40
    s."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under 40 s")
    return parser.parse_args()


def median_ratio(
    numerator: Callable[[], float], denominator: Callable[[], float], pairs: int = PAIRS
) -> float:
    """Measure both sides in turns and return the median of the pairs' ratios.

    Args:
        numerator, denominator: run one side once and return what it cost, in any one unit.
        pairs: how many; each side is run once before, uncounted.
    """
    numerator()
    denominator()
    return statistics.median(numerator() / denominator() for _ in range(pairs))


def emit(figures: list[Figure]) -> None:
    """Print one JSON line a figure, last of all output."""
    for figure in figures:
        print(json.dumps(asdict(figure)))
