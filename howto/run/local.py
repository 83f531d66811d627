"""The local engine: one function over many items in worker processes that may crash or hang.

A decoder is C code that reads what strangers wrote. Whatever it does to its own process, the run
goes on with the next item; a worker that crashed or ran out of time is replaced.
"""

import multiprocessing
import os
import pickle
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from howto.errors import HowtoError, ItemError, Reason
from howto.run import interrupts

if TYPE_CHECKING:
    from howto.run.pool import Pool

__all__ = ["Ended", "LocalPool", "default_workers", "run_local"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAITING_PER_WORKER = 4
"""Items handed out ahead of the workers: enough to keep them busy, few enough to stop soon."""
_LOOK_SECONDS = 1.0
"""How often it is asked whether the pool is lost: some items of a lost one never end."""
_MOST_STARTS = 3
"""So many new pools in a row may be lost before one has answered."""
_MOST_TRIES = 3
"""So often an item is done by itself where the pool is lost with it."""

# What a worker sends of an item: its result or an error of ours, pickled, or the text of a problem.
# So it always arrives, and is unpickled where a failure costs the item alone.
_Answer = tuple[Literal["result", "error", "problem"], Any]


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
        DECODER_CRASHED, or INTERNAL_ERROR for an exception that escaped the function, or a result
        that cannot be pickled: a bug, and it still costs one item only.
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

    pebble's pool is lost as a whole where a worker ends while none is known to be at work: one that
    was idle, killed for its memory perhaps, or one that crashed before it was heard to have begun.
    It is then replaced, and what it was at is done by itself, item by item, so that one that is to
    blame is known.

    Args:
        function, workers, time_limit: as for `run_local`.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        workers: int,
        time_limit: float | Callable[[Item], float],
    ) -> None:
        self._function = function
        self._workers = workers
        self._seconds = time_limit if callable(time_limit) else lambda _: time_limit
        self._pool: Pool | None = None
        self._sign: Future[Any] = Future()
        self._answered = False

    def close(self) -> None:
        """End the workers at once: they are idle, or what they do is not wanted any more."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def run(self, items: Iterable[Item]) -> Iterator[Ended[Item, Result]]:
        """As `run_local`; all of it is to be taken before the next."""
        source = iter(items)
        while True:
            lost = yield from self._run_together(source)
            if not lost:
                return
            for item in lost:
                yield self._run_alone(item)

    def _run_together(
        self, source: Iterator[Item]
    ) -> Generator[Ended[Item, Result], None, list[Item]]:
        """Returns the items that were under way when the pool was lost; none when all is done."""
        pending: dict[Future[Any], Item] = {}
        if self._is_lost():
            self.close()
        while True:
            room = self._workers * _WAITING_PER_WORKER - len(pending)
            for item in islice(source, room):
                pending[self._hand_out(item)] = item
            ended = self._wait(pending) if pending else []
            if not ended:
                return list(pending.values())
            # Several may have ended while the caller was busy: they come in order, and nothing
            # of those that were taken is held.
            while ended:
                yield self._taken(ended.pop(0), pending)

    def _taken(self, future: Future[Any], pending: dict[Future[Any], Item]) -> Ended[Item, Result]:
        item = pending.pop(future)
        return _ended(future, item, self._seconds(item))

    def _run_alone(self, item: Item) -> Ended[Item, Result]:
        for _ in range(_MOST_TRIES):
            if self._is_lost():
                self._renew()
            future = self._hand_out(item)
            if self._wait([future]):
                return _ended(future, item, self._seconds(item))
        detail = f"its process was lost {_MOST_TRIES} times"
        return Ended(item, None, Reason.DECODER_CRASHED, detail)

    def _hand_out(self, item: Item) -> Future[Any]:
        seconds = self._seconds(item)
        try:
            task = pickle.dumps((self._function, item))
        except Exception as error:  # noqa: BLE001 whatever it is costs this item only
            # By way of a worker, for the order of the ends.
            return self._schedule(_give_back, ("problem", _told(error)), seconds)
        return self._schedule(_answer, task, seconds)

    def _schedule(
        self, function: Callable[[Any], Any], argument: Any, seconds: float
    ) -> Future[Any]:
        pool = self._pool or self._start()
        try:
            future: Future[Any] = pool.schedule(function, args=[argument], timeout=seconds)
        except RuntimeError as error:  # the pool is lost
            return _failed(BrokenProcessPool(str(error)))
        return future

    def _wait(self, futures: Collection[Future[Any]]) -> list[Future[Any]]:
        """Wait for the first to end: those that have, in order; none if the pool is lost."""
        while True:
            done, _ = wait(futures, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            ended = [
                one
                for one in futures
                if one in done and not isinstance(one.exception(), BrokenProcessPool)
            ]
            if ended or done or self._is_lost():
                self._answered |= bool(ended)
                return ended

    # Starting

    def _is_lost(self) -> bool:
        return self._pool is not None and not self._pool.active

    def _start(self) -> "Pool":
        """Start the workers. The first thing that one of them does is to give a sign."""
        from howto.run.pool import Pool

        pool = self._pool = Pool(
            max_workers=self._workers,
            context=multiprocessing.get_context("spawn"),
            initializer=interrupts.leave_to_the_driver,
        )
        with interrupts.held_back():  # the first task starts the workers
            try:
                self._sign = pool.schedule(_give_back, args=[None])
            except BrokenProcessPool as error:  # the system gave no process
                pool.stop()  # type: ignore[no-untyped-call]
                self._sign = _failed(error)
        return pool

    def _renew(self) -> None:
        """Start the workers anew, and see that they can work.

        Raises:
            HowtoError: again and again they end before one has given a sign.
        """
        self._answered |= self._sign.done() and self._sign.exception() is None
        for _ in range(_MOST_STARTS if self._answered else 1):
            self.close()
            self._start()
            if self._wait([self._sign]):
                return
        why = (
            "They could before: the machine may be short of memory or of processes"
            if self._answered
            else 'A script that starts them needs its main part under `if __name__ == "__main__":`'
        )
        raise HowtoError(f"worker processes cannot start. {why}")


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _ended(future: Future[_Answer], item: Item, time_limit: float) -> Ended[Item, Any]:
    """How an item ended whose future is done.

    Raises:
        HowtoError: that the function raised.
    """
    from pebble import ProcessExpired

    try:
        kind, sent = future.result()
    except TimeoutError:
        return Ended(item, None, Reason.TIME_LIMIT, f"no result within {time_limit:g} s")
    except ProcessExpired as error:
        return Ended(item, None, Reason.DECODER_CRASHED, f"exit code {error.exitcode}")
    if kind == "problem":
        return Ended(item, None, Reason.INTERNAL_ERROR, sent)
    try:
        whole = pickle.loads(sent)  # noqa: S301 a process of ours wrote it
    except Exception as error:  # noqa: BLE001 some things can be pickled, and not be rebuilt
        return Ended(item, None, Reason.INTERNAL_ERROR, _told(error))
    if kind == "error":
        raise whole
    return Ended(item, whole)


# In a worker's process.


def _give_back(answer: _Answer) -> _Answer:
    return answer


def _answer(task: bytes) -> _Answer:
    """Call a function with an item, both pickled: what is imported for them is loaded here, in the
    item's time and at the item's cost."""
    try:
        function, item = pickle.loads(task)  # noqa: S301 the driver wrote it
        return "result", pickle.dumps(function(item))
    except HowtoError as error:
        if isinstance(error, ItemError):
            return "problem", _told(error)
        try:
            sent = pickle.dumps(error)
            pickle.loads(sent)  # noqa: S301 by default, errors of more than one part cannot be
            return "error", sent
        except Exception:  # noqa: BLE001 its text is told in any case
            return "problem", _told(error)
    except BaseException as error:  # noqa: BLE001 it ends neither the worker nor the run
        return "problem", _told(error)


def _told(error: BaseException) -> str:
    """The error and the line of code it came from."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 its text is a stranger's code too
        text = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else text
