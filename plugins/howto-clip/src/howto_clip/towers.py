"""The two halves of a CLIP network: pictures to embeddings, tokens to embeddings."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from torch import nn

from howto.extract.backbones.protocol import normalised_pixels
from howto_clip.named import Named

__all__ = ["PictureTower", "TextTower"]


class PictureTower(nn.Module):
    """uint8 (T, H, W, 3) frames to float32 (T, D), not normalised."""

    def __init__(self, network: Any, named: Named) -> None:
        super().__init__()
        self.visual = network.visual
        self._named = named

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Embed frames that are on the network's device already."""
        named = self._named
        pictures = _squashed(frames, named) if named.squash else frames
        pixels = normalised_pixels(pictures, named.mean, named.std, scale=255.0).movedim(-1, 1)
        some: torch.Tensor = next(self.visual.parameters())
        embeddings: torch.Tensor = self.visual(pixels.to(some.dtype))
        return embeddings.float()


def _squashed(frames: torch.Tensor, named: Named) -> torch.Tensor:
    """Press whole pictures into the square; their short side has its length already.

    Returns:
        float32 (T, size, size, 3), whole numbers in 0..255.
    """
    pictures, size = frames.movedim(-1, 1).float(), (named.image_size, named.image_size)
    if pictures.shape[-2:] != size:
        pictures = F.interpolate(pictures, size, mode=named.interpolation, antialias=True)
    # Cubic scaling overshoots; 8-bit pictures cannot.
    return pictures.round().clamp(0, 255).movedim(1, -1)


class TextTower(nn.Module):
    """int64 (B, L) tokens to float32 (B, D), not normalised; frozen.

    L may be below the network's own: what is missing is padding.
    """

    def __init__(self, network: Any, named: Named) -> None:
        super().__init__()
        del network.visual
        self.text = network
        self._context = named.context

    def train(self, mode: bool = True) -> "TextTower":  # noqa: ARG002 - it is frozen
        """Stay as it is: a frozen network has no training mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        padded = F.pad(tokens, (0, self._context - tokens.shape[1]))
        embeddings: torch.Tensor = self.text.encode_text(padded)
        return embeddings.float()
