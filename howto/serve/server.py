"""Listening, and answering until told to stop."""

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast

import h11
from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from howto.errors import UsageError

__all__ = ["Complaints", "Patient", "address_of", "listen", "most_connections", "serve"]

_BACKLOG = 64
"""Connections that are taken at once. Until those that are too many are closed, a few times as
many are open."""

_SECONDS_TO_ASK = 20  # a client that has not sent a whole request by then is let go
_SECONDS_TO_END = 1  # for what is being sent when the server is told to stop
_MOST_CONNECTIONS = 1000
_KEPT_FREE = 384  # descriptors, for the library and for `_BACKLOG`
_FILES_EACH = 2  # the connection, and the video that is sent
_FEWEST_CONNECTIONS = 32
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SECONDS_OF_SILENCE = 60.0  # between two times that the same trouble is told


def most_connections() -> int:
    """How many clients may be connected: fewer than this process may have files open."""
    try:
        import resource
    except ImportError:  # Windows, where sockets are no files
        return _MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return min(_MOST_CONNECTIONS, max(_FEWEST_CONNECTIONS, (soft - _KEPT_FREE) // _FILES_EACH))


class Patient(H11Protocol):
    """HTTP/1.1, but not for clients that send half a request, its head or its body, and stay.

    Every request of a connection has its own time. An answer has none, for a video that is paused
    is read no further. Where too many are connected, the one that has kept the server waiting for
    longest makes room, by not asking or by not reading; those that are at work stay.
    """

    _deadline: asyncio.TimerHandle | None = None
    _unread_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > most_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watch()

    def _watch(self) -> None:
        """Give what is still to come of a request its time; what is whole needs none."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_watch()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(_SECONDS_TO_ASK, self.transport.abort)

    def _stop_watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        open_ones = (one for one in self.connections if not one.transport.is_closing())
        waited_for = [
            (since, one)
            for one in cast("Iterator[Patient]", open_ones)
            if (since := one._waited_for_since()) is not None
        ]
        min(waited_for, key=lambda pair: pair[0])[1].transport.abort()

    def _waited_for_since(self) -> float | None:
        """When this client was last heard of, by the loop's clock; None: it is its turn to wait."""
        if self._deadline is not None:
            return self._deadline.when() - _SECONDS_TO_ASK
        return self._unread_since


class Complaints:
    """What goes wrong while connections are taken: told in a line, once in a while."""

    def __init__(self) -> None:
        self._told = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _NO_MORE_FILES):
            loop.default_exception_handler(context)
        elif loop.time() - self._told > _SECONDS_OF_SILENCE:
            self._told = loop.time()
            sys.stderr.write(f"cannot take more connections for now: {error.strerror}\n")


def _is_trouble(record: logging.LogRecord) -> bool:
    """Not that a reply is cut off because the server was told to stop."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, asyncio.CancelledError) or str(record.msg).startswith("Cancel "))


def listen(host: str, port: int) -> socket.socket:
    """Take an address; 0 as the port takes any that is free.

    Raises:
        UsageError: it cannot be had, and why.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise UsageError(f"no address is known for {host}: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; name another with --port, or 0 for any"
            ) from error
        raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def address_of(listening: socket.socket) -> str:
    """The web address of what was taken, as this machine's browser reaches it."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 listened to already
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def serve(app: ASGIApp, listening: socket.socket, on_ready: Callable[[], Any]) -> None:
    """Answer until the process is told to stop, by Ctrl-C or otherwise.

    Args:
        listening: from `listen`; closed in the end.
        on_ready: called once requests are answered.
    """

    class _Told(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().set_exception_handler(Complaints())
            logging.getLogger("uvicorn.error").addFilter(_is_trouble)
            await super().startup(sockets)
            on_ready()

    config = Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        access_log=False,  # what is searched for is nobody's business
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        backlog=_BACKLOG,
    )
    with suppress(KeyboardInterrupt):  # raised once more when all is closed
        _Told(config).run([listening])
