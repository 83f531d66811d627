"""A text encoder: the words and the text tower of the MIL-NCE model."""

from collections.abc import Sequence

import torch
from torch import nn

from howto.errors import UsageError
from howto_s3d.loading import find_weights, find_words, hash_of_both, load_text
from howto_s3d.network import EMBEDDING_DIM
from howto_s3d.words import word_ids

__all__ = ["S3DTextEncoder"]


class S3DTextEncoder:
    """Captions to the 512 numbers of the MIL-NCE joint space, not normalised.

    Args:
        max_words: known words of a caption that count; 16 is the model's own.
        trainable: train its two layers on; the word vectors stay frozen, as they were in MIL-NCE.
        vocabulary: the path of `s3d_dict.npy`; None: beside the weights, else in howto's folder.

    Raises:
        UsageError: max_words is below 1.
    """

    name = "s3d-words"
    version = "1"
    dim = EMBEDDING_DIM

    def __init__(
        self, *, max_words: int = 16, trainable: bool = False, vocabulary: str | None = None
    ) -> None:
        if max_words < 1:
            raise UsageError(f"{self.name}: max_words={max_words}: expected at least 1")
        self.max_words = max_words
        self.trainable = trainable
        self._vocabulary_path = vocabulary

    def weights_hash(self, weights: str | None = None) -> str:
        """One SHA-256 of the files of weights and words, without loading them."""
        resolved = find_weights(weights)
        return hash_of_both(resolved, find_words(self._vocabulary_path, resolved))

    def load(self, device: str, dtype: torch.dtype, weights: str | None = None) -> None:
        """Load the text tower and its words; weights as for the backbone."""
        resolved = find_weights(weights)
        words = find_words(self._vocabulary_path, resolved)
        self._tower, self._vocabulary = load_text(resolved, words, device, dtype)
        for layer in (self._tower.fc1, self._tower.fc2):
            layer.requires_grad_(self.trainable)

    def tokenise(self, captions: Sequence[str]) -> torch.Tensor:
        """Turn captions into ids of known words: int64 (B, max_words), 0 where there is none."""
        return word_ids(captions, self._vocabulary, self.max_words)

    def module(self) -> nn.Module:
        """Return the network from ids to float32 (B, 512)."""
        return self._tower
