"""The joint text-video embedding of the paper: a gated unit for each modality, compared by dot
product.

Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.1.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from howto.train.gated import GatedEmbedding

__all__ = ["TextVideoModel"]


class TextVideoModel(nn.Module):
    """Clips and captions in one space.

    Args:
        streams: length of the features of each stream, such as {"resnet152": 2048, "resnext101-3d":
            2048}, in the order in which they stand side by side in a clip's vector.
        dim: D, the length of an embedding.
        text: what a text encoder's `module` gives: tokens, int64 (B, L), to float32 (B, text_dim).
        text_dim: length of its vectors.
        normalised: embeddings have length 1, so that scores are cosines; as the loss wants it.

    Attributes:
        streams, dim, normalised: as given.
        text, text_gate, video_gate: the three parts.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        dim: int,
        text: nn.Module,
        text_dim: int,
        *,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.streams = dict(streams)
        self.dim = dim
        self.normalised = normalised
        self.text = text
        self.text_gate = GatedEmbedding(text_dim, dim, normalised=normalised)
        self.video_gate = GatedEmbedding(sum(streams.values()), dim, normalised=normalised)

    def forward(self, clips: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Embed a batch: `embed_clips(clips)` and `embed_text(tokens)`, any number of each."""
        return self.embed_clips(clips), self.embed_text(tokens)

    def embed_clips(self, clips: Tensor) -> Tensor:
        """Map clip vectors, each stream normalised, float32 (B, sum of streams), to (B, D)."""
        embeddings: Tensor = self.video_gate(clips)
        return embeddings

    def embed_text(self, tokens: Tensor) -> Tensor:
        """Map tokens, int64 (C, L), to float32 (C, D)."""
        embeddings: Tensor = self.text_gate(self.text(tokens))
        return embeddings

    def score(self, clips: Tensor, tokens: Tensor) -> Tensor:
        """Score each clip against each caption: float32 (B, C), whatever autocast computes in."""
        shown, said = self(clips, tokens)
        with torch.autocast(shown.device.type, enabled=False):
            scores: Tensor = shown @ said.T
        return scores
