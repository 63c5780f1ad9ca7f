"""The operator's door and live figures; and, on a demo node, the links printed at start."""

from typing import Annotated

import msgspec
from aiohttp import web

from server import api, auth, callers, demo, keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Right
from server.seats import hash_cookie, new_cookie

_HOURS = 12


class OperatorLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator login token."""

    login: Annotated[str, msgspec.Meta(min_length=1, max_length=auth.MAX_TOKEN_BYTES)]


class DemoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The demo class and one link per role, relative to the origin."""

    session: str
    title: str
    links: dict[str, str]


async def log_in(call: Call) -> web.Response:
    """Open the operator page for this browser."""
    config, seats = call.app[keys.CONFIG], call.app[keys.SEATS]
    life = auth.MAX_LIFE_S[auth.Kind.INVITE] if config.demo else None
    try:
        claims = auth.verify(
            call.body.login, auth.Kind.OPERATOR, call.app[keys.RING], audience=config.tokens.audience, now=call.now, max_life_s=life
        )
        if not config.demo:
            await seats.use_once(claims)
    except auth.BadToken as error:
        raise api.refuse_token(call.request, error) from error
    cookie = new_cookie()
    await seats.open_operator(hash_cookie(cookie), call.now_ms + _HOURS * 3_600_000)
    response = web.Response(status=204)
    callers.give_cookie(response, config, cookie, kind="-operator", hours=_HOURS)
    return response


async def log_out(call: Call) -> None:
    """Close it."""
    cookie = callers.read_cookie(call.request, "-operator")
    if cookie:
        await call.app[keys.SEATS].close_operator(hash_cookie(cookie))


async def show_demo(call: Call) -> DemoAnswer:
    """The links of the demo class, to this machine only."""
    found = call.app.get(keys.DEMO)
    if found is None or not callers.is_loopback(call.request):
        raise Problem("not_found")
    return DemoAnswer(session=found.session, title=found.title, links=demo.links(call.app, found, call.now))


ROUTES = (
    Route(
        method="POST",
        path="/operator",
        handler=log_in,
        right=Right.COME_IN,
        summary="Log in as operator",
        body=OperatorLogin,
        status=204,
        codes=("bad_token", "token_expired", "token_used", "rate_limited"),
    ),
    Route(method="DELETE", path="/operator", handler=log_out, right=Right.SEE_NODE, summary="Log out", status=204),
    Route(
        method="GET",
        path="/demo",
        handler=show_demo,
        right=Right.COME_IN,
        summary="Links of the demo class (demo nodes, this machine only)",
        answer=DemoAnswer,
        codes=("not_found",),
    ),
)
