"""The HowTo100M authors' released checkpoint as a run of a library, without any training.

Its tensors become those of our model (`howto.train.authors_checkpoint`), its word vectors are kept
beside it, and a config says where it came from: from then on it is a run like others, for
`open_model`, `howto eval` and `howto search`, and to start from with `howto train --init`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from howto import __version__
from howto.clip.words import words
from howto.errors import UsageError
from howto.extract.known_weights import KNOWN_WEIGHTS
from howto.extract.weights import ResolvedWeights, file_hash, load_state_dict
from howto.joint.known import AUTHORS_WEIGHTS
from howto.library import Library
from howto.recipe import Recipe
from howto.train.config import TrainOptions
from howto.train.pack import Stream, stream_parts
from howto.train.pack_text import TextChoice, keep_encoder
from howto.train.runs import run_folder, write_config
from howto.train.word_vectors import WordVectors, list_words, pick_words, save_word_vectors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Added", "add_authors", "words_of_captions"]

MAX_WORDS = 20
"""What the authors' training and evaluation scripts set; their classes' own default is 30."""

_ENCODER, _ENCODER_VERSION = "word2vec", "1"
_RATES = {"resnet152": Fraction(1), "resnext101-3d": Fraction(3, 2)}


@dataclass(frozen=True, slots=True)
class Added:
    """A checkpoint that is a run now.

    Attributes:
        folder: of the run.
        dim: length of an embedding.
        words: how many it knows.
        left_out: words of the file that no caption is split into, phrases with `_` among them.
        sha256: of the file of the checkpoint.
    """

    folder: Path
    dim: int
    words: int
    left_out: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _KeptWords:
    """What `keep_encoder` wants of an encoder: there is no need to load one for it."""

    vectors: WordVectors
    version: str = _ENCODER_VERSION

    def keep(self, folder: Path) -> str:
        return save_word_vectors(self.vectors, folder).name


def words_of_captions(path: Path) -> tuple[list[str], int]:
    """The words of a file of word vectors that a caption can hold, and how many others it has.

    GoogleNews has three million entries; two thirds are phrases such as `New_York`, which are in no
    caption once it is split into words.
    """
    kept: dict[str, None] = {}
    others = 0
    for word in list_words(path):
        if "_" not in word and words(word) == [word]:
            kept[word] = None
        else:
            others += 1
    return list(kept), others


def add_authors(
    library: Library, checkpoint: Path, word_vectors: Path, name: str, *, max_words: int = MAX_WORDS
) -> Added:
    """Make a run of the authors' checkpoint.

    Args:
        checkpoint: their `howto100m_pt_model.pth`, or another state dict of that form; only tensors
            are loaded from it, and nothing in it is executed.
        word_vectors: those it was trained with, `GoogleNews-vectors-negative300.bin`.
        name: of the run.
        max_words: words of a caption that count.

    Raises:
        UsageError: there is a run of that name, no such file, or word vectors of another length.
        PluginError: the checkpoint is no state dict, or of another form; the message says where.
    """
    folder = run_folder(library.state, name)
    if folder.exists():
        raise UsageError(f"there is a run named {name!r} already: give another --name")
    if max_words < 1:
        raise UsageError(f"--max-words {max_words}: expected 1 or more")
    if not checkpoint.is_file():
        raise UsageError(f"there is no checkpoint {checkpoint}")
    sha256 = file_hash(checkpoint)
    tensors = load_state_dict(ResolvedWeights(checkpoint, sha256, "file"))
    chosen, left_out = words_of_captions(word_vectors)
    vectors = pick_words(word_vectors, chosen)
    part = folder.with_name(f".{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        dim, text_dim = _write_model(part, tensors, vectors.dim, str(checkpoint))
        options = {"max_words": max_words, "dim": text_dim}
        keep_encoder(_KeptWords(vectors), TextChoice(_ENCODER, options), part)
        recipe = _recipe(sha256, file_hash(word_vectors), max_words)
        write_config(part, _config(recipe, dim, checkpoint.name))
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Added(folder, dim, len(vectors.words), left_out, sha256)


def _write_model(
    part: Path, tensors: "Mapping[str, Tensor]", word_dim: int, what: str
) -> tuple[int, int]:
    """Write their tensors as the checkpoint of a run.

    Returns:
        The length of an embedding, and that of what the text's maximum is taken over.
    """
    import torch

    from howto.train.authors_checkpoint import from_authors
    from howto.train.checkpoint import LoopState, save

    # The state dict has no word vectors, and none are needed to rename what it has.
    model = from_authors(tensors, torch.zeros(1, word_dim), what=what)
    nothing_to_do = torch.optim.SGD(model.parameters(), lr=0.0)
    save(part, LoopState(finished=True), model.state_dict(), nothing_to_do, best=True)
    return model.dim, model.text_gate.fc.in_features


def _recipe(checkpoint: str, word_vectors: str, max_words: int) -> Recipe:
    streams = [Stream(name, 2048, str(rate)) for name, rate in _RATES.items()]
    return Recipe.of(
        stage="added",
        checkpoint=checkpoint,
        # Their captions had lost their stop words, so a query loses them too.
        source={"streams": stream_parts(streams), "pairs": {"words": "paper"}},
        text={"name": _ENCODER, "weights": word_vectors, "max_words": max_words},
    )


def _config(recipe: Recipe, dim: int, file: str) -> dict[str, object]:
    """What a run's config says, as far as there is something to say."""
    known = KNOWN_WEIGHTS[AUTHORS_WEIGHTS]
    options = TrainOptions(text_encoder=_ENCODER, backbone=tuple(_RATES), dim=dim, validate="none")
    return {
        "howto": __version__,
        "options": options.as_json(),
        "epochs": 0,
        "dim": dim,
        "text_encoder": _ENCODER,
        "streams": dict.fromkeys(_RATES, 2048),
        "normalised": True,
        "pack": "",
        "recipe": recipe.parts,
        "rows": "",
        "videos": 0,
        "held_out": 0,
        "pairs": 0,
        "added": {"file": file, "licence": known.licence, "page": known.page},
    }
