"""Decoder processes that feed the process that computes.

A decoder is C code that reads what strangers wrote. Each works in a process of its own, keeps ahead
of the computing by a bounded number of frames, and sends them through a pipe; when the pipe is full
it waits. A decoder that dies, whoever killed it, or that is silent for longer than the time limit,
is replaced, and its video tried once more by itself in a new process; if that ends in the same way,
the video is given up. Frames are copied once into the pipe and once out of it: at 60 times real
time that is 70 MB a second, far below what a pipe carries.
"""

import contextlib
import math
import multiprocessing
import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from howto.errors import HowtoError, ItemError, Reason, UsageError
from howto.records import FrameSpec
from howto.run import interrupts

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from howto.media.decode import FrameChunk

__all__ = ["Again", "Decoders", "Ended", "Event", "Frames", "ToDecode"]

CHUNK = 16
"""Frames sent at a time."""

_AHEAD = 8  # chunks a decoder keeps ready beyond what is in the pipe
_TASKS_AHEAD = 2  # videos handed to one decoder: it goes on while the end of one is computed
_START_SECONDS = 120.0  # a busy machine needs long to start Python
_LONGEST_LIMIT = 7 * 24 * 3600.0  # a system call cannot wait for as long as a float can say
# So many starts in a row may fail, and so many be killed from outside, before that is believed.
_MOST_FAILED_STARTS = 5
_MOST_KILLED_STARTS = 50


@dataclass(frozen=True, slots=True)
class ToDecode:
    """A video to decode.

    Attributes:
        key: what the caller knows it by.
        specs: the frames wanted of it.
    """

    key: int
    path: Path
    specs: tuple[FrameSpec, ...]
    sizing: Literal["displayed", "coded"] = "displayed"


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames of one spec, in order within it."""

    chunk: "FrameChunk"


@dataclass(frozen=True, slots=True)
class Again:
    """The decoder was lost: what came of this video is void, and it begins anew."""


@dataclass(frozen=True, slots=True)
class Ended:
    """All of a video has been sent, or it cannot be decoded.

    Attributes:
        reason: None where it could be decoded.
        detail: what was found; where it could be decoded, what of it could not.
    """

    reason: Reason | None = None
    detail: str = ""


Event = Frames | Again | Ended


@dataclass(slots=True, eq=False)
class _Decoder:
    """One process, as the driver sees it.

    Attributes:
        tasks: handed to it and not ended, the one being sent first.
        quiet_since: when it was first found silent since its last word; None: it spoke.
    """

    process: "SpawnProcess"
    connection: Connection
    ready: bool = False
    tasks: deque[ToDecode] = field(default_factory=deque)
    quiet_since: float | None = None

    def end(self) -> None:
        """End the process at once."""
        self.connection.close()
        self.process.kill()
        self.process.join()
        self.process.close()

    @contextlib.contextmanager
    def killed_after(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the process where what is done inside takes longer; reading from it then ends.

        Yields:
            Set when it was killed.
        """
        expired = threading.Event()

        def kill() -> None:
            expired.set()
            self.process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()
            timer.join()  # what it may kill is not to be closed before


class Decoders:
    """A fixed number of decoder processes. Use it as a context manager, or call `close`.

    Args:
        workers: processes; each decodes with the threads of `howto.media.decode`.
        time_limit: seconds a decoder may be silent while it is waited for; a week at most.

    Raises:
        UsageError: a time limit that is no number of seconds above 0.
    """

    def __init__(self, workers: int, *, time_limit: float = 120.0) -> None:
        if not (time_limit > 0 and math.isfinite(time_limit)):
            raise UsageError(f"the time limit is {time_limit:g}, expected seconds above 0")
        self._workers = workers
        self._time_limit = min(time_limit, _LONGEST_LIMIT)
        self._decoders: list[_Decoder] = []
        self._waiting: deque[ToDecode] = deque()
        self._tried: set[int] = set()
        self._failed_starts = 0

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes at once: what they still decode is not wanted."""
        while self._decoders:
            self._decoders.pop().end()

    @property
    def process_ids(self) -> list[int]:
        """The processes that are there now."""
        return [one.process.pid for one in self._decoders if one.process.pid is not None]

    def run(self, tasks: Iterable[ToDecode]) -> Iterator[tuple[ToDecode, Event]]:
        """Decode videos, several at once.

        Args:
            tasks: taken a few ahead.

        Raises:
            HowtoError: no process can start.

        Yields:
            The events of each video: frames in order, and `Ended` last. Events of different videos
            come in any order.
        """
        source = iter(tasks)
        try:
            while True:
                self._hand_out(source)
                busy = [one for one in self._decoders if one.tasks]
                if not busy:
                    return
                yield from self._events(busy)
        finally:
            self._waiting.clear()
            self._tried.clear()
            # What was left in the middle of a video would send the rest of it.
            for one in [one for one in self._decoders if one.tasks]:
                self._decoders.remove(one)
                one.end()

    # Handing out

    def _hand_out(self, source: Iterator[ToDecode]) -> None:
        """Give every decoder what it may hold, in turns."""
        for ahead in range(_TASKS_AHEAD):
            for one in range(self._workers):
                task = self._next(source)
                if task is None:
                    return
                decoder = self._free(one, ahead, alone=task.key in self._tried)
                if decoder is None:
                    self._waiting.appendleft(task)
                    continue
                self._send(decoder, task)

    def _next(self, source: Iterator[ToDecode]) -> ToDecode | None:
        if self._waiting:
            return self._waiting.popleft()
        return next(source, None)

    def _free(self, place: int, ahead: int, *, alone: bool) -> _Decoder | None:
        """The decoder at a place, if it may take one more task."""
        while len(self._decoders) <= place:
            self._decoders.append(_start())
        decoder = self._decoders[place]
        held = len(decoder.tasks)
        if not held and not decoder.process.is_alive():  # killed while it had nothing to do
            decoder.end()
            decoder = self._decoders[place] = _start()
        if held > ahead or (held and (alone or decoder.tasks[0].key in self._tried)):
            return None
        return decoder

    def _send(self, decoder: _Decoder, task: ToDecode) -> None:
        with contextlib.suppress(OSError):  # it died meanwhile: seen when it is listened to
            decoder.connection.send(task)
        if not decoder.tasks:
            decoder.quiet_since = None
        decoder.tasks.append(task)

    # Listening

    def _events(self, busy: list[_Decoder]) -> Iterator[tuple[ToDecode, Event]]:
        ready = wait([one.connection for one in busy], timeout=self._patience(busy))
        now = time.monotonic()
        for one in busy:
            if one.connection in ready:
                one.quiet_since = None
                yield from self._receive(one)
            elif one.quiet_since is None:
                # Counted from here: while this process computed, nobody listened.
                one.quiet_since = now
            elif now - one.quiet_since >= self._limit(one):
                yield from self._silent(one)

    def _limit(self, decoder: _Decoder) -> float:
        return self._time_limit if decoder.ready else max(self._time_limit, _START_SECONDS)

    def _patience(self, busy: list[_Decoder]) -> float:
        now = time.monotonic()
        left = [
            self._limit(one) - (now - one.quiet_since) if one.quiet_since is not None else 0.0
            for one in busy
        ]
        return max(0.0, min(left))

    def _receive(self, one: _Decoder) -> Iterator[tuple[ToDecode, Event]]:
        try:
            # It may stop in the middle of a message, too.
            with one.killed_after(self._limit(one)) as expired:
                message = one.connection.recv()
                event = _event(message, one.connection)
        except (EOFError, OSError):
            if expired.is_set():
                yield from self._silent(one)
                return
            one.process.join(1.0)
            yield from self._lost(one, Reason.DECODER_CRASHED, _exit_told(one.process.exitcode))
            return
        if event is None:
            one.ready = True
            self._failed_starts = 0
            return
        task = one.tasks[0]
        if isinstance(event, Ended):
            one.tasks.popleft()
            self._tried.discard(task.key)
        yield task, event

    def _silent(self, one: _Decoder) -> Iterator[tuple[ToDecode, Event]]:
        yield from self._lost(one, Reason.TIME_LIMIT, f"no frame within {self._limit(one):g} s")

    def _lost(self, one: _Decoder, reason: Reason, detail: str) -> Iterator[tuple[ToDecode, Event]]:
        """Replace a decoder. Its first task is to blame, or is tried once more by itself."""
        killed = (one.process.exitcode or 0) < 0
        self._decoders.remove(one)
        one.end()
        if not one.ready:
            self._count_failed_start(_MOST_KILLED_STARTS if killed else _MOST_FAILED_STARTS)
            self._waiting.extendleft(reversed(one.tasks))
            return
        first = one.tasks.popleft()
        self._waiting.extendleft(reversed(one.tasks))
        if first.key in self._tried:
            self._tried.discard(first.key)
            yield first, Ended(reason, f"{detail}, twice")
            return
        self._tried.add(first.key)
        self._waiting.append(first)
        yield first, Again()

    def _count_failed_start(self, most: int) -> None:
        self._failed_starts += 1
        if self._failed_starts >= most:
            raise HowtoError(
                "decoder processes cannot start; what they said stands above. A script that starts "
                'them needs its main part under `if __name__ == "__main__":`'
            )


def _exit_told(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {-code}"
    return f"exit code {code}"


def _event(message: tuple[Any, ...], connection: Connection) -> Event | None:
    """What a message of a decoder means; None: it is ready to work."""
    import numpy as np

    kind, *told = message
    if kind == "ready":
        return None
    if kind == "ended":
        return Ended(*told)
    from howto.media.decode import FrameChunk

    spec, first, shape, times = told
    frames = np.empty(shape, np.uint8)
    connection.recv_bytes_into(frames.reshape(-1))
    return Frames(FrameChunk(spec, first, frames, np.frombuffer(times, np.float64)))


def _start() -> _Decoder:
    # Not a fork: the driver has threads and perhaps a GPU.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="howto-decoder", daemon=True)
    with interrupts.held_back():
        process.start()
    theirs.close()
    return _Decoder(process, ours)


# In the decoder's process.


def _serve(connection: Connection) -> None:
    """Decode what is asked for until the driver is gone."""
    interrupts.leave_to_the_driver()
    threading.Thread(target=_end_with_driver, daemon=True).start()
    from howto.media import decode  # noqa: F401 loaded before the first video's time runs

    outbox: queue.Queue[tuple[Any, ...]] = queue.Queue(_AHEAD)
    threading.Thread(target=_send_all, args=(connection, outbox), daemon=True).start()
    outbox.put(("ready",))
    while True:
        try:
            task: ToDecode = connection.recv()
        except (EOFError, OSError):
            return
        outbox.put(("ended", *_decode(task, outbox)))


def _end_with_driver() -> None:
    """End this process when the driver is gone, even from within a video that decodes for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(0)


def _decode(task: ToDecode, outbox: "queue.Queue[tuple[Any, ...]]") -> tuple[Reason | None, str]:
    from howto.media.decode import decode

    problems: list[str] = []
    try:
        for chunk in decode(
            task.path, task.specs, chunk=CHUNK, sizing=task.sizing, problems=problems
        ):
            outbox.put(("frames", chunk))
    except ItemError as error:
        return error.reason, error.detail
    except Exception as error:  # noqa: BLE001 whatever it is costs this video only
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error} at {where}"
    return None, problems[0] if problems else ""


def _send_all(connection: Connection, outbox: "queue.Queue[tuple[Any, ...]]") -> None:
    """Send what was decoded, waiting where the driver is busy, while decoding goes on."""
    try:
        while True:
            message = outbox.get()
            if message[0] != "frames":
                connection.send(message)
                continue
            chunk = message[1]
            shape, times = chunk.frames.shape, chunk.times.tobytes()
            connection.send(("frames", chunk.spec, chunk.first, shape, times))
            connection.send_bytes(chunk.frames.reshape(-1))
    except OSError:
        os._exit(0)  # the driver is gone; so is the reason to decode
