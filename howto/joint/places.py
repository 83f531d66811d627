"""Where models lie: runs by name or folder, and what to say where nothing has a name."""

from pathlib import Path

from howto import plugins
from howto.errors import UsageError
from howto.library import Library
from howto.train.runs import CONFIG

__all__ = ["run_folders", "run_named", "what_there_is"]


def run_folders(library: Library) -> list[Path]:
    """The folders of a library's runs, by name; one that is being added begins with a dot."""
    folders = (path.parent for path in (library.state / "runs").glob(f"*/{CONFIG}"))
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def run_named(library: Library | None, name: str) -> Path | None:
    """The folder of the run that is meant; None where no run is.

    Raises:
        UsageError: the path of a folder that is no run's, or in the home of nobody known here.
    """
    if library is not None and "/" not in name and name not in ("", ".", ".."):
        folder = library.state / "runs" / name
        if (folder / CONFIG).is_file():
            return folder
    if "/" in name and ":" not in name:
        try:
            folder = Path(name).expanduser()
        except RuntimeError as error:
            user = name.split("/")[0]
            raise UsageError(
                f"{name} is no folder of a run: {user} is the home of no user here; give its path"
            ) from error
        if not (folder / CONFIG).is_file():
            raise UsageError(f"{folder} is no folder of a run: it has no {CONFIG}")
        return folder
    return None


def what_there_is(library: Library | None) -> str:
    """The runs and ready models that could be named, and how to get one where there is none."""
    runs = [] if library is None else [folder.name for folder in run_folders(library)]
    ready = [one.name for one in plugins.installed("models")]
    return (
        f"Runs here: {', '.join(runs) or 'none (howto train makes one)'}. "
        f"Ready models: {', '.join(ready) or 'none (pip install howto-clip)'}. "
        "`howto models` lists them all"
    )
