"""What howto asks of every backbone."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from howto.extract.backbones.torchvision_family import TorchvisionBackbone
from howto.testing import BackboneContract


class _FromFile(BackboneContract):
    """Backbones whose own weights would be downloaded: here a file of random ones."""

    file: ClassVar[str]

    def weights(self) -> str:
        return self.file

    def frames(self, num_frames: int, portrait: bool = False) -> torch.Tensor:
        """A third of the size: what the suite asks does not depend on it, and takes a ninth."""
        return super().frames(num_frames, portrait)[:, ::3, ::3].contiguous()


class TestResNet152(_FromFile):
    plugin = "resnet152"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _weights(cls, resnet152_file: Path) -> None:
        cls.file = str(resnet152_file)


class TestResNeXt101(_FromFile):
    plugin = "resnext101-3d"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _weights(cls, resnext101_file: Path) -> None:
        cls.file = str(resnext101_file)


class _Family(_FromFile):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _weights(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp("weights") / "network.pth"
        network = TorchvisionBackbone(cls.plugin.partition(":")[2])._build("cpu")
        torch.save(network.state_dict(), path)
        cls.file = str(path)
        yield
        path.unlink()


class TestImageMember(_Family):
    plugin = "torchvision:mobilenet_v3_small"


class TestVideoMember(_Family):
    plugin = "torchvision:r3d_18"


class TestColourMotion(BackboneContract):
    plugin = "colour-motion"


needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"
)


@needs_gpu
class TestImageMemberOnAGpu(TestImageMember):
    device = "cuda"


@needs_gpu
class TestVideoMemberOnAGpu(TestVideoMember):
    device = "cuda"
