"""The application: pages, the API, and how each error becomes a reply."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from howto.errors import HowtoError, ItemError, PluginError, UsageError
from howto.serve.api import Api, endpoints, json_response
from howto.serve.endpoints import Endpoint, read, read_body
from howto.serve.guard import BUG, COOKIE, Guard, is_token, page_of
from howto.serve.readers import Busy
from howto.serve.settings import Settings, without_places
from howto.serve.videos import NoVideo

__all__ = ["create_app"]

_STATIC = Path(str(files("howto.serve") / "static"))
_MOST_OF_A_FORM = 4096  # bytes
_NO_STORE = {"cache-control": "no-cache"}


def create_app(settings: Settings, *, refresh: bool = True) -> Guard:
    """The server's application; its threads and processes live as long as its lifespan does.

    Args:
        refresh: begin to bring the library up to date when it starts.
    """
    api = Api(settings)
    app = Starlette(
        routes=[
            Route("/", _page("index.html")),
            Route("/library", _page("index.html")),
            Route("/login", _login(settings), methods=["GET", "POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
            *(_route(endpoint) for endpoint in endpoints(api)),
        ],
        exception_handlers=_handlers(settings),
        lifespan=lambda _: api.running(refresh=refresh),
    )
    return Guard(app, settings)  # around all of it: also a bug's reply has the headers


def _route(endpoint: Endpoint) -> Route:
    async def answer(request: Request) -> Response:
        return await endpoint.answer(read(endpoint, request))

    return Route(endpoint.path, answer, methods=[endpoint.method])


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(_STATIC / name, media_type="text/html", headers=_NO_STORE)

    return page


def _login(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    """The page that asks for the token, and what takes it: as a cookie that no script can read."""

    async def login(request: Request) -> Response:
        if not settings.token:
            return RedirectResponse(page_of(request.query_params.get("next", "/")), 303)
        if request.method in ("GET", "HEAD"):
            return FileResponse(_STATIC / "login.html", media_type="text/html", headers=_NO_STORE)
        form = parse_qs((await read_body(request, _MOST_OF_A_FORM)).decode(errors="replace"))
        token = form.get("token", [""])[0].strip()
        if not is_token(token, settings.token):
            return FileResponse(_STATIC / "login.html", 401, media_type="text/html")
        reply = RedirectResponse(page_of(request.query_params.get("next", "/")), 303)
        reply.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
        return reply

    return login


_Handler = Callable[[Request, Exception], Response]


def _error(settings: Settings, status: int) -> _Handler:
    def reply(request: Request, error: Exception) -> Response:
        said = list(request.query_params.values())
        body: dict[str, Any] = {"message": without_places(settings, str(error), said)}
        if isinstance(error, ItemError):
            body["reason"] = error.reason.value
        return json_response({"error": body}, status)

    return reply


def _no_video(_: Request, __: Exception) -> Response:
    return json_response({"error": {"message": "there is no such video here"}}, 404)


def _busy(_: Request, error: Exception) -> Response:
    if not isinstance(error, Busy):
        raise error
    reply = json_response({"error": {"message": "too much is asked at once; ask again"}}, 503)
    reply.headers["retry-after"] = str(error.ask_after)
    return reply


def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return json_response({"error": {"message": error.detail}}, error.status_code)


def _bug(_: Request, __: Exception) -> Response:
    return json_response({"error": {"message": BUG}}, 500)


def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # for nobody: the client left before its request was whole


def _handlers(settings: Settings) -> Mapping[Any, _Handler]:
    return {
        UsageError: _error(settings, 400),
        ItemError: _error(settings, 422),
        PluginError: _error(settings, 422),
        HowtoError: _error(settings, 500),
        NoVideo: _no_video,
        Busy: _busy,
        HTTPException: _http,
        ClientDisconnect: _gone,
        Exception: _bug,
    }
