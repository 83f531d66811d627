"""Any network of torchvision: its classifier off, its width known, its own frames asked for."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import nn

from howto import plugins
from howto.errors import PluginError, UnknownPlugin
from howto.extract.backbones.network import ready
from howto.extract.backbones.torchvision_family import TorchvisionBackbone, models
from howto.records import FrameSpec

WIDE = (
    ("resnet18", 512),
    ("squeezenet1_1", 512),
    ("mobilenet_v3_small", 1024),
    ("efficientnet_b0", 1280),
    ("densenet121", 1024),
    ("googlenet", 1024),
    ("inception_v3", 2048),
    ("regnet_y_400mf", 440),
    ("vgg11_bn", 4096),
    ("shufflenet_v2_x0_5", 1024),
    ("maxvit_t", 512),
    ("vit_b_16", 768),
    ("swin_t", 768),
    ("convnext_tiny", 768),
    ("r3d_18", 512),
    ("r2plus1d_18", 512),
    ("s3d", 1024),
    ("mvit_v2_s", 768),
    ("swin3d_t", 768),
)


def without_numbers(backbone: TorchvisionBackbone) -> nn.Module:
    """The backbone's network with shapes alone: everything is computed but the values."""
    network = backbone._build("meta")
    parent, _, leaf = backbone._head.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Identity())
    return network.to("meta").eval()


@pytest.mark.parametrize(("model", "dim"), WIDE)
def test_a_feature_for_each_clip(model: str, dim: int) -> None:
    """The width is known before weights are loaded, and is what the network gives."""
    backbone = plugins.create("backbones", f"torchvision:{model}")
    assert backbone.dim == dim
    backbone._network, backbone._device, backbone._dtype = (
        without_numbers(backbone),
        "cpu",
        torch.float32,
    )
    side, count = backbone.frames.crop, backbone.frames_per_feature
    frames = torch.empty(2 * count, side, side, 3, dtype=torch.uint8, device="meta")
    assert backbone._features(frames).shape == (2, dim)


def test_every_model_is_a_member() -> None:
    assert len(models()) >= 89
    assert {model for model, _ in WIDE} <= set(models())
    assert not [name for name in models() if "rcnn" in name or "raft" in name]


@pytest.mark.parametrize(
    ("variant", "rate", "side", "crop", "count"),
    [
        ("resnet50", 1, 232, 224, 1),
        ("resnet50.IMAGENET1K_V1", 1, 256, 224, 1),
        ("vit_b_16.IMAGENET1K_SWAG_E2E_V1", 1, 384, 384, 1),
        ("r2plus1d_18", 15, 128, 112, 16),
        ("s3d", 15, 256, 224, 128),
        ("mvit_v2_s", Fraction(15, 2), 256, 224, 16),
        ("swin3d_t", 15, 256, 224, 32),
    ],
)
def test_frames_are_those_of_the_weights(
    variant: str, rate: Fraction, side: int, crop: int, count: int
) -> None:
    """By torchvision's own pages of these weights."""
    backbone = TorchvisionBackbone(variant)
    assert backbone.name == f"torchvision:{variant}"
    assert backbone.frames == FrameSpec(Fraction(rate), side, crop)
    assert backbone.frames_per_feature == count


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("resnet-18", "Did you mean 'torchvision:resnet18'"),
        ("raft_large", "no model 'raft_large' that classifies"),
        ("resnet18.IMAGENET1K_V9", "no weights 'IMAGENET1K_V9' .*: IMAGENET1K_V1"),
        ("vgg16.IMAGENET1K_FEATURES", "no weights 'IMAGENET1K_FEATURES'"),
    ],
)
def test_what_torchvision_does_not_have(argument: str, says: str) -> None:
    with pytest.raises(UnknownPlugin, match=says):
        plugins.create("backbones", f"torchvision:{argument}")


def test_weights_with_other_frames_are_another_backbone() -> None:
    backbone = TorchvisionBackbone("resnet50")
    with pytest.raises(PluginError, match=r"'torchvision:resnet50\.IMAGENET1K_V1'"):
        backbone.load("cpu", torch.float32, "IMAGENET1K_V1")


@pytest.mark.parametrize("model", ["resnet18", "densenet121", "googlenet", "r2plus1d_18"])
def test_folding_batch_norms_changes_nothing(model: str) -> None:
    torch.manual_seed(0)
    backbone = TorchvisionBackbone(model)
    network = backbone._build("cpu").eval()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    pixels = torch.randn(2, 3, *([8, 64, 64] if model == "r2plus1d_18" else [96, 96]))
    with torch.no_grad():
        expected = network(pixels)
        folded = ready(network, "cpu", torch.float32)
        norms = [m for m in folded.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        assert len(norms) == (62 if model == "densenet121" else 0)  # before convolutions, not after
        difference = (folded(pixels) - expected).abs().max()
    assert difference < 1e-4 * expected.abs().max()


def test_features_are_what_goes_into_the_classifier(tmp_path: Path) -> None:
    """Torchvision's own head on our features gives torchvision's own scores."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_small(num_classes=1000).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "w.pth")
    backbone = plugins.create("backbones", "torchvision:mobilenet_v3_small")
    backbone.load("cpu", torch.float32, str(tmp_path / "w.pth"))
    frames = torch.randint(0, 256, (3, 224, 224, 3), dtype=torch.uint8)
    transform = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.transforms(
        resize_size=224, crop_size=224
    )
    with torch.no_grad():
        expected = network(transform(frames.permute(0, 3, 1, 2)))
        scores = network.classifier[3](backbone.encode(frames))
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)


def test_a_last_chunk_repeats_its_last_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = TorchvisionBackbone("r3d_18")
    taken: list[torch.Tensor] = []

    def network(clips: torch.Tensor) -> torch.Tensor:
        taken.append(clips)
        return clips.mean(dim=(2, 3, 4))

    backbone._network, backbone._device, backbone._dtype = network, "cpu", torch.float32
    frames = torch.randint(0, 256, (18, 8, 8, 3), dtype=torch.uint8)
    assert len(backbone.encode(frames)) == 2
    last = taken[0][1]
    assert torch.equal(last[:, 2:], last[:, 1:2].expand(3, 14, 8, 8))
    assert not torch.equal(last[:, 0], last[:, 1])
