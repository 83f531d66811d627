"""Captions to vectors: word vectors, a linear layer, ReLU, and the maximum over the words.

A caption is a row of word ids, padded with 0; the vector of 0 is zero, and padding takes part in
the maximum, as in the authors' code. What a word becomes does not depend on its caption, so the
linear layer is computed once for each *different* word of a batch (3,284 of 40,960 in one of real
size), and the maximum is taken over gathered rows.

The HowTo100M text tower is `TextPooling(table, d)` before a gated unit; that of MIL-NCE is
`TextPooling(table, 2048, out_dim=512)`.

Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.1; Miech et al., End-to-End
Learning of Visual Representations from Uncurated Instructional Videos, CVPR 2020
(arXiv:1912.06430), section 3.3.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from torch import Tensor, nn

__all__ = ["TextPooling"]


class TextPooling(nn.Module):
    """Linear -> ReLU -> maximum over words, and one more linear layer where `out_dim` is given.

    Args:
        table: (V, word_dim), the vector of each word; row 0, of padding, is zero. Frozen, it is no
            part of the state dict: it is read again from where it came, with its vocabulary.
        dim: length of what the maximum is taken over.
        out_dim: length of what the last layer gives; None: there is none.
        train_words: the table is a parameter; padding stays zero.

    Attributes:
        dim: D, the length of a vector: `out_dim` where given.

    Raises:
        ValueError: the table is no matrix, or its row 0 is not zero.
    """

    table: Tensor

    def __init__(
        self, table: Tensor, dim: int, *, out_dim: int | None = None, train_words: bool = False
    ) -> None:
        super().__init__()
        if table.ndim != 2 or not len(table):
            raise ValueError(f"expected a table (V, word_dim), got {tuple(table.shape)}")
        if not table.is_meta and bool(table[0].any()):
            raise ValueError("expected row 0 of the word table, the padding, to be zero")
        if train_words:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table, persistent=False)
        self.fc = nn.Linear(table.shape[1], dim)
        self.out = nn.Identity() if out_dim is None else nn.Linear(dim, out_dim)
        self.dim = dim if out_dim is None else out_dim

    def forward(self, words: Tensor) -> Tensor:
        """Map word ids, int64 (B, W) with W >= 1, to float32 (B, D)."""
        return self._finished(self.pooled_unique(words))

    def plain(self, words: Tensor) -> Tensor:
        """The same as `forward` word by word, as the paper has it: what that is tested against."""
        return self._finished(self.projected(words).amax(dim=1))

    def projected(self, words: Tensor) -> Tensor:
        """What words are before the maximum: ids of any shape (...) to (..., dim), >= 0."""
        # padding_idx: where the table is trained, padding gets no gradient.
        vectors = F.embedding(words, self.table, padding_idx=0)
        return F.relu(self.fc(vectors.to(self.fc.weight.dtype)))

    def pooled_unique(self, words: Tensor) -> Tensor:
        """The maximum over each caption's words, (B, dim), each different word computed once."""
        different, places = torch.unique(words, return_inverse=True)
        padding = words == 0
        counted = ~padding | (padding.cumsum(dim=1) == 1)  # of padding once is enough
        sizes = counted.sum(dim=1)
        starts = sizes.cumsum(dim=0) - sizes
        return F.embedding_bag(places[counted], self.projected(different), starts, mode="max")

    def _finished(self, pooled: Tensor) -> Tensor:
        vectors: Tensor = self.out(pooled)
        return vectors.float()
