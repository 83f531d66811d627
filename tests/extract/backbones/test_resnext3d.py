"""The 3D network against its description: layout, number of parameters, and a plain version."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from howto import plugins
from howto.errors import PluginError
from howto.extract.backbones.resnext3d import ResNeXt101

STAGES = ((3, 128, 256), (4, 256, 512), (23, 512, 1024), (3, 1024, 2048))
"""Table 1 of Hara et al.: blocks, width of the grouped convolution, channels that leave."""


def plain(state: dict[str, torch.Tensor], clips: torch.Tensor) -> torch.Tensor:
    """The network in functions alone, straight from a published state dict."""

    def conv_norm(x, convolution, norm, stride, groups=1, padding=None):
        weight = state[f"module.{convolution}.weight"]
        padding = weight.shape[-1] // 2 if padding is None else padding
        x = F.conv3d(x, weight, stride=stride, padding=padding, groups=groups)
        names = ("running_mean", "running_var", "weight", "bias")
        mean, variance, gain, shift = (state[f"module.{norm}.{n}"].view(-1, 1, 1, 1) for n in names)
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift

    x = F.relu(conv_norm(clips, "conv1", "bn1", (1, 2, 2)))
    x = F.max_pool3d(x, 3, 2, 1)
    for stage, (blocks, _, _) in enumerate(STAGES, 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            shortcut = x
            if block == 0:
                shortcut = conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            y = F.relu(conv_norm(x, f"{at}.conv1", f"{at}.bn1", 1))
            y = F.relu(conv_norm(y, f"{at}.conv2", f"{at}.bn2", stride, groups=32))
            x = F.relu(conv_norm(y, f"{at}.conv3", f"{at}.bn3", 1) + shortcut)
    assert x.shape[2:] == (1, 4, 4)  # one moment of 4 x 4 places, as in the paper
    return x.mean(dim=(2, 3, 4))


def published_keys() -> list[str]:
    """The names of the published state dict (before torch counted batches), by its rule."""
    norm = ("weight", "bias", "running_mean", "running_var")

    def pair(convolution: str, bn: str) -> list[str]:
        return [f"{convolution}.weight", *(f"{bn}.{part}" for part in norm)]

    keys = pair("conv1", "bn1")
    for stage, (blocks, _, _) in enumerate(STAGES, 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            for k in (1, 2, 3):
                keys += pair(f"{at}.conv{k}", f"{at}.bn{k}")
            if block == 0:
                keys += pair(f"{at}.downsample.0", f"{at}.downsample.1")
    return keys


def test_the_names_are_the_published_ones() -> None:
    own = [key for key in ResNeXt101().state_dict() if "num_batches" not in key]
    assert own == published_keys()


def test_the_number_of_parameters() -> None:
    """48.75 million with 600 classes is what is published (Köpüklü et al.: Resource Efficient 3D
    Convolutional Neural Networks, ICCVW 2019, table 2: 3D-ResNeXt-101)."""
    total = 3 * 64 * 7**3 + 2 * 64
    channels = 64
    for blocks, width, out in STAGES:
        for block in range(blocks):
            total += channels * width + width * (width // 32) * 27 + width * out
            total += 2 * (width + width + out)
            if block == 0:
                total += channels * out + 2 * out
            channels = out
    assert total == 47_521_216
    assert round((total + 2048 * 600 + 600) / 1e6, 2) == 48.75
    assert sum(p.numel() for p in ResNeXt101().parameters()) == total


def test_it_equals_the_plain_version(resnext101_file: Path) -> None:
    frames = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (20, 112, 112, 3), dtype=np.uint8)
    )
    backbone = plugins.create("backbones", "resnext101-3d")
    backbone.load("cpu", torch.float32, str(resnext101_file))
    features = backbone.encode(frames)

    whole = torch.cat([frames, torch.zeros(12, 112, 112, 3, dtype=torch.uint8)])
    clips = whole.float() - torch.tensor([110.6, 103.2, 96.3])
    clips = clips.view(2, 16, 112, 112, 3).permute(0, 4, 1, 2, 3)
    state = torch.load(resnext101_file, weights_only=True)["state_dict"]
    with torch.no_grad():
        expected = F.normalize(plain(state, clips), dim=1)
    assert expected.std() > 1e-3
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrapped", [True, False])
def test_both_published_forms_load(wrapped: bool, resnext101_file: Path, tmp_path: Path) -> None:
    """3D-ResNets publishes a checkpoint with data-parallel names, others the bare state dict."""
    frames = torch.full((16, 32, 32, 3), 90, dtype=torch.uint8)
    backbone = plugins.create("backbones", "resnext101-3d")
    backbone.load("cpu", torch.float32, str(resnext101_file))
    expected = backbone.encode(frames)
    state = torch.load(resnext101_file, weights_only=True)["state_dict"]
    bare = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    other = tmp_path / "other.pth"
    torch.save({"state_dict": bare} if wrapped else bare, other)
    backbone.load("cpu", torch.float32, str(other))
    assert torch.equal(backbone.encode(frames), expected)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.pth"
    torch.save(nn.Sequential(nn.Linear(2, 3)).state_dict(), file)
    backbone = plugins.create("backbones", "resnext101-3d")
    with pytest.raises(PluginError, match=r"missing: conv1\.weight, .*\(520\); not expected: 0\.w"):
        backbone.load("cpu", torch.float32, str(file))
