"""A real network on real pictures: SqueezeNet 1.1 with its ImageNet weights."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision.models
from numpy.typing import NDArray

from howto import plugins
from howto.extract.backbones.torchvision_family import TorchvisionBackbone

TAG = 0x01306B47  # ncnn: 16-bit weights follow


def read_ncnn(path: Path) -> dict[str, torch.Tensor]:
    """SqueezeNet 1.1 from ncnn's file in torchvision's layout and for torchvision's pixels.

    26 convolutions in order, each a tag, float16 weights padded to 4 bytes, float32 bias. They were
    trained on blue, green, red in 0..255 minus a mean: what turns torchvision's pixels into these
    goes into the first convolution, exactly, because it does not pad.
    """
    data, at = path.read_bytes(), 0
    state = torchvision.models.squeezenet1_1().state_dict()
    for weight in [key for key in state if key.endswith("weight")]:
        bias = weight.replace("weight", "bias")
        shape = state[weight].shape
        assert struct.unpack_from("<I", data, at)[0] == TAG
        halves = np.frombuffer(data, "<f2", shape.numel(), at + 4)
        at += 4 + -(-2 * shape.numel() // 4) * 4
        floats = np.frombuffer(data, "<f4", shape[0], at)
        at += 4 * shape[0]
        state[weight] = torch.from_numpy(halves.astype(np.float32)).reshape(shape)
        state[bias] = torch.from_numpy(floats.copy())
    assert at == len(data)
    presets = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    mean, std = 255 * torch.tensor(presets.mean), 255 * torch.tensor(presets.std)
    colours = state["features.0.weight"].flip(1)  # red, green, blue
    shift = mean - torch.tensor([123.0, 117.0, 104.0])
    state["features.0.bias"] += torch.einsum("ocij,c->o", colours, shift)
    state["features.0.weight"] = colours * std[:, None, None]
    return state


def picture(path: Path, backbone: TorchvisionBackbone) -> NDArray[np.uint8]:
    """A picture as the decoder would give it: the short side scaled, the middle cut out."""
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = pixels.shape[:2]
    scale = backbone.frames.short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    crop = backbone.frames.crop
    top, left = (pixels.shape[0] - crop) // 2, (pixels.shape[1] - crop) // 2
    return pixels[top : top + crop, left : left + crop]


@pytest.fixture(scope="module")
def weights_file(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "squeezenet1_1.pth"
    torch.save(read_ncnn(shared_data / "weights" / "squeezenet_v1.1.bin"), path)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bee", {"bee"}), ("cat", {"tabby", "tiger cat", "Egyptian cat"})],
)
def test_real_weights_know_what_they_see(
    name: str, expected: set[str], shared_data: Path, weights_file: Path
) -> None:
    """Features are averaged over the picture; so is the evidence, before the last layer."""
    backbone = plugins.create("backbones", "torchvision:squeezenet1_1")
    backbone.load("cpu", torch.float32, str(weights_file))
    frames = picture(shared_data / "images" / f"{name}.jpg", backbone)[None]
    features = backbone.encode(torch.from_numpy(frames.copy()))

    state = torch.load(weights_file, weights_only=True)
    scores = features @ state["classifier.1.weight"].flatten(1).T + state["classifier.1.bias"]
    names = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.meta["categories"]
    best = [names[i] for i in scores[0].topk(3).indices]
    assert best[0] in expected, best

    network = torchvision.models.squeezenet1_1()
    network.load_state_dict(state)
    presets = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms(resize_size=224)
    with torch.no_grad():
        whole = network.eval()(presets(torch.from_numpy(frames.copy()).permute(0, 3, 1, 2)))
    assert names[whole[0].argmax()] in expected
