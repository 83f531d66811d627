"""A text encoder: the text half of any CLIP model of open_clip, frozen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError, UsageError
from howto_clip import loading
from howto_clip.named import Named, lookup

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["ClipTextEncoder", "tokenizer_of"]

FEWEST = 3  # the marks of start and end, and one token between


class ClipTextEncoder:
    """Captions to CLIP's text embeddings, as the network gives them: not normalised.

    Args:
        argument: `ARCHITECTURE.TAG`, as for the backbone.
        max_words: tokens of a caption that count, pieces of words with the marks of start and end;
            None: as many as the network reads.

    Raises:
        UsageError: max_words is below 3, or more than the network reads.
        PluginError: its tokenizer is not open_clip's own, so that its files would be fetched.
    """

    version = "1"
    trainable = False

    def __init__(self, argument: str, *, max_words: int | None = None) -> None:
        self._named = lookup(argument)
        self.name = f"clip:{argument}"
        self.dim = self._named.dim
        self.max_words = self._named.context if max_words is None else max_words
        if not FEWEST <= self.max_words <= self._named.context:
            raise UsageError(
                f"{self.name}: max_words={max_words}: expected {FEWEST} to {self._named.context}"
            )
        _require_own_tokenizer(self._named)

    @classmethod
    def variant(cls, argument: str, *, max_words: int | None = None) -> "ClipTextEncoder":
        """Make the family member of an architecture and tag."""
        return cls(argument, max_words=max_words)

    def weights_hash(self, weights: str | None = None) -> str:
        """The SHA-256 of the file of weights, without loading it."""
        return loading.find_weights(self._named, weights).sha256

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load the text half; `weights` is a path, None the tag's own file, or `download`."""
        from howto_clip.towers import TextTower

        resolved = loading.find_weights(self._named, weights)
        network = loading.load_network(self._named, resolved, device, dtype)
        self._tower = TextTower(network, self._named)
        self._tokenizer = tokenizer_of(self._named, self.max_words)

    def tokenise(self, captions: Sequence[str]) -> "torch.Tensor":
        """Split captions into open_clip's pieces of words: int64 (B, max_words)."""
        import torch

        if not captions:
            return torch.zeros(0, self.max_words, dtype=torch.int64)
        tokens: torch.Tensor = self._tokenizer(list(captions))
        return tokens

    def module(self) -> "nn.Module":
        """Return the frozen network from int64 (B, L) tokens to float32 (B, D)."""
        return self._tower


def tokenizer_of(named: Named, max_words: int) -> Any:
    """open_clip's own tokenizer of an architecture; its vocabulary comes with the package.

    Raises:
        PluginError: the architecture needs one of `transformers`.
    """
    import open_clip

    _require_own_tokenizer(named)
    return open_clip.get_tokenizer(named.architecture, context_length=max_words)


def _require_own_tokenizer(named: Named) -> None:
    if named.foreign_tokenizer:
        raise PluginError(
            f"clip:{named} reads captions with a tokenizer ({named.foreign_tokenizer}) that is not "
            "in open_clip's package, and whose files would be fetched: this plugin offers its "
            "pictures (backbone) only"
        )
