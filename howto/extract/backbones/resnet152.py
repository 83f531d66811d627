"""ResNet-152 of ImageNet over whole pictures: the 2D features of HowTo100M.

Network: He et al.: Deep Residual Learning for Image Recognition. CVPR 2016; torchvision's
implementation (BSD-3-Clause) and its weights IMAGENET1K_V1, which the authors used.
"""

from fractions import Fraction

import torch
from torch import nn
from torchvision.models import resnet152

from howto.extract.backbones.network import load_into, ready, unfilled
from howto.extract.backbones.protocol import in_batches, l2_normalised, normalised_pixels
from howto.extract.weights import resolve
from howto.records import FrameSpec

__all__ = ["ResNet152Backbone"]

MEAN = (0.485, 0.456, 0.406)  # red, green, blue of ImageNet, in 0..1
STD = (0.229, 0.224, 0.225)


class ResNet152Backbone:
    """The HowTo100M authors' protocol: 1 fps, short side 224, the whole picture, no crop.

    Pixels are 0..1 minus the mean, divided by the deviation; the last maps are averaged over the
    whole picture, whatever its shape; each feature has length 1.
    """

    name = "resnet152"
    version = "1"
    dim = 2048
    frames = FrameSpec(rate=Fraction(1), short_side=224)
    frames_per_feature = 1

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Build the network; weights as `howto.extract.weights.resolve` takes them."""
        network = unfilled(resnet152)
        network.fc = nn.Identity()
        load_into(network, weights, self.name, unused=("fc.",))
        # Without the average, which is taken in float32 whatever the network computes in.
        trunk = nn.Sequential(*list(network.children())[:-2])
        self._network = ready(trunk, device, dtype)
        self._device, self._dtype = device, dtype

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file that `load` would take."""
        return resolve(weights, self.name).sha256

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, H, W, 3) to float32 (T, 2048), on the CPU."""
        return in_batches(frames, 1, self._device, self._features)

    def _features(self, frames: torch.Tensor) -> torch.Tensor:
        pictures = normalised_pixels(frames, MEAN, STD, scale=255.0).movedim(-1, 1)
        maps = self._network(pictures.to(self._dtype))
        return l2_normalised(maps.float().mean(dim=(2, 3)))
