"""The words that a text encoder knows, each with a number: 0 is padding, words count from 1."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from howto.clip.words import words

__all__ = ["Vocabulary", "count_words", "frequent_words", "known_words"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words in order of their ids.

    Attributes:
        words: all different; the id of words[i] is i + 1.
        ids: of each word.
    """

    words: tuple[str, ...]
    ids: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", {word: i for i, word in enumerate(self.words, start=1)})
        if len(self.ids) != len(self.words):
            raise ValueError("a vocabulary holds a word twice")

    @property
    def rows(self) -> tuple[str, ...]:
        """The words by the rows of a word table: '' for row 0, the padding."""
        return ("", *self.words)

    def encode(self, caption: str, max_words: int, *, lower_case: bool = False) -> list[int]:
        """Turn a caption into the ids of its first known words.

        Args:
            max_words: the most ids, counted after unknown words are dropped.
            lower_case: take an unknown word's lower case, where that is known.

        Returns:
            At most `max_words` ids; none for a caption of no known word.
        """
        known, ids = self.ids, []
        for word in words(caption):
            number = known.get(word)
            if number is None and lower_case:
                number = known.get(word.lower())
            if number is not None:
                ids.append(number)
                if len(ids) == max_words:
                    break
        return ids


def count_words(captions: Iterable[str]) -> Counter[str]:
    """How often each word occurs, with its case."""
    counts: Counter[str] = Counter()
    for caption in captions:
        counts.update(words(caption))
    return counts


def known_words(
    counts: Mapping[str, int], known: Container[str], *, lower_case: bool = False
) -> list[str]:
    """Those words that occur and are known, the most frequent first.

    Args:
        counts: how often each word occurs.
        known: what there are vectors for.
        lower_case: an unknown word counts for its lower case.
    """
    return _ordered(counts, lambda word: word in known, lower_case)


def frequent_words(
    counts: Mapping[str, int], min_count: int, *, lower_case: bool = False
) -> list[str]:
    """Those words that occur often enough, the most frequent first.

    Args:
        counts: how often each word occurs.
        min_count: the fewest times.
        lower_case: a word that is too rare counts for its lower case.
    """
    kept = _ordered(counts, lambda word: counts.get(word, 0) >= min_count, False)
    if not lower_case:
        return kept
    often = set(kept)
    summed: Counter[str] = Counter()
    for word, count in counts.items():
        summed[word if word in often else word.lower()] += count
    return _ordered(summed, lambda word: summed[word] >= min_count, False)


def _ordered(
    counts: Mapping[str, int], keeps: Callable[[str], bool], lower_case: bool
) -> list[str]:
    """Words by falling count, then by spelling."""
    summed: Counter[str] = Counter()
    for word, count in counts.items():
        if keeps(word):
            summed[word] += count
        elif lower_case and keeps(word.lower()):
            summed[word.lower()] += count
    return sorted(summed, key=lambda word: (-summed[word], word))
