"""A text encoder: any sentence encoder of sentence-transformers, frozen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError, UsageError
from howto_sentence import models

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["SentenceTextEncoder"]

DEFAULT = "all-MiniLM-L6-v2"
FEWEST = 3  # the marks of start and end, and one token between


class SentenceTextEncoder:
    """Captions to the vectors of a sentence encoder, as its own last module gives them.

    Reimers and Gurevych: Sentence-BERT, 2019 (arXiv:1908.10084); models and code as
    sentence-transformers (Apache-2.0) has them, each set of weights under its own licence.

    Args:
        argument: a known name, or the path of a folder that sentence-transformers saved; None:
            all-MiniLM-L6-v2.
        max_words: tokens of a caption that count, pieces of words with the marks of start and end.

    Raises:
        UsageError: max_words is below 3.
        UnknownPlugin, PluginError: there is no such model.
    """

    version = "1"
    trainable = False

    def __init__(self, argument: str | None = None, *, max_words: int = 128) -> None:
        if max_words < FEWEST:
            raise UsageError(f"sentence: max_words={max_words}: expected at least {FEWEST}")
        self._argument = argument or DEFAULT
        self.dim = models.named(self._argument)
        self.name = f"sentence:{argument}" if argument else "sentence"
        self.max_words = max_words

    @classmethod
    def variant(cls, argument: str, *, max_words: int = 128) -> "SentenceTextEncoder":
        """Make the family member of a known name or a folder."""
        return cls(argument, max_words=max_words)

    def weights_hash(self, weights: str | None = None) -> str:
        """A hash over the model's files, without loading them."""
        return models.folder_hash(models.find_model(self._argument, weights))

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Load the network; `weights` is a folder, None the name's own, or `download`.

        Raises:
            PluginError: the model is not here, gives vectors of another length, reads fewer tokens
                than max_words, or is damaged.
        """
        from howto_sentence.network import SentenceNetwork, load_network

        folder = models.find_model(self._argument, weights)
        found = models.dim_of(folder)
        if found != self.dim:
            raise PluginError(
                f"{self.name} has vectors of length {self.dim}, and the model in {folder} of "
                f"{found}; ask for it by its own name: sentence:{folder}"
            )
        self._model = load_network(folder, device, dtype, self.max_words)
        self._network = SentenceNetwork(self._model)

    def tokenise(self, captions: Sequence[str]) -> "torch.Tensor":
        """Split captions into the model's pieces of words: int64 (B, max_words)."""
        import torch

        tokens = torch.full((len(captions), self.max_words), self._network.padding)
        if captions:
            prompt = self._model.prompts.get(self._model.default_prompt_name or "", "")
            found: Any = self._model.preprocess(list(captions), prompt=prompt or None)
            tokens[:, : found["input_ids"].shape[1]] = found["input_ids"]
        return tokens

    def module(self) -> "nn.Module":
        """Return the frozen network from int64 (B, L) tokens to float32 (B, D)."""
        return self._network
