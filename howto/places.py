"""Where a library lies: the folder of videos, and the folder that keeps what is known of it."""

import hashlib
import os
import stat
from pathlib import Path

from howto.errors import LibraryError, UsageError

__all__ = ["STATE_FOLDER", "existing_folder", "find", "kept_in", "make_state_folder"]

STATE_FOLDER = ".howto"
_ROOT_NOTE = "folder.txt"
"""In a state folder outside: the path of the folder of videos that it is about."""


def existing_folder(folder: Path) -> Path:
    """The folder, absolute and with its links resolved.

    Raises:
        UsageError: there is none, it is a file, or it cannot be looked into.
    """
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
        resolved = folder.resolve(strict=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no folder {folder}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot look into {folder}: {reason}") from error
    if not is_folder:
        raise UsageError(f"{folder} is a file; name the folder that it lies in")
    return resolved


def find(folder: Path) -> tuple[Path, Path]:
    """The library a folder belongs to: its root and its state folder, existing or to be made."""
    candidates = (folder, *folder.parents)
    inside = [one for one in candidates if _exists(one / STATE_FOLDER / "library.db")]
    if inside and _writable(inside[0] / STATE_FOLDER):
        return inside[0], inside[0] / STATE_FOLDER
    for candidate in candidates:
        if _exists(_outside_state(candidate) / "library.db"):
            return candidate, _outside_state(candidate)
    if inside:  # one that cannot be written: its folder is known anew, outside
        return inside[0], _outside_state(inside[0])
    return folder, folder / STATE_FOLDER if _writable(folder) else _outside_state(folder)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def kept_in(state: Path, folder: Path) -> tuple[Path, Path]:
    """The root whose state a folder keeps (the folder itself where it keeps none yet), and it.

    Raises:
        UsageError: it keeps that of another folder, which does not hold this one.
    """
    note = state / _ROOT_NOTE
    if note.exists():
        root = Path(os.fsdecode(note.read_bytes()))
    elif state.name == STATE_FOLDER and _exists(state / "library.db"):
        root = state.parent  # the state of a library that lies where it is found by itself
    else:
        return folder, state
    if not folder.is_relative_to(root):
        raise UsageError(
            f"{state} keeps what is known of {root}; name another --state-dir for {folder}"
        )
    return root, state


def _outside_state(folder: Path) -> Path:
    from platformdirs import user_data_path

    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return user_data_path("howto", appauthor=False) / "libraries" / name


def _writable(folder: Path) -> bool:
    # The superuser may write anywhere, but leaves alone what nobody is meant to write.
    return os.access(folder, os.W_OK) and bool(
        folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    )


def make_state_folder(state: Path, root: Path) -> None:
    """Make the state folder; outside the root a note in it says whose it is.

    Raises:
        LibraryError: it cannot be made.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        if state.parent != root and not (state / _ROOT_NOTE).exists():
            (state / _ROOT_NOTE).write_bytes(os.fsencode(root))
    except OSError as error:
        raise LibraryError(
            f"cannot make the folder {state} ({error.strerror}). "
            "Name another place for what howto keeps: --state-dir DIR"
        ) from error
