"""What was watched of a recording: reported by the page that plays it, told to who runs the class. Apart from attendance."""

from typing import Annotated

import msgspec

from recording import watched
from recording.watched import MAX_IN_REPORT, MAX_STRETCHES, Report, Stretch, Watched
from server import keys
from server.api import Call, Route
from server.problems import Problem
from server.rights import Right
from server.routes.replay import holder, living, viewer
from signaling.classroom.ids import OperationId


class WatchedReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stretches played since the last report; `op` is new for each report and the same when it is sent again."""

    op: OperationId
    stretches: Annotated[list[Stretch], msgspec.Meta(min_length=1, max_length=MAX_IN_REPORT)]


class WatchedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who watched what."""

    duration_ms: int
    people: list[Watched]


async def report(call: Call) -> None:
    """Keep a report, once."""
    session, id = call.request.match_info["session"], call.request.match_info["recording"]
    seat = await viewer(call, session)
    await living(call, session, id)
    if seat is None:
        raise Problem("not_allowed")
    if any(each.to_ms <= each.from_ms for each in call.body.stretches):
        raise Problem("bad_message")
    told = Report(session, id, seat.participant, call.body.op, call.now_ms, call.body.stretches)
    if not await call.app[keys.WATCHES].add(told, MAX_STRETCHES):
        raise Problem("too_many")


async def summary(call: Call) -> WatchedAnswer:
    """Per person the moments seen."""
    session, id = call.request.match_info["session"], call.request.match_info["recording"]
    if call.principal.seat is not None:
        await holder(call, session)
    row = await living(call, session, id)
    duration = max(0, (row.ended_at or call.now_ms) - row.started_at)
    return WatchedAnswer(duration_ms=duration, people=watched.summed(await call.app[keys.WATCHES].stretches(session, id), duration))


ROUTES = (
    Route(
        method="POST",
        path="/classes/{session}/recordings/{recording}/watched",
        handler=report,
        right=Right.REPORT_WATCHED,
        summary="Report what was played of a recording",
        body=WatchedReport,
        status=204,
        codes=("not_found", "no_longer_kept", "recording_deleted", "replay_closed", "too_many", "draining", "overloaded"),
    ),
    Route(
        method="GET",
        path="/classes/{session}/recordings/{recording}/watched",
        handler=summary,
        right=Right.SEE_WATCHED,
        summary="Who watched what of a recording",
        answer=WatchedAnswer,
        codes=("not_found", "no_longer_kept", "recording_deleted", "draining", "overloaded"),
    ),
)
