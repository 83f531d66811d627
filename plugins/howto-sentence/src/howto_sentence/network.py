"""The network of a sentence encoder, from tokens to a vector. Importing this imports torch."""

import contextlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers.utils import logging

from howto.errors import PluginError

__all__ = ["SentenceNetwork", "load_network"]


_DAMAGED = (
    *(OSError, ValueError, KeyError, RuntimeError, TypeError),
    *(pickle.UnpicklingError, SafetensorError),
)


def load_network(folder: Path, device: str, dtype: torch.dtype, max_words: int) -> Any:
    """Load a folder, and no code from it; nothing is fetched.

    Raises:
        PluginError: it is damaged, lacks weights, or reads fewer tokens than `max_words`.
    """
    model = _loaded(folder, device)
    _check_whole(folder, model, _loaded(folder, device))
    tokenizer = getattr(model, "tokenizer", None)
    padding = getattr(tokenizer, "pad_token_id", None)
    marks = {getattr(tokenizer, name, None) for name in ("eos_token_id", "sep_token_id")}
    if tokenizer is None or padding is None or padding in marks:
        raise PluginError(f"{folder}: a model without a token of its own for padding is not read")
    most = model.max_seq_length or max_words
    if max_words > most:
        raise PluginError(
            f"{folder} reads {most} tokens of a caption, not {max_words}: set max_words={most}"
        )
    model.max_seq_length = max_words
    tokenizer.padding_side = "right"
    return model.to(dtype).requires_grad_(False)


def _loaded(folder: Path, device: str) -> Any:
    with _no_bar():
        try:
            return SentenceTransformer(
                str(folder), device=device, local_files_only=True, trust_remote_code=False
            ).eval()
        except _DAMAGED as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise PluginError(
                f"{folder} cannot be loaded as a sentence encoder: {first}"
            ) from error


def _check_whole(folder: Path, model: Any, again: Any) -> None:
    """Tell weights that are missing: transformers puts chance in their place, and goes on."""
    first, second = (
        one.encode("fold a shirt", convert_to_tensor=True, show_progress_bar=False)
        for one in (model, again)
    )
    if not torch.equal(first, second):
        raise PluginError(
            f"{folder} lacks weights of its network: loaded twice, it is two networks"
        )


@contextlib.contextmanager
def _no_bar() -> Iterator[None]:
    """Loading takes a moment, and howto shows its own progress."""
    bars: Any = logging  # its functions have no types
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


class SentenceNetwork(nn.Module):
    """int64 (B, L) tokens, padded at the end, to float32 (B, D); frozen.

    Attributes:
        padding: the token that stands for nothing.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.padding = int(model.tokenizer.pad_token_id)

    def train(self, mode: bool = True) -> "SentenceNetwork":  # noqa: ARG002 - it is frozen
        """Stay as it is: a frozen network has no training mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Encode up to the last token of the longest caption; what comes after it is padding."""
        is_token = tokens != self.padding
        # A caption may spell the padding's own name, so only what comes last is padding.
        places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
        lengths = (is_token * places).amax(dim=1)
        longest = max(1, int(lengths.max())) if len(tokens) else 1
        mask = (places[None] <= lengths[:, None])[:, :longest].long()
        given = {"input_ids": tokens[:, :longest], "attention_mask": mask, "modality": "text"}
        vectors: torch.Tensor = self.model(given)["sentence_embedding"]
        return vectors.float()
