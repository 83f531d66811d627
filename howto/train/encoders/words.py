"""What text encoders over single words share: a vocabulary, and the paper's module over it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from howto.errors import PluginError, UsageError
from howto.train.vocabulary import Vocabulary
from howto.train.word_vectors import WordVectors, open_word_vectors, pick_words, save_word_vectors

if TYPE_CHECKING:
    import torch

    from howto.train.text_pooling import TextPooling

__all__ = ["WordsTextEncoder", "tokens_of"]


class WordsTextEncoder:
    """Words -> vectors -> Linear -> ReLU -> maximum over words, of the captions' words by a table.

    A word is a run of letters, digits, underscores and apostrophes; its case is kept; unknown words
    are dropped, and then words past `max_words`. Ids are those of `vocabulary`; 0 is padding.

    Args:
        max_words: words of a caption that count.
        dim: length of what the maximum is taken over.
        out_dim: length of what one more linear layer gives, as MIL-NCE's text tower has it; None:
            there is none.
        words: the words wanted, in the order of their ids; None: what `choose_words` decides, else
            all words of the weights.
        lower_case: an unknown word is taken in lower case, where that is known.

    Attributes:
        vocabulary: set by `choose_words` or `load`.

    Raises:
        UsageError: a length below 1.
    """

    name: ClassVar[str]
    version = "1"
    trainable = True
    train_words = False
    needs_words = True
    """Its vocabulary is to be chosen by the words of the captions (`choose_words`)."""

    def __init__(
        self,
        *,
        max_words: int,
        dim: int,
        out_dim: int | None,
        words: Sequence[str] | None,
        lower_case: bool,
    ) -> None:
        for option, value in (("max_words", max_words), ("dim", dim), ("out_dim", out_dim)):
            if value is not None and value < 1:
                raise UsageError(f"{self.name}: {option} is {value}, expected at least 1")
        self.max_words = max_words
        self.dim = dim if out_dim is None else out_dim
        self.lower_case = lower_case
        self.vocabulary: Vocabulary | None = None
        self._pooled, self._out = dim, out_dim
        self._words = None if words is None else tuple(dict.fromkeys(words))

    def tokenise(self, captions: Sequence[str]) -> "torch.Tensor":
        """Turn captions into word ids: int64 (B, max_words), 0 after the last word."""
        import torch

        return torch.from_numpy(self.token_rows(captions).astype(np.int64))

    def token_rows(self, captions: Iterable[str]) -> NDArray[np.int32]:
        """What `tokenise` gives, without torch: int32 (B, max_words)."""
        if self.vocabulary is None:
            raise PluginError(f"{self.name} has no vocabulary yet: load it first")
        return tokens_of(self.vocabulary, captions, self.max_words, lower_case=self.lower_case)

    def module(self) -> "TextPooling":
        """Return the network from int64 (B, L) word ids to float32 (B, dim)."""
        return self._module

    def keep(self, folder: Path) -> str:
        """Write the words with their vectors as they are now, so that `load` needs nothing else.

        Returns:
            The name of the file in the folder that is to be `load`'s weights.
        """
        if self.vocabulary is None:
            raise PluginError(f"{self.name} has no vocabulary yet: load it first")
        table = self._module.table.detach().float().cpu().numpy()
        return save_word_vectors(WordVectors(self.vocabulary.words, table[1:]), folder).name

    def token_recipe(self, weights: str | None) -> Mapping[str, Any]:
        """Everything but the captions that determines the tokens."""
        raise NotImplementedError

    def _vectors(self, weights: str, wanted: Sequence[str] | None) -> WordVectors:
        try:
            path = Path(weights).expanduser()
            if wanted is None:
                return open_word_vectors(path)
            return pick_words(path, wanted)
        except UsageError as error:
            raise PluginError(f"text encoder {self.name!r}: {error}") from error

    def _build(self, table: "torch.Tensor", device: str, dtype: "torch.dtype") -> None:
        from howto.train.text_pooling import TextPooling

        module = TextPooling(table, self._pooled, out_dim=self._out, train_words=self.train_words)
        self._module = module.to(device, dtype)


def tokens_of(
    vocabulary: Vocabulary, captions: Iterable[str], max_words: int, *, lower_case: bool = False
) -> NDArray[np.int32]:
    """The ids of many captions: int32 (B, max_words), padded with 0."""
    rows = [vocabulary.encode(one, max_words, lower_case=lower_case) for one in captions]
    tokens = np.zeros((len(rows), max_words), np.int32)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids
    return tokens
