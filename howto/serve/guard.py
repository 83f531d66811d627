"""What stands before every request: who is meant, who asks, and what a browser may do with the
reply."""

import hmac
import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from howto.serve.settings import Settings

__all__ = ["BUG", "COOKIE", "HEADERS", "PAGES", "Guard", "is_token", "page_of"]

BUG = "a bug in howto; the terminal of howto serve says which"
COOKIE = "howto-token"
PAGES = frozenset({"/", "/library", "/login"})
_OPEN = frozenset({"/login", "/static/login.js", "/static/style.css", "/static/icon.svg"})
"""What the page that asks for the token is made of."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
"""On every reply. Trusted types: no script of the page can make text into HTML, not even by
mistake."""


def is_token(given: str, token: str) -> bool:
    """Whether these are the same, in a time that does not say how much of it is right."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode(errors="replace"))


class Guard:
    """Refuses requests that are not for this server, or not from its own page or a program."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on; `HEADERS` are added to both."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            answer = self._refusal(scope) or self.app
        except Exception:
            await _refused(500, BUG)(scope, receive, send_with_headers)
            raise  # to the terminal
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if problem := self._wrong_host(scope, headers):
            return _refused(421, problem)
        if _is_from_elsewhere(scope, headers):
            return _refused(403, "asked by the page of another site, which may not")
        if "content-length" in headers and "transfer-encoding" in headers:
            return _refused(400, "a body of two lengths; send Content-Length or Transfer-Encoding")
        if not self.settings.token or scope["path"] in _OPEN or self._knows_token(headers):
            return None
        if scope["method"] in ("GET", "HEAD") and scope["path"] in PAGES:
            return RedirectResponse(_login_for(scope), 303)
        return _refused(401, "show the token, as `Authorization: Bearer TOKEN`")

    def _wrong_host(self, scope: Scope, headers: Headers) -> str:
        """Why the Host header is not one of this server's; '' where it is."""
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return f"expected one Host header, found {len(hosts)}"
        try:
            name = urlsplit(f"//{hosts[0]}").hostname or ""
        except ValueError:
            name = ""
        address = (scope.get("server") or ("",))[0].lower().removeprefix("::ffff:")
        if name and name in self.settings.names | {address}:
            return ""
        return "this server has another name; --name NAME lets it answer to one more"

    def _knows_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and is_token(given.strip(), self.settings.token):
            return True
        # As a browser sends back what the page of the token set.
        _, expected = SimpleCookie().value_encode(self.settings.token)
        return any(is_token(one, expected) for one in _our_cookies(headers))


def _login_for(scope: Scope) -> str:
    """The page that asks for the token, and leads on to what was asked for."""
    query = scope["query_string"].decode("latin-1")
    wanted = f"{scope['path']}?{query}" if query else scope["path"]
    return "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"


def page_of(address: str) -> str:
    """One of our pages, with what its address says besides, such as `/?q=shirt`; `/` where the
    address is anything else: nobody is led to another place from here."""
    path, mark, query = address.partition("?")
    if path not in PAGES - {"/login"} or not query.isascii() or not query.isprintable():
        return "/"
    return path + mark + query.partition("#")[0]


def _our_cookies(headers: Headers) -> list[str]:
    """What our cookie holds, of each that has its name.

    Browsers send those of every server of this machine, on any port, and `SimpleCookie` leaves out
    all that comes after one that it cannot read.
    """
    pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
    return [value for name, _, value in pairs if name == COOKIE]


def _is_from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """A browser sends it for a page that is not ours; programs send neither header.

    To follow a link to one of our pages is allowed.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        follows_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        at_page = follows_link and scope["path"] in PAGES
        return site not in ("same-origin", "none") and not at_page
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host")
    except ValueError:  # such as http://[
        return True


def _refused(status: int, message: str) -> Response:
    body = json.dumps({"error": {"message": message}})
    return Response(body, status, media_type="application/json")
