"""Ctrl-C reaches every process of the terminal; the driver alone decides what it means."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

__all__ = ["held_back", "leave_to_the_driver"]


def leave_to_the_driver() -> None:
    """For the first line of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Processes that start in here never see Ctrl-C, not even before their first line, where Python
    would print a traceback; for this thread it comes afterwards."""
    # The tracker of what processes share starts with the first of them, and lets signals through.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
