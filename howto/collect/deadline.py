"""An end to work that cannot be asked to stop.

A site that sends a byte now and then passes every timeout of a connection, for as long as it likes.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from howto.errors import ItemError, Reason

__all__ = ["in_time"]

Returned = TypeVar("Returned")

_AGAIN = 5.0  # seconds; where Python drops an exception, as in a destructor, another one is raised
_STEPS = 10  # of Python; an exception that was raised arrives at the first


class _TimeIsUp(BaseException):
    """Raised in the thread that works; nothing that catches errors takes it for one of its own."""


def in_time(seconds: float, work: Callable[[], Returned]) -> Returned:
    """Do some work, and break it off when its time is up.

    It ends at the next step of Python: a single call that waits, such as for a byte, is not cut
    short and needs a timeout of its own.

    Raises:
        ItemError: TIME_LIMIT.
    """
    worker, over = threading.get_ident(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(worker, over, seconds), daemon=True)

    def end() -> None:
        over.set()
        watcher.join()
        _let_arrive()

    # A function and no context manager: there is no step between the work and these lines at which
    # the exception could arrive and be nobody's.
    try:
        try:
            watcher.start()
            return work()
        finally:
            end()
    except _TimeIsUp:
        end()  # it may have arrived in the other one
        raise ItemError(Reason.TIME_LIMIT, f"not done after {seconds:g} s") from None


def _let_arrive() -> None:
    """Give what was raised while the work ended the steps at which it arrives.

    To take it back, by raising None, leaves CPython (3.11) with a mark that an exception is on its
    way, for good: it then looks for it at every step, and never ends once somebody traces, such as
    a debugger.
    """
    for _ in range(_STEPS):
        pass


def _watch(worker: int, over: threading.Event, seconds: float) -> None:
    """Raise in the thread that works when the time is up, until that thread says it is over."""
    wait = seconds
    while not over.wait(wait):
        _raise_in(worker, _TimeIsUp)
        wait = _AGAIN


def _raise_in(worker: int, kind: type[BaseException]) -> None:
    """Raise in another thread, at its next step."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), ctypes.py_object(kind))
