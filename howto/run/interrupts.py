"""Ctrl-C reaches every process of the terminal; the driver alone decides what it means."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

__all__ = ["held_back", "leave_to_the_driver"]


def leave_to_the_driver() -> None:
    """For the first line of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Processes that start in here never see Ctrl-C, not even before their first line, where Python
    would print a traceback; for this process it comes afterwards."""
    with _handled_afterwards():
        # The tracker of what processes share starts with the first of them, and lets signals
        # through.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handled_afterwards() -> Iterator[None]:
    """Put Python's own handler aside.

    The mask is this thread's. Where another thread takes the signal, Python calls the handler in
    the main thread all the same, in the middle of the start of a process or of setting the mask.
    """
    handler = signal.getsignal(signal.SIGINT)
    # Handlers run in the main thread alone, and can be set there alone.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[FrameType | None] = []
    try:
        signal.signal(signal.SIGINT, lambda _, frame: came.append(frame))
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, came[0])
