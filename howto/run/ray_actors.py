"""The Ray engine: one function over many items on actors that keep what they have loaded.

An actor takes its share of a machine (`Engine.resources`), makes its worker when the first item
comes, and gets one item at a time. Ray restarts an actor whose process or machine was lost, on
another machine where there is room (`max_restarts`). Its item goes to whichever actor is free next,
up to three times more. Ray's own way with items (`max_task_retries`) is not used for them: it keeps
an item for its actor, which may wait for a machine for ever, and every vain attempt to connect to
an actor that is starting again counts as a try, so that one lost machine could use up all of them.

When nothing new is left to hand out, an item that takes much longer than others did is given a
second time, to an actor that is idle. An item may thus be done twice; it ends once.

Only this module knows Ray.
"""

import contextlib
import os
import re
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from howto.errors import HowtoError, Reason, UsageError
from howto.run.engine import Engine
from howto.run.local import Ended, LocalPool

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Worker", "in_a_process", "run_ray"]

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)

_TRIES_AGAIN = 3
"""How often an item is done again whose actor was lost: by itself it may be what kills them."""
_LATE = 3.0
"""An item that takes so many times longer than the median may be given to a second actor, ..."""
_LEAST_LATE_SECONDS = 5.0
"""... and never before."""
_LENGTHS = 200
"""Of so many items, the last ones, the median is taken."""
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 1.0
"""An actor that could not say whether it runs is asked again after so long."""

# What one item's actor ended with, as it travels: a result, or a reason and what was found.
_Told = tuple[Any, Reason | None, str]


class Worker(Protocol[ItemIn, ResultOut]):
    """What does items in an actor; made there once."""

    def work(self, item: ItemIn, time_limit: float) -> tuple[ResultOut | None, Reason | None, str]:
        """Do one item: its result, or why there is none, as in `Ended`.

        Raises:
            HowtoError: nothing can be done here, whatever the item.
        """
        ...


class _InAProcess(Generic[Item, Result]):
    """Does items as the local engine does, in one process that may crash or hang."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._limit = 0.0
        self._pool = LocalPool(function, 1, lambda _: self._limit)

    def work(self, item: Item, time_limit: float) -> tuple[Result | None, Reason | None, str]:
        self._limit = time_limit
        (ended,) = self._pool.run([item])
        return ended.result, ended.reason, ended.detail


def in_a_process(function: Callable[[Item], Result]) -> Callable[[], Worker[Item, Result]]:
    """The maker of a worker that calls a function, importable by name, in a process of its own."""
    return lambda: _InAProcess(function)


def run_ray(
    make: Callable[[], Worker[Item, Result]],
    items: Iterable[Item],
    engine: Engine,
    *,
    workers: int | None = None,
    time_limit: float | Callable[[Item], float] = 120.0,
    ahead: int | None = None,
) -> Iterator[Ended[Item, Result]]:
    """Do items on the actors of a Ray cluster, and yield each end as it comes.

    Args:
        make: called once in each actor; it is pickled by value.
        items: taken one by one, when an actor is free.
        workers: actors; by default as many as the cluster has shares for now. More than that start
            when machines join.
        time_limit: seconds an item may take, handed to the worker.
        ahead: as for `howto.run.engine.run`.

    Raises:
        HowtoError: Ray is not installed, its cluster cannot be reached or has no room for one
            actor; or a worker raised it.

    Yields:
        In the order in which they end; each item once. An item whose actor was lost again and again
        ends with DECODER_CRASHED.
    """
    seconds = time_limit if callable(time_limit) else lambda _: time_limit
    with _connected(engine) as ray:
        crew = _Crew(ray, engine, make, workers or _room(ray, engine))
        try:
            yield from crew.run(items, seconds, ahead)
        finally:
            crew.dismiss()


# Ray itself.


@contextlib.contextmanager
def _connected(engine: Engine) -> "Iterator[ModuleType]":
    """Ray, connected; what was connected before stays so."""
    ray = _imported()
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if engine.address:
            ray.init(address=engine.address, **quiet)
        else:
            # Without an address Ray would join RAY_ADDRESS, or what runs on this machine already.
            ray.init(address="local", include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = engine.address or "on this machine"
        raise HowtoError(
            f"no Ray cluster {where}: {str(error).splitlines()[0]}. Start one with ray start "
            "--head, and name it: --on ray=ADDRESS:6379"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _imported() -> "ModuleType":
    # Nothing of what runs here is anybody's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--on ray needs Ray: pip install 'howto[ray]'") from error
    return ray


def _room(ray: "ModuleType", engine: Engine) -> int:
    """How many actors the cluster has room for."""
    there = ray.cluster_resources()
    shares = [
        int(there.get(name.upper() if name in ("cpu", "gpu") else name, 0.0) / share)
        for name, share in engine.resources.items()
        if share > 0
    ]
    if not shares:
        raise UsageError("--resources: an actor that takes nothing; give it cpu=1 or more")
    if min(shares) < 1:
        asked = ", ".join(f"{name}={share:g}" for name, share in engine.resources.items())
        found = ", ".join(f"{n}={v:g}" for n, v in sorted(there.items()) if ":" not in n)
        raise HowtoError(f"the cluster has no room for one actor of {asked}: it has {found}")
    return min(shares)


class _Actor:
    """In the cluster: makes its worker when the first item comes, so that what fails is told."""

    def __init__(self, make: Callable[[], Worker[Any, Any]]) -> None:
        self._make = make
        self._worker: Worker[Any, Any] | None = None

    def here(self) -> None:
        """Answer, once it runs."""

    def work(self, item: Any, time_limit: float) -> _Told:
        if self._worker is None:
            self._worker = self._make()
        return self._worker.work(item, time_limit)


# The driver's side.


@dataclass(slots=True, eq=False)
class _Try:
    """One item with one actor; `began` when it was handed over, by the driver's clock."""

    key: int
    actor: Any
    began: float


class _Crew(Generic[Item, Result]):
    """Actors, and which item each has."""

    def __init__(
        self,
        ray: "ModuleType",
        engine: Engine,
        make: Callable[[], Worker[Item, Result]],
        size: int,
    ) -> None:
        self._ray = ray
        shares = dict(engine.resources)
        hired = ray.remote(_Actor).options(
            num_cpus=shares.pop("cpu"),
            num_gpus=shares.pop("gpu"),
            resources=shares or None,
            max_restarts=-1,
        )
        self._actors = [hired.remote(make) for _ in range(size)]
        # Only who has answered gets items: some may wait for a machine to join.
        self._starting = {_asked_whether_here(actor): actor for actor in self._actors}
        self._to_ask: deque[tuple[float, Any]] = deque()
        self._free: deque[Any] = deque()
        self._tries: dict[Any, _Try] = {}
        self._items: dict[int, Item] = {}
        self._lengths: deque[float] = deque(maxlen=_LENGTHS)
        self._again: deque[int] = deque()
        self._losses: Counter[int] = Counter()
        self._all_handed_out = False
        self._ahead: int | None = None
        self._newest = -1

    def dismiss(self) -> None:
        """End all actors, with what they still do."""
        for actor in self._actors:
            self._ray.kill(actor)

    def run(
        self, items: Iterable[Item], seconds: Callable[[Item], float], ahead: int | None
    ) -> Iterator[Ended[Item, Result]]:
        self._ahead = ahead
        source = enumerate(items)
        while True:
            self._hand_out(source, seconds)
            if self._all_handed_out and not self._items:
                return
            for reference in self._done():
                if reference in self._starting:
                    self._answered(reference)
                    continue
                one = self._tries.pop(reference)
                if (ended := self._ended(reference, one)) is not None:
                    yield ended

    def _hand_out(
        self, source: "Iterator[tuple[int, Item]]", seconds: Callable[[Item], float]
    ) -> None:
        while self._free:
            if (key := self._next(source)) is None:
                return
            item = self._items[key]
            actor = self._free.popleft()
            reference = actor.work.remote(item, seconds(item))
            self._tries[reference] = _Try(key, actor, time.monotonic())

    def _next(self, source: "Iterator[tuple[int, Item]]") -> int | None:
        """An item that was lost, a new one, or one that is late; None: nothing for now."""
        if self._again:
            return self._again.popleft()
        if not self._all_handed_out and self._is_near():
            try:
                key, self._items[key] = next(source)
            except StopIteration:
                self._all_handed_out = True
            else:
                self._newest = key
                return key
        return self._late()

    def _is_near(self) -> bool:
        """The next new item is no further ahead of the oldest than it may be."""
        if self._ahead is None or not self._items:
            return True
        # Items are entered in the order of their keys, so that the first is the oldest.
        return self._newest - next(iter(self._items)) < self._ahead

    def _late(self) -> int | None:
        """The item that has taken longest, if that is too long and one actor alone has it."""
        if not self._lengths:
            return None
        limit = max(_LEAST_LATE_SECONDS, _LATE * statistics.median(self._lengths))
        given = [one.key for one in self._tries.values()]
        now = time.monotonic()
        for one in self._tries.values():  # oldest first
            if one.key in self._items and given.count(one.key) == 1 and now - one.began > limit:
                return one.key
        return None

    def _done(self) -> list[Any]:
        self._ask_again()
        waited = [*self._starting, *self._tries]
        if not waited:  # Ray would not wait for nothing
            time.sleep(_LOOK_SECONDS)
            return []
        found: list[Any] = self._ray.wait(waited, num_returns=1, timeout=_LOOK_SECONDS)[0]
        return found

    def _answered(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        exceptions = self._ray.exceptions
        try:
            self._ray.get(reference)
        except (exceptions.ActorDiedError, exceptions.ActorUnschedulableError) as error:
            # Whoever is restarted for ever and is dead all the same could not be made.
            raise _never_made(error) from error
        except exceptions.RayError:
            self._to_ask.append((time.monotonic() + _ASK_SECONDS, actor))
        else:
            self._free.append(actor)

    def _ask_again(self) -> None:
        """Ask those whose time has come: an error that comes at once must not be asked for ever."""
        while self._to_ask and self._to_ask[0][0] <= time.monotonic():
            _, actor = self._to_ask.popleft()
            self._starting[_asked_whether_here(actor)] = actor

    def _ended(self, reference: Any, one: _Try) -> Ended[Item, Result] | None:
        """How an item ended; None where it ended before, or another actor still has it."""
        exceptions = self._ray.exceptions
        try:
            result, reason, detail = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            raise _own(error) from error
        except exceptions.RayError as error:
            # Ray starts it again: it gets items when it answers.
            self._starting[_asked_whether_here(one.actor)] = one.actor
            if self._is_tried_again(one.key):
                return None
            what = str(error).splitlines()[0].strip()
            detail = f"its actor was lost {self._losses[one.key]} times: {what}"
            result, reason = None, Reason.DECODER_CRASHED
        else:
            self._free.append(one.actor)
            self._lengths.append(time.monotonic() - one.began)
        if one.key not in self._items:
            return None
        return Ended(self._items.pop(one.key), result, reason, detail)

    def _is_tried_again(self, key: int) -> bool:
        """Put a lost item back, unless it ended, another actor has it, or it was lost too often."""
        if key not in self._items or any(one.key == key for one in self._tries.values()):
            return True
        self._losses[key] += 1
        if self._losses[key] > _TRIES_AGAIN:
            return False
        self._again.append(key)
        return True


def _asked_whether_here(actor: Any) -> Any:
    """What tells when an actor runs, however long that takes and however often it starts."""
    return actor.here.options(max_task_retries=-1).remote()


def _never_made(error: Any) -> HowtoError:
    """What to tell of an actor that Ray gave up before it ran."""
    text = str(error)
    if re.search(r"\btoken\b", text, re.IGNORECASE):
        todo = "Give the machines and the driver the same RAY_AUTH_MODE and the same token"
    else:
        todo = "Install howto and its plugins in the same versions on every machine"
    return HowtoError(f"an actor cannot be started: {_why_never_made(error)}. {todo}")


def _why_never_made(error: Any) -> str:
    """The line of Ray's text that says why, among tracebacks and names of actors."""
    lines: list[str] = str(error).strip().splitlines()
    if getattr(error, "actor_init_failed", False):
        return lines[-1].strip()  # of a traceback
    told = [line for line in lines[1:] if line.strip() and not line.startswith("\t")]
    return (told or lines)[0].strip().rstrip(".")


def _own(error: Any) -> Exception:
    """What the worker raised: our own error as it was, else one line that names it."""
    cause = error.cause
    if isinstance(cause, HowtoError):
        return cause
    # The text of Ray's error is a traceback in colours; it stays to be seen as the cause.
    what = str(cause).strip().splitlines() or ["(it says no more)"]
    return HowtoError(f"an actor failed: {type(cause).__name__}: {what[0]}")
