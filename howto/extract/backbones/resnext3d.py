"""ResNeXt-101 over 16 frames, trained on Kinetics: the 3D features of HowTo100M.

Network: Hara, Kataoka, Satoh: Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and
ImageNet? CVPR 2018 (arXiv:1711.09577), table 1. Written from that description; the names of its
parts are those of the published state dicts (3D-ResNets-PyTorch, MIT), so that these load.
"""

from fractions import Fraction

import torch
from torch import nn

from howto.extract.backbones.network import load_into, ready, unfilled
from howto.extract.backbones.protocol import in_batches, l2_normalised, normalised_pixels, padded
from howto.extract.weights import resolve
from howto.records import FrameSpec

__all__ = ["ResNeXt101", "ResNeXt101Backbone"]

CARDINALITY = 32
BLOCKS = (3, 4, 23, 3)  # of each stage: 3 convolutions each, with the first and the last layer 101
WIDTHS = (128, 256, 512, 1024)  # of the grouped convolution in each stage
EXPANSION = 2
STEM = 64
MEAN = (110.6, 103.2, 96.3)  # red, green, blue of Kinetics, in 0..255


class _Block(nn.Module):
    """1x1x1, grouped 3x3x3 and 1x1x1 convolutions beside a shortcut.

    Where size or channels change, the shortcut is a convolution of its own (type B).
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1 = nn.Conv3d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, 1, groups=CARDINALITY, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: torch.Tensor = self.relu(self.bn3(self.conv3(x)) + shortcut)
        return out


class ResNeXt101(nn.Module):
    """float (B, 3, 16, 112, 112) to (B, 2048): global average pool, no classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, STEM, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(STEM)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        channels = STEM
        for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
            layer = nn.Sequential()
            for block in range(blocks):
                layer.append(_Block(channels, width, 2 if stage > 1 and block == 0 else 1))
                channels = width * EXPANSION
            self.add_module(f"layer{stage}", layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(1, len(BLOCKS) + 1):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.float().mean(dim=(2, 3, 4))


class ResNeXt101Backbone:
    """The HowTo100M authors' protocol: 24 fps, 112 x 112 from the middle, 16 frames a feature.

    Pixels are 0..255 minus the mean; a last chunk that is too short is filled up with black before
    the mean is subtracted; each feature has length 1.
    """

    name = "resnext101-3d"
    version = "1"
    dim = WIDTHS[-1] * EXPANSION
    frames = FrameSpec(rate=Fraction(24), short_side=112, crop=112)
    frames_per_feature = 16

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Build the network; weights as `howto.extract.weights.resolve` takes them."""
        network = unfilled(ResNeXt101)
        load_into(network, weights, self.name, unused=("fc.",))
        self._network = ready(network, device, dtype)
        self._device, self._dtype = device, dtype

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file that `load` would take."""
        return resolve(weights, self.name).sha256

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Map uint8 (T, 112, 112, 3) to float32 (ceil(T / 16), 2048), on the CPU."""
        frames = padded(frames, self.frames_per_feature)
        return in_batches(frames, self.frames_per_feature, self._device, self._features)

    def _features(self, frames: torch.Tensor) -> torch.Tensor:
        pixels = normalised_pixels(frames, MEAN, (1.0, 1.0, 1.0))
        clips = pixels.reshape(-1, self.frames_per_feature, *pixels.shape[1:]).movedim(-1, 1)
        return l2_normalised(self._network(clips.to(self._dtype)))
