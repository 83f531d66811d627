"""The words of the MIL-NCE model: its vocabulary, how a caption becomes word ids, its text tower.

`s3d_dict.npy` is an array of words. It may be an array of Python objects, which numpy stores as a
pickle: that is read by howto's own unpickler, which runs nothing.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import nn

from howto.errors import PickleError, PluginError
from howto.safe_pickle import load

__all__ = ["PADDING", "TextTower", "read_vocabulary", "word_ids"]

PADDING = 0
_WORD = re.compile(r"[\w']+")


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read the words and number them from 1, in the order of the file; 0 is padding.

    Raises:
        PluginError: the file is no .npy of words.
    """
    try:
        words = _read(path)
    except (PickleError, ValueError, EOFError, OSError) as error:
        raise PluginError(f"{path} cannot be read as a vocabulary: {error}") from error
    if not isinstance(words, list) or any(isinstance(word, list) for word in words):
        raise PluginError(f"{path} is no vocabulary: expected an array of words, one after another")
    if not all(isinstance(word, str) for word in words):
        raise PluginError(f"{path} is no vocabulary: expected words, got other things too")
    return {word: number for number, word in enumerate(words, 1)}


def _read(path: Path) -> Any:
    """An array of text or of objects, as a list; nested for more than one dimension."""
    with path.open("rb") as file:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = header(file)
        if dtype.hasobject:
            return load(file.read())
        file.seek(0)
        return np.load(file, allow_pickle=False).tolist()


def word_ids(captions: Sequence[str], vocabulary: Mapping[str, int], length: int) -> torch.Tensor:
    """Turn captions into the ids of their known words, in lower case: the first `length` of them.

    Returns:
        int64 (B, length), padded with 0 at the end.
    """
    ids = torch.full((len(captions), length), PADDING, dtype=torch.int64)
    for row, caption in zip(ids, captions, strict=True):
        words = _WORD.findall(caption.lower())
        known = [vocabulary[word] for word in words if word in vocabulary][:length]
        row[: len(known)] = torch.tensor(known, dtype=torch.int64)
    return ids


class TextTower(nn.Module):
    """Word vectors, a layer, ReLU, the maximum over words, a layer: ids to float32 (B, 512).

    The maximum is over padding too, as the authors take it: the row of id 0 is a word like others.

    Args:
        rows: of the table of word vectors.
    """

    def __init__(self, rows: int, word_dim: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.word_embd = nn.Embedding(rows, word_dim)
        self.fc1 = nn.Linear(word_dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.fc1(self.word_embd(ids)))
        embeddings: torch.Tensor = self.fc2(hidden.amax(dim=1))
        return embeddings.float()
