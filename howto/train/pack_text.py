"""The captions of a pack: tokens for a text encoder that trains, vectors of one that is frozen."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from howto import plugins
from howto.errors import PluginError
from howto.train.pack import Pack
from howto.train.pack_files import CAPTIONS, GrowingArray
from howto.train.vocabulary import count_words
from howto.train.word_vectors import VECTORS_FILE, VOCABULARY_FILE, WordVectors, save_word_vectors

if TYPE_CHECKING:
    import torch

    from howto.contracts import TextEncoder

__all__ = [
    "TextChoice",
    "encoder_for",
    "keep_encoder",
    "open_encoder",
    "text_recipe",
    "write_texts",
]

_KEYS = "text_keys.npy"
_KEY_BYTES = 16
_AT_ONCE = 256  # captions through a network
_NOTE = "text_encoder.json"


@dataclass(frozen=True, slots=True)
class TextChoice:
    """Which text encoder, and how.

    Attributes:
        name: as entry points name it.
        options: its keyword options.
        weights: what it loads, a path or a name that it knows; None: its default.
    """

    name: str = "word2vec"
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None

    def create(self, **more: Any) -> Any:
        """Construct the encoder, not loaded yet.

        Raises:
            PluginError, UsageError: as `howto.plugins.create`.
        """
        return plugins.create("text_encoders", self.name, **{**self.options, **more})


def text_recipe(choice: TextChoice, encoder: "TextEncoder") -> Mapping[str, Any]:
    """All that determines what a pack keeps of captions, but for the captions.

    Raises:
        PluginError: the weights cannot be found.
    """
    parts = {"name": choice.name, "version": encoder.version}
    if hasattr(encoder, "token_recipe"):
        return {**parts, **encoder.token_recipe(choice.weights)}
    weights = _weights_hash(encoder, choice.weights)
    return {**parts, "max_words": encoder.max_words, "weights": weights}


def _weights_hash(encoder: Any, weights: str | None) -> str | None:
    """What tells these weights from others: a hash from the encoder, of the file, or a name."""
    if hasattr(encoder, "weights_hash"):
        found: str | None = encoder.weights_hash(weights)
        return found
    if weights is not None and (path := Path(weights).expanduser()).is_file():
        from howto.extract.weights import file_hash

        return file_hash(path)
    return weights


# --- writing ---


def write_texts(
    folder: Path,
    encoder: Any,
    choice: TextChoice,
    candidates: int,
    old: Pack | None,
    device: str = "cpu",
) -> Mapping[str, int]:
    """Write what a pack keeps of the captions that lie in its folder.

    Args:
        encoder: not loaded yet.
        candidates: K.
        old: the pack that this one replaces, whose vectors are taken over.
        device: where a frozen encoder computes.

    Returns:
        Counts: captions without a known word, words, different captions.
    """
    if encoder.trainable:
        return _write_words(folder, encoder, choice, candidates)
    return _write_vectors(folder, encoder, choice, candidates, old, device)


def _captions(folder: Path) -> Iterator[list[str]]:
    """The captions of each video, in the order of its rows."""
    with (folder / CAPTIONS).open("rb") as file:
        for line in file:
            yield json.loads(line)


def _write_words(
    folder: Path, encoder: Any, choice: TextChoice, candidates: int
) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    if getattr(encoder, "needs_words", False):
        counts: Counter[str] = Counter()
        for captions in _captions(folder):
            counts.update(count_words(captions))
        vectors = encoder.choose_words(counts, choice.weights)
        _write_vocabulary(folder, encoder.vocabulary.words, vectors)
        counted["words"] = len(encoder.vocabulary.words)
        counted["different_words"] = len(counts)
    else:
        import torch

        encoder.load("cpu", torch.float32, choice.weights)
    length = int(encoder.max_words)
    row = (length,) if candidates == 1 else (candidates, length)
    array = GrowingArray(folder / "words.npy", "<i4", row)
    without = 0
    for captions in _captions(folder):
        tokens = _tokens(encoder, captions)
        without += int((tokens == 0).all(axis=1).sum())
        array.add(tokens.reshape(-1, *row))
    array.close()
    return {**counted, "captions_without_known_word": without}


def _tokens(encoder: Any, captions: Sequence[str]) -> NDArray[np.int32]:
    if hasattr(encoder, "token_rows"):
        rows: NDArray[np.int32] = encoder.token_rows(captions)
        return rows
    tokens: NDArray[np.int64] = encoder.tokenise(captions).numpy()
    if tokens.size and tokens.max() > np.iinfo(np.int32).max:
        raise PluginError(f"text encoder {encoder.name!r} gives tokens past 32 bits")
    return tokens.astype(np.int32)


def _write_vocabulary(folder: Path, words: Sequence[str], vectors: WordVectors | None) -> None:
    if vectors is not None:
        save_word_vectors(vectors, folder)
    else:
        (folder / VECTORS_FILE).unlink(missing_ok=True)
        text = "".join(f"{word}\n" for word in words)
        (folder / VOCABULARY_FILE).write_bytes(text.encode())


def _write_vectors(
    folder: Path,
    encoder: Any,
    choice: TextChoice,
    candidates: int,
    old: Pack | None,
    device: str,
) -> Mapping[str, int]:
    row = () if candidates == 1 else (candidates,)
    text_of = GrowingArray(folder / "text_of.npy", "<i4", row)
    cache = _VectorCache(folder, encoder, choice, old, device)
    for captions in _captions(folder):
        text_of.add(cache.numbers(captions).reshape(-1, *row))
    text_of.close()
    cache.close()
    return {"different_captions": cache.count, "captions_embedded": cache.embedded}


class _VectorCache:
    """The vectors of different captions, each computed once: also over builds, and kills."""

    def __init__(
        self, folder: Path, encoder: Any, choice: TextChoice, old: Pack | None, device: str
    ) -> None:
        self._encoder, self._choice, self._device = encoder, choice, device
        self._loaded = False
        self.embedded = 0
        keys = _resumed_keys(folder)
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._keys = GrowingArray(folder / _KEYS, "|u1", (_KEY_BYTES,), len(keys))
        dim = int(encoder.dim)
        self._vectors = GrowingArray(folder / "texts.npy", "<f2", (dim,), len(keys))
        self._old: Any = None if old is None else old.texts
        self._old_rows = {} if old is None else _rows_by_key(old.folder / _KEYS)

    @property
    def count(self) -> int:
        """How many different captions there are so far."""
        return len(self._numbers)

    def numbers(self, captions: Sequence[str]) -> NDArray[np.int32]:
        """The number of each caption's vector; those that are new get one."""
        keys = [
            hashlib.blake2b(one.encode(errors="replace"), digest_size=_KEY_BYTES).digest()
            for one in captions
        ]
        new = {
            key: one for key, one in zip(keys, captions, strict=True) if key not in self._numbers
        }
        pairs = iter(new.items())
        while some := dict(islice(pairs, _AT_ONCE)):
            self._add(some)
        return np.array([self._numbers[key] for key in keys], np.int32)

    def _add(self, new: Mapping[bytes, str]) -> None:
        vectors = np.zeros((len(new), int(self._encoder.dim)), np.float16)
        unknown = [place for place, key in enumerate(new) if key not in self._old_rows]
        for place, key in enumerate(new):
            if key in self._old_rows:
                vectors[place] = self._old[self._old_rows[key]]
        if unknown:
            captions = list(new.values())
            vectors[unknown] = self._embed([captions[place] for place in unknown])
        self._vectors.add(vectors)
        self._vectors.flush()
        self._keys.add(np.frombuffer(b"".join(new), np.uint8).reshape(-1, _KEY_BYTES))
        self._keys.flush()
        for key in new:
            self._numbers[key] = len(self._numbers)

    def _embed(self, captions: list[str]) -> NDArray[np.float16]:
        import torch

        if not self._loaded:
            self._encoder.load(self._device, torch.float32, self._choice.weights)
            self._loaded = True
        with torch.inference_mode():
            tokens = self._encoder.tokenise(captions).to(self._device)
            vectors = self._encoder.module()(tokens).cpu().numpy().astype(np.float16)
        if not np.isfinite(vectors).all():
            raise PluginError(
                f"text encoder {self._encoder.name!r} gave vectors that are not finite as float16"
            )
        self.embedded += len(captions)
        found: NDArray[np.float16] = vectors
        return found

    def close(self) -> None:
        """Flush and close the files."""
        self._vectors.close()
        self._keys.close()


def _resumed_keys(folder: Path) -> list[bytes]:
    """The captions whose vectors an earlier run finished."""
    if not (folder / "texts.npy").is_file():
        return []
    return list(_rows_by_key(folder / _KEYS))


def _rows_by_key(path: Path) -> dict[bytes, int]:
    if not path.is_file():
        return {}
    try:
        keys = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):  # cut off: what it was for is computed again
        return {}
    return {key.tobytes(): row for row, key in enumerate(keys)}


# --- an encoder for a pack, and for a run ---


def encoder_for(
    pack: Pack, choice: TextChoice, device: str = "cpu", dtype: "torch.dtype | None" = None
) -> Any:
    """Load the encoder whose tokens or vectors a pack holds.

    One over words gets the pack's words, and their vectors from the pack where it has them, so that
    a large file of word vectors is not read again.

    Raises:
        PluginError, UsageError: it cannot be had.
        RecipeMismatch: the pack holds those of another encoder.
    """
    import torch

    from howto.recipe import Recipe

    encoder = choice.create()
    wanted = Recipe.of(**text_recipe(choice, encoder))
    wanted.require_same(Recipe.of(**pack.recipe.parts["text"]), "the text encoder and the pack")
    weights = choice.weights
    if pack.vectors_file is not None:
        weights = str(pack.vectors_file)
    elif pack.vocabulary is not None:
        encoder = choice.create(words=pack.vocabulary.words)
    encoder.load(device, dtype or torch.float32, weights)
    return encoder


def keep_encoder(encoder: Any, choice: TextChoice, folder: Path) -> None:
    """Write into a run's folder what `open_encoder` needs.

    An encoder over words is kept whole, with its table; another one by its name, its weights and
    their hash. What a module learned is in the run's checkpoint.
    """
    if hasattr(encoder, "keep"):
        told = {"kept": encoder.keep(folder)}
    else:
        told = {"weights": choice.weights, "hash": _weights_hash(encoder, choice.weights)}
    options = {name: value for name, value in choice.options.items() if name != "words"}
    note = {"name": choice.name, "version": encoder.version, "options": options, **told}
    (folder / _NOTE).write_text(json.dumps(note, indent=2) + "\n")


def open_encoder(folder: Path, device: str = "cpu", dtype: "torch.dtype | None" = None) -> Any:
    """Load the encoder of a run: then load what its module learned.

    Raises:
        PluginError: there is none, it is of another version, or its weights are gone or changed.
    """
    import torch

    path = folder / _NOTE
    try:
        note = json.loads(path.read_bytes())
        choice = TextChoice(note["name"], note["options"], note.get("weights"))
        version, kept = note["version"], note.get("kept")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PluginError(f"{path} cannot be read: {error}") from error
    encoder = choice.create()
    if encoder.version != version:
        raise PluginError(
            f"{folder} has a text encoder {choice.name!r} of version {version}; installed is "
            f"{encoder.version}, whose vectors are others"
        )
    if kept is None and _weights_hash(encoder, choice.weights) != note.get("hash"):
        raise PluginError(
            f"{folder} was trained with other weights of {choice.name!r} than {choice.weights} "
            "holds now"
        )
    weights = choice.weights if kept is None else str(folder / kept)
    encoder.load(device, dtype or torch.float32, weights)
    return encoder
