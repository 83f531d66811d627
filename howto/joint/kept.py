"""Models kept open from one question to the next, for a process that answers many."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from howto.joint.checkpoints import read_model
from howto.joint.places import run_named
from howto.library import Library
from howto.train.runs import CONFIG

if TYPE_CHECKING:
    from howto.joint.opened import OpenedModel

__all__ = ["KeptModels"]

_MOST_MODELS = 3  # a network may hold a gigabyte


class KeptModels:
    """The `_MOST_MODELS` models used last. One object serves one library, and one thread at a time.

    Args:
        device: where networks compute.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._models: OrderedDict[str, tuple[object, OpenedModel]] = OrderedDict()

    def opened(self, library: Library, name: str) -> "OpenedModel":
        """A run or a ready model; opened anew where the run has another checkpoint by now.

        Raises:
            UsageError, PluginError, LibraryError: as `howto.joint.opened.open_model`.
        """
        from howto.joint.opened import open_model

        # Taken before the model is opened: a run that changes meanwhile is opened anew next time.
        stamp = _stamp(library, name)
        kept = self._models.pop(name, None)
        if kept is None or kept[0] != stamp:
            kept = stamp, open_model(library, name, device=self.device)
        self._models[name] = kept
        while len(self._models) > _MOST_MODELS:
            self._models.popitem(last=False)
        return kept[1]


def _stamp(library: Library, name: str) -> tuple[object, ...] | None:
    """Path, time and size of what a run is read from; None for a ready model."""
    folder = run_named(library, name)
    if folder is None:
        return None
    return read_model(folder, lambda model: (*_state(folder / CONFIG), *_state(model)))


def _state(path: Path) -> tuple[Path, int, int]:
    at = path.stat()
    return path, at.st_mtime_ns, at.st_size
