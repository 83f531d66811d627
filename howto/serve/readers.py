"""A few threads that hold the library open and answer questions to it.

SQLite's connections belong to the thread that made them, and opening one costs as much as a small
search.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from howto.library import Library
from howto.serve.settings import Settings

__all__ = ["Busy", "Readers"]

Result = TypeVar("Result")

_MOST_WAITING = 256
_PATIENCE = 3.0  # seconds that stopping waits for the answers being worked at


class Busy(Exception):
    """More is asked at once than can be answered soon.

    Attributes:
        ask_after: seconds after which asking again makes sense.
    """

    def __init__(self, ask_after: int = 1) -> None:
        super().__init__(ask_after)
        self.ask_after = ask_after


class Readers:
    """Threads with a library each. Questions beyond `_MOST_WAITING` are refused."""

    def __init__(self, settings: Settings, threads: int) -> None:
        self._settings = settings
        self._questions: queue.Queue[tuple[Future[Any], Callable[[Library], Any]] | None]
        self._questions = queue.Queue(_MOST_WAITING)
        self._threads = [
            threading.Thread(target=self._answer, name=f"reader-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the libraries and end the threads. What nobody works at yet is not answered; a
        thread that is at something long, such as loading a network, ends with the process."""
        with suppress(queue.Empty):
            while (waiting := self._questions.get_nowait()) is not None:
                waiting[0].cancel()
        for _ in self._threads:
            self._questions.put(None)
        until = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    async def ask(self, question: Callable[[Library], Result]) -> Result:
        """Answer a question in one of the threads.

        Raises:
            Busy: too many wait already.
        """
        answer: Future[Result] = Future()
        try:
            self._questions.put_nowait((answer, question))
        except queue.Full as error:
            raise Busy from error
        return await asyncio.wrap_future(answer)

    def _answer(self) -> None:
        with Library.open(self._settings.folder, self._settings.state_dir) as library:
            while (asked := self._questions.get()) is not None:
                answer, question = asked
                if not answer.set_running_or_notify_cancel():
                    continue
                try:
                    answer.set_result(question(library))
                except BaseException as error:  # noqa: BLE001 whoever awaits the answer gets it
                    answer.set_exception(error)
