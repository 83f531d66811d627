"""Files that torch saved, of tensors and of numpy's arrays, read without running anything.

Torch's own reader of plain data leaves numpy out, for a reason: letting numpy's types in is not
enough, because a forged state of a type makes numpy take bytes for pointers. Here stand-ins take
the place of numpy's names: a type is one of a closed list of plain numbers, and an array is made
from bytes that are in the file. Torch is imported on first use.
"""

import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

from howto.errors import UsageError

__all__ = ["DAMAGE", "first_line", "load_pth"]

DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading a damaged or forged pickle, or one of torch's files, raises."""

_NUMBERS = frozenset("b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split())
_ORDERS = ("<", ">", "=", "|")
_FOUND = "WeightsUnpickler error:"
_CORES = ("numpy.core", "numpy._core")  # before numpy 2, and since


def load_pth(source: Path, trust: bool) -> Any:
    """Read what torch saved: containers, text, numbers, tensors, and numpy's arrays of numbers.

    Not safe to call in two threads at once: torch keeps the list of allowed names for all.

    Args:
        source: the file.
        trust: load it freely, which **runs code of its maker**.

    Raises:
        UsageError: it is damaged, or holds anything else.
    """
    import torch

    try:
        if trust:
            return torch.load(source, map_location="cpu", weights_only=False)
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals(_stand_ins()),
            # A sparse tensor with indices outside itself would write where nothing belongs to it.
            torch.sparse.check_sparse_tensor_invariants(True),  # type: ignore[no-untyped-call]
        ):
            # Loading it says better whether a pickle of another protocol can be read.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return _plain(torch.load(source, map_location="cpu", weights_only=True), {})
    except DAMAGE as error:
        raise UsageError(
            f"{source}: expected containers, text, numbers, tensors and arrays of numbers alone "
            f"({first_line(error)}). If you trust its maker: --trust-pickle"
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, in a line: what torch found rather than its advice to load freely."""
    said = str(error)
    said = said.partition(_FOUND)[2].strip() or said.strip()
    return said.splitlines()[0] if said else type(error).__name__


class _Type:
    """Stands for `numpy.dtype`: the name of a plain number, such as `f4`, and its bytes' order."""

    name = ""
    order = "="

    def __init__(self, name: object, *_: object) -> None:
        if type(name) is not str or name not in _NUMBERS:
            raise pickle.UnpicklingError(f"an array of type {name!r:.40}")
        self.name = name

    def __setstate__(self, state: object) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in _ORDERS:
            raise pickle.UnpicklingError(f"a state of an array's type: {state!r:.60}")
        self.order = state[1]


class _Array:
    """Stands for `numpy.ndarray`: an array, as soon as its state is there."""

    array: Any = None

    def __setstate__(self, state: object) -> None:
        if type(state) is not tuple or len(state) != 5:
            raise pickle.UnpicklingError(f"a state of an array: {state!r:.60}")
        _, shape, kind, by_columns, raw = state
        flat = _numbers(kind, raw)
        # Copied, because what lies over bytes cannot be written to.
        self.array = flat.reshape(shape, order="F" if by_columns else "C").copy()


def _numbers(kind: object, raw: object) -> Any:
    import numpy as np

    if type(kind) is not _Type or type(raw) is not bytes or kind.name not in _NUMBERS:
        raise pickle.UnpicklingError("an array of other than plain numbers")
    return np.frombuffer(raw, np.dtype(kind.order + kind.name))


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(kind: object, raw: object) -> Any:
    (number,) = _numbers(kind, raw).tolist()
    return number


def _stand_ins() -> list[Any]:
    """Torch's form of the list: what stands in, and the name it stands in for."""
    return [
        (_Type, "numpy.dtype"),
        (_Array, "numpy.ndarray"),
        *((_reconstruct, f"{core}.multiarray._reconstruct") for core in _CORES),
        *((_scalar, f"{core}.multiarray.scalar") for core in _CORES),
    ]


def _plain(held: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """The same with arrays in the place of stand-ins, in dicts, lists and tuples.

    Args:
        done: each container by its `id`, and what it has become: one may hold itself, or be held
            in many places.
    """
    if isinstance(held, _Array):
        if held.array is None:
            raise pickle.UnpicklingError("an array without numbers")
        return held.array
    if id(held) in done:
        return done[id(held)][1]
    if isinstance(held, dict):
        done[id(held)] = (held, held)
        for key in held:
            held[key] = _plain(held[key], done)
    elif isinstance(held, list):
        done[id(held)] = (held, held)
        held[:] = [_plain(one, done) for one in held]
    elif type(held) is tuple:
        made = tuple(_plain(one, done) for one in held)
        done[id(held)] = (held, made)
        return made
    return held
