"""The words of a caption, as the authors count and look them up."""

import re
from collections.abc import Container
from dataclasses import dataclass, replace

from howto.clip.stop_words import STOP_WORDS
from howto.errors import UsageError

__all__ = ["ALL_WORDS", "BENCHMARK", "PAPER", "WORD_OPTIONS", "WordOptions", "words"]

_WORD = re.compile(r"[\w']+")


def words(text: str) -> list[str]:
    """Split a caption into its words: runs of letters, digits, underscores and apostrophes.

    Case is kept and nothing is dropped: which words a text encoder knows, and how many it reads,
    is the encoder's matter.

    Source: the tokeniser of the code published with Miech, Zhukov et al., HowTo100M, 2019
    (arXiv:1906.03327).
    """
    return _WORD.findall(text)


@dataclass(frozen=True, slots=True)
class WordOptions:
    """Which words of a caption count: a named set of options.

    Attributes:
        name: what `howto clip --words` calls it.
        drop_stop_words: leave out `howto.clip.stop_words.STOP_WORDS`, whatever their case. What is
            kept keeps its case.
        max_words: how many a text encoder reads, counted after the words that it does not know
            were dropped; None for all of them. A stored caption is never cut by it, because that
            order matters.
    """

    name: str
    drop_stop_words: bool
    max_words: int | None

    def caption(self, text: str) -> str:
        """Return the caption as it is stored: unchanged, or its words without the stop words."""
        if not self.drop_stop_words:
            return text
        return " ".join(word for word in words(text) if word.lower() not in STOP_WORDS)

    def tokens(self, text: str, known: Container[str] | None = None) -> list[str]:
        """Return the words that a text encoder is given.

        Args:
            known: its vocabulary, which other words are dropped for; None drops none.
        """
        kept = words(self.caption(text))
        if known is not None:
            kept = [word for word in kept if word in known]
        return kept[: self.max_words]

    def with_max_words(self, max_words: int | None) -> "WordOptions":
        """Return the same options with another length: the authors' classes have 30, their scripts
        20.

        Raises:
            UsageError: max_words is below 1.
        """
        if max_words is not None and max_words < 1:
            raise UsageError(f"max_words is {max_words}, expected at least 1")
        return replace(self, max_words=max_words)


# 20 is what the authors' training and evaluation scripts set; their classes' own default is 30.
PAPER = WordOptions("paper", drop_stop_words=True, max_words=20)
"""Training captions as the paper's: stop words went when the published file was made."""

BENCHMARK = WordOptions("benchmark", drop_stop_words=False, max_words=20)
"""Evaluation captions: written by people, and read with their stop words and their case."""

ALL_WORDS = WordOptions("all", drop_stop_words=False, max_words=None)
"""Everything that was said."""

WORD_OPTIONS = {options.name: options for options in (PAPER, BENCHMARK, ALL_WORDS)}
