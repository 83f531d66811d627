"""What an endpoint of the API is: one record from which its route, the reading of its parameters
and its part of the OpenAPI description are all made."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, Never, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from howto.errors import UsageError

__all__ = [
    "MOST_CHARACTERS",
    "Call",
    "Endpoint",
    "Parameter",
    "described",
    "read",
    "read_body",
    "while_there",
]

Result = TypeVar("Result")

_MOST_OF_NO_USE = 64 << 10  # bytes of a body that nobody asked for

MOST_CHARACTERS = 500
"""Of any text that a client sends in an address."""

Kind = Literal["string", "number", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a client says in the address.

    Attributes:
        default: what it is where the client does not say; None: it must be said.
        minimum, maximum: of a number, both allowed; of a text the number of characters.
    """

    name: str
    kind: Kind
    what: str
    default: str | float | bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    in_path: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with its parameters read and checked."""

    request: Request
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API.

    Attributes:
        path: with names in braces, as OpenAPI and Starlette both write them.
        gives: the media type of the reply.
        schema: name of the reply's schema in the description, for JSON.
        body: name of the schema of what is sent, where something is.
    """

    method: Literal["GET", "POST"]
    path: str
    answer: Callable[[Call], Awaitable[Response]]
    what: str
    parameters: tuple[Parameter, ...] = ()
    gives: str = "application/json"
    schema: str = ""
    body: str = ""


def read(endpoint: Endpoint, request: Request) -> Call:
    """Read and check the parameters of a request.

    Raises:
        UsageError: one is missing, unknown, said twice, or not as described.
    """
    known = {one.name for one in endpoint.parameters if not one.in_path}
    said = request.query_params
    if unknown := said.keys() - known:
        expected = ", ".join(sorted(known)) or "none"
        raise UsageError(f"no parameter is named {min(unknown)[:40]!r}; there are: {expected}")
    values = {}
    for one in endpoint.parameters:
        given = [request.path_params[one.name]] if one.in_path else said.getlist(one.name)
        if len(given) > 1:
            raise UsageError(f"{one.name} is said {len(given)} times; say it once")
        if not given and one.default is None:
            raise UsageError(f"{one.name} is missing: {one.what}")
        values[one.name] = _value(one, given[0]) if given else one.default
    return Call(request, values)


def _value(one: Parameter, text: str) -> str | float | int | bool:
    if one.kind == "boolean":
        if text not in ("true", "false"):
            raise UsageError(f"{one.name} is true or false")
        return text == "true"
    if one.kind == "string":
        most = one.maximum or MOST_CHARACTERS
        if len(text) > most:
            raise UsageError(f"{one.name} has {len(text)} characters; {most:g} are allowed")
        return text
    try:
        number = float(text)  # also of an integer: one of 400 digits is infinite then
        value = int(text) if one.kind == "integer" else number
    except ValueError as error:
        raise UsageError(f"{one.name} is no number") from error
    low = one.minimum if one.minimum is not None else float("-inf")
    high = one.maximum if one.maximum is not None else float("inf")
    if not isfinite(number) or not low <= number <= high:
        raise UsageError(f"{one.name} is {number:g}; it lies between {low:g} and {high:g}")
    return value


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request. One that is too long is not read to its end, nor kept: what the
    headers say of its length need not be true.

    Args:
        most: bytes.

    Raises:
        HTTPException: 413, it is longer.
    """
    body = bytearray()
    async with aclosing(request.stream()) as parts:
        async for part in parts:
            body += part
            if len(body) > most:
                raise HTTPException(413, f"a body of more than {most} bytes; send less")
    return bytes(body)


async def while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What work gives, for as long as the client waits; when that goes, the work is cancelled.

    Args:
        request: one whose body means nothing.

    Raises:
        ClientDisconnect: the client went.
        HTTPException: 413, it sends a long body.
    """
    working = asyncio.ensure_future(work)
    going = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        return await (working if working.done() else going)
    finally:
        working.cancel()
        going.cancel()


async def _gone(request: Request) -> Never:
    await read_body(request, _MOST_OF_NO_USE)
    await request.receive()  # after the body there is only the end of the connection
    raise ClientDisconnect


def described(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint as an OpenAPI operation."""
    content: dict[str, Any] = {"schema": {"type": "string"}}
    if endpoint.schema:
        content = {"schema": {"$ref": f"#/components/schemas/{endpoint.schema}"}}
    elif endpoint.gives == "application/json":
        content = {"schema": {"type": "object"}}
    reference = {"$ref": f"#/components/schemas/{endpoint.body}"}
    sent = {"required": True, "content": {"application/json": {"schema": reference}}}
    return {
        "summary": endpoint.what,
        "operationId": endpoint.answer.__name__,
        "parameters": [_described(one) for one in endpoint.parameters],
        **({"requestBody": sent} if endpoint.body else {}),
        "responses": {
            "200": {"description": "Done.", "content": {endpoint.gives: content}},
            "default": {
                "description": "Refused, or failed; the message says why.",
                "content": {"application/json": {"schema": {"$ref": _ERROR}}},
            },
        },
    }


_ERROR = "#/components/schemas/Error"


def _described(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": one.kind}
    if one.default is not None:
        schema["default"] = one.default
    if one.kind == "string":
        schema["maxLength"] = one.maximum or MOST_CHARACTERS
    else:
        limits = {"minimum": one.minimum, "maximum": one.maximum}
        schema |= {name: limit for name, limit in limits.items() if limit is not None}
    return {
        "name": one.name,
        "in": "path" if one.in_path else "query",
        "required": one.default is None,
        "description": one.what,
        "schema": schema,
    }
