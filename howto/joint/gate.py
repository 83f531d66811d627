"""The gated units of a run's checkpoint without torch: numpy reads them and computes with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from howto.errors import LibraryError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Gate", "Tensors", "side_by_side", "unit_length"]

_LEAST_LENGTH = np.float32(1e-12)  # as the gated unit has it
_AT_ONCE = 4096  # rows


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """h = W1 x + b1; y = h * sigmoid(W2 h + b2); y / |y|: `howto.train.gated.GatedEmbedding`.

    Attributes:
        fc_weight (D, in), fc_bias (D,), gate_weight (D, D), gate_bias (D,): float32.
        normalised: embeddings have length 1.
    """

    fc_weight: NDArray[np.float32]
    fc_bias: NDArray[np.float32]
    gate_weight: NDArray[np.float32]
    gate_bias: NDArray[np.float32]
    normalised: bool

    @classmethod
    def read(cls, tensors: "Tensors", unit: str, *, normalised: bool) -> "Gate":
        """Read one unit of a checkpoint.

        Args:
            tensors: of a checkpoint.
            unit: `video_gate` or `text_gate`.

        Raises:
            LibraryError: the file is damaged, or holds no such unit.
        """
        names = [
            f"{unit}.{layer}.{part}" for layer in ("fc", "gate") for part in ("weight", "bias")
        ]
        fc_weight, fc_bias, gate_weight, gate_bias = tensors.read(names)
        return cls(fc_weight, fc_bias, gate_weight, gate_bias, normalised)

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed vectors, float32 (B, in): float32 (B, D), equal to torch's to 1e-5."""
        found = np.empty((len(vectors), len(self.fc_bias)), np.float32)
        for first in range(0, len(vectors), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            h = vectors[rows] @ self.fc_weight.T + self.fc_bias
            opened = h @ self.gate_weight.T + self.gate_bias
            # The sigmoid, as tanh: it neither overflows nor warns.
            found[rows] = h * (
                np.tanh(opened * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
            )
        return unit_length(found) if self.normalised else found


def unit_length(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Divide each row of (B, D) by its length, in float32; a row of zeros stays one."""
    wide = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float32] = wide / np.maximum(lengths, _LEAST_LENGTH)
    return unit


def side_by_side(streams: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """The clip vectors that a run's model takes: each stream (B, d) of length 1, joined."""
    return np.concatenate([unit_length(stream) for stream in streams], axis=1)


class Tensors:
    """The tensors of a checkpoint, which stay readable where a run that trains removes its file.

    Args:
        checkpoint: a model.safetensors.
        for_torch: `state_dict` will be asked for; imports torch.

    Raises:
        LibraryError: the file is missing or damaged.
    """

    def __init__(self, checkpoint: Path, *, for_torch: bool = False) -> None:
        from safetensors import SafetensorError, safe_open

        self._checkpoint = checkpoint
        try:
            self._file: Any = safe_open(checkpoint, framework="pt" if for_torch else "numpy")
        except (OSError, RuntimeError, SafetensorError) as error:  # a RuntimeError is torch's own
            raise self._unreadable(error) from error

    def __contains__(self, name: str) -> bool:
        return name in self._file.keys()  # noqa: SIM118 it is no mapping

    def read(self, names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Read some of them as float32.

        Raises:
            LibraryError: the file is damaged, or lacks one of them.
        """
        from safetensors import SafetensorError

        try:
            found = [self._file.get_tensor(name) for name in names]
        except SafetensorError as error:
            raise self._unreadable(error) from error
        arrays = (one if isinstance(one, np.ndarray) else one.float().numpy() for one in found)
        return [np.asarray(one, np.float32) for one in arrays]

    def state_dict(self) -> "dict[str, Tensor]":
        """All of them, of whatever dtype, where they were opened for torch."""
        return {name: self._file.get_tensor(name) for name in self._file.keys()}  # noqa: SIM118

    def _unreadable(self, error: Exception) -> LibraryError:
        return LibraryError(
            f"the checkpoint {self._checkpoint} cannot be read ({error}). Train again under "
            f"another --name, or remove {self._checkpoint.parent.parent.parent}"
        )
