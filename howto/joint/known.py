"""Which models there are: the library's runs, ready models of plugins, the authors' own.

Nothing is loaded: a run is read by its config, a plugin is asked for its `published` weights
(`howto.contracts.Catalogue`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from howto import plugins
from howto.errors import BrokenPlugin, HowtoError
from howto.extract.known_weights import KNOWN_WEIGHTS
from howto.extract.weights import weights_folder
from howto.joint.checkpoints import read_model
from howto.joint.places import run_folders
from howto.joint.published import PublishedModel
from howto.joint.text import QUERY_FOLDER
from howto.library import Library
from howto.train.runs import open_run

__all__ = ["AUTHORS_MODEL", "AUTHORS_WEIGHTS", "ModelInfo", "known_models"]

AUTHORS_MODEL = "howto100m"
"""What the HowTo100M authors' released checkpoint is called here."""

AUTHORS_WEIGHTS = "howto100m.joint"
"""Of `howto.extract.known_weights`."""

_AUTHORS_DIM = 6144


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that can be named, or could be.

    Attributes:
        name: what `--model` takes; of a family without a list of members `clip:...`.
        kind: `run`: of this library; `ready`: of a plugin; `checkpoint`: to be added as a run first
            (`howto models add`).
        dim: length of an embedding; None where it is not told.
        size: bytes on the disk where it is there, else about what there is to fetch; None: unknown.
        licence: as the publisher states it; '' for your own runs, and where nobody says.
        where: the run's folder, or the file of weights; None: not here.
        wanted: where a file that is not here is looked for; None where it is here.
        page: where it would come from; '' where nowhere.
        note: what a person should know, such as that it cannot be used yet.
    """

    name: str
    kind: Literal["run", "ready", "checkpoint"]
    dim: int | None
    size: int | None
    licence: str
    where: Path | None
    wanted: Path | None = None
    page: str = ""
    note: str = ""

    @property
    def is_here(self) -> bool:
        """It can be opened now, for all that can be told without loading it."""
        return self.where is not None and self.kind != "checkpoint"


def known_models(library: Library | None) -> list[ModelInfo]:
    """List the runs of a library, then the ready models, then the authors' checkpoint.

    Args:
        library: None: no runs.
    """
    runs = [] if library is None else [_of_run(folder) for folder in run_folders(library)]
    ready = [info for plugin in plugins.installed("models") for info in _of_plugin(plugin)]
    return [*runs, *ready, _authors()]


def _of_run(folder: Path) -> ModelInfo:
    try:
        run = open_run(folder)
        size = read_model(folder, lambda model: model.stat().st_size)
        note = "" if run.is_finished else "not finished; its best checkpoint so far is used"
        dim = int(run.config["dim"])
    except (HowtoError, KeyError) as error:
        return ModelInfo(folder.name, "run", None, None, "", None, folder, note=str(error))
    parts = [*(folder / QUERY_FOLDER).glob("*"), *folder.glob("*.npy")]
    added = run.config.get("added") or {}
    return ModelInfo(
        folder.name,
        "run",
        dim,
        size + sum(path.stat().st_size for path in parts),
        str(added.get("licence", "")),
        folder,
        page=str(added.get("page", "")),
        note=note,
    )


def _of_plugin(plugin: plugins.Plugin) -> Iterator[ModelInfo]:
    try:
        backend = plugins.imported(plugin)
    except BrokenPlugin as error:
        yield ModelInfo(plugin.name, "ready", None, None, "", None, note=str(error))
        return
    if not hasattr(backend, "published"):
        dim = getattr(backend, "dim", None)
        note = f"{plugin.origin} does not say which weights there are"
        yield ModelInfo(plugin.name, "ready", dim, None, "", None, note=note)
        return
    for one in backend.published():
        yield _of_published(one)


def _of_published(one: PublishedModel) -> ModelInfo:
    missing = [path for path in one.files if not path.is_file()]
    size = one.size if missing else sum(path.stat().st_size for path in one.files)
    where = None if missing else one.files[0]
    wanted = missing[0] if missing else None
    return ModelInfo(one.name, "ready", one.dim, size, one.licence, where, wanted, one.page)


def _authors() -> ModelInfo:
    known = KNOWN_WEIGHTS[AUTHORS_WEIGHTS]
    path = weights_folder() / known.file_name
    is_here = path.is_file()
    return ModelInfo(
        AUTHORS_MODEL,
        "checkpoint",
        _AUTHORS_DIM,
        path.stat().st_size if is_here else known.size,
        known.licence,
        path if is_here else None,
        None if is_here else path,
        known.page,
        "becomes a run by howto models add",
    )
