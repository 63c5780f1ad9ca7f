"""About the node: the API's own description, the network check, and the operator's live figures."""

from importlib.metadata import version
from typing import Annotated

import msgspec
from aiohttp import web

from server import keys, openapi, telemetry
from server.api import Call, Route
from server.pulse import Row
from server.rights import Right
from signaling.messages import Sdp

_BIGGEST = 5


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An SDP offer with one data-less audio m-line."""

    sdp: Sdp


class Answer(msgspec.Struct, frozen=True):
    """The SDP answer."""

    sdp: str


class OverviewQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only rows with at > since (ms)."""

    since: Annotated[int, msgspec.Meta(ge=0, lt=1 << 47)] = 0


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One class that is awake."""

    session: str
    title: str
    phase: str
    present: int
    on_stage: int
    waiting: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """This node now: `rows` one per second for the last five minutes, oldest first; the biggest classes; the state of its parts."""

    version: str
    started_at: int
    now: int
    draining: bool
    store: str
    media: str
    rows: list[Row]
    classes: list[ClassFigures]
    class_count: int


def described(routes: tuple[Route, ...]) -> bytes:
    """The OpenAPI document of these routes, encoded. Making it takes long and everybody may ask: to be made once."""
    return msgspec.json.encode(openapi.document(routes, version("jiangtai")))


async def describe_api(call: Call) -> web.Response:
    """The OpenAPI document."""
    response = web.Response(body=call.app[keys.DESCRIPTION](), content_type="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response


async def check_network(call: Call) -> Answer:
    """A throw-away transport over the real media path."""
    return Answer(await call.app[keys.PLANE].check(call.body.sdp))


async def overview(call: Call) -> Overview:
    """Live figures of this node."""
    hub, state = call.app[keys.HUB], telemetry.health(call.app)
    rooms = [room for room in map(hub.room, hub.sessions()) if room is not None]
    biggest = sorted(rooms, key=lambda room: room.present, reverse=True)[:_BIGGEST]
    return Overview(
        version=version("jiangtai"),
        started_at=call.app[keys.STARTED_AT],
        now=call.now_ms,
        draining=hub.draining,
        store=str(state["store"]),
        media=str(state["media"]),
        rows=[row for row in call.app[keys.PULSE].rows if row.at > call.query.since],
        classes=[
            ClassFigures(
                session=room.id,
                title=room.title,
                phase=room.phase.value,
                present=room.present,
                on_stage=len(room.stage) + sum(room.participants[id].staff for id in room.crew),
                waiting=len(room.waiting),
            )
            for room in biggest
        ],
        class_count=len(rooms),
    )


ROUTES = (
    Route(
        method="POST",
        path="/network-check",
        handler=check_network,
        right=Right.CHECK_NETWORK,
        summary="Try the media path",
        body=Offer,
        answer=Answer,
        codes=("bad_sdp", "overloaded", "media_unavailable"),
    ),
    Route(
        method="GET",
        path="/operator/overview",
        handler=overview,
        right=Right.SEE_NODE,
        summary="Live figures of this node",
        query=OverviewQuery,
        answer=Overview,
    ),
    Route(method="GET", path="/openapi.json", handler=describe_api, right=Right.READ_API, summary="This document"),
)
