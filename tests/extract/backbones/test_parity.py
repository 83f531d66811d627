"""The authors' protocol from video file to stored feature, against a plain version of it.

The plain version: the ffmpeg program's own frames, numpy, and torchvision's network as it comes
(for the 3D network: see test_resnext3d).
"""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torchvision.models import resnet152
from torchvision.transforms import v2

from howto import plugins
from howto.extract.backbones import protocol, resnext3d
from howto.extract.backbones.resnet152 import ResNet152Backbone
from howto.media.decode import decode
from howto.media.probe import probe


def ffmpeg_frames(video: Path, rate: int, side: int, crop: bool) -> NDArray[np.uint8]:
    """Frames as the HowTo100M authors get them: scale by the product first, crop the middle."""
    info = probe(video)
    width, height = info.width, info.height
    if height >= width:
        width, height = side, int(height * side / width)
    else:
        width, height = int(width * side / height), side
    filters = f"fps={rate},scale={width}:{height}"
    if crop:
        left, top = int((width - side) / 2.0), int((height - side) / 2.0)
        filters += f",crop={side}:{side}:{left}:{top}"
        width = height = side
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video)),
        *("-filter:v", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    ]
    out = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    return np.frombuffer(out, np.uint8).reshape(-1, height, width, 3)


def decoded(video: Path, backbone) -> torch.Tensor:
    return torch.from_numpy(
        np.concatenate([chunk.frames.copy() for chunk in decode(video, [backbone.frames])])
    )


def assert_stored_alike(ours: torch.Tensor, plain: torch.Tensor) -> None:
    """Both as the float16 that is stored; unit vectors whose entries differ by 1e-3 at most."""
    assert ours.shape == plain.shape
    torch.testing.assert_close(ours.half().float(), plain.half().float(), rtol=0, atol=1e-3)
    assert F.cosine_similarity(ours, plain).min() > 0.9999


@pytest.mark.parametrize("name", ["v_GGSY1Qvo990.mp4", "skateboarding_dog.mp4"])
def test_2d(
    name: str, shared_data: Path, resnet152_file: Path, resnet152_backbone: ResNet152Backbone
) -> None:
    video = shared_data / "videos" / name
    frames = ffmpeg_frames(video, 1, 224, crop=False)
    pixels = frames.astype(np.float32) / 255
    pixels = (pixels - np.array([0.485, 0.456, 0.406])) / (np.array([0.229, 0.224, 0.225]) + 1e-8)
    pictures = torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2)
    network = resnet152()
    network.load_state_dict(torch.load(resnet152_file, weights_only=True))
    network.eval()
    trunk = torch.nn.Sequential(*list(network.children())[:-2])
    with torch.no_grad():
        expected = F.normalize(trunk(pictures[-2:]).mean(dim=[-2, -1]), dim=1)

    ours = decoded(video, resnet152_backbone)
    assert torch.equal(ours, torch.from_numpy(frames.copy()))
    assert_stored_alike(resnet152_backbone.encode(ours[-2:]), expected)


def test_resnet152_is_torchvisions(
    shared_data: Path, resnet152_file: Path, resnet152_backbone: ResNet152Backbone
) -> None:
    """The same frames, through torchvision's own normalisation, network and global pooling."""
    frames = decoded(shared_data / "videos" / "chaplin.mp4", resnet152_backbone)[:2]
    network = resnet152()
    network.load_state_dict(torch.load(resnet152_file, weights_only=True))
    network.fc = torch.nn.Identity()
    transform = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.no_grad():
        expected = F.normalize(network.eval()(transform(frames.permute(0, 3, 1, 2))), dim=1)
    assert expected.std() > 1e-3
    torch.testing.assert_close(resnet152_backbone.encode(frames), expected, rtol=0, atol=1e-5)


def test_3d(shared_data: Path, resnext101_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into the network is the authors' to the bit: frames, chunks, padding, mean."""
    video = shared_data / "videos" / "v_GGSY1Qvo990.mp4"
    frames = ffmpeg_frames(video, 24, 112, crop=True)
    tail = len(frames) % 16
    assert tail
    pixels = np.concatenate([frames, np.zeros((16 - tail, 112, 112, 3), np.uint8)])
    pixels = pixels.astype(np.float32) - np.array([110.6, 103.2, 96.3], np.float32)
    expected = pixels.reshape(-1, 16, 112, 112, 3).transpose(0, 4, 1, 2, 3)

    backbone = plugins.create("backbones", "resnext101-3d")
    backbone.load("cpu", torch.float32, str(resnext101_file))
    ours = decoded(video, backbone)
    assert torch.equal(ours, torch.from_numpy(frames.copy()))
    taken: list[torch.Tensor] = []

    def network(clips: torch.Tensor) -> torch.Tensor:
        taken.append(clips)
        return torch.ones(len(clips), 2048)

    real = backbone._network
    monkeypatch.setattr(backbone, "_network", network)
    assert backbone.encode(ours).shape == (len(expected), 2048)
    assert np.array_equal(torch.cat(taken).numpy(), expected)

    monkeypatch.setattr(backbone, "_network", real)
    features = backbone.encode(ours[-tail - 16 :])
    with torch.no_grad():
        plain = F.normalize(real(torch.from_numpy(expected[-2:].copy())), dim=1)
    assert_stored_alike(features, plain)


def test_bf16_gives_the_same_features(
    shared_data: Path, resnet152_file: Path, resnet152_backbone: ResNet152Backbone
) -> None:
    """In direction; how much faster it is, the benchmarks say."""
    frames = decoded(shared_data / "videos" / "chaplin.mp4", resnet152_backbone)[:3]
    rounded = plugins.create("backbones", "resnet152")
    rounded.load("cpu", torch.bfloat16, str(resnet152_file))
    cosine = F.cosine_similarity(rounded.encode(frames), resnet152_backbone.encode(frames))
    assert 0.9999 < cosine.min() < 1


def test_padding_comes_before_the_mean() -> None:
    """Black frames, not grey ones, fill the last chunk; a whole chunk is not padded."""
    frames = torch.full((20, 2, 2, 3), 200, dtype=torch.uint8)
    padded = protocol.padded(frames, 16)
    assert len(padded) == 32
    assert not padded[20:].any()
    assert torch.equal(padded[:20], frames)
    assert len(protocol.padded(frames[:16], 16)) == 16
    assert torch.equal(protocol.padded(frames[:1], 4, repeat_last=True), frames[:4])
    assert resnext3d.MEAN == (110.6, 103.2, 96.3)
