"""The text side of a run, read with numpy alone: words to vectors, the maximum, the gated unit.

A finished run has its query side exported (`howto.train.query_side`), with every word put through
the linear layer beforehand. Where there is none of the checkpoint in use, for a run that is still
training or a checkpoint that was added with a large vocabulary, the words of a caption are put
through it when they are asked for: the same numbers from a table that is a twentieth of the size.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from howto import plugins
from howto.clip.words import PAPER
from howto.errors import LibraryError, UsageError
from howto.joint.gate import Gate, Tensors
from howto.train.encoders.words import tokens_of
from howto.train.query_side import QuerySide, exported_of
from howto.train.vocabulary import Vocabulary

__all__ = ["QUERY_FOLDER", "WordText", "holds_words", "open_word_text"]

QUERY_FOLDER = "query"
_NOTE = "text_encoder.json"
_UNIT = ("fc_weight", "fc_bias", "gate_weight", "gate_bias")


@dataclass(frozen=True, slots=True, eq=False)
class _Projected:
    """A word table that is put through the linear layer row by row, when rows are asked for.

    Attributes:
        vectors: (V, word_dim), without the padding.
        weight, bias: of the linear layer.
    """

    vectors: NDArray[Any]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __getitem__(self, ids: Any) -> NDArray[np.float32]:
        numbers = np.asarray(ids, np.int64)
        rows = np.asarray(self.vectors[np.maximum(numbers - 1, 0)], np.float32)
        rows[numbers == 0] = 0
        found: NDArray[np.float32] = np.maximum(rows @ self.weight.T + self.bias, 0)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class WordText:
    """Captions to embeddings by their words.

    Attributes:
        query: the vocabulary, the table, and the gated unit's matrices.
        vocabulary: the same words, as the encoder looks them up.
        lower_case: the encoder takes an unknown word in lower case.
        drop_stop_words: the run's own captions had none.
    """

    query: QuerySide
    vocabulary: Vocabulary
    lower_case: bool
    drop_stop_words: bool

    def tokens(self, captions: Sequence[str], *, as_query: bool) -> NDArray[np.int32]:
        """The ids of the known words: int32 (B, max_words), 0 where there is none.

        Args:
            as_query: treat the words as those of the run's captions were treated, and take an
                unknown word in lower case; otherwise exactly as the run's text encoder does.
        """
        lower_case = self.lower_case or as_query
        if as_query and self.drop_stop_words:
            captions = [PAPER.caption(one) for one in captions]
        return tokens_of(self.vocabulary, captions, self.query.max_words, lower_case=lower_case)

    def embed(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Embed captions, int32 (B, L), to float32 (B, D)."""
        query = self.query
        pooled = np.empty((len(tokens), query.matrices["fc_weight"].shape[1]), np.float32)
        for row, ids in zip(pooled, tokens, strict=True):
            # Not numpy's `unique`: its first call imports masked arrays.
            row[:] = query.table[sorted(set(ids.tolist()))].max(axis=0)
        return Gate(**query.matrices, normalised=query.normalised)(pooled)


def holds_words(run: Path) -> bool:
    """Whether a run's text encoder is one over words, so that numpy can read it."""
    note = _note(run)
    return "kept" in note


def open_word_text(
    run: Path, tensors: Tensors, *, checkpoint: str, normalised: bool, drop_stop_words: bool
) -> WordText:
    """Read the text side of a run whose encoder is over words.

    Args:
        run: its folder.
        tensors: of the checkpoint in use.
        checkpoint: its SHA-256.

    Raises:
        LibraryError: a file of it is missing or damaged.
        PluginError: its text encoder is not installed.
    """
    note = _note(run)
    encoder = plugins.create("text_encoders", note["name"], **note["options"])
    query = _exported(run / QUERY_FOLDER, checkpoint) or _from_checkpoint(
        run / note["kept"], tensors, encoder.max_words, normalised
    )
    return WordText(query, Vocabulary(query.words[1:]), encoder.lower_case, drop_stop_words)


def _note(run: Path) -> dict[str, Any]:
    path = run / _NOTE
    try:
        note: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LibraryError(f"{path} cannot be read: {error}") from error
    return note


def _exported(folder: Path, checkpoint: str) -> QuerySide | None:
    """What was written out of the checkpoint in use; None where there is none of it."""
    if exported_of(folder) != checkpoint:
        return None
    try:
        query = QuerySide.open(folder)
    except (OSError, UsageError):
        return None  # just replaced by that of another; this one says the same more slowly
    # Asked again: its files were opened one by one.
    return query if exported_of(folder) == checkpoint else None


def _from_checkpoint(kept: Path, tensors: Tensors, max_words: int, normalised: bool) -> QuerySide:
    """The query side of a checkpoint that has none written out."""
    from howto.train.word_vectors import open_word_vectors

    vectors = open_word_vectors(kept)
    matrix: NDArray[Any] = vectors.matrix
    if "text.table" in tensors:  # learned with everything else
        matrix = tensors.read(["text.table"])[0][1:]
    weight, bias = tensors.read(["text.fc.weight", "text.fc.bias"])
    unit = Gate.read(tensors, "text_gate", normalised=normalised)
    words = ("", *vectors.words)
    # It answers to rows, which is all that is asked of a table.
    table = cast("NDArray[Any]", _Projected(matrix, weight, bias))
    ids = {word: number for number, word in enumerate(words) if number}
    matrices = {name: getattr(unit, name) for name in _UNIT}
    return QuerySide(words, ids, table, matrices, max_words, normalised)
