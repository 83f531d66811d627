"""The paper's text encoder: frozen word vectors, a learned layer, the maximum over words.

Source: Miech et al., HowTo100M, ICCV 2019 (arXiv:1906.03327), section 4.1; its vectors are those of
Mikolov et al., Distributed Representations of Words and Phrases and their Compositionality, 2013
(arXiv:1310.4546), `GoogleNews-vectors-negative300.bin`. Any file of word vectors will do.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from howto.errors import PluginError
from howto.train.encoders.words import WordsTextEncoder
from howto.train.vocabulary import Vocabulary, known_words
from howto.train.word_vectors import WordVectors

if TYPE_CHECKING:
    import torch

__all__ = ["Word2VecTextEncoder"]


class Word2VecTextEncoder(WordsTextEncoder):
    """Captions by the vectors of their words, which stay as they are.

    Args:
        max_words: words of a caption that count; the authors' scripts have 20, their classes 30.
        dim: 4096 in the paper, 6144 in its released checkpoint.
        out_dim, words, lower_case: as for `WordsTextEncoder`. The published code drops a word whose
            spelling it does not know; that it may be known in lower case is not looked at.
    """

    name: ClassVar[str] = "word2vec"

    def __init__(
        self,
        *,
        max_words: int = 20,
        dim: int = 4096,
        out_dim: int | None = None,
        words: Sequence[str] | None = None,
        lower_case: bool = False,
    ) -> None:
        super().__init__(
            max_words=max_words, dim=dim, out_dim=out_dim, words=words, lower_case=lower_case
        )
        self._chosen: tuple[str, WordVectors] | None = None

    def choose_words(self, counts: Mapping[str, int], weights: str | None) -> WordVectors:
        """Take the words that occur and have a vector, the most frequent first.

        Args:
            counts: how often each word occurs in the captions.
            weights: a file of word vectors.

        Raises:
            PluginError: it is missing, of no known form, or damaged; or it knows not one word.
        """
        lower = {word.lower() for word in counts} if self.lower_case else set()
        found = self._vectors(self._file(weights), [*counts, *lower])
        row_of = {word: row for row, word in enumerate(found.words)}
        chosen = known_words(counts, row_of, lower_case=self.lower_case)
        if counts and not chosen:
            raise PluginError(
                f"text encoder {self.name!r}: {weights} has a vector for none of the "
                f"{len(counts)} words of the captions"
            )
        vectors = WordVectors(tuple(chosen), found.matrix[[row_of[word] for word in chosen]])
        self.vocabulary = Vocabulary(vectors.words)
        self._chosen = (self._file(weights), vectors)
        return vectors

    def load(self, device: str, dtype: "torch.dtype", weights: str | None = None) -> None:
        """Read the vectors of the words wanted; `weights` is a file of word vectors."""
        import torch

        vectors = self._wanted_vectors(self._file(weights))
        self.vocabulary = Vocabulary(vectors.words)
        table = torch.zeros(len(vectors.words) + 1, vectors.dim)
        table[1:] = torch.tensor(vectors.matrix)
        self._build(table, device, dtype)

    def _wanted_vectors(self, weights: str) -> WordVectors:
        if self._chosen is not None and self._chosen[0] == weights:
            return self._chosen[1]
        found = self._vectors(weights, self._words)
        if self._words is None:
            return found
        row_of = {word: row for row, word in enumerate(found.words)}
        there = [word for word in self._words if word in row_of]
        return WordVectors(tuple(there), found.matrix[[row_of[word] for word in there]])

    def _file(self, weights: str | None) -> str:
        if weights is None:
            raise PluginError(
                f"text encoder {self.name!r} needs word vectors: give the path of a file, such as "
                f"--text-weights GoogleNews-vectors-negative300.bin, or of any word2vec, GloVe or "
                "fastText .vec file"
            )
        return weights

    def token_recipe(self, weights: str | None) -> Mapping[str, Any]:
        """What determines the tokens beside the captions: which words there are vectors for."""
        from pathlib import Path

        from howto.extract.weights import file_hash

        path = Path(self._file(weights)).expanduser()
        if not path.is_file():
            raise PluginError(
                f"text encoder {self.name!r}: there is no file of word vectors {path}"
            )
        return {
            "max_words": self.max_words,
            "lower_case": self.lower_case,
            "weights": file_hash(path),
        }
