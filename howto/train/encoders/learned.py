"""A text encoder that learns the vectors of words, those that the library's narration uses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from howto.errors import PluginError, UsageError
from howto.train.encoders.words import WordsTextEncoder
from howto.train.vocabulary import Vocabulary, frequent_words

if TYPE_CHECKING:
    import torch

__all__ = ["LearnedTextEncoder"]


class LearnedTextEncoder(WordsTextEncoder):
    """Captions by vectors of their words, which are learned with everything else.

    Its vocabulary are the words that occur often enough. Vectors are random at first, of length
    about 1; with `weights`, a file of word vectors, those of the words that it knows are its.

    Args:
        max_words: words of a caption that count.
        dim: length of what the maximum is taken over, and of a caption's vector.
        word_dim: length of a word's vector; with weights theirs counts.
        min_count: how often a word must occur to be known.
        out_dim, words: as for `WordsTextEncoder`.
        lower_case: a word that is too rare, or unknown, counts for its lower case.
    """

    name: ClassVar[str] = "learned"
    train_words = True

    def __init__(
        self,
        *,
        max_words: int = 20,
        dim: int = 512,
        word_dim: int = 128,
        min_count: int = 2,
        out_dim: int | None = None,
        words: Sequence[str] | None = None,
        lower_case: bool = True,
    ) -> None:
        super().__init__(
            max_words=max_words, dim=dim, out_dim=out_dim, words=words, lower_case=lower_case
        )
        for option, value in (("word_dim", word_dim), ("min_count", min_count)):
            if value < 1:
                raise UsageError(f"{self.name}: {option} is {value}, expected at least 1")
        self._word_dim, self._min_count = word_dim, min_count

    def choose_words(self, counts: Mapping[str, int], weights: str | None) -> None:  # noqa: ARG002
        """Take the words that occur often enough, the most frequent first; weights do not matter.

        Raises:
            PluginError: none does.
        """
        chosen = frequent_words(counts, self._min_count, lower_case=self.lower_case)
        if counts and not chosen:
            raise PluginError(
                f"text encoder {self.name!r}: not one of {len(counts)} words occurs "
                f"{self._min_count} times; lower its min_count"
            )
        self._words = tuple(chosen)
        self.vocabulary = Vocabulary(self._words)

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Make the table: random, or with the vectors that the file `weights` has."""
        import torch

        if self._words is None and weights is None:
            raise PluginError(
                f"text encoder {self.name!r} has no vocabulary: give it the words of the captions "
                "(option words), or a file of word vectors whose words it takes (weights)"
            )
        found = None if weights is None else self._vectors(weights, self._words)
        words = self._words if self._words is not None else found.words if found else ()
        self.vocabulary = Vocabulary(words)
        width = self._word_dim if found is None else found.dim
        table = torch.randn(len(words) + 1, width) / width**0.5
        table[0] = 0
        if found is not None:
            for word, vector in zip(found.words, torch.tensor(found.matrix), strict=True):
                table[self.vocabulary.ids[word]] = vector
        self._build(table, device, dtype)

    def token_recipe(self, weights: str | None) -> Mapping[str, Any]:  # noqa: ARG002
        """What determines the tokens beside the captions; the weights do not."""
        return {
            "max_words": self.max_words,
            "lower_case": self.lower_case,
            "min_count": self._min_count,
        }
