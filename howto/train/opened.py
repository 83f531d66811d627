"""A run opened to be used: clips and captions to its joint space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from howto import plugins
from howto.errors import UsageError
from howto.train.checkpoint import BEST, LAST, load, put_weights
from howto.train.model import TextVideoModel
from howto.train.pack_text import open_encoder
from howto.train.runs import open_run

__all__ = ["OpenRun"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenRun:
    """The model of a run, at its best checkpoint, else its last.

    Attributes:
        streams: names of the backbones, in the order of a clip's vector.
        step: of the checkpoint; None where only its weights were given.
    """

    name: str
    model: TextVideoModel
    encoder: Any
    streams: tuple[str, ...]
    step: int | None

    @classmethod
    def open(cls, folder: Path, device: str = "cpu") -> "OpenRun":
        """Load a run.

        Raises:
            UsageError: there is none, or it has no checkpoint yet.
            PluginError: its text encoder cannot be had.
            LibraryError: a file of it is damaged.
        """
        name = open_run(folder).name
        found = load(folder, BEST, model_only=True) or load(folder, LAST, model_only=True)
        if found is None:
            raise UsageError(f"the run {name!r} has no checkpoint yet")
        return cls.of_weights(folder, found.model, device, step=found.state.step)

    @classmethod
    def of_weights(
        cls,
        folder: Path,
        weights: Mapping[str, Tensor],
        device: str = "cpu",
        *,
        step: int | None = None,
    ) -> "OpenRun":
        """Load a run as it was at one of its checkpoints.

        Args:
            weights: the model's state dict at that checkpoint, which may be removed by now.
            step: of that checkpoint, where it is known.

        Raises:
            UsageError, PluginError, LibraryError: as `open`.
        """
        run = open_run(folder)
        encoder = open_encoder(folder, device)
        # A frozen encoder's vectors went in ready-made: it is no part of the checkpoint.
        text = encoder.module() if encoder.trainable else torch.nn.Identity()
        loss = plugins.load("losses", run.options["loss"])
        streams: dict[str, int] = dict(run.config["streams"])
        dim = int(run.config["dim"])
        model = TextVideoModel(streams, dim, text, encoder.dim, normalised=loss.normalised)
        put_weights(model, weights, folder)
        model.to(device).eval()
        return cls(folder.name, model, encoder, tuple(streams), step)

    def embed_text(self, captions: Sequence[str]) -> Tensor:
        """Map captions to float32 (B, D) on the model's device, without a gradient."""
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            tokens = self.encoder.tokenise(captions).to(device)
            vectors = tokens if self.encoder.trainable else self.encoder.module()(tokens)
            return self.model.embed_text(vectors)

    def embed_clips(self, clips: Tensor) -> Tensor:
        """Map clip vectors, each stream normalised, to float32 (B, D), without a gradient."""
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            return self.model.embed_clips(clips.to(device))
