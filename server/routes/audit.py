"""The audit trail of a class, read from its journal, and the proof that the journal is whole."""

from typing import Annotated

import msgspec

from moderation.audit import AuditEntry, told
from server import classes, keys
from server.api import Call, Route
from server.rights import Right
from signaling.messages import decode_event

#: journal records looked at for one page
_LOOKED_AT = 5_000


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries with seq > after."""

    after: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries in order; `next` is the `after` of the following page, None when the journal's end was reached. `checkpoint` is the ledger's
    newest signed note, for whoever keeps the page."""

    entries: list[AuditEntry]
    next: int | None
    checkpoint: str | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of checking the hash chain: records read, head of the chain in hex, first bad number (None = whole). Of `erased` records
    the content is another than they were chained with: somebody was made nobody."""

    records: int
    erased: int
    head: str
    broken_at: int | None


async def trail(call: Call) -> AuditPage:
    """A page of the trail."""
    session, query = await _known(call), call.query
    newest = await call.app[keys.LEDGER].newest()
    note = newest.note if newest is not None else None
    entries: list[AuditEntry] = []
    looked_at, last = 0, query.after
    async for record in call.app[keys.JOURNAL].read(session, query.after, _LOOKED_AT):
        looked_at, last = looked_at + 1, record.seq
        entry = told(record.seq, record.at, record.by, decode_event(record.event))
        if entry is not None:
            entries.append(entry)
        if len(entries) >= query.limit:
            return AuditPage(entries=entries, next=last, checkpoint=note)
    return AuditPage(entries=entries, next=last if looked_at >= _LOOKED_AT else None, checkpoint=note)


async def verify(call: Call) -> Verdict:
    """Recompute the hash chain of the class's journal."""
    verdict = await call.app[keys.JOURNAL].verify(await _known(call))
    return Verdict(records=verdict.records, erased=verdict.erased, head=verdict.chain.hex(), broken_at=verdict.broken_at)


async def _known(call: Call) -> str:
    session = call.request.match_info["session"]
    await classes.kept(call.app, session)
    return session


ROUTES = (
    Route(
        method="GET",
        path="/classes/{session}/audit",
        handler=trail,
        right=Right.SEE_AUDIT,
        summary="Acts of supervision in a class",
        query=AuditQuery,
        answer=AuditPage,
        codes=("not_found", "no_longer_kept"),
    ),
    Route(
        method="GET",
        path="/classes/{session}/audit/verification",
        handler=verify,
        right=Right.SEE_AUDIT,
        summary="Check that a class's journal is whole",
        answer=Verdict,
        codes=("not_found", "no_longer_kept"),
    ),
)
