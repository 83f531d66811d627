"""Listening, and answering until told to stop."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from howto.errors import UsageError

__all__ = ["address_of", "listen", "serve"]

_BACKLOG = 256
_SECONDS_TO_ASK = 20  # a client that has connected and not asked by then is let go
_SECONDS_TO_END = 1  # for what is being sent when the server is told to stop


class _Patient(H11Protocol):
    """HTTP/1.1, but not for clients that connect, send half a request, and stay."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_SECONDS_TO_ASK, self._close_unless_asked)

    def _close_unless_asked(self) -> None:
        asked = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if asked is None and not self.transport.is_closing():
            self.transport.close()


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
            await super().startup(sockets)
            on_ready()

    config = Config(
        app,
        http=_Patient,
        ws="none",
        lifespan="on",
        access_log=False,  # what is searched for is nobody's business
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    with suppress(KeyboardInterrupt):  # raised once more when all is closed
        _Told(config).run([listening])
