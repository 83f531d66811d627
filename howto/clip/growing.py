"""Grow short captions to clips that are long enough to learn from, as the authors do.

Source: the training loader published with Miech, Zhukov et al., HowTo100M, 2019 (arXiv:1906.03327).
A grown clip depends on nothing but its line's index, so it is computed once, not at every draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from howto.clip.words import words
from howto.errors import UsageError

__all__ = ["GrownClip", "grow"]


@dataclass(frozen=True, slots=True)
class GrownClip:
    """A run of lines that one line grew into.

    Attributes:
        first, last: indices of the outermost lines taken, both included.
        start, end: in seconds, the start of line `first` and the end of line `last`. Lines in
            between may end later, where lines overlap.
        text: the lines' texts with a space between, the line itself first, then the others in the
            order in which they were taken: an earlier line stands *after* the line it precedes.
    """

    first: int
    last: int
    start: float
    end: float
    text: str


def grow(
    starts: Sequence[float],
    ends: Sequence[float],
    texts: Sequence[str],
    *,
    min_seconds: float = 5.0,
    min_words: int = 0,
) -> list[GrownClip]:
    """Grow each line until its clip is long enough and has enough words, or no line is left.

    A clip that falls short takes the line before or after it, whichever leaves the shorter interval
    (the one before on a tie). Where `min_seconds` is 0, it takes whichever has more words (the one
    before on a tie). At either end of the video it takes the only neighbour there is.

    Args:
        starts, ends: (N,) seconds, one per line, in the order of the lines. Nothing is sorted here.
        texts: (N,) captions; words are counted before a text encoder drops or cuts any.
        min_seconds: a clip shorter than this grows; one exactly this long does not.
        min_words: a clip with fewer words than this grows.

    Returns:
        (N,) clips; clip i grew from line i.

    Raises:
        UsageError: the three differ in length.
    """
    if not len(starts) == len(ends) == len(texts):
        counts = f"{len(starts)} starts, {len(ends)} ends and {len(texts)} texts"
        raise UsageError(f"growing needs one start, end and text for each line, got {counts}")
    counts_of_words = [len(words(text)) for text in texts]
    clips = []
    for index in range(len(texts)):
        taken = _grow_one(index, starts, ends, counts_of_words, min_seconds, min_words)
        first, last = min(taken), max(taken)
        text = " ".join(texts[line] for line in taken)
        clips.append(GrownClip(first, last, starts[first], ends[last], text))
    return clips


def _grow_one(
    index: int,
    starts: Sequence[float],
    ends: Sequence[float],
    counts_of_words: Sequence[int],
    min_seconds: float,
    min_words: int,
) -> list[int]:
    """Return the lines that one line takes, in the order in which it takes them."""
    first = last = index
    taken = [index]
    num_words = counts_of_words[index]
    while ends[last] - starts[first] < min_seconds or num_words < min_words:
        has_previous, has_next = first > 0, last + 1 < len(starts)
        if has_previous and has_next:
            if min_seconds > 0:
                with_previous = ends[last] - starts[first - 1]
                with_next = ends[last + 1] - starts[first]
                take_previous = with_previous <= with_next
            else:
                take_previous = counts_of_words[first - 1] >= counts_of_words[last + 1]
        elif has_previous or has_next:
            take_previous = has_previous
        else:
            break
        if take_previous:
            first -= 1
        else:
            last += 1
        taken.append(first if take_previous else last)
        num_words += counts_of_words[taken[-1]]
    return taken
