"""What is kept for how long and what was removed, for the operator; a recording deleted by hand."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from recording import deletion
from server import keys
from server.api import Call, Route
from server.holds import Hold
from server.problems import Problem
from server.recordings import journal_root
from server.retention.due import Kind, Why, verdict
from server.retention.policy import Days
from server.retention.records import Act
from server.rights import Right
from server.routes.replay import living
from signaling.classroom.ids import Id, Millis


class KindFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One kind since the node started; `oldest_due_s` as of the last sweep."""

    expired: int
    bytes: int
    failures: int
    oldest_due_s: float
    last_failure: str


class RetentionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The rules (days, 0 for ever), and how the sweep goes; `swept_at` is None before the first has ended."""

    house: Days
    tenants: Mapping[str, Days]
    swept_at: Millis | None
    kinds: Mapping[str, KindFigures]


class ActsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Removals with number > after, of one class if given."""

    after: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    session: Id | None = None


class ActsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Removals in order; `next` is the `after` of the following page, None at the end."""

    acts: list[Act]
    next: int | None


class ThingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a class: whether it is to go, why or why not, and when its days are over (None: never, or not known yet)."""

    kind: Kind
    recording: str
    due: bool
    why: Why
    due_at: Millis | None


class ClassRetention(msgspec.Struct, frozen=True, kw_only=True):
    """A class: whose it is, what holds it, what is left of it."""

    session: str
    tenant: str
    log_expired_at: Millis | None
    holds: list[Hold]
    things: list[ThingAnswer]


async def overview(call: Call) -> RetentionAnswer:
    """Rules and figures."""
    sweep = call.app[keys.SWEEP]
    kinds = {
        str(kind): KindFigures(
            expired=one.expired, bytes=one.bytes, failures=one.failures, oldest_due_s=one.oldest_due_s, last_failure=one.last_failure
        )
        for kind, one in sweep.figures.items()
    }
    return RetentionAnswer(house=sweep.policy.house, tenants=sweep.policy.tenants, swept_at=sweep.last_at, kinds=kinds)


async def acts(call: Call) -> ActsPage:
    """A page of the trail."""
    query: ActsQuery = call.query
    found = list(await call.app[keys.RETENTION].acts(after=query.after, limit=query.limit, session=query.session))
    return ActsPage(acts=found, next=found[-1].number if len(found) == query.limit else None)


async def of_class(call: Call) -> ClassRetention:
    """One class."""
    session, store, rules = call.request.match_info["session"], call.app[keys.RETENTION], call.app[keys.SWEEP].policy
    standing = await store.standing(session)
    if standing is None:
        raise Problem("not_found")
    page = await store.page("", 1, session)
    found = [(thing, verdict(thing, rules.days(thing.kind, thing.tenant), call.now_ms)) for thing in page.things]
    return ClassRetention(
        session=session,
        tenant=standing.tenant,
        log_expired_at=standing.log_expired_at,
        holds=list(await call.app[keys.HOLDS].reasons(session)),
        things=[
            ThingAnswer(kind=thing.kind, recording=thing.recording, due=one.due, why=one.why, due_at=one.due_at) for thing, one in found
        ],
    )


async def delete(call: Call) -> None:
    """Delete a recording and its replay for good."""
    session, id = call.request.match_info["session"], call.request.match_info["recording"]
    row, by = await living(call, session, id), f"{call.principal.caller}:{call.principal.name}".rstrip(":")
    root, published = journal_root(call.app[keys.CONFIG]), call.app[keys.PUBLISHED]
    try:
        await deletion.delete(call.app[keys.RECORDINGS], root, row, now=call.now_ms, by=by, published=published)
    except deletion.NotEnded:
        raise Problem("wrong_phase") from None


ROUTES = (
    Route(
        method="GET",
        path="/retention",
        handler=overview,
        right=Right.SEE_RETENTION,
        summary="What is kept for how long, and how removing goes",
        answer=RetentionAnswer,
    ),
    Route(
        method="GET",
        path="/retention/acts",
        handler=acts,
        right=Right.SEE_RETENTION,
        summary="What was removed because its days were over",
        query=ActsQuery,
        answer=ActsPage,
    ),
    Route(
        method="GET",
        path="/classes/{session}/retention",
        handler=of_class,
        right=Right.SEE_RETENTION,
        summary="What is left of a class, and until when",
        answer=ClassRetention,
        codes=("not_found",),
    ),
    Route(
        method="DELETE",
        path="/classes/{session}/recordings/{recording}",
        handler=delete,
        right=Right.DELETE_RECORDINGS,
        summary="Delete a recording for good",
        status=204,
        codes=("not_found", "recording_deleted", "wrong_phase", "legal_hold"),
    ),
)
