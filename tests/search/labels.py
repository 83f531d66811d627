"""A ready joint model for tests: SqueezeNet's class probabilities against the words of the labels.

A frame is 1,000 probabilities; a caption is the labels that share a word with it. The fixture of
test_visual_queries.py installs it as the joint model `labels`.
"""

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torchvision.models

from howto.extract.weights import file_hash
from howto.records import FrameSpec


class Labels:
    name = "labels"
    version = "1"
    dim = 1000
    frames = FrameSpec(Fraction(1), 227, 227)
    frames_per_window = 1
    normalised = True

    def weights_hash(self, weights: str | None = None) -> str:
        return file_hash(Path(os.environ["LABELS_WEIGHTS"]))

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        presets = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
        self._names = [name.lower().split() for name in presets.meta["categories"]]
        self._network = torchvision.models.squeezenet1_1()
        state = torch.load(os.environ["LABELS_WEIGHTS"], weights_only=True)
        self._network.load_state_dict(state)
        self._network.eval()
        self._mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        self._std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

    def embed_frames(self, frames: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            pixels = (frames.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std
            found = self._network(pixels).softmax(dim=1)
        return found / found.norm(dim=1, keepdim=True)

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        rows = [
            [float(bool(set(name) & set(caption.lower().split()))) for name in self._names]
            for caption in captions
        ]
        found = torch.tensor(rows).reshape(-1, self.dim)
        return found / found.norm(dim=1, keepdim=True).clamp(min=1e-6)

    def known_words(self, captions: Sequence[str]) -> list[bool]:
        return [bool(row.any()) for row in self.embed_text(captions)]
