"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: encoders publish into a class, players watch it.

The bearer is a join token: POST uses it up for a seat, the session's own URL then knows it again for as long as the session lives. Pages of
any origin may call, since nothing here rests on cookies. Both protocols are the same calls; only the offer goes the other way.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec
from aiohttp import hdrs, web

from server import api, auth, callers, classes, keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Right
from server.routes import seats
from server.seats import Seat, new_cookie, seat_for
from server.whip import Protocol, Stream
from signaling.classroom.roles import Capability, can
from signaling.classroom.settings import Phase

SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"
_PREFIXES: Final = tuple(f"{api.PREFIX}/{protocol}" for protocol in ("whip", "whep"))
#: seconds after which an overloaded node may be asked again
_RETRY_S: Final = "5"


class Encoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an encoder's picture is."""

    source: Literal["camera", "screen"] = "camera"


class Player(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a player's picture shows: the main person, or the screen while one is shared."""

    view: Literal["main", "screen"] = "main"


class Anything(msgspec.Struct, frozen=True):
    """A query that does not matter: browsers ask for the whole URL of the call to come, and only that call's answer can be read."""


async def publish(call: Call) -> web.Response:
    """An encoder's offer (RFC 9725 section 4.2)."""
    streams, address, source = call.app[keys.STREAMS], callers.address_of(call.request), call.query.source
    seat, token = await _come_in(call, Capability.PUBLISH, lambda seat: streams.expect_encoder(seat, address, call.body, source))
    return _created(call, *await streams.publish(seat, token, address, call.body, source))


async def play(call: Call) -> web.Response:
    """A player's offer (draft-ietf-wish-whep, "Playback Session Set Up"); never countered."""
    streams, address = call.app[keys.STREAMS], callers.address_of(call.request)
    picture: Literal["main", "focus"] = "focus" if call.query.view == "screen" else "main"
    seat, token = await _come_in(call, None, lambda seat: streams.expect_player(seat, address, call.body, picture))
    return _created(call, *await streams.play(seat, token, address, call.body, picture))


async def _come_in(call: Call, needed: Capability | None, expect: Callable[[Seat], None]) -> tuple[Seat, str]:
    """The seat of whoever brings the token; `expect` is told first which it would be, and refuses what can be known by then."""
    token = _bearer(call.request)
    claims = seats.verify(call, token)
    if needed is not None and (claims.role is None or not can(claims.role, needed)):
        raise Problem("not_allowed")
    cookie, name = new_cookie(), classes.display_name(claims.name)
    if await classes.phase(call.app, claims.room) is not Phase.ENDED:
        expect(seat_for(claims, cookie, name=name, now=call.now_ms, hours=0))
    seat, _, _ = await seats.take(call, claims, cookie)
    return seat, token


def _created(call: Call, stream: Stream, answer: str) -> web.Response:
    headers = {
        hdrs.LOCATION: f"{api.PREFIX}/{stream.protocol}/{stream.id}",
        hdrs.ETAG: call.app[keys.STREAMS].tag(stream),
        "Accept-Patch": FRAGMENT,
    }
    return web.Response(status=201, text=answer, content_type=SDP, headers=headers)


def _on(protocol: Protocol, act: Callable[[Call, Stream], Awaitable[web.Response]]) -> api.Handler:
    """A call on a session, by whom opened it."""

    async def handle(call: Call) -> web.Response:
        streams, token = call.app[keys.STREAMS], _bearer(call.request)
        stream = streams.find(call.request.match_info["stream"], protocol, token)
        if stream is None:
            api.fail(call.request)
            raise Problem("not_found")
        if not call.app[keys.CALLS].take(f"stream:{stream.id}", time.monotonic()):
            raise Problem("rate_limited")
        return await act(call, stream)

    return handle


async def trickle(call: Call, stream: Stream) -> web.Response:
    """ICE news (RFC 9725 section 4.3): candidates are not needed, new credentials restart ICE."""
    streams, wanted = call.app[keys.STREAMS], call.request.headers.get(hdrs.IF_MATCH)
    if wanted is None:
        raise Problem("precondition_required")
    # The RFC's own example has the asterisk in quotes.
    if not {"*", '"*"', streams.tag(stream)} & {tag.strip() for tag in wanted.split(",")}:
        raise Problem("precondition_failed")
    answer = streams.news(stream, call.body)
    if answer is None:
        return web.Response(status=204)
    return web.Response(text=answer, content_type=FRAGMENT, headers={hdrs.ETAG: streams.tag(stream)})


async def end(call: Call, stream: Stream) -> web.Response:
    """End the session (RFC 9725 section 4.2); entity tags do not matter."""
    await call.app[keys.STREAMS].end(stream)
    return web.Response()


async def look(call: Call, stream: Stream) -> web.Response:
    """A session has no representation (RFC 9725 section 4.1)."""
    return web.Response(status=204)


async def nothing(call: Call) -> web.Response:
    """An endpoint has no representation (RFC 9725 section 4.1)."""
    return web.Response(status=204)


async def discover(call: Call) -> web.Response:
    """How players tell that this is a WHEP endpoint (draft-ietf-wish-whep, "WHEP Endpoint URL Discoverability")."""
    return web.Response(content_type=SDP)


async def preflight(call: Call) -> web.Response:
    """What a page of any origin may do here."""
    return web.Response(
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
            hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
            "Accept-Post": SDP,
            "Accept-Patch": FRAGMENT,
        }
    )


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Signal: headers of every answer here, refusals included; no cookie is ever read, so any page may read the answer."""
    if not request.path.startswith(_PREFIXES):
        return
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Location, ETag, Accept-Post, Accept-Patch, Retry-After"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if response.status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    elif response.status == 503:
        response.headers[hdrs.RETRY_AFTER] = _RETRY_S


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > auth.MAX_TOKEN_BYTES:
        api.fail(request)
        raise Problem("unauthenticated")
    return token


_REFUSED: Final = (
    *("unauthenticated", "bad_token", "token_expired", "token_used", "rate_limited", "not_allowed", "banned", "declined"),
    *(
        "no_longer_kept",
        "class_ended",
        "class_locked",
        "class_full",
        "not_admitted",
        "too_many",
        "bad_sdp",
        "draining",
        "overloaded",
        "media_unavailable",
    ),
)
_OFF: Final = ("not_on_stage", "wrong_phase", "class_frozen", "microphone_blocked", "camera_blocked", "screen_blocked", "screen_taken")


def _preflight(path: str) -> Route:
    return Route(
        method="OPTIONS",
        path=path,
        handler=preflight,
        right=Right.STREAM,
        summary="What other origins may do",
        query=Anything,
        raw={200: ""},
    )


def _session_routes(protocol: Protocol, name: str) -> tuple[Route, ...]:
    """What both protocols have beside their POST."""
    path, session = f"/{protocol}", f"/{protocol}/{{stream}}"
    known = ("unauthenticated", "rate_limited", "not_found")
    return (
        Route(
            method="GET",
            path=path,
            handler=nothing,
            right=Right.STREAM,
            summary=f"Nothing: a {name} endpoint",
            query=Anything,
            raw={204: ""},
        ),
        _preflight(path),
        Route(
            method="PATCH",
            path=session,
            handler=_on(protocol, trickle),
            right=Right.STREAM,
            summary="Trickle ICE, or restart it",
            takes=FRAGMENT,
            raw={200: FRAGMENT, 204: ""},
            codes=(*known, "precondition_required", "precondition_failed", "bad_sdp", "not_admitted", "media_unavailable", "overloaded"),
        ),
        Route(method="DELETE", path=session, handler=_on(protocol, end), right=Right.STREAM, summary="End", raw={200: ""}, codes=known),
        Route(method="GET", path=session, handler=_on(protocol, look), right=Right.STREAM, summary="Nothing", raw={204: ""}, codes=known),
        _preflight(session),
    )


ROUTES = (
    Route(
        method="POST",
        path="/whip",
        handler=publish,
        right=Right.STREAM,
        summary="Publish into a class (WHIP, RFC 9725)",
        takes=SDP,
        raw={201: SDP},
        query=Encoder,
        codes=(*_REFUSED, *_OFF),
    ),
    *_session_routes("whip", "WHIP"),
    Route(
        method="POST",
        path="/whep",
        handler=play,
        right=Right.STREAM,
        summary="Watch a class (WHEP)",
        takes=SDP,
        raw={201: SDP},
        query=Player,
        codes=_REFUSED,
    ),
    Route(
        method="HEAD",
        path="/whep",
        handler=discover,
        right=Right.STREAM,
        summary="Whether this is a WHEP endpoint",
        query=Anything,
        raw={200: SDP},
    ),
    *_session_routes("whep", "WHEP"),
)
