"""yt-dlp's opener with a lock on it: http and https only, to where `addresses` allows it, and no
answer that fills the memory.

The lock is where connections are made, not where addresses are read: redirects, addresses found in
pages and names that resolve to something else each time pass it too, and what was checked is what
is connected to. Behind a proxy the name is resolved there; what it resolves to here is refused all
the same.

Needs yt-dlp.
"""

import contextlib
import functools
import http.client
import io
import socket
import ssl
import urllib.request
import urllib.response
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.networking._urllib import UrllibRH
from yt_dlp.networking.common import Request, RequestDirector
from yt_dlp.networking.exceptions import RequestError

from howto.collect.addresses import check_address, public_addresses
from howto.collect.closing import ClosingYoutubeDL
from howto.errors import ItemError, Reason

__all__ = ["GuardedYoutubeDL", "RefusedRequest"]

_PORTS = {"http": 80, "https": 443}
_LARGEST_ANSWER = 16 << 20
"""Bytes of what is read as a whole: a page, a list of files. Media comes in blocks."""
_PACKINGS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_SOCKS = "Ytdl-socks-proxy"  # where yt-dlp notes down the proxy that it will go through


class RefusedRequest(RequestError):  # type: ignore[misc]  # yt-dlp has no types
    """A request or its answer was refused; `refusal` says why. yt-dlp does not try it again."""

    def __init__(self, refusal: ItemError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class GuardedYoutubeDL(ClosingYoutubeDL):
    """A YoutubeDL that asks over http and https only, through one handler of requests.

    Args:
        parameters: yt-dlp's.
        allow_private: ask addresses on this machine and in its network too.
    """

    def __init__(self, parameters: dict[str, Any], *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        super().__init__(parameters)

    @functools.cached_property
    def _request_director(self) -> RequestDirector:
        made = functools.partial(_GuardedRH, allow_private=self._allow_private)
        return self.build_request_director([made])


class _GuardedRH(UrllibRH):  # type: ignore[misc]
    _SUPPORTED_URL_SCHEMES = ("http", "https")
    RH_NAME = "guarded"

    def __init__(self, *, allow_private: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self._allow_private = allow_private

    def _get_proxies(self, request: Request) -> dict[str, str | None]:  # noqa: ARG002
        """The user's alone: yt-dlp takes one from a request's headers too, and pages set these."""
        return dict(self.proxies)

    def _create_instance(self, **settings: Any) -> urllib.request.OpenerDirector:
        opener: urllib.request.OpenerDirector = super()._create_instance(**settings)
        context = self._make_sslcontext(settings.get("legacy_ssl_support"))
        opener.add_handler(_Lock(context, self._allow_private))
        return opener


class _Lock(urllib.request.AbstractHTTPHandler):
    handler_order = 400  # after the proxies (100), before those who would connect (500)

    def __init__(self, context: ssl.SSLContext, allow_private: bool) -> None:
        super().__init__()
        self._context = context
        self._allow_private = allow_private

    def http_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPConnection)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self._open(request, http.client.HTTPSConnection, context=self._context)

    def ftp_open(self, request: urllib.request.Request) -> None:  # a redirect may lead here
        self._judge(request)

    def _open(
        self,
        request: urllib.request.Request,
        made: type[http.client.HTTPConnection],
        **settings: Any,
    ) -> Any:
        """Answer a request, or leave it to the next handler with None."""
        self._judge(request)
        if self._allow_private or _goes_through_proxy(request):
            return None
        return self.do_open(_guarded(made), request, **settings)

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ARG002
        """Before yt-dlp unpacks an answer, which it does as a whole, however large that gets."""
        packings = response.headers.get_all("Content-Encoding") or []
        names = [one.strip().lower() for text in packings for one in text.split(",")]
        packed = [name for name in names if name not in ("", "identity")]
        whole = functools.partial(_bounded, response, response.read)
        if not packed:
            response.read = whole
            return response
        body = whole()
        for name in reversed(packed):
            body = _unpacked(body, name)
        del response.headers["Content-Encoding"], response.headers["Content-Length"]
        unpacked = urllib.response.addinfourl(
            io.BytesIO(body), response.headers, response.url, response.code
        )
        unpacked.msg = response.msg  # type: ignore[attr-defined]
        return unpacked

    https_response = http_response

    def _judge(self, request: urllib.request.Request) -> None:
        """Refuse what the address gives away, and through a proxy what its name resolves to."""
        try:
            check_address(request.full_url, allow_private=self._allow_private)
            if _goes_through_proxy(request) and not self._allow_private:
                parts = urlsplit(request.full_url)
                public_addresses(parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()])
        except ItemError as refusal:
            raise RefusedRequest(refusal) from refusal
        except OSError:
            return  # a name that only the proxy knows


def _goes_through_proxy(request: urllib.request.Request) -> bool:
    """Whether the handler of proxies, which comes first, sent this request to one.

    By what it leaves behind alone. The host of a request is no sign of it: urllib decodes `%2e`
    there and nowhere else, so an address could pass for one of a proxy.
    """
    tunnelled = getattr(request, "_tunnel_host", None) is not None
    return request.has_proxy() or tunnelled or request.has_header(_SOCKS)


def _bounded(response: Any, read: Callable[..., bytes], amount: int | None = None) -> bytes:
    """As the `read` of an answer; one that is read as a whole must have an end, and is closed."""
    if amount is not None:
        return read(amount)
    with contextlib.closing(response):
        body = read(_LARGEST_ANSWER + 1)
        if len(body) > _LARGEST_ANSWER:
            raise _too_large()
        missing = getattr(response, "length", None)  # which reading it whole would have seen
        if missing:
            raise http.client.IncompleteRead(body, missing)
        return body


def _unpacked(body: bytes, name: str) -> bytes:
    if name not in _PACKINGS:  # it was not asked for
        detail = f"an answer that is packed by {name[:20]!r}"
        raise RefusedRequest(ItemError(Reason.BLOCKED, detail))
    # Some servers leave the frame around "deflate" out.
    bits = -zlib.MAX_WBITS if name == "deflate" and body[:1] != b"x" else _PACKINGS[name]
    machine = zlib.decompressobj(bits)
    try:
        unpacked = machine.decompress(body, _LARGEST_ANSWER + 1)
    except zlib.error as error:
        detail = f"an answer that cannot be unpacked: {error}"
        raise RefusedRequest(ItemError(Reason.TRUNCATED, detail)) from error
    if len(unpacked) > _LARGEST_ANSWER:
        raise _too_large()
    if body and not machine.eof:
        raise RefusedRequest(ItemError(Reason.TRUNCATED, "an answer that was packed, and cut off"))
    return unpacked


def _too_large() -> "RefusedRequest":
    detail = f"more than {_LARGEST_ANSWER >> 20} MiB in place of a page"
    return RefusedRequest(ItemError(Reason.NO_MEDIA, detail))


def _guarded(made: type[http.client.HTTPConnection]) -> Any:
    def make(*args: Any, **settings: Any) -> http.client.HTTPConnection:
        connection = made(*args, **settings)
        # The one place where the library takes another way to connect, used so by yt-dlp too.
        connection._create_connection = _connect  # type: ignore[attr-defined]
        return connection

    return make


def _connect(address: tuple[str, int], timeout: Any = None, source: Any = None) -> socket.socket:
    """Connect to a public address that the name resolves to, the first that answers."""
    host, port = address
    try:
        numbers = public_addresses(host, port)
    except ItemError as refusal:
        raise RefusedRequest(refusal) from refusal
    failure: OSError = OSError(f"{host} has no address")
    for number in numbers:
        try:
            return socket.create_connection((number, port), timeout, source)
        except OSError as error:
            failure = error
    raise failure
