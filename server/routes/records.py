"""Records for those who fetch them themselves, letters that could not be delivered, and whether a class is told of at all."""

from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Route
from server.problems import Problem
from server.records.outbox import DeadLetter
from server.rights import Right

_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has number > after."""

    after: _Number = 0
    limit: _Limit = 100


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One statement (xAPI 1.0.3); `number` is its place in the feed."""

    number: int
    session: str
    statement: msgspec.Raw


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Statements in the order in which they became durable; pass `next` as `after` to go on, at any later time."""

    records: list[Told]
    next: int


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries that ended without an acknowledgement; `next` is None on the last page."""

    letters: list[DeadLetter]
    next: int | None


class Requeue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters of a destination to send again; an empty list means all."""

    destination: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    numbers: Annotated[list[_Number], msgspec.Meta(max_length=500)] = []


class Requeued(msgspec.Struct, frozen=True, kw_only=True):
    """How many are due again."""

    count: int


class Telling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether statements are made of this class from now on."""

    told: bool


async def feed(call: Call) -> Feed:
    """A page of the feed."""
    rows = await call.app[keys.RECORDS].outbox.feed(after=call.query.after, limit=call.query.limit)
    told = [Told(number=row.number, session=row.session, statement=msgspec.Raw(row.body)) for row in rows]
    return Feed(records=told, next=rows[-1].number if rows else call.query.after)


async def dead(call: Call) -> DeadLetters:
    """A page of dead letters and conflicts."""
    letters = await call.app[keys.RECORDS].outbox.dead(after=call.query.after, limit=call.query.limit)
    return DeadLetters(letters=letters, next=letters[-1].number if len(letters) == call.query.limit else None)


async def requeue(call: Call) -> Requeued:
    """Send letters again, with the bytes they have."""
    records = call.app[keys.RECORDS]
    count = await records.outbox.requeue(call.body.destination, call.body.numbers)
    records.service.wake()
    return Requeued(count=count)


async def tell(call: Call) -> None:
    """Opt a class out, or in again."""
    session = call.request.match_info["session"]
    if await call.app[keys.DIRECTORY].get(session) is None:
        raise Problem("not_found")
    await call.app[keys.RECORDS].outbox.tell(session, wanted=call.body.told)


ROUTES = (
    Route(
        method="GET",
        path="/records",
        handler=feed,
        right=Right.SEE_RECORDS,
        summary="Statements in order, from a cursor on",
        query=PageQuery,
        answer=Feed,
    ),
    Route(
        method="GET",
        path="/records/dead",
        handler=dead,
        right=Right.SEE_RECORDS,
        summary="Statements a destination refused",
        query=PageQuery,
        answer=DeadLetters,
    ),
    Route(
        method="POST",
        path="/records/dead",
        handler=requeue,
        right=Right.MANAGE_RECORDS,
        summary="Send refused statements again",
        body=Requeue,
        answer=Requeued,
    ),
    Route(
        method="PUT",
        path="/classes/{session}/records",
        handler=tell,
        right=Right.MANAGE_RECORDS,
        summary="Whether anything of a class is told outside",
        body=Telling,
        status=204,
        codes=("not_found",),
    ),
)
