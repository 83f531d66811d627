"""The HowTo100M authors' checkpoint, `howto100m_pt_model.pth`: read into our model, and written.

Their network is ours under other names; `*.cg.batch_norm.*` are there and unused. The released file
has d = 6144 and reads clips of 2D beside 3D features, 2048 each. It holds no word vectors: those of
GoogleNews (300-d) go with it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from howto.errors import UsageError
from howto.extract.weights import ResolvedWeights, file_hash, fit, load_state_dict
from howto.train.model import TextVideoModel
from howto.train.text_pooling import TextPooling

__all__ = ["AUTHORS_STREAMS", "from_authors", "read_authors", "to_authors", "write_authors"]

AUTHORS_STREAMS = {"resnet152": 2048, "resnext101-3d": 2048}
"""Streams of the authors' clips, in the order of theirs."""

_NAMES = {
    f"{theirs}.{part}": f"{ours}.{part}"
    for theirs, ours in [
        ("text_pooling.fc", "text.fc"),
        ("GU_text.fc", "text_gate.fc"),
        ("GU_text.cg.fc", "text_gate.gate"),
        ("GU_video.fc", "video_gate.fc"),
        ("GU_video.cg.fc", "video_gate.gate"),
    ]
    for part in ("weight", "bias")
}
_UNUSED = ("GU_text.cg.batch_norm.", "GU_video.cg.batch_norm.")


def read_authors(
    path: Path, table: Tensor, streams: Mapping[str, int] = AUTHORS_STREAMS
) -> TextVideoModel:
    """Read a file of theirs; only tensors are loaded from it, and nothing in it is executed.

    Args and errors as for `from_authors`.

    Raises:
        PluginError: the file is no state dict, or more than tensors.
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}")
    tensors = load_state_dict(ResolvedWeights(path, file_hash(path), "file"))
    return from_authors(tensors, table, streams, what=str(path))


def from_authors(
    tensors: Mapping[str, Tensor],
    table: Tensor,
    streams: Mapping[str, int] = AUTHORS_STREAMS,
    *,
    what: str = "the authors' state dict",
) -> TextVideoModel:
    """Make our model of a state dict of theirs; all sizes are the state dict's.

    Args:
        tensors: theirs.
        table: float32 (V, 300), the vectors of the words in use; row 0 is zero.
        streams: as `TextVideoModel` takes them.
        what: for messages.

    Raises:
        PluginError: names are missing or unknown, or sizes do not fit, those of the table and the
            streams among them.
    """
    ours = {_NAMES.get(name, name): tensor for name, tensor in tensors.items()}
    # Sizes are read off what is there; what is missing is said by `fit`.
    words, dim = (
        ours[name].numel() if name in ours else 1 for name in ("text.fc.bias", "video_gate.fc.bias")
    )
    # Nothing is drawn at random for weights that are overwritten.
    with torch.device("meta"):
        model = TextVideoModel(streams, dim, TextPooling(table.to("meta"), words), words)
    model = model.to_empty(device="cpu")
    model.text.register_buffer("table", table, persistent=False)
    fit(model, ours, what, unused=_UNUSED)
    return model


def to_authors(model: TextVideoModel) -> dict[str, Tensor]:
    """Write our model as a state dict of theirs, on the CPU, with batch norms that do nothing.

    Their loader wants every name, the unused ones too.

    Raises:
        UsageError: the model is none of the paper's: its text is not pooled words before a gated
            unit, or its embeddings are not normalised.
    """
    ours = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if set(ours) != set(_NAMES.values()) or not model.normalised:
        raise UsageError(
            "only a model of the paper's form can be written as the authors' checkpoint: frozen "
            "word vectors, pooled, before a gated unit, and embeddings of length 1"
        )
    theirs = {name: ours[own] for name, own in _NAMES.items()}
    for prefix in _UNUSED:
        norm = torch.nn.BatchNorm1d(model.dim).state_dict()
        theirs |= {f"{prefix}{name}": tensor for name, tensor in norm.items()}
    return theirs


def write_authors(model: TextVideoModel, path: Path) -> None:
    """Write `to_authors` as a file that their `load_checkpoint` reads; whole or not at all."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        torch.save(to_authors(model), file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
