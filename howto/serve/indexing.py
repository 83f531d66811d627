"""Bringing the library up to date while the page is already there to search it."""

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from howto.errors import HowtoError
from howto.library import Library
from howto.search.phrases import named
from howto.search.refresh import Refreshed, refresh
from howto.serve.settings import Settings, without_places

__all__ = ["Building", "Indexer", "Indexing"]

_PATIENCE = 5.0  # seconds that stopping waits for the file being looked at


@dataclass(frozen=True, slots=True)
class Indexing:
    """How far it is.

    Attributes:
        run: counts up with every time it is begun, from 1; 0 before the first.
        done, total: files looked at, and to look at.
        item: the file just finished.
        message: what went wrong, where the state is `failed`.
        new, changed, renamed, removed: files, once the state is `ready`.
    """

    state: Literal["looking", "ready", "failed"]
    run: int = 0
    done: int = 0
    total: int = 0
    item: str = ""
    message: str = ""
    new: int = 0
    changed: int = 0
    renamed: int = 0
    removed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Building:
    """How far the vectors are that a search waits for; done once `done` is `total`.

    Attributes:
        run: counts up with every time it is begun, from 1; 0 before the first.
        done, total: videos.
        item: the video just finished.
    """

    run: int = 0
    done: int = 0
    total: int = 0
    item: str = ""

    def and_then(self, done: int, total: int, item: str) -> "Building":
        """After one more video; a count that does not go on from here begins a new run."""
        goes_on = self.run > 0 and self.done < done and self.total == total
        return Building(self.run if goes_on else self.run + 1, done, total, named(item))

    def ended(self) -> "Building":
        """After the last video, or after an error: nothing is under way."""
        return replace(self, done=self.total)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


class _Stopped(Exception):
    """The server is going down."""


class Indexer:
    """One thread at a time that refreshes the library.

    Attributes:
        now: how far it is; replaced as a whole, so that any thread may read it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self.now = Indexing("ready")

    def begin(self, *, retry: bool = False) -> bool:
        """Begin, unless it is at it already. Call from one thread only.

        Args:
            retry: look again at the files that failed.

        Returns:
            False where it was at it.
        """
        if self._thread is not None and self._thread.is_alive():
            return False
        self.now = Indexing("looking", run=self.now.run + 1)
        self._thread = threading.Thread(target=self._work, args=(retry,), name="indexer")
        self._thread.daemon = True  # a decoder may need minutes; what is not finished is not kept
        self._thread.start()
        return True

    def stop(self) -> None:
        """Stop after the file that is being looked at. What was finished is kept."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _work(self, retry: bool) -> None:
        try:
            with Library.open(self._settings.folder, self._settings.state_dir) as library:
                done = refresh(library, retry=retry, on_progress=self._show)
        except HowtoError as error:
            self.now = replace(
                self.now, state="failed", message=without_places(self._settings, str(error))
            )
        except _Stopped:
            self.now = replace(self.now, state="failed", message="the server is going down")
        else:
            self.now = _ready(self.now, done)
        finally:
            if self.now.state == "looking":  # a bug: its traceback goes to the terminal
                message = "a bug in howto; the terminal of howto serve says which"
                self.now = replace(self.now, state="failed", message=message)

    def _show(self, done: int, total: int, item: str) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self.now = replace(self.now, done=done, total=total, item=named(item))


def _ready(before: Indexing, done: Refreshed) -> Indexing:
    return replace(
        before,
        state="ready",
        item="",
        new=done.new,
        changed=done.changed,
        renamed=done.renamed,
        removed=done.removed,
    )
