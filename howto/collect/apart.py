"""Looking into a file that strangers wrote, in a process of its own.

A demuxer or decoder that crashes or hangs on a download takes that process with it: it costs one
video, and the run of days goes on.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from howto.collect.faults import fault_of
from howto.errors import ItemError
from howto.records import MediaInfo
from howto.run.local import LocalPool

__all__ = ["apart", "join_apart", "probe_apart", "suffix_of_whole"]

Returned = TypeVar("Returned")

_SECONDS = 120.0  # for a small file, with the start of the process and all that it loads
_BYTES_PER_SECOND = 2e6  # that a slow disk reads, and writes


def probe_apart(path: Path) -> MediaInfo:
    """`howto.media.probe.probe`, apart.

    Raises:
        ItemError: as there; DECODER_CRASHED, TIME_LIMIT.
    """
    return apart(_probe, path, files=[path])


def suffix_of_whole(path: Path, duration: float | None, is_picture: bool) -> str:
    """See that a file is whole, and that its picture can be decoded; tell its suffix.

    Args:
        duration: as for `howto.collect.merge.check_whole`.
        is_picture: it has to hold one.

    Raises:
        ItemError: as `check_whole` and `probe`; DECODER_CRASHED, TIME_LIMIT.
    """
    return apart(_suffix_of_whole, path, duration, is_picture, files=[path])


def join_apart(parts: list[Path], folder: Path, name: str) -> Path:
    """`howto.collect.merge.join`, apart.

    Raises:
        ItemError: as there; DISK_FULL, UNREADABLE_FILE, DECODER_CRASHED, TIME_LIMIT.
    """
    return apart(_join, parts, folder, name, files=parts)


def apart(function: Callable[..., Returned], *arguments: Any, files: list[Path]) -> Returned:
    """Call a function in the worker process.

    Args:
        function: importable by name; it and the arguments are pickled.
        files: that it reads: their size sets how long it may take.

    Raises:
        ItemError: that the function raised, faults of the disk included; DECODER_CRASHED,
            TIME_LIMIT; INTERNAL_ERROR for any other exception.
        HowtoError: no worker process can start.
    """
    size = sum(file.stat().st_size for file in files if file.exists())
    call = _Call(function, arguments, _SECONDS + size / _BYTES_PER_SECOND)
    (ended,) = _worker().run([call])
    if ended.reason is not None:
        raise ItemError(ended.reason, ended.detail)
    if isinstance(ended.result, ItemError):
        raise ended.result
    return cast(Returned, ended.result)


@dataclass(frozen=True, slots=True)
class _Call:
    """What the worker is to do, and the seconds it may take."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    seconds: float


@functools.cache
def _worker() -> LocalPool[_Call, Any]:
    """The one worker of this process: files are looked at one after another."""
    return LocalPool(_answer, 1, lambda call: call.seconds)


def _answer(call: _Call) -> Any:
    """Runs in the worker; errors of ours are results."""
    try:
        return call.function(*call.arguments)
    except ItemError as error:
        return error
    except OSError as error:
        return fault_of(error)


def _probe(path: Path) -> MediaInfo:
    from howto.media.probe import probe

    return probe(path)


def _suffix_of_whole(path: Path, duration: float | None, is_picture: bool) -> str:
    from howto.collect.merge import check_whole, joined_suffix

    if is_picture:
        _probe(path)
    check_whole(path, duration)
    return joined_suffix(path)


def _join(parts: list[Path], folder: Path, name: str) -> Path:
    from howto.collect.merge import join

    return join(parts, folder, name)
