"""A backbone without a network: what colour each part of the picture has."""

from fractions import Fraction

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows

from howto.errors import PluginError
from howto.records import FrameSpec

__all__ = ["MeanColourBackbone"]

GRID = 4


class MeanColourBackbone:
    """Mean red, green and blue of each cell of a 4 x 4 grid, in 0..1: by colour, then by row.

    A class around a published network names its paper, original code and licence here.
    """

    name = "template-mean-colour"
    version = "1"
    dim = 3 * GRID * GRID
    frames = FrameSpec(rate=Fraction(1), short_side=64)
    frames_per_feature = 1

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Remember where to compute; a network would be built and put into eval mode here."""
        if weights is not None:
            raise PluginError(f"backbone {self.name!r} has no weights to load, got {weights!r}")
        self._device = device
        self._dtype = dtype

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, H, W, 3) RGB frames to float32 (T, 48) features on the CPU."""
        pictures = frames.to(self._device).permute(0, 3, 1, 2).to(self._dtype) / 255
        grid = F.adaptive_avg_pool2d(pictures, GRID)
        return grid.flatten(1).float().cpu()
