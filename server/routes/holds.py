"""Legal holds: seen, set and lifted by the operator."""

from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Nothing, Route
from server.holds import MAX_REASON, Hold, TooMany, sayable
from server.problems import Problem
from server.rights import Right
from signaling.classroom.ids import Id

#: longest issuer, and subject, of a person
_MAX_NAME = 400
_Number = Annotated[int, msgspec.Meta(ge=1, lt=1 << 62)]
_Name = Annotated[str, msgspec.Meta(max_length=_MAX_NAME)]


class HoldsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Newest first, those with number < before; `lifted=true` includes those lifted, `session` asks for what holds one class now."""

    lifted: bool = False
    before: _Number = (1 << 62) - 1
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    session: Id | None = None


class HoldsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Holds; `next` is the `before` of the following page, None at the end."""

    holds: list[Hold]
    next: int | None


class NewHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be held: a class, or every class of a person (issuer and subject of the join tokens)."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON)]
    session: Id | None = None
    issuer: _Name = ""
    subject: _Name = ""


async def listing(call: Call) -> HoldsPage:
    """A page of holds."""
    query: HoldsQuery = call.query
    if query.session is not None:
        return HoldsPage(holds=list(await call.app[keys.HOLDS].reasons(query.session)), next=None)
    found = list(await call.app[keys.HOLDS].page(lifted=query.lifted, before=query.before, limit=query.limit))
    return HoldsPage(holds=found, next=found[-1].number if len(found) == query.limit else None)


async def add(call: Call) -> Hold:
    """Hold a class or a person's classes."""
    wanted: NewHold = call.body
    reason, by_person = sayable(wanted.reason), bool(wanted.issuer or wanted.subject)
    if reason is None or by_person == (wanted.session is not None) or by_person != bool(wanted.issuer and wanted.subject):
        raise Problem("bad_message")
    try:
        made = await call.app[keys.HOLDS].add(
            session=wanted.session or "", issuer=wanted.issuer, subject=wanted.subject, reason=reason, by="operator", at=call.now_ms
        )
    except TooMany:
        raise Problem("too_many") from None
    if made is None:
        raise Problem("not_found")
    return made


async def lift(call: Call) -> Hold:
    """Lift a hold; again it changes nothing."""
    number = call.request.match_info["number"]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise Problem("not_found")
    found = await call.app[keys.HOLDS].lift(int(number), by="operator", at=call.now_ms)
    if found is None:
        raise Problem("not_found")
    return found


ROUTES = (
    Route(
        method="GET",
        path="/holds",
        handler=listing,
        right=Right.MANAGE_HOLDS,
        summary="Legal holds",
        query=HoldsQuery,
        answer=HoldsPage,
    ),
    Route(
        method="POST",
        path="/holds",
        handler=add,
        right=Right.MANAGE_HOLDS,
        summary="Keep a class, or a person's classes, from being deleted",
        body=NewHold,
        answer=Hold,
        status=201,
        codes=("not_found", "too_many"),
    ),
    Route(
        method="POST",
        path="/holds/{number}/lift",
        handler=lift,
        right=Right.MANAGE_HOLDS,
        summary="Lift a legal hold",
        body=Nothing,
        answer=Hold,
        codes=("not_found",),
    ),
)
