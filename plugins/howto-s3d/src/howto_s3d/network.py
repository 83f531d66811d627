"""S3D-G: an inception network of separable 3D convolutions with feature gating.

Xie et al.: Rethinking Spatiotemporal Feature Learning, ECCV 2018 (arXiv:1712.04851), in the form of
Miech et al.: End-to-End Learning of Visual Representations from Uncurated Instructional Videos,
CVPR 2020 (arXiv:1912.06430): its first layer sees blocks of 2 x 2 x 2 pixels. An implementation of
our own; modules have the names, and so weights the layout, of `s3d_howto100m.pth` (the authors'
code: Apache-2.0).

Shapes: B clips, C channels, T frames, H and W pixels.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every torch user knows
from torch import nn

__all__ = ["EMBEDDING_DIM", "FEATURE_DIM", "S3DG", "space_to_depth"]

FEATURE_DIM = 1024
EMBEDDING_DIM = 512
_BLOCK = 2  # frames, and pixels each way, that become channels

# Channels of the four branches of each inception block: 1x1; 1x1 to 3x3; 1x1 to 3x3; pool to 1x1.
_MIXED = {
    "3b": (64, (96, 128), (16, 32), 32),
    "3c": (128, (128, 192), (32, 96), 64),
    "4b": (192, (96, 208), (16, 48), 64),
    "4c": (160, (112, 224), (24, 64), 64),
    "4d": (128, (128, 256), (24, 64), 64),
    "4e": (112, (144, 288), (32, 64), 64),
    "4f": (256, (160, 320), (32, 128), 128),
    "5b": (256, (160, 320), (32, 128), 128),
    "5c": (384, (192, 384), (48, 128), 128),
}


def space_to_depth(video: torch.Tensor) -> torch.Tensor:
    """Turn blocks of 2 x 2 x 2 pixels into channels.

    Args:
        video: (B, C, T, H, W), T, H and W even.

    Returns:
        (B, 8 C, T/2, H/2, W/2); channel ((t * 2 + h) * 2 + w) * C + c is colour c of the pixel at
        (t, h, w) of the block.
    """
    batch, channels, *sizes = video.shape
    halves = [part for size in sizes for part in (size // _BLOCK, _BLOCK)]
    blocks = video.reshape(batch, channels, *halves)
    return blocks.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)


class _Convolution(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int, int],
        padding: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, kernel, padding=padding, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn1(self.conv1(maps)), inplace=True)


class _Separable(_Convolution):
    """3 x 3 pixels, then 3 frames: each with its normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, (1, 3, 3), (0, 1, 1))
        self.conv2 = nn.Conv3d(outputs, outputs, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.bn2 = nn.BatchNorm3d(outputs)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn2(self.conv2(super().forward(maps))), inplace=True)


class _Gating(nn.Module):
    """Scales each channel by a sigmoid of all channels' means: the G of S3D-G."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        scale = torch.sigmoid(self.fc(maps.mean(dim=(2, 3, 4))))
        return maps * scale[:, :, None, None, None]


class _Inception(nn.Module):
    """Four branches side by side, each gated; `outputs` is the sum of their channels."""

    def __init__(
        self, inputs: int, b0: int, b1: tuple[int, int], b2: tuple[int, int], b3: int
    ) -> None:
        super().__init__()
        self.conv_b0 = _Convolution(inputs, b0, (1, 1, 1))
        self.conv_b1_a = _Convolution(inputs, b1[0], (1, 1, 1))
        self.conv_b1_b = _Separable(*b1)
        self.conv_b2_a = _Convolution(inputs, b2[0], (1, 1, 1))
        self.conv_b2_b = _Separable(*b2)
        self.conv_b3_b = _Convolution(inputs, b3, (1, 1, 1))
        self.gating_b0 = _Gating(b0)
        self.gating_b1 = _Gating(b1[1])
        self.gating_b2 = _Gating(b2[1])
        self.gating_b3 = _Gating(b3)
        self.outputs = b0 + b1[1] + b2[1] + b3

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        pooled = F.max_pool3d(maps, 3, stride=1, padding=1)
        branches = (
            self.gating_b0(self.conv_b0(maps)),
            self.gating_b1(self.conv_b1_b(self.conv_b1_a(maps))),
            self.gating_b2(self.conv_b2_b(self.conv_b2_a(maps))),
            self.gating_b3(self.conv_b3_b(pooled)),
        )
        return torch.cat(branches, dim=1)


def _max_pool(maps: torch.Tensor, kernel: tuple[int, int, int], stride: int) -> torch.Tensor:
    """Pool with TensorFlow's SAME padding for even sizes: zeros, the odd one at the end.

    The authors' code pads odd sizes alike, as after windows of 200 pixels. Maps come from a ReLU,
    so that a zero is no greater than any of their values. The stride counts for the axes on which
    the kernel is larger than 1.
    """
    strides = [stride if size > 1 else 1 for size in kernel]
    lacking = [size - step for size, step in zip(kernel, strides, strict=True)]
    sides = [side for gap in reversed(lacking) for side in (gap // 2, gap - gap // 2)]
    return F.max_pool3d(F.pad(maps, sides), kernel, strides, ceil_mode=True)


class S3DG(nn.Module):
    """Clips to features, and by `fc` on to the joint space.

    32 frames of 224 x 224 pixels, as in training, leave 4 x 7 x 7 positions before the mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _Convolution(3 * _BLOCK**3, 64, (2, 4, 4), (1, 2, 2))
        self.conv_2b = _Convolution(64, 64, (1, 1, 1))
        self.conv_2c = _Separable(64, 192)
        self.gating = _Gating(192)
        inputs = 192
        for name, branches in _MIXED.items():
            block = _Inception(inputs, *branches)
            self.add_module(f"mixed_{name}", block)
            inputs = block.outputs
        self.fc = nn.Linear(FEATURE_DIM, EMBEDDING_DIM)

    def maps(self, video: torch.Tensor) -> torch.Tensor:
        """Return what the last block gives: (B, 1024, T/8, H/32, W/32), rounded up."""
        # A kernel of even size has no middle: SAME pads one more before, which is then cut off.
        maps = self.conv1(space_to_depth(video))[:, :, 1:, 1:, 1:]
        maps = _max_pool(maps, (1, 3, 3), 2)
        maps = self.gating(self.conv_2c(self.conv_2b(maps)))
        maps = _max_pool(maps, (1, 3, 3), 2)
        maps = self._mixed(maps, "3b", "3c")
        maps = _max_pool(maps, (3, 3, 3), 2)
        maps = self._mixed(maps, "4b", "4c", "4d", "4e", "4f")
        maps = _max_pool(maps, (2, 2, 2), 2)
        return self._mixed(maps, "5b", "5c")

    def _mixed(self, maps: torch.Tensor, *names: str) -> torch.Tensor:
        for name in names:
            maps = self.get_submodule(f"mixed_{name}")(maps)
        return maps

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, T, H, W), RGB in 0..1, to (B, 1024): the mean over positions."""
        return self.maps(video).mean(dim=(2, 3, 4))
