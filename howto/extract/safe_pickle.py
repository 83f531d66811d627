"""Pickles from elsewhere, without running anything that their maker put there.

A pickle is a program: loading one freely runs what it says. Here it may build containers, text,
numbers and numpy arrays, and name nothing else.
"""

import pickle
from pathlib import Path
from typing import IO, Any

from howto.errors import UsageError

__all__ = ["load_pickle", "unpickled"]

# What containers and numpy's arrays and numbers are made of, by old and new names of numpy's
# modules.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("collections", "OrderedDict"),
    *(
        (builtins, name)
        for builtins in ("builtins", "__builtin__")  # the second is Python 2's
        for name in ("dict", "list", "tuple", "set", "frozenset", "complex")
    ),
}

# What the pickle machine raises on bytes that are no pickle.
_DAMAGED = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError),
    *(AttributeError, ImportError, MemoryError, OverflowError, RecursionError),
)


def load_pickle(path: Path, *, trust: bool = False) -> Any:
    """Load a pickle of containers, text, numbers and numpy arrays.

    Args:
        path: a file of plain pickle (not of torch.save).
        trust: load whatever it holds. **This runs code of the file's maker.**

    Raises:
        UsageError: it names something else, or is damaged.
    """
    with path.open("rb") as file:
        return unpickled(file, path, trust=trust)


def unpickled(file: IO[bytes], path: Path, *, trust: bool = False) -> Any:
    """Load the pickle that begins where an open file stands, as in an .npy of Python objects.

    Args and errors as for `load_pickle`; the path is for messages.
    """
    try:
        # Python 2 wrote the authors' files; its text comes as latin1, which numpy needs too.
        loader = pickle.Unpickler if trust else _Unpickler
        return loader(file, encoding="latin1").load()
    except _Refused as error:
        raise UsageError(
            f"{path}: the pickle names {error}; expected containers, text, numbers and numpy "
            "arrays alone. If you trust its maker: --trust-pickle"
        ) from error
    except _DAMAGED as error:
        raise UsageError(f"{path}: damaged pickle: {error}") from error


class _Refused(Exception):
    """The pickle names what it may not. It never leaves this module."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], *, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1_bytes
        if (module, name) not in _ALLOWED:
            raise _Refused(f"{module}.{name}")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"an object outside of it ({pid!r:.40})")


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Old pickles write bytes as a call that encodes text; this is the only encoding they use."""
    if encoding != "latin1":
        raise _Refused(f"the encoding {encoding!r}")
    return text.encode("latin1")
