"""A route of the API as data, and the one way it is served: who asks, may they, is the body what it must be, answer.

Nothing but the route's own handler differs between routes, so limits, refusals and the OpenAPI document cannot be forgotten for one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web

from recording.catalog import Held
from server import callers, keys
from server.auth import BadToken
from server.problems import Problem
from server.rights import Caller, Right
from signaling.classroom.errors import Rejected
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.http")
PREFIX: Final = "/api/v1"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No fields."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request on its way to a handler: who asks, decoded body and query (of the route's types), the time in seconds."""

    request: web.Request
    principal: callers.Principal
    body: Any
    query: Any
    now: float

    @property
    def app(self) -> web.Application:
        """The application."""
        return self.request.app

    @property
    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.now * 1000)


Handler = Callable[[Call], Awaitable[web.StreamResponse | msgspec.Struct | None]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One call of the API. `answer` None means 204; `codes` are the refusals besides those every route may give.

    `takes` is the media type of a body that is text, in place of JSON or beside it; `most_bytes` of a body, 0 = as everywhere. `raw` are
    the media types ("" = no body) by status of good answers that are not JSON either. `files`: calls count as files, of which a page needs
    many, not as calls of the API.
    """

    method: str
    path: str
    handler: Handler
    right: Right
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = Nothing
    answer: Any = None
    status: int = 200
    codes: tuple[str, ...] = ()
    takes: str = ""
    most_bytes: int = 0
    raw: Mapping[int, str] = field(default_factory=dict)
    files: bool = False


def add(app: web.Application, routes: tuple[Route, ...]) -> None:
    """Serve the routes."""
    for route in routes:
        app.router.add_route(route.method, PREFIX + route.path, _serve(route))


def encode(answer: msgspec.Struct, status: int = 200) -> web.Response:
    """A JSON response that no cache keeps."""
    response = web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    decoder = msgspec.json.Decoder(route.body, strict=True) if route.body else None

    async def serve(request: web.Request) -> web.StreamResponse:
        now = time.time()
        try:
            principal = await _identify(request, route, now)
            query = _query(request, route.query)
            body = await _read(request, route, decoder)
            answer = await route.handler(Call(request=request, principal=principal, body=body, query=query, now=now))
        except Rejected as error:
            raise Problem(error.code) from error
        except Held as error:
            raise Problem("legal_hold") from error
        except Unavailable as error:
            log.warning("store unavailable", extra={"route": route.path})
            raise Problem("journal_unavailable") from error
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(status=204) if answer is None else encode(answer, route.status)

    return serve


async def _identify(request: web.Request, route: Route, now: float) -> callers.Principal:
    try:
        principal = await callers.identify(request, route.right, now)
    except Problem as problem:
        if problem.code == "unauthenticated":
            fail(request)
        raise
    if principal.caller is not Caller.ANYBODY:
        buckets = request.app[keys.FILE_CALLS if route.files else keys.CALLS if principal.seat else keys.SERVICE_CALLS]
        if not buckets.take(principal.key, time.monotonic()):
            raise Problem("rate_limited")
    return principal


def fail(request: web.Request) -> None:
    """Count a refused login; an address with too many loses the connection, never the right to come with a good token."""
    if not request.app[keys.FAILURES].take(callers.address_of(request), time.monotonic()):
        request.protocol.keep_alive(False)
        raise Problem("rate_limited")


def refuse_token(request: web.Request, error: BadToken) -> Problem:
    """The refusal of a bad token; logs why and counts it."""
    log.info("token refused", extra={"why": error.why})
    fail(request)
    return Problem(error.code)


def _query(request: web.Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    if len(request.query_string) > 2048 or len(set(request.query)) != len(request.query):
        raise Problem("bad_message")
    try:
        return msgspec.convert({name: value for name, value in request.query.items() if name != "seat"}, kind, strict=False)
    except msgspec.ValidationError:
        raise Problem("bad_message") from None


async def _read(request: web.Request, route: Route, decoder: "msgspec.json.Decoder[Any] | None") -> Any:
    """The body as what the route takes: decoded JSON, text, or nothing."""
    if decoder is None and not route.takes:
        return None
    as_text = bool(route.takes) and (decoder is None or request.content_type == route.takes)
    raw = await _body(request, route.takes if as_text else "application/json", route.most_bytes)
    try:
        return raw.decode() if as_text or decoder is None else decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Problem("bad_message") from None


async def _body(request: web.Request, media_type: str, most: int) -> bytes:
    limits = request.app[keys.CONFIG].limits
    most = most or limits.body_bytes
    if request.content_type != media_type:
        raise Problem("bad_message")
    if (request.content_length or 0) > most:
        raise Problem("too_large")
    read = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > most:
                    raise Problem("too_large")
            return bytes(read)
    except TimeoutError:
        request.protocol.keep_alive(False)
        raise Problem("too_slow") from None
