"""Where feature files lie: a folder, or an address of object storage, such as s3://bucket/films.

A file is whole or absent in either: a folder gets it by a rename, object storage by one PUT (or a
multi-part upload, which shows nothing until it is complete). What is read from an address is read
whole, into memory: features of ten minutes of video are a few MB.

Paths at an address are those of universal_pathlib, which has the methods of `pathlib.Path` used
here; the signatures say Path for both.
"""

import hashlib
import os
import platform
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from howto.errors import ItemError, LibraryError, Reason, UsageError

__all__ = [
    "Shared",
    "Unreachable",
    "check_place",
    "files_below",
    "is_folder_path",
    "place_of",
    "read_whole",
    "remove",
    "shared",
    "states_below",
    "why_unreachable",
    "write_whole",
]

_LONGEST_NAME = 200  # of what a half-written file is called after; file systems take 255 bytes
_CHANGES = ("ETag", "etag", "mtime")
"""How clients call what a file's content, or its time, is known by."""
_ATTEMPTS = 3
"""Of an upload, besides those of the client underneath."""
_ONE_SLASH = re.compile(r"\w{2,}:/(?!/)")  # a drive of Windows has one letter
_CLIENT_ERRORS = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"))
"""What clients raise besides OSError: an endpoint that is down, credentials that are missing."""


class Unreachable(LibraryError):
    """An address did not answer, or refused, or a disk failed: nothing is known of the file, and a
    later try may do."""


def is_folder_path(path: Path) -> bool:
    """It lies in a file system of this machine."""
    return isinstance(path, Path)


def why_unreachable(path: Path) -> Reason:
    """How an item ends for which a file is `Unreachable`."""
    return Reason.UNREADABLE_FILE if is_folder_path(path) else Reason.NETWORK


def place_of(address: str) -> Path:
    """A folder or an address as a path; nothing is asked of a server.

    Args:
        address: `s3://bucket/prefix`, `gs://...`, any that fsspec knows; or a folder, or file://.

    Raises:
        UsageError: an address of a kind that is unknown, or whose package is not installed; or one
            with a single slash, which would be a folder here.
    """
    if _ONE_SLASH.match(address):
        meant = address.replace(":/", "://", 1)
        raise UsageError(f"{address}: an address has two slashes; is {meant} meant?")
    scheme, sign, rest = address.partition("://")
    if not sign or scheme == "file":
        folder = Path(rest if sign else address).expanduser()
        return folder.resolve()
    try:
        from upath import UPath
    except ImportError as error:
        raise UsageError(
            f"{address}: features at an address need universal_pathlib: pip install 'howto[remote]'"
        ) from error
    try:
        made = UPath(address)
        made.fs  # noqa: B018 its package is imported, and its options are looked at
    except (ImportError, ValueError) as error:
        raise UsageError(f"{address} cannot be used: {error}") from error
    return cast("Path", made)


def check_place(place: Path) -> None:
    """Ask an address for what it holds, and write and delete a small object there, so that a wrong
    one is told before any work.

    Raises:
        LibraryError: there is no such bucket, its server does not answer, or it may not be written.
    """
    if is_folder_path(place):
        return
    remote = cast("Any", place)
    bucket = remote.path.lstrip("/").partition("/")[0]
    try:
        there = remote.fs.exists(bucket)
    except Exception as error:  # clients raise what their libraries raise, of many kinds
        raise LibraryError(f"{place} does not answer: {type(error).__name__}: {error}") from error
    if not there:
        raise LibraryError(
            f"{place}: there is no {bucket}, or the credentials here may not see it; make it first"
        )
    probe = cast("Any", place / f".howto-{uuid.uuid4().hex[:12]}")
    with _client_errors_as(f"{place} may not be written"):
        remote.fs.pipe_file(probe.path, b"howto")
        remote.fs.rm_file(probe.path)


@dataclass(frozen=True, slots=True)
class Shared:
    """A place as other machines have to find it (`shared`).

    Attributes:
        mark: the name of a file in a folder; '' at an address.
        token: what that file holds.
    """

    place: Path
    mark: str = ""
    token: str = ""

    def check(self) -> None:
        """Look whether a folder is the same one here; an address is the same everywhere.

        Raises:
            LibraryError: it is another one, or there is none.
            OSError: it cannot be looked at.
        """
        if not self.mark:
            return
        try:
            found = (self.place / self.mark).read_text()
        except (FileNotFoundError, NotADirectoryError):
            found = ""
        if found != self.token:
            raise LibraryError(
                f"{self.place} on {platform.node()} is not the folder of that path where the "
                "command runs. Mount it there, under the same path, and start again"
            )


@contextmanager
def shared(place: Path, owner: str) -> Iterator[Shared]:
    """Mark a folder with a small file, so that other machines can tell whether theirs is the same.

    Args:
        owner: what uses it, once at a time; a mark that a kill left is replaced by its next one.

    Raises:
        LibraryError: the folder cannot be written.
    """
    if not is_folder_path(place):
        yield Shared(place)
        return
    digest = hashlib.sha256(os.fsencode(f"{platform.node()}:{owner}")).hexdigest()
    marked = Shared(place, f".howto-{digest[:12]}", uuid.uuid4().hex)
    try:
        write_whole(place / marked.mark, marked.token.encode())
    except OSError as error:
        raise LibraryError(f"{place} cannot be written: {error.strerror or error}") from error
    try:
        yield marked
    finally:
        (place / marked.mark).unlink(missing_ok=True)


@cache
def _client_errors() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = [OSError]
    for module, name in _CLIENT_ERRORS:
        try:
            found.append(getattr(import_module(module), name))
        except ImportError:  # another kind of address needs another client
            continue
    return tuple(found)


@contextmanager
def _client_errors_as(what: str) -> Iterator[None]:
    """Turn whatever a client raises into `Unreachable`; that a file is not there stays as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except _client_errors() as error:
        raise Unreachable(f"{what}: {error}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; one that is there is replaced.

    Raises:
        ItemError: NETWORK, an address took it in none of three attempts.
        OSError: a folder cannot be written.
    """
    if is_folder_path(path):
        _write_beside(path, data)
        return
    remote = cast("Any", path)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _client_errors_as(f"{path} was not taken"):
                remote.fs.pipe_file(remote.path, data)
        except (Unreachable, FileNotFoundError) as error:  # the latter where the bucket is gone
            if attempt == _ATTEMPTS:
                raise ItemError(Reason.NETWORK, str(error)) from error
        else:
            return


def _write_beside(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two machines may write the same file at once, with the same process number.
    part = path.with_name(f".{path.name[-_LONGEST_NAME:]}.{uuid.uuid4().hex[:12]}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make the new name itself last; only POSIX systems open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_whole(path: Path) -> bytes:
    """All bytes of a file at an address.

    Raises:
        FileNotFoundError: there is none.
        Unreachable: the server does not give it.
    """
    remote = cast("Any", path)
    with _client_errors_as(f"{path} cannot be read"):
        data: bytes = remote.fs.cat_file(remote.path)
    return data


def remove(path: Path) -> bool:
    """Delete a file, if it is there.

    Returns:
        It was.

    Raises:
        LibraryError: it stays.
    """
    try:
        if is_folder_path(path):
            path.unlink()
        else:
            remote = cast("Any", path)
            with _client_errors_as(f"{path} cannot be deleted"):
                if not remote.fs.exists(remote.path):  # deleting what is not there is no error
                    return False
                remote.fs.rm_file(remote.path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LibraryError(f"{path} cannot be deleted: {error}") from error
    return True


def files_below(folder: Path) -> Iterator[tuple[Path, int]]:
    """All files below an address with their sizes; none where nothing is there.

    Raises:
        Unreachable: the server does not say.
    """
    remote = cast("Any", folder)
    for name, told in _listed(folder).items():
        inside = name.removeprefix(remote.path).lstrip("/")
        yield folder / inside, int(told.get("size") or 0)


def states_below(folder: Path) -> dict[str, str]:
    """What changes whenever a file below an address does, by the file's name.

    Raises:
        Unreachable: the server does not say.
    """
    return {
        name.rpartition("/")[2]: " ".join(
            str(told[key]) for key in ("size", *_CHANGES) if told.get(key)
        )
        for name, told in _listed(folder).items()
    }


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    remote = cast("Any", folder)
    remote.fs.invalidate_cache()  # others write there, too
    try:
        with _client_errors_as(f"{folder} cannot be listed"):
            found: dict[str, dict[str, Any]] = remote.fs.find(remote.path, detail=True)
    except FileNotFoundError:
        return {}
    return found
