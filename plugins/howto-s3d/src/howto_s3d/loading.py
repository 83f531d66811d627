"""The published files: one state dict with the video network and the text tower, one vocabulary."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from howto.errors import PluginError
from howto.extract.weights import ResolvedWeights, fit, load_state_dict, resolve
from howto_s3d.network import EMBEDDING_DIM, S3DG
from howto_s3d.words import TextTower, read_vocabulary

__all__ = ["WORDS_FILE", "find_weights", "find_words", "hash_of_both", "load_text", "load_video"]

WORDS_FILE = "s3d_dict.npy"
_WORDS = "s3d.howto100m-words"
_TEXT = "text_module."
_TABLE = f"{_TEXT}word_embd.weight"
_HIDDEN = f"{_TEXT}fc1.weight"


def find_weights(weights: str | None) -> ResolvedWeights:
    """Find `s3d_howto100m.pth`, or the file that is given; errors as `howto.extract.weights`."""
    return resolve(weights, "s3d")


def find_words(vocabulary: str | None, weights: ResolvedWeights) -> ResolvedWeights:
    """Find the vocabulary: the file given, else the one beside the weights, else the published."""
    beside = weights.path.with_name(WORDS_FILE)
    if vocabulary is None and beside.is_file():
        vocabulary = str(beside)
    return resolve(vocabulary or _WORDS, "s3d-words")


def hash_of_both(weights: ResolvedWeights, words: ResolvedWeights) -> str:
    """One SHA-256 for what a caption's vector depends on."""
    return hashlib.sha256(f"{weights.sha256} {words.sha256}".encode()).hexdigest()


def load_video(resolved: ResolvedWeights, device: str, dtype: torch.dtype) -> S3DG:
    """Build the video network with its weights, frozen, in eval mode.

    Raises:
        PluginError: the file does not have the published layout.
    """
    network = S3DG()
    state = load_state_dict(resolved)
    fit(network, state, f"S3D-G, {resolved.path.name}", unused=(_TEXT,))
    _freeze(network, device, dtype)
    return network


def load_text(
    resolved: ResolvedWeights, words: ResolvedWeights, device: str, dtype: torch.dtype
) -> tuple[TextTower, dict[str, int]]:
    """Build the text tower with its weights, frozen, in eval mode; also read its vocabulary.

    Raises:
        PluginError: the file does not have the published layout, or has no word vector for some
            word of the vocabulary.
    """
    state, vocabulary = load_state_dict(resolved), read_vocabulary(words.path)
    own = {k.removeprefix(_TEXT): v for k, v in state.items() if k.startswith(_TEXT)}
    what = f"text tower of S3D-G, {resolved.path.name}"
    for name in (_TABLE, _HIDDEN):
        if name not in state or state[name].ndim != 2:
            raise PluginError(f"{what}: these weights do not fit. missing: {name}")
    rows, word_dim = state[_TABLE].shape
    tower = TextTower(rows, word_dim, len(state[_HIDDEN]), EMBEDDING_DIM)
    fit(tower, own, what)
    _check_rows(rows, vocabulary, words.path)
    _freeze(tower, device, dtype)
    return tower, vocabulary


def _check_rows(rows: int, vocabulary: dict[str, int], path: Path) -> None:
    if vocabulary and max(vocabulary.values()) >= rows:
        raise PluginError(
            f"{path} has {max(vocabulary.values())} words, and the weights have vectors for "
            f"{rows - 1} (and padding): these two files do not belong together"
        )


def _freeze(module: nn.Module, device: str, dtype: torch.dtype) -> None:
    module.to(device, dtype).eval().requires_grad_(False)
