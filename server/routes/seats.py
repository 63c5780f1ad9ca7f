"""Coming in: a join token becomes a seat; an invitation becomes a join token; a seat tells what it is, and is given up."""

import secrets
import time
from typing import Annotated

import msgspec
from aiohttp import web

from server import api, auth, callers, classes, keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Right
from server.seats import Banned, Revoked, Seat, new_cookie, seat_for
from signaling.classroom.roles import Role
from signaling.classroom.settings import Phase, Profile

_Token = Annotated[str, msgspec.Meta(min_length=1, max_length=auth.MAX_TOKEN_BYTES)]
#: a demo's trainer is one person however often the link is opened; everybody else is somebody new
_TRAINER_SUBJECT = "demo-trainer"


class Redeem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A join token, to be used up."""

    token: _Token


class SeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A seat as its owner sees it."""

    seat: str
    session: str
    participant: str
    title: str
    profile: Profile
    phase: Phase
    name: str
    role: Role
    #: the class is being recorded now
    recorded: bool


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invitation and the name of who comes."""

    invite: _Token
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class JoinToken(msgspec.Struct, frozen=True):
    """A fresh join token."""

    token: str


async def redeem(call: Call) -> web.Response:
    """Use up a join token; the answer carries the cookie."""
    config = call.app[keys.CONFIG]
    cookie = callers.read_cookie(call.request) or new_cookie()
    claims = verify(call, call.body.token)
    taken = await take(call, claims, cookie)
    response = api.encode(_answer(*taken, classes.is_recorded(call.app, claims.room)), 201)
    callers.give_cookie(response, config, cookie, hours=config.limits.seat_hours)
    return response


def verify(call: Call, token: str) -> auth.Claims:
    """The claims of a good join token; raises Problem (bad_token, token_expired, rate_limited).

    What is refused further on may leave it unused: it is good for as many tries as a seat for calls.
    """
    try:
        claims = auth.verify(token, auth.Kind.JOIN, call.app[keys.RING], audience=call.app[keys.CONFIG].tokens.audience, now=call.now)
    except auth.BadToken as error:
        raise api.refuse_token(call.request, error) from error
    if not call.app[keys.CALLS].take(f"token:{claims.iss}:{claims.jti}", time.monotonic()):
        raise Problem("rate_limited")
    return claims


async def take(call: Call, claims: auth.Claims, cookie: str) -> tuple[Seat, classes.ClassInfo, Phase]:
    """Use up a join token for a seat this cookie proves; raises Problem, Rejected, Unavailable."""
    described = await classes.describe(call.app, claims.room)
    if described is None:
        raise Problem("bad_token")
    phase = await classes.phase(call.app, claims.room)
    if phase is Phase.ENDED:
        raise Problem("class_ended")
    name = classes.display_name(claims.name)
    wanted = seat_for(claims, cookie, name=name, now=call.now_ms, hours=call.app[keys.CONFIG].limits.seat_hours)
    try:
        seat = await call.app[keys.SEATS].redeem(claims, wanted, call.now_ms)
    except auth.BadToken as error:
        raise api.refuse_token(call.request, error) from error
    except Revoked:
        raise Problem("bad_token") from None
    except Banned:
        raise Problem("banned") from None
    callers.prove(call.request)
    return seat, described, phase


async def show(call: Call) -> SeatAnswer:
    """The seat in the path."""
    seat = _own(call)
    described = await classes.describe(call.app, seat.session)
    if described is None:
        raise Problem("not_found")
    phase = await classes.phase(call.app, seat.session)
    return _answer(seat, described, phase, classes.is_recorded(call.app, seat.session))


async def give_up(call: Call) -> None:
    """Release the seat and close its connections."""
    seat = _own(call)
    await call.app[keys.SEATS].release(seat.id)
    classes.disconnect_seat(call.app, seat)


async def accept_invitation(call: Call) -> JoinToken:
    """A join token for a guest of a demo class."""
    config, ring = call.app[keys.CONFIG], call.app[keys.RING]
    if not config.demo:
        raise Problem("not_found")
    try:
        claims = auth.verify(call.body.invite, auth.Kind.INVITE, ring, audience=config.tokens.audience, now=call.now)
    except auth.BadToken as error:
        raise api.refuse_token(call.request, error) from error
    subject = _TRAINER_SUBJECT if claims.role is Role.TRAINER else f"guest-{secrets.token_hex(8)}"
    token = auth.issue(
        auth.Kind.JOIN,
        ring,
        audience=config.tokens.audience,
        now=call.now,
        sub=subject,
        room=claims.room,
        role=claims.role,
        name=classes.display_name(call.body.name),
    )
    return JoinToken(token)


def _own(call: Call) -> Seat:
    if call.principal.seat is None:
        raise Problem("unauthenticated")
    return call.principal.seat


def _answer(seat: Seat, described: classes.ClassInfo, phase: Phase, recorded: bool) -> SeatAnswer:
    return SeatAnswer(
        seat=seat.id,
        session=seat.session,
        participant=seat.participant,
        title=described.title,
        profile=described.profile,
        phase=phase,
        name=seat.name,
        role=seat.role,
        recorded=recorded,
    )


_REFUSED = ("bad_token", "token_expired", "rate_limited")
ROUTES = (
    Route(
        method="POST",
        path="/seats",
        handler=redeem,
        right=Right.COME_IN,
        summary="Use up a join token: one person takes a seat",
        body=Redeem,
        answer=SeatAnswer,
        status=201,
        codes=(*_REFUSED, "token_used", "banned", "no_longer_kept", "class_ended", "draining", "overloaded"),
    ),
    Route(
        method="GET",
        path="/seats/{seat}",
        handler=show,
        right=Right.SEE_OWN_SEAT,
        summary="What an owned seat is",
        answer=SeatAnswer,
        codes=("not_found", "no_longer_kept", "draining", "overloaded"),
    ),
    Route(method="DELETE", path="/seats/{seat}", handler=give_up, right=Right.SEE_OWN_SEAT, summary="Give up an owned seat", status=204),
    Route(
        method="POST",
        path="/invitations",
        handler=accept_invitation,
        right=Right.COME_IN,
        summary="Exchange a demo class's invitation for a join token",
        body=Invitation,
        answer=JoinToken,
        status=201,
        codes=(*_REFUSED, "not_found", "bad_message"),
    ),
)
