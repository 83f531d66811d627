"""Pickles from elsewhere, without running anything that their maker put there.

A pickle is a program: loading one freely runs what it says. Here it may build containers, text,
numbers and numpy arrays, and name nothing else.
"""

import pickle
from pathlib import Path
from typing import IO, Any

from howto.errors import UsageError

__all__ = ["PickleRefused", "load_pickle", "unpickle", "unpickled"]

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


class PickleRefused(Exception):
    """A pickle is damaged, or names what it may not; the message says what."""


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
        return unpickle(file, encoding="latin1", trust=trust)
    except PickleRefused as error:
        raise UsageError(f"{path}: {error}. If you trust its maker: --trust-pickle") from error


def unpickle(file: IO[bytes], *, encoding: str = "ASCII", trust: bool = False) -> Any:
    """Load an open pickle of containers, text, numbers and numpy arrays.

    Args:
        encoding: of text that Python 2 wrote.
        trust: load whatever it holds. **This runs code of the file's maker.**

    Raises:
        PickleRefused: it names something else, or is damaged.
    """
    loader = pickle.Unpickler if trust else _Unpickler
    try:
        return loader(file, encoding=encoding).load()
    except _DAMAGED as error:
        raise PickleRefused(f"damaged pickle: {error}") from error


def _refused(what: str) -> PickleRefused:
    return PickleRefused(
        f"the pickle names {what}: expected containers, text, numbers and numpy arrays alone"
    )


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], *, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1_bytes
        if (module, name) not in _ALLOWED:
            raise _refused(f"{module}.{name}")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise _refused(f"an object outside of it ({pid!r:.40})")


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Old pickles write bytes as a call that encodes text; this is the only encoding they use."""
    if encoding != "latin1":
        raise _refused(f"the encoding {encoding!r}")
    return text.encode("latin1")
