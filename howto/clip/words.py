"""The words of a caption, as the authors count and look them up."""

import re

__all__ = ["words"]

_WORD = re.compile(r"[\w']+")


def words(text: str) -> list[str]:
    """Split a caption into its words: runs of letters, digits, underscores and apostrophes.

    Case is kept and nothing is dropped: which words a text encoder knows, and how many it reads,
    is the encoder's matter.

    Source: the tokeniser of the code published with Miech, Zhukov et al., HowTo100M, 2019
    (arXiv:1906.03327).
    """
    return _WORD.findall(text)
