"""The gated embedding unit: from features of one modality into the joint space.

Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.1, equations 1 and 2; the
unit is that of Miech et al., Learning a Text-Video Embedding from Incomplete and Heterogeneous
Data, 2018 (arXiv:1804.02516).
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from torch import Tensor, nn

__all__ = ["GatedEmbedding"]


class GatedEmbedding(nn.Module):
    """h = W1 x + b1; y = h * sigmoid(W2 h + b2); y / |y|.

    Args:
        in_dim: length of the features x.
        out_dim: D, length of the embedding.
        normalised: divide by the length, in float32 and by at least 1e-12, so that a zero vector
            stays one; otherwise y is the embedding, for losses whose scores are not normalised.
    """

    def __init__(self, in_dim: int, out_dim: int, *, normalised: bool = True) -> None:
        super().__init__()
        self.fc = nn.Linear(in_dim, out_dim)
        self.gate = nn.Linear(out_dim, out_dim)
        self.normalised = normalised

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, in_dim) to embeddings, float32 (B, D)."""
        h = self.fc(features)
        y = (h * torch.sigmoid(self.gate(h))).float()
        return F.normalize(y, dim=1) if self.normalised else y
