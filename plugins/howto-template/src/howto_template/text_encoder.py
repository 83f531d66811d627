"""A text encoder that learns a vector for each word, without a vocabulary file."""

import re
import zlib
from collections.abc import Sequence

import torch
from torch import nn

from howto.errors import PluginError

__all__ = ["HashedWordsTextEncoder"]

ROWS = 4096  # row 0 is padding
WORD = re.compile(r"[\w']+")


class HashedWordsTextEncoder:
    """The mean of learned word vectors; words that share a row by chance share a vector.

    A class around a published network names its paper, original code and licence here.

    Args:
        max_words: words of a caption that count.
    """

    name = "template-hashed-words"
    version = "1"
    dim = 64
    trainable = True

    def __init__(self, *, max_words: int = 20) -> None:
        self.max_words = max_words

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Make word vectors by chance; weights of a published network would be read here."""
        if weights is not None:
            raise PluginError(f"text encoder {self.name!r} has no weights to load, got {weights!r}")
        self._module = _MeanOfWords().to(device, dtype)

    def tokenise(self, captions: Sequence[str]) -> torch.Tensor:
        """Give each word a row by its checksum: int64 (B, max_words), 0 where there is no word."""
        tokens = torch.zeros(len(captions), self.max_words, dtype=torch.int64)
        for row, caption in zip(tokens, captions, strict=True):
            words = WORD.findall(caption.lower())[: self.max_words]
            for position, word in enumerate(words):
                row[position] = 1 + zlib.crc32(word.encode()) % (ROWS - 1)
        return tokens

    def module(self) -> nn.Module:
        """Return the network from int64 (B, L) tokens to float32 (B, 64) vectors."""
        return self._module


class _MeanOfWords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(ROWS, HashedWordsTextEncoder.dim, padding_idx=0)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        # The row of padding is zero, and stays so.
        total: torch.Tensor = self.words(tokens).float().sum(1)
        count = (tokens > 0).sum(1, keepdim=True).clamp(min=1)  # a caption may have no word
        return total / count
