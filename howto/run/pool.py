"""pebble's pool, mended: a process that ends is heard to its last word before it is given up."""

from collections import deque
from multiprocessing.context import BaseContext
from typing import Any

from pebble import ProcessPool
from pebble.pool.process import PoolManager

__all__ = ["Pool"]

_MOST_IN_A_PIPE = 2000
"""Messages: it holds 64 KiB, and none is shorter than 40 bytes."""


class Pool(ProcessPool):
    """A pebble `ProcessPool`; its arguments, by name.

    pebble's own may see that a process ended before it has read what that one sent last. Then a
    task that was done is called crashed, and the one that crashed is waited for until its time is
    up.
    """

    def __init__(self, *, context: BaseContext, **settings: Any) -> None:
        super().__init__(context=context, **settings)
        self._pool_manager = _Manager(self._context, context)


class _Manager(PoolManager):
    """Gives ended processes up in the thread that reads what processes send, once all is read.

    Others take their places only then, so that one process alone does its tasks in their order.
    """

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self._ended: deque[tuple[int, tuple[int, int]]] = deque()
        self._messages = 0

    def stop(self) -> None:
        """End the processes, and then take away what they share: one that has only just started
        looks for it, and would print that it is gone."""
        self.worker_manager.force_stop_workers()  # type: ignore[no-untyped-call]
        self.worker_manager.close_channels()  # type: ignore[no-untyped-call]

    def update_workers(self) -> None:
        """Note which processes ended; in a thread of its own, some times a second."""
        found = self.worker_manager.inspect_workers()
        self._ended.extend((self._messages, one) for one in found)
        if not self._ended:
            self.worker_manager.create_workers()  # type: ignore[no-untyped-call]

    def process_next_message(self, timeout: float) -> None:
        """Read one message, or give up who ended before and is heard to the end."""
        noted = len(self._ended)  # counted before it is looked whether there is more to read
        is_all_read = noted > 0 and self._is_all_read()
        for _ in range(noted):
            since, expiration = self._ended[0]
            if not is_all_read and self._messages - since < _MOST_IN_A_PIPE:
                break
            self.handle_worker_expiration(expiration)
            self._ended.popleft()
        self._messages += 1
        super().process_next_message(timeout)

    def _is_all_read(self) -> bool:
        channel = self.worker_manager.pool_channel
        try:
            return channel is not None and not channel.poll(0)
        except OSError:  # closed: the pool is being ended
            return False
