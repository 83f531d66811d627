"""Feature sets of backbones made for a test, and libraries of small videos."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from howto.extract.choice import Wanted
from howto.library import Library
from howto.media.encode import H264Writer
from howto.recipe import Recipe
from howto.records import FrameSpec
from howto.search.refresh import refresh


class PlainBackbone:
    """The mean of every channel over each feature's frames, so that features tell their frames."""

    version = "1"
    dim = 3

    def __init__(self, name: str = "plain", rate: str = "2", side: int = 16, per: int = 1) -> None:
        self.name = name
        self.frames = FrameSpec(Fraction(rate), side)
        self.frames_per_feature = per
        self.batches: list[int] = []

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        pass

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(frames))
        pieces = frames.float().split(self.frames_per_feature)
        return torch.stack([piece.mean((0, 1, 2)) for piece in pieces])


def wanted_of(backbone: Any) -> Wanted:
    """The feature set of a backbone that is no plugin."""
    recipe = Recipe.of(backbone=backbone.name, version=backbone.version, dim=backbone.dim)
    return Wanted(backbone.name, backbone, recipe, None, "cpu", "fp32", "displayed")


@pytest.fixture
def grey_video() -> Callable[..., Path]:
    """Write a video of 2 frames a second, each a grey of its own."""

    def write(path: Path, seconds: int, *, size: int = 16, start: int = 0) -> Path:
        with H264Writer(path, width=size, height=size, frame_rate=Fraction(2), gop=4) as writer:
            for k in range(2 * seconds):
                shade = (start + 7 * k) % 200
                writer.write_frame(np.full((size, size, 3), shade, np.uint8))
        return path

    return write


@pytest.fixture
def library(tmp_path: Path, grey_video: Callable[..., Path]) -> Iterator[Library]:
    """A library of three videos of 4, 6 and 8 s, looked at."""
    folder = tmp_path / "films"
    folder.mkdir()
    for k, name in enumerate("abc"):
        grey_video(folder / f"{name}.mp4", 4 + 2 * k, start=20 * k)
    with Library.open(folder) as opened:
        refresh(opened, workers=1)
        yield opened
