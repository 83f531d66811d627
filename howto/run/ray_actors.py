"""The Ray engine: one function over many items on actors that keep what they have loaded.

An actor takes its share of a machine (`Engine.resources`), makes its worker when the first item
comes, and gets one item at a time. Ray restarts an actor whose process or machine was lost, on
another machine where there is room (`max_restarts`). Its item goes to whichever actor is free next,
up to three times more. Ray's own way with items (`max_task_retries`) is not used for them: it keeps
an item for its actor, which may wait for a machine for ever, and every vain attempt to connect to
an actor that is starting again counts as a try, so that one lost machine could use up all of them.

An actor that has an item for long is asked for a sign of life, which a thread of its own gives. One
that gives none, such as a stopped process, is killed and counts as lost. So does one that does not
keep the item's time limit itself.

What a worker raises says something of its machine, such as a full disk, a broken GPU or missing
weights: the machine refuses the item, which goes to another one. Where no machine is left the run
ends with the error, as it does at home; for one that is alone that is at once. An `OSError` may
pass, like the hiccup of a mount: a machine gets the item anew after a rest, up to three times in
all. Any other error may have broken the process, which is made anew, and bars the machine from the
item. Losses and refusals are counted apart.

When nothing new is left to hand out, an item that takes much longer than others did is given a
second time, to an actor that is idle. An item may thus be done twice; it ends once.

Only this module and `howto.run.ray_cluster` know Ray.
"""

import logging
import math
import os
import re
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from howto.errors import HowtoError, Reason
from howto.run.engine import Engine
from howto.run.local import Ended, LocalPool
from howto.run.ray_cluster import TOKENS, connected, no_room, room

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Worker", "in_a_process", "run_ray"]

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)

_log = logging.getLogger(__name__)

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
_SIGN_SECONDS = 20.0
"""So long after the last one an actor is asked for a sign of life."""
_SILENT_SECONDS = 120.0
"""It is lost when there was none for so long, or when an item ran past its time limit so far: a
busy machine needs long to start Python."""
_REST_SECONDS = 10.0
"""So long an actor gets nothing after it refused an item."""
_REFUSALS = 3
"""A machine that refused an item so often does not get it again. One that refused whatever came so
often, a rest apart, can do nothing for now."""
_RECOUNT_SECONDS = 5.0
"""How often it is asked whether machines have joined."""
_PATIENT_SECONDS = 5.0
"""So long it is not told that no machine has room yet."""
_BUSY_SECONDS = 30.0
"""So long it is not told that no actor has started where there is room: Python starts slowly."""
_SIGNS = "signs"
"""The actor's thread that answers while the other one works."""

# What one item's actor ended with, as it travels: a result, or a reason and what was found.
_Told = tuple[Any, Reason | None, str]


class Worker(Protocol[ItemIn, ResultOut]):
    """What does items in an actor; made there once."""

    def work(self, item: ItemIn, time_limit: float) -> tuple[ResultOut | None, Reason | None, str]:
        """Do one item: its result, or why there is none, as in `Ended`.

        Raises:
            Exception: it cannot be done on this machine, which may be full or broken.
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
        workers: actors; by default as many as the cluster has shares for, more when machines join.
            More than there is room for start when there is.
        time_limit: seconds an item may take, handed to the worker, which is to keep it. `math.inf`
            where the worker has limits of its own: only signs of life count then.
        ahead: as for `howto.run.engine.run`.

    Raises:
        UsageError: an actor takes nothing.
        HowtoError: Ray is not installed, or its cluster cannot be reached; no machine has room for
            one actor, unless `workers` is given and the cluster is one elsewhere, which may grow;
            or every machine refused an item, with what the last one said.

    Yields:
        In the order in which they end; each item once. An item whose actor was lost again and again
        ends with DECODER_CRASHED, or TIME_LIMIT where it was silent.
    """
    seconds = time_limit if callable(time_limit) else lambda _: time_limit
    with connected(engine) as ray:
        crew = _Crew(ray, engine, make, workers)
        try:
            yield from crew.run(items, seconds, ahead)
        finally:
            crew.dismiss()


class _Place(NamedTuple):
    """Where an actor is: the machine by Ray's name and by its address, and the process."""

    machine: str
    address: str
    process: int


class _Actor:
    """In the cluster: makes its worker when the first item comes, so that what fails is told."""

    def __init__(self, make: Callable[[], Worker[Any, Any]]) -> None:
        self._make = make
        self._worker: Worker[Any, Any] | None = None

    def here(self) -> _Place:
        """Answer, once it runs, also while it works: which machine and process it is."""
        import ray

        util: Any = ray.util  # its functions have no types
        node = ray.get_runtime_context().get_node_id()
        return _Place(node, util.get_node_ip_address(), os.getpid())

    def work(self, item: Any, time_limit: float) -> _Told:
        if self._worker is None:
            self._worker = self._make()
        return self._worker.work(item, time_limit)


# The driver's side.


@dataclass(slots=True, eq=False)
class _Try:
    """One item with one actor, by the driver's clock.

    Attributes:
        began: when it was handed over.
        latest: when it has to have ended.
        heard: when the actor was last known to live.
        sign: what tells that it does, while it is asked.
    """

    key: int
    actor: Any
    began: float
    latest: float
    heard: float
    sign: Any = None


@dataclass(slots=True)
class _Refusals:
    """How often each machine refused, and when last.

    Attributes:
        first: when the first one did.
        error: the last one, as it is told.
    """

    first: float
    error: Exception
    times: Counter[str] = field(default_factory=Counter)
    latest: dict[str, float] = field(default_factory=dict)

    def are_over(self, machine: str) -> bool:
        """The machine may try again: it never refused, or not too often and some time ago."""
        if not (times := self.times[machine]):
            return True
        rested = time.monotonic() - self.latest[machine] >= _REST_SECONDS
        return times < _REFUSALS and rested


class _Crew(Generic[Item, Result]):
    """Actors, and which item each has.

    Args:
        size: how many; None: as many as there is room for, also later.
    """

    def __init__(
        self,
        ray: "ModuleType",
        engine: Engine,
        make: Callable[[], Worker[Item, Result]],
        size: int | None,
    ) -> None:
        self._ray = ray
        self._engine = engine
        self._make = make
        self._grows = size is None
        self._recounted = self._looked = time.monotonic()
        self._actors: list[Any] = []
        # Only who has answered gets items: some may wait for a machine to join.
        self._starting: dict[Any, Any] = {}
        self._to_ask: list[tuple[float, Any]] = []
        self._places: dict[Any, _Place] = {}
        self._killed: dict[Any, _Place] = {}
        self._free: deque[Any] = deque()
        self._tries: dict[Any, _Try] = {}
        self._signs: dict[Any, _Try] = {}
        self._items: dict[int, Item] = {}
        self._lengths: deque[float] = deque(maxlen=_LENGTHS)
        self._again: deque[int] = deque()
        self._losses: Counter[int] = Counter()
        self._refusals: dict[int, _Refusals] = {}
        # Of machines that have ended nothing since: how often they refused whatever came.
        self._useless: Counter[str] = Counter()
        self._refused_at: dict[str, float] = {}
        self._noted: set[str] = set()
        self._notes: list[str] = []
        self._all_handed_out = False
        self._ahead: int | None = None
        self._newest = -1
        there = room(ray, engine)
        held = ": other jobs may hold it (`ray status` says)" if engine.address else ""
        self._waiting_for = f"no actor has started yet, though there is room for one{held}; waiting"
        self._tell_at = time.monotonic() + _BUSY_SECONDS
        if not there:
            # What is started here cannot grow; elsewhere who says how many may mean machines to
            # come.
            if size is None or not engine.address:
                raise HowtoError(no_room(ray, engine))
            self._waiting_for = f"{no_room(ray, engine)}; waiting for a machine that has"
            self._tell_at = time.monotonic() + _PATIENT_SECONDS
        self._hire(size or there)

    def _hire(self, count: int) -> None:
        shares = dict(self._engine.resources)
        hired = self._ray.remote(concurrency_groups={_SIGNS: 1})(_Actor).options(
            num_cpus=shares.pop("cpu"),
            num_gpus=shares.pop("gpu"),
            resources=shares or None,
            max_restarts=-1,
        )
        for _ in range(count):
            actor = hired.remote(self._make)
            self._actors.append(actor)
            self._starting[_asked_whether_here(actor)] = actor

    def _hire_more(self) -> None:
        """Fill the machines that have joined since."""
        now = time.monotonic()
        if self._grows and not self._all_handed_out and now - self._recounted > _RECOUNT_SECONDS:
            self._recounted = now
            self._hire(room(self._ray, self._engine) - len(self._actors))

    def _tell_waiting(self) -> None:
        """Say once why nothing is done yet."""
        if self._places:
            self._waiting_for = ""
        elif self._waiting_for and time.monotonic() > self._tell_at:
            _log.warning("%s", self._waiting_for)
            self._waiting_for = ""

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
                elif reference in self._signs:
                    self._heard(reference)
                elif reference in self._tries:
                    yield from self._ended(reference, self._taken_from(reference))
            yield from self._silent()
            self._stop_where_no_machine_can()
            self._tell()
            self._hire_more()
            self._tell_waiting()

    def _hand_out(
        self, source: "Iterator[tuple[int, Item]]", seconds: Callable[[Item], float]
    ) -> None:
        for _ in range(len(self._free)):
            actor = self._free.popleft()
            if (key := self._next(source, actor)) is None:
                self._free.append(actor)
                if not self._again:
                    return
                continue  # what waits may be for another one
            item = self._items[key]
            limit = seconds(item)
            reference = actor.work.remote(item, limit)
            now = time.monotonic()
            self._tries[reference] = _Try(key, actor, now, now + limit + _SILENT_SECONDS, now)

    def _next(self, source: "Iterator[tuple[int, Item]]", actor: Any) -> int | None:
        """An item that was lost, a new one, or one that is late; None: nothing for this one now."""
        for key in self._again:
            if self._may_have(actor, key):
                self._again.remove(key)
                return key
        if not self._all_handed_out and self._is_near():
            try:
                key, self._items[key] = next(source)
            except StopIteration:
                self._all_handed_out = True
            else:
                self._newest = key
                return key
        return self._late(actor)

    def _may_have(self, actor: Any, key: int) -> bool:
        """The actor's machine does not refuse the item."""
        refusals = self._refusals.get(key)
        return refusals is None or refusals.are_over(self._places[actor].machine)

    def _is_near(self) -> bool:
        """The next new item is no further ahead of the oldest than it may be."""
        if self._ahead is None or not self._items:
            return True
        # Items are entered in the order of their keys, so that the first is the oldest.
        return self._newest - next(iter(self._items)) < self._ahead

    def _late(self, actor: Any) -> int | None:
        """The item that has taken longest, if that is too long and one actor alone has it."""
        if not self._lengths:
            return None
        limit = max(_LEAST_LATE_SECONDS, _LATE * statistics.median(self._lengths))
        given = [one.key for one in self._tries.values()]
        now = time.monotonic()
        for one in self._tries.values():  # oldest first
            is_late = one.key in self._items and now - one.began > limit
            if is_late and given.count(one.key) == 1 and self._may_have(actor, one.key):
                return one.key
        return None

    def _done(self) -> list[Any]:
        self._ask_again()
        waited = [*self._starting, *self._signs, *self._tries]
        if not waited:  # Ray would not wait for nothing
            time.sleep(_LOOK_SECONDS)
            return []
        found: list[Any] = self._ray.wait(waited, num_returns=1, timeout=_LOOK_SECONDS)[0]
        return found

    def _answered(self, reference: Any) -> None:
        actor = self._starting.pop(reference)
        exceptions = self._ray.exceptions
        try:
            place = self._ray.get(reference)
        except (exceptions.ActorDiedError, exceptions.ActorUnschedulableError) as error:
            # Whoever is restarted for ever and is dead all the same could not be made.
            raise _never_made(error) from error
        except exceptions.RayError:
            self._to_ask.append((time.monotonic() + _ASK_SECONDS, actor))
        else:
            if self._killed.get(actor) == place:  # what was killed had the time to answer
                self._to_ask.append((time.monotonic() + _ASK_SECONDS, actor))
            else:
                self._places[actor] = place
                self._free.append(actor)

    def _ask_again(self) -> None:
        """Ask those whose time has come: an error that comes at once must not be asked for ever."""
        now = time.monotonic()
        for _, actor in (one for one in self._to_ask if one[0] <= now):
            # Its machine may be lost meanwhile: it is none until it answers.
            self._places.pop(actor, None)
            self._starting[_asked_whether_here(actor)] = actor
        self._to_ask = [one for one in self._to_ask if one[0] > now]

    def _taken_from(self, reference: Any) -> _Try:
        """The try that is over; whether its actor lives is not asked any more."""
        one = self._tries.pop(reference)
        self._signs.pop(one.sign, None)
        return one

    def _ended(self, reference: Any, one: _Try) -> Iterator[Ended[Item, Result]]:
        """How an item ended; nothing where it ended before, or is not over yet."""
        exceptions = self._ray.exceptions
        try:
            result, reason, detail = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            self._refused(one, error)
        except exceptions.RayError as error:
            what = str(error).splitlines()[0].strip()
            yield from self._lost(one, Reason.DECODER_CRASHED, what)
        else:
            self._free.append(one.actor)
            self._lengths.append(time.monotonic() - one.began)
            self._useless.pop(self._places[one.actor].machine, None)
            if one.key in self._items:
                yield Ended(self._taken_out(one.key), result, reason, detail)

    def _taken_out(self, key: int) -> Item:
        """The item that ends now; what was counted of it is over."""
        self._losses.pop(key, None)
        self._refusals.pop(key, None)
        return self._items.pop(key)

    def _lost(self, one: _Try, reason: Reason, what: str) -> Iterator[Ended[Item, Result]]:
        """How an item ends whose actor was lost; nothing where it is tried again."""
        place = self._places.pop(one.actor)
        self._note(place, f"an actor on {place.address} was lost: {what}")
        # Ray starts it again, perhaps elsewhere: it gets items when it answers.
        self._starting[_asked_whether_here(one.actor)] = one.actor
        if not self._is_left(one.key):
            return
        self._losses[one.key] += 1
        if (losses := self._losses[one.key]) <= _TRIES_AGAIN:
            self._again.append(one.key)
            return
        detail = f"its actor was lost {losses} times, last on {place.address}: {what}"
        yield Ended(self._taken_out(one.key), None, reason, detail)

    def _is_left(self, key: int) -> bool:
        """The item has not ended, and no other actor has it."""
        return key in self._items and all(one.key != key for one in self._tries.values())

    def _refused(self, one: _Try, error: Any) -> None:
        """Give an item to another machine, and rest to this one, of which the error may be."""
        now = time.monotonic()
        place = self._places[one.actor]
        told = _own(error, place.address)
        told.__cause__ = error
        passes = isinstance(error.cause, OSError)
        if not passes:  # its process may be broken
            self._killed[one.actor] = place
            self._ray.kill(one.actor, no_restart=False)
        self._to_ask.append((now + _REST_SECONDS, one.actor))
        self._note(place, f"{told}; what it had goes to another machine")
        if now - self._refused_at.get(place.machine, -math.inf) >= _REST_SECONDS:
            self._refused_at[place.machine] = now
            self._useless[place.machine] += 1
        if one.key not in self._items:
            return
        refusals = self._refusals.setdefault(one.key, _Refusals(now, told))
        refusals.error = told
        refusals.times[place.machine] += 1 if passes else _REFUSALS
        refusals.latest[place.machine] = now
        if self._is_left(one.key):
            self._again.append(one.key)

    def _note(self, place: _Place, what: str) -> None:
        """Keep the first thing that goes wrong on a machine, to be told."""
        if place.machine not in self._noted:
            self._noted.add(place.machine)
            self._notes.append(what)

    def _tell(self) -> None:
        """Say what went wrong, unless the run ends by it."""
        for what in self._notes:
            _log.warning("%s", what)
        self._notes.clear()

    def _stop_where_no_machine_can(self) -> None:
        """End the run for an item that every machine refuses, unless one may yet come.

        Raises:
            HowtoError: what the last machine said.
        """
        if not self._refusals:
            return
        coming = [*self._starting.values(), *(actor for _, actor in self._to_ask)]
        none_comes = all(actor in self._places for actor in coming)
        for refusals in filter(None, map(self._refusals.get, self._again)):
            is_late = time.monotonic() - refusals.first > _SILENT_SECONDS
            if (none_comes or is_late) and self._is_refused_everywhere(refusals):
                raise refusals.error

    def _is_refused_everywhere(self, refusals: _Refusals) -> bool:
        machines = {place.machine for place in self._places.values()}
        if len(machines) == 1:
            return all(refusals.times[one] for one in machines)
        # That machines can do nothing at all is seen sooner than by one item that visits all.
        is_for_all = all(self._useless[one] >= _REFUSALS for one in machines)
        return is_for_all or all(refusals.times[one] >= _REFUSALS for one in machines)

    def _heard(self, reference: Any) -> None:
        """Note that an actor lives, if that is what came."""
        one = self._signs.pop(reference)
        one.sign = None
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError:
            return  # what becomes of its item will tell
        one.heard = time.monotonic()

    def _silent(self) -> Iterator[Ended[Item, Result]]:
        """Ask for signs of life, and kill who gives none, or does not come to an end."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        # While this process was stopped, or its caller busy, nobody listened.
        deaf = max(0.0, now - self._looked - 2 * _LOOK_SECONDS)
        self._looked = now
        for reference, one in list(self._tries.items()):
            one.heard += deaf
            one.latest += deaf
            if now - one.heard > _SILENT_SECONDS:
                what = f"it gave no sign of life for {_SILENT_SECONDS:g} s"
            elif now > one.latest:
                what = f"it had no end {_SILENT_SECONDS:g} s after its time limit"
            else:
                if one.sign is None and now - one.heard > _SIGN_SECONDS:
                    one.sign = _asked_for_a_sign(one.actor)
                    self._signs[one.sign] = one
                continue
            self._killed[one.actor] = self._places[one.actor]
            self._ray.kill(one.actor, no_restart=False)
            yield from self._lost(self._taken_from(reference), Reason.TIME_LIMIT, what)


def _asked_whether_here(actor: Any) -> Any:
    """What tells when an actor runs, however long that takes and however often it starts."""
    return actor.here.options(max_task_retries=-1, concurrency_group=_SIGNS).remote()


def _asked_for_a_sign(actor: Any) -> Any:
    """What tells that an actor lives that has an item."""
    return actor.here.options(concurrency_group=_SIGNS).remote()


def _never_made(error: Any) -> HowtoError:
    """What to tell of an actor that Ray gave up before it ran."""
    if re.search(r"\btoken\b|cancelled before it started", str(error), re.IGNORECASE):
        todo = TOKENS  # of a driver with a token that the cluster lacks Ray says no more than that
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


def _own(error: Any, address: str) -> Exception:
    """What the worker raised on a machine: our own error, else one line that names it."""
    cause = error.cause
    if isinstance(cause, HowtoError):
        cause.args = (f"on the machine {address}: {cause}", *cause.args[1:])
        return cause
    # The text of Ray's error is a traceback in colours; it stays to be seen as the cause.
    what = str(cause).strip().splitlines() or ["(it says no more)"]
    return HowtoError(f"an actor on {address} failed: {type(cause).__name__}: {what[0]}")
