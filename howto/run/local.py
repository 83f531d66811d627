"""The local engine: one function over many items in worker processes that may crash or hang.

A decoder is C code that reads what strangers wrote. Whatever it does to its own process, the run
goes on with the next item; a worker that crashed or ran out of time is replaced.
"""

import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from howto.errors import HowtoError, ItemError, Reason
from howto.run import interrupts

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Ended", "LocalPool", "default_workers", "run_local"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAITING_PER_WORKER = 4
"""Items handed out ahead of the workers: enough to keep them busy, few enough to stop soon."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[Item, Result]):
    """How the function ended for one item: with a result, or with a reason and none."""

    item: Item
    result: Result | None
    reason: Reason | None = None
    detail: str = ""


def default_workers() -> int:
    """As many workers as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    time_limit: float | Callable[[Item], float] = 120.0,
) -> Iterator[Ended[Item, Result]]:
    """Run a function over items in worker processes, and yield each end as it comes.

    Args:
        function: importable by name; it and the items are pickled. It returns its own failures as
            results.
        items: taken one by one, a few ahead of the workers.
        workers: the most processes; by default one for each core. For fewer items, fewer start.
        time_limit: seconds an item may take before its worker is ended, or what gives them for an
            item. What a new worker loads first counts.

    Raises:
        HowtoError: no worker can start; or the function raised it, and it is no ItemError: what it
            works with cannot be used at all, which is no item's fault.

    Yields:
        In the order in which they end, and those that ended meanwhile in the order of the items:
        with one worker, all in that order. Where there is no result the reason is TIME_LIMIT,
        DECODER_CRASHED, or INTERNAL_ERROR for an exception that escaped the function: a bug, and it
        still costs one item only.
    """
    source = iter(items)
    first = list(islice(source, workers or default_workers()))
    if not first:
        return
    pool = LocalPool(function, len(first), time_limit)
    try:
        yield from pool.run(chain(first, source))
    finally:
        pool.close()


class LocalPool(Generic[Item, Result]):
    """Worker processes that stay, with what they have loaded, from one `run` to the next.

    Args:
        function, workers, time_limit: as for `run_local`.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        workers: int,
        time_limit: float | Callable[[Item], float],
    ) -> None:
        from pebble import ProcessPool

        self._function = function
        self._workers = workers
        self._seconds = time_limit if callable(time_limit) else lambda _: time_limit
        self._pool = ProcessPool(
            max_workers=workers,
            context=multiprocessing.get_context("spawn"),
            initializer=interrupts.leave_to_the_driver,
        )

    def close(self) -> None:
        """End the workers at once: they are idle, or what they do is not wanted any more."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def run(self, items: Iterable[Item]) -> Iterator[Ended[Item, Result]]:
        """As `run_local`; all of it is to be taken before the next."""
        pending: dict[Future[Any], Item] = {}
        source = iter(items)
        while True:
            while len(pending) < self._workers * _WAITING_PER_WORKER:
                try:
                    item = next(source)
                except StopIteration:
                    break
                seconds = self._seconds(item)
                with interrupts.held_back():  # the first item starts the workers
                    future: Future[Any] = self._pool.schedule(
                        self._function, args=[item], timeout=seconds
                    )
                pending[future] = item
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            # Several may have ended while the caller was busy: a set would have them in any order.
            for future in [one for one in pending if one in done]:
                item = pending.pop(future)
                yield _ended(future, item, self._seconds(item))


def _ended(future: "Future[Result]", item: Item, time_limit: float) -> Ended[Item, Result]:
    from concurrent.futures.process import BrokenProcessPool

    from pebble import ProcessExpired

    try:
        return Ended(item, future.result())
    except TimeoutError:
        return Ended(item, None, Reason.TIME_LIMIT, f"no result within {time_limit:g} s")
    except ProcessExpired as error:
        return Ended(item, None, Reason.DECODER_CRASHED, f"exit code {error.exitcode}")
    except BrokenProcessPool as error:
        # No worker can even start, so no item ever ends: not the item's fault.
        raise HowtoError(
            "worker processes cannot start. A script that starts them needs its main part under "
            '`if __name__ == "__main__":`'
        ) from error
    except ItemError as error:
        return Ended(item, None, Reason.INTERNAL_ERROR, _told(error))
    except HowtoError:
        raise
    except Exception as error:  # noqa: BLE001 whatever it is came out of one item's worker
        return Ended(item, None, Reason.INTERNAL_ERROR, _told(error))


def _told(error: Exception) -> str:
    """The error and the line of code it came from, out of the text that a worker sends."""
    where = re.findall(r'File "([^"]+)", line (\d+)', str(error.__cause__))
    place = f" at {Path(where[-1][0]).name}:{where[-1][1]}" if where else ""
    return f"{type(error).__name__}: {error}{place}"
