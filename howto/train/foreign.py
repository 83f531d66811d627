"""Files of tensors and pickles that others made, loaded without running what is in them.

The one door of `howto.train` to them: .pth and .pt by torch with `weights_only`, .pkl and .pickle
through an allow-list.
"""

from pathlib import Path
from typing import Any

from howto.errors import UsageError
from howto.extract.imports import load_pickle, load_pth

__all__ = ["load_foreign"]

_TORCH = (".pth", ".pt")
_PICKLE = (".pkl", ".pickle")


def load_foreign(path: Path, *, trust: bool = False) -> Any:
    """Load containers, text, numbers, arrays and tensors.

    Args:
        path: a .pth, .pt, .pkl or .pickle.
        trust: load whatever it holds. **This runs code of the file's maker.**

    Raises:
        UsageError: there is no such file, it holds something else, or is damaged.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix in _TORCH:
        return load_pth(path, trust)
    if suffix in _PICKLE:
        return load_pickle(path, trust)
    raise UsageError(f"{path}: expected a file ending in {', '.join(_TORCH + _PICKLE)}")
