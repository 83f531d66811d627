"""Faults of the disk under our own names."""

import contextlib
import errno
from collections.abc import Iterator

from howto.errors import ItemError, Reason

__all__ = ["fault_of", "is_full", "on_disk"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
    """Whether this says that a disk, or a user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def fault_of(error: OSError) -> ItemError:
    """DISK_FULL, or UNREADABLE_FILE for whatever else a file could not be read or written for."""
    reason = Reason.DISK_FULL if is_full(error) else Reason.UNREADABLE_FILE
    return ItemError(reason, str(error))


@contextlib.contextmanager
def on_disk() -> Iterator[None]:
    """Let faults of the disk out as ours."""
    try:
        yield
    except OSError as error:
        raise fault_of(error) from error
