"""The ledger's checkpoints, for everybody to keep; and receipts for one's own acts in class."""

import base64
from typing import Annotated

import msgspec

from server import keys
from server.api import Call, Route
from server.problems import Problem
from server.records.receipts import Receipt
from server.rights import Right

_Size = Annotated[int, msgspec.Meta(ge=1, lt=1 << 62)]


class CheckpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The newest checkpoint as a signed note (C2SP tlog-checkpoint) and the key it is verified with."""

    note: str
    verifier: str


class ConsistencyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of two checkpoints."""

    first: _Size
    second: _Size


class Consistency(msgspec.Struct, frozen=True, kw_only=True):
    """Hashes in base64 (RFC 6962 section 2.1.2) that prove the second tree continues the first."""

    proof: list[str]


class ReceiptsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Own acts with seq > after."""

    after: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts in order; `next` is None on the last page. What happened since the newest checkpoint has none yet."""

    receipts: list[Receipt]
    next: int | None


async def checkpoint(call: Call) -> CheckpointAnswer:
    """The newest checkpoint."""
    ledger = call.app[keys.LEDGER]
    newest = await ledger.newest()
    if newest is None:
        raise Problem("not_found")
    return CheckpointAnswer(note=newest.note, verifier=ledger.verifier)


async def consistency(call: Call) -> Consistency:
    """A consistency proof."""
    newest = await call.app[keys.LEDGER].newest()
    if newest is None or call.query.second > newest.size or call.query.first > call.query.second:
        raise Problem("not_found")
    proof = await call.app[keys.LEDGER].consistency(call.query.first, call.query.second)
    return Consistency(proof=[base64.b64encode(hash).decode() for hash in proof])


async def receipts(call: Call) -> Receipts:
    """Receipts for what this person did in class."""
    seat = call.principal.seat
    if seat is None:
        raise Problem("unauthenticated")
    found = await call.app[keys.LEDGER].receipts(seat.session, after=call.query.after, limit=call.query.limit, by=seat.participant)
    return Receipts(receipts=[kept for _, kept in found], next=found[-1][0] if len(found) == call.query.limit else None)


ROUTES = (
    Route(
        method="GET",
        path="/ledger/checkpoint",
        handler=checkpoint,
        right=Right.SEE_LEDGER,
        summary="The newest signed checkpoint of the log",
        answer=CheckpointAnswer,
        codes=("not_found",),
    ),
    Route(
        method="GET",
        path="/ledger/consistency",
        handler=consistency,
        right=Right.SEE_LEDGER,
        summary="Proof that a later log continues an earlier one",
        query=ConsistencyQuery,
        answer=Consistency,
        codes=("not_found",),
    ),
    Route(
        method="GET",
        path="/seats/{seat}/receipts",
        handler=receipts,
        right=Right.SEE_OWN_SEAT,
        summary="Receipts for what the holder of a seat did in class",
        query=ReceiptsQuery,
        answer=Receipts,
    ),
)
