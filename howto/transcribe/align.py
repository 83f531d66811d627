"""Word times for narration that has none: the lines, and their sound, given to an aligner.

How an aligner lays words over sound is its own affair (`howto.contracts.Aligner`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from howto.contracts import Aligner
from howto.errors import AlignmentError
from howto.recipe import Recipe
from howto.records import Line, Narration, Problem, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NO_TIMES", "RATE", "align_narration", "aligner_recipe", "lacks_words", "share_gaps"]

RATE = 16_000
"""Samples a second that aligners are given."""

NO_TIMES = "no word times for "
"""How the problems of lines that could not be aligned begin."""
MARGIN = 0.5  # seconds of sound before and after a line that its words may lie in


def align_narration(
    narration: Narration, samples: "NDArray[np.float32]", aligner: Aligner
) -> Narration:
    """Give word times to the lines that have none; lines that have some pass unchanged.

    Args:
        samples: float32 (n,), in [-1, 1], at 16 kHz: all of the video's sound, from its start.

    Returns:
        The narration with words. A line that cannot be aligned passes unchanged, and one problem
        for each cause says how many did, in place of those of an aligner before. Start and end of a
        line stay as they were.

    Raises:
        PluginError: the aligner cannot be used at all.
    """
    lines = list(narration.lines)
    causes: Counter[str] = Counter()
    for position, line in enumerate(lines):
        if lacks_words(line):
            try:
                words = _words(line, _sounds(narration.lines, position, samples), aligner)
            except AlignmentError as error:
                causes[str(error)] += 1
            else:
                lines[position] = replace(line, words=words)
    problems = [
        Problem(None, f"{NO_TIMES}{count} {'line' if count == 1 else 'lines'}: {cause}")
        for cause, count in causes.items()
    ]
    others = [one for one in narration.problems if not one.what.startswith(NO_TIMES)]
    return replace(narration, lines=tuple(lines), problems=(*others, *problems))


def lacks_words(line: Line) -> bool:
    """Whether a line says something, and has no word times."""
    return not line.words and bool(line.text.strip())


def _sounds(
    lines: Sequence[Line], position: int, samples: "NDArray[np.float32]"
) -> Iterator[tuple[float, "NDArray[np.float32]"]]:
    """The sound that a line is looked for in, with the second at which it begins.

    At first it ends where a neighbour is said, whose words would be taken for the line's own; then,
    for captions whose times are some tenths of a second off, it does not.
    """
    line = lines[position]
    start, end = max(0.0, line.start - MARGIN), line.end + MARGIN
    before = lines[position - 1].end if position else 0.0
    after = lines[position + 1].start if position + 1 < len(lines) else end
    for first, last in (
        (min(line.start, max(start, before)), max(line.end, min(end, after))),
        (start, end),
    ):
        heard = samples[round(first * RATE) : round(last * RATE)]
        if len(heard):
            yield first, heard


def _words(
    line: Line, sounds: Iterable[tuple[float, "NDArray[np.float32]"]], aligner: Aligner
) -> tuple[Word, ...]:
    texts = line.text.split()
    failure = AlignmentError("there is no sound at its time")
    for begin, heard in sounds:
        try:
            times = aligner.align(texts, heard)
        except AlignmentError as error:
            failure = error
            continue
        return tuple(
            Word(round(begin + start, 3), round(begin + end, 3), text)
            for text, (start, end) in zip(texts, times, strict=True)
        )
    raise failure


def aligner_recipe(aligner: Aligner) -> Recipe:
    """All that determines the word times an aligner gives, but for the lines and the sound.

    Raises:
        PluginError: its weights are missing.
    """
    return Recipe.of(name=aligner.name, version=aligner.version, weights=aligner.weights_hash())


def share_gaps(
    num_words: int, spans: Mapping[int, tuple[float, float]], seconds: float
) -> list[tuple[float, float]]:
    """Time all words where some are known: the others share the gap between their neighbours.

    Args:
        spans: position of a word to its start and end, in seconds.
        seconds: the length of the sound, for words after the last that is known.
    """
    timed: list[tuple[float, float]] = []
    for position in range(num_words):
        if position in spans:
            timed.append(spans[position])
            continue
        before = timed[-1][1] if timed else 0.0
        known = next((later for later in range(position, num_words) if later in spans), None)
        after = max(before, seconds) if known is None else spans[known][0]
        waiting = (num_words if known is None else known) - position
        timed.append((before, before + max(0.0, after - before) / waiting))
    return timed
