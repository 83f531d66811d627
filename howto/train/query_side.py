"""A query without torch: what a trained model needs of its text side, read with numpy alone.

Every word of the vocabulary is put through the pooling's linear layer beforehand. A query is then a
look-up, a maximum over its words and one gated unit. Export happens in a process that has torch;
this module itself imports numpy alone.

The folder holds `meta.json`; `words.txt`, one word a line, line 0 (empty) being the padding;
`words.npy` (V, dim), what each word is before the maximum; and the gated unit's matrices as .npy.
Everything is memory-mapped: of the words only the rows that are asked for are read.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from howto.errors import UsageError

if TYPE_CHECKING:
    from howto.train.gated import GatedEmbedding
    from howto.train.model import TextVideoModel

__all__ = ["QuerySide", "export_query_side", "exported_of"]

_FORMAT = 1
_CHUNK = 4096  # words put through the linear layer at a time
_MATRICES = ("fc_weight", "fc_bias", "gate_weight", "gate_bias")
_LEAST_LENGTH = 1e-12  # as the gated unit has it


@dataclass(frozen=True, slots=True)
class QuerySide:
    """The text side of one model.

    Attributes:
        words: the vocabulary; words[0] is the padding, ''.
        ids: the number of each word.
        table: (V, dim), >= 0: what each word is before the maximum.
        matrices: the gated unit's: fc_weight (D, dim), fc_bias (D,), gate_weight (D, D),
            gate_bias (D,), float32.
        max_words: more words of a caption than this do not count; a caption of fewer is padded.
        normalised: embeddings have length 1.
    """

    words: tuple[str, ...]
    ids: dict[str, int]
    table: NDArray[Any]
    matrices: dict[str, NDArray[np.float32]]
    max_words: int
    normalised: bool

    @classmethod
    def open(cls, folder: Path) -> "QuerySide":
        """Map what `export_query_side` wrote.

        Raises:
            UsageError: the folder holds none, one of another format, or parts that do not belong
                together.
        """
        meta = _meta(folder)
        words = tuple((folder / "words.txt").read_text(encoding="utf-8").split("\n")[:-1])
        table = np.load(folder / "words.npy", mmap_mode="r")
        matrices = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _MATRICES}
        if len(words) != len(table) or matrices["fc_weight"].shape[1] != table.shape[1]:
            raise UsageError(
                f"{folder}: {len(words)} words, a table {table.shape} and a first matrix "
                f"{matrices['fc_weight'].shape} do not belong together; export it again"
            )
        ids = {word: number for number, word in enumerate(words) if number}
        return cls(words, ids, table, matrices, meta["max_words"], meta["normalised"])

    def look_up(self, words: Sequence[str]) -> list[int]:
        """Find the ids of a query's words; unknown ones are tried in lower case, then dropped.

        Raises:
            UsageError: not one of them is known, so that there is nothing to rank by.
        """
        found = (self.ids.get(word) or self.ids.get(word.lower()) for word in words)
        known = [number for number in found if number is not None]
        if not known:
            asked = ", ".join(map(repr, words)) or "an empty query"
            raise UsageError(
                f"no word of the query is known to this model ({len(self.ids):,} words): {asked}. "
                "Use other words, or search by words"
            )
        return known[: self.max_words]

    def embed(self, word_ids: Sequence[int]) -> NDArray[np.float32]:
        """Embed one caption, float32 (D,), equal to the model's to 1e-5 where the table is float32.

        Args:
            word_ids: as `look_up` gives them, any number; padded here with 0.
        """
        rows = [*word_ids, 0] if len(word_ids) < self.max_words else word_ids[: self.max_words]
        pooled = self.table[sorted(set(rows))].max(axis=0).astype(np.float32)
        h = self.matrices["fc_weight"] @ pooled + self.matrices["fc_bias"]
        gate = self.matrices["gate_weight"] @ h + self.matrices["gate_bias"]
        embedding: NDArray[np.float32] = h * _sigmoid(gate)
        if self.normalised:
            embedding /= np.float32(max(float(np.linalg.norm(embedding)), _LEAST_LENGTH))
        return embedding


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # As tanh it neither overflows nor warns, however large the values are.
    half = np.float32(0.5)
    opened: NDArray[np.float32] = half * np.tanh(half * values) + half
    return opened


def exported_of(folder: Path) -> str | None:
    """The SHA-256 of the checkpoint that a query side is of, '' where it was not told.

    Returns:
        None: the folder holds none that can be read, or it is just being replaced.
    """
    try:
        return str(_meta(folder).get("checkpoint", ""))
    except UsageError:
        return None


def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{folder} holds no query side of a model (no meta.json)") from error
    except ValueError as error:
        raise UsageError(f"{folder}/meta.json is damaged: {error}; export it again") from error
    if meta.get("format") != _FORMAT:
        raise UsageError(
            f"{folder}: a query side of format {meta.get('format')}, expected {_FORMAT}; export "
            "it again"
        )
    return meta


# --- export ---


def export_query_side(
    model: "TextVideoModel",
    folder: Path,
    vocabulary: Sequence[str],
    max_words: int,
    *,
    checkpoint: str = "",
    table_type: DTypeLike = np.float32,
) -> None:
    """Write a model's text side; what was there is replaced, and it is there whole or not at all.

    Args:
        model: its `text` is a `TextPooling`.
        folder: to be made; its parent exists.
        vocabulary: the words of the pooling's table, '' for row 0; no word holds a line break.
        max_words: of a caption, as the text encoder cuts it.
        checkpoint: the SHA-256 of the file that the model was read from, where that is known.
        table_type: float32; or float16, half the size, for which embeddings differ by about 1e-4
            of their length.

    Raises:
        UsageError: the model has another text encoder, which cannot be read without torch; or the
            vocabulary is not that of its table.
    """
    _check_exportable(model, vocabulary)
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    _write_table(model, beside / "words.npy", table_type)
    for name, matrix in _gate_matrices(model).items():
        np.save(beside / f"{name}.npy", np.ascontiguousarray(matrix, np.float32))
    (beside / "words.txt").write_text("".join(f"{w}\n" for w in vocabulary), encoding="utf-8")
    meta = {
        "format": _FORMAT,
        "max_words": max_words,
        "normalised": model.normalised,
        "checkpoint": checkpoint,
    }
    (beside / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    _flush(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _check_exportable(model: "TextVideoModel", vocabulary: Sequence[str]) -> None:
    from howto.train.text_pooling import TextPooling

    if not isinstance(model.text, TextPooling):
        raise UsageError(
            f"a text encoder of type {type(model.text).__name__} cannot be read without torch; "
            "only pooled words can"
        )
    table = model.text.table
    if len(vocabulary) != len(table) or vocabulary[0] != "":
        raise UsageError(
            f"the word table has {len(table)} rows, the vocabulary {len(vocabulary)} words, the "
            f"first {vocabulary[0]!r}; expected as many, the first ''"
        )


def _write_table(model: "TextVideoModel", path: Path, table_type: DTypeLike) -> None:
    import torch

    pooling: Any = model.text
    shape = (len(pooling.table), pooling.fc.out_features)
    table = np.lib.format.open_memmap(path, "w+", np.dtype(table_type), shape)
    with torch.inference_mode():
        for first in range(0, len(table), _CHUNK):
            numbers = torch.arange(first, min(first + _CHUNK, len(table)))
            rows = pooling.projected(numbers.to(pooling.table.device))
            table[first : first + _CHUNK] = rows.float().cpu().numpy()
    table.flush()


def _gate_matrices(model: "TextVideoModel") -> dict[str, NDArray[np.float32]]:
    """The gated unit's matrices; a last layer of the pooling is one with the unit's first."""
    unit: GatedEmbedding = model.text_gate
    matrices = {
        f"{layer}_{part}": tensor.detach().float().cpu().numpy()
        for layer, linear in [("fc", unit.fc), ("gate", unit.gate)]
        for part, tensor in linear.named_parameters()
    }
    last: Any = model.text.out
    if next(last.parameters(), None) is not None:
        weight, bias = (tensor.detach().double().cpu().numpy() for tensor in last.parameters())
        first = matrices["fc_weight"].astype(np.float64)
        matrices["fc_bias"] = (first @ bias + matrices["fc_bias"]).astype(np.float32)
        matrices["fc_weight"] = (first @ weight).astype(np.float32)
    return matrices


def _flush(folder: Path) -> None:
    """Have the disk hold a folder's files before the folder gets its name."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
