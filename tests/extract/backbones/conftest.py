"""Files of weights in the published layouts, filled with random numbers that behave."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import resnet152

from howto.extract.backbones.resnet152 import ResNet152Backbone
from howto.extract.backbones.resnext3d import ResNeXt101
from howto.media.decode import decode
from howto.records import FrameSpec


def _settle(network: nn.Module, pixels: torch.Tensor) -> None:
    """Give the batch norms the statistics of real pixels, as training would: without them, sizes
    double with every block of a random network."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None
    network.train()
    with torch.no_grad():
        network(pixels)


def _pixels(video: Path, rate: int, side: int, count: int) -> torch.Tensor:
    """The first frames of a video, float32 (count, 3, side, side), about 0 and no larger than 1."""
    chunk = next(decode(video, [FrameSpec(Fraction(rate), side, side)], chunk=count))
    return torch.from_numpy(chunk.frames).movedim(-1, 1) / 128 - 1


@pytest.fixture(scope="session")
def resnet152_file(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Path]:
    """A whole state dict of torchvision's ResNet-152."""
    path = tmp_path_factory.mktemp("weights") / "resnet152.pth"
    torch.manual_seed(0)
    network = resnet152()
    _settle(network, _pixels(shared_data / "videos" / "testvideo.mp4", 1, 96, 8))
    torch.save(network.state_dict(), path)
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def resnext101_file(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Path]:
    """A checkpoint as it was published: data-parallel names, the classifier, the epoch beside."""
    path = tmp_path_factory.mktemp("weights") / "resnext-101-kinetics.pth"
    torch.manual_seed(0)
    network = ResNeXt101()
    pixels = _pixels(shared_data / "videos" / "testvideo.mp4", 8, 112, 64) * 128
    _settle(network, pixels.reshape(4, 16, 3, 112, 112).movedim(1, 2))
    state = {
        f"module.{name}": tensor
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")  # unknown to torch in 2018
    }
    state["module.fc.weight"] = torch.zeros(400, 2048)
    state["module.fc.bias"] = torch.zeros(400)
    torch.save({"epoch": 66, "arch": "resnext-101", "state_dict": state}, path)
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def resnet152_backbone(resnet152_file: Path) -> ResNet152Backbone:
    """Loaded in float32."""
    backbone = ResNet152Backbone()
    backbone.load("cpu", torch.float32, str(resnet152_file))
    return backbone
