"""What a model starts from: nothing, another run, the authors' checkpoint, a ready joint model.

A start from a ready joint model is exact: its vectors go through gated units that change nothing
(W1 = 1, W2 = 0: the gate is a half everywhere, which normalising takes away), and training then
moves them. So step 0 of such a run *is* the ready model, on the same clip vectors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from howto import plugins
from howto.errors import UnknownPlugin, UsageError
from howto.train.checkpoint import BEST, LAST, load
from howto.train.gated import GatedEmbedding
from howto.train.model import TextVideoModel
from howto.train.pack import Pack
from howto.train.runs import open_run

__all__ = ["Start", "chosen_start", "put_start"]


@dataclass(frozen=True, slots=True)
class Start:
    """What `--init` means.

    Attributes:
        path: of a run's folder, or of the authors' checkpoint; None for a joint model.
        dim: D that the model must have; None: that of the vectors it is put on.
    """

    kind: Literal["run", "authors", "model"]
    name: str
    path: Path | None
    dim: int | None


def chosen_start(init: str, runs: Path) -> Start:
    """Find what is named: a run, then a file, then a joint model.

    Args:
        runs: the folder of runs.

    Raises:
        UsageError: nothing has that name.
    """
    folder = runs / init
    if "/" not in init and (folder / "config.json").is_file():
        return Start("run", init, folder, int(open_run(folder).config["dim"]))
    path = Path(init).expanduser()
    if path.is_file():
        return Start("authors", init, path, _authors_dim(path))
    try:
        plugins.find("models", init)
    except UnknownPlugin as error:
        raise UsageError(
            f"--init {init}: there is no run of that name in {runs}, no such file, and {error}"
        ) from error
    return Start("model", init, None, None)


def _authors_dim(path: Path) -> int:
    return len(_authors_tensors(path)["GU_video.fc.bias"])


def _authors_tensors(path: Path) -> dict[str, Tensor]:
    from howto.extract.weights import ResolvedWeights, file_hash, load_state_dict

    tensors = dict(load_state_dict(ResolvedWeights(path, file_hash(path), "file")))
    if "GU_video.fc.bias" not in tensors:
        raise UsageError(
            f"--init {path}: expected a checkpoint as the HowTo100M authors published it, with "
            f"GU_video.fc.bias; found {', '.join(sorted(tensors)[:4])}, ..."
        )
    return tensors


def put_start(start: Start, model: TextVideoModel, pack: Pack, runs: Path) -> str:
    """Put the start into a model, in place.

    Returns:
        What was done, for people.

    Raises:
        UsageError: the forms do not fit; the message says which.
    """
    if start.kind == "model" or start.path is None:
        _pass_through(model.video_gate)
        _pass_through(model.text_gate)
        return f"starts as the ready model {start.name}{_compared(start.name)}"
    if start.kind == "run":
        return _from_run(start, model, pack, runs)
    from howto.train.authors_checkpoint import from_authors
    from howto.train.text_pooling import TextPooling

    if not isinstance(model.text, TextPooling) or model.text.table.shape[1] != 300:
        raise UsageError(
            f"--init {start.name} goes with word vectors of 300 numbers: --text-encoder word2vec "
            "--text-weights GoogleNews-vectors-negative300.bin"
        )
    theirs = from_authors(
        _authors_tensors(start.path), model.text.table, model.streams, what=start.name
    )
    model.load_state_dict(theirs.state_dict())
    return f"starts from the authors' checkpoint {start.name}"


def _compared(name: str) -> str:
    """What of a joint model is left out at the start; '' where nothing is."""
    if plugins.create("models", name).normalised:
        return ""
    return ", but for the lengths of its vectors: they are compared by direction alone"


def _pass_through(unit: GatedEmbedding) -> None:
    """Let a gated unit give what it gets, normalised."""
    if unit.fc.in_features != unit.fc.out_features:
        raise UsageError(
            "a start from a joint model keeps its dimensions, "
            f"{unit.fc.in_features}; leave --dim out"
        )
    with torch.no_grad():
        unit.fc.weight.copy_(torch.eye(unit.fc.in_features))
        for tensor in (unit.fc.bias, unit.gate.weight, unit.gate.bias):
            tensor.zero_()


def _from_run(start: Start, model: TextVideoModel, pack: Pack, runs: Path) -> str:
    folder = runs / start.name
    found = load(folder, BEST, model_only=True) or load(folder, LAST, model_only=True)
    if found is None:
        raise UsageError(f"--init {start.name}: that run has no checkpoint yet")
    own = model.state_dict()
    theirs = dict(found.model)
    said = f"starts from the run {start.name}, step {found.state.step}"
    if "text.table" in own and "text.table" in theirs and pack.vocabulary is not None:
        theirs["text.table"], known = _words_taken_over(
            own["text.table"], theirs["text.table"], pack.vocabulary.words, folder
        )
        said += f"; {known} of {len(pack.vocabulary.words)} words are known to it"
    different = [
        f"{name}: {tuple(theirs[name].shape) if name in theirs else 'absent'} there, "
        f"{tuple(own[name].shape) if name in own else 'absent'} here"
        for name in sorted(own.keys() | theirs.keys())
        if name not in own or name not in theirs or own[name].shape != theirs[name].shape
    ]
    if different:
        raise UsageError(
            f"--init {start.name} does not fit ({different[0]}): use the same backbones, text "
            "encoder and --dim"
        )
    model.load_state_dict(theirs)
    return said


def _words_taken_over(
    own: Tensor, theirs: Tensor, words: tuple[str, ...], folder: Path
) -> tuple[Tensor, int]:
    """The table of this library's words, with the vectors that the other run learned."""
    from howto.train.pack_text import open_encoder

    vocabulary = open_encoder(folder).vocabulary.words
    if own.shape[1] != theirs.shape[1]:
        raise UsageError(
            f"--init {folder.name} has word vectors of {theirs.shape[1]} numbers, "
            f"not {own.shape[1]}"
        )
    place = {word: number for number, word in enumerate(vocabulary, start=1)}
    table, known = own.clone(), 0
    for number, word in enumerate(words, start=1):
        if word in place:
            table[number] = theirs[place[word]]
            known += 1
    return table, known
