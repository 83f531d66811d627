"""How long it takes to make the pairs of 100,000 lines of narration, in memory.

Figures:
    captions.pairs_100k_seconds     grow and the paper's words over 100,000 lines in videos of 110,
                                    with the quality of each pair
"""

import random
import statistics
import time
from pathlib import Path

from measure import Figure, emit, parse

from howto.clip.pairs import PairOptions, make_pairs
from howto.demo import DemoSpec, make_scripts
from howto.records import Kind, Line, Narration, Video

__all__ = ["figures", "pairs_figures"]

NAME = "captions.pairs_100k_seconds"
LINES, LINES_QUICK = 100_000, 20_000
LINES_PER_VIDEO = 110  # as HowTo100M has on average
MOST_SECONDS = 5.0
ROUNDS = 3


def narrations(num_lines: int) -> list[Narration]:
    """Narrations of so many lines in all, with the words of the demo set and the times of captions:
    3 to 5 s a line, some of them overlapping."""
    chance = random.Random(0)
    said = [line.text for s in make_scripts(DemoSpec(videos_per_task=50)) for line in s.lines]
    made = []
    for begin in range(0, num_lines, LINES_PER_VIDEO):
        lines = []
        start = 0.0
        for _ in range(min(LINES_PER_VIDEO, num_lines - begin)):
            length = chance.uniform(2, 6)
            lines.append(Line(start, start + length, chance.choice(said)))
            start += chance.uniform(0.5, 1.2) * length
        made.append(Narration(tuple(lines), "en", Kind.AUTOMATIC, "benchmark"))
    return made


def seconds(given: list[Narration]) -> float:
    """Wall time of making all their pairs once."""
    options = PairOptions("grow", words="paper")
    clipper = options.make_clipper()
    video = Video("benchmark", Path("benchmark.mp4"))
    began = time.perf_counter()
    for narration in given:
        make_pairs(narration, video, options, clipper)
    return time.perf_counter() - began


def figures(quick: bool) -> list[Figure]:
    """Measure; a quick run makes a fifth of the pairs and multiplies."""
    num_lines = LINES_QUICK if quick else LINES
    given = narrations(num_lines)
    taken = statistics.median(seconds(given) for _ in range(ROUNDS))
    return [Figure.at_most(NAME, taken * LINES / num_lines, MOST_SECONDS, "s")]


pairs_figures = figures
"""The name under which benchmarks/captions.py asks for them."""


if __name__ == "__main__":
    emit(figures(parse(__doc__).quick))
