"""Attendance over HTTP: the report of a class and its sheets, the own record, decisions of staff."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from aiohttp import web

from moderation import attendance
from moderation.attendance import Attendance
from moderation.presence_log import Override, PresenceLog
from server import classes, keys, sheets
from server.api import Call, Route
from server.attendance import Facts
from server.problems import Problem
from server.rights import Right
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Id, Millis, ParticipantId
from signaling.classroom.overrides import CreditedMinutes, OverrideAttendance, OverrideReason
from signaling.classroom.policies import POLICIES, AttendancePolicy, AttendanceStatus, PolicyName
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ReportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By which rules, as `<id>.<version>`; those stamped on the class if absent."""

    policy: PolicyName | None = None


class SheetQuery(ReportQuery, frozen=True, forbid_unknown_fields=True):
    """Language of headers, and how many minutes east of UTC times are shown."""

    lang: sheets.Language = "zh-CN"
    offset: Annotated[int, msgspec.Meta(ge=-840, le=840)] = 0


class PolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules of attendance."""

    id: str
    version: int


class SegmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Counted time; bridged: a short gap that counts; recovered: it ended because the node stopped without warning."""

    start: Millis
    end: Millis
    bridged: bool
    recovered: bool


class OverrideAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a member of staff decided, when and why; `by` is the name."""

    status: AttendanceStatus
    minutes: int | None
    reason: str
    by: str
    at: Millis


class PersonAttendance(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `computed` is what the rules say, status, minutes and hours are what counts; times in ms, ratio 0 to 1."""

    participant: str
    name: str
    #: the account outside the class, which tells namesakes apart; not in the own record
    subject: str | None
    #: whether the person took a seat, and is on the roster
    came: bool
    expected: bool
    connected_ms: int
    delivered_ms: int
    bridged_ms: int
    ratio: float
    first_at: Millis | None
    last_at: Millis | None
    segments: list[SegmentAnswer]
    checks_asked: int
    checks_answered: int
    computed: AttendanceStatus
    status: AttendanceStatus
    minutes: int
    hours: float
    override: OverrideAnswer | None


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One presence check."""

    at: Millis
    automatic: bool
    asked: int
    answered: int


class ReportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The attendance of a class. `idle` are breaks and outages [start, end], `curve` is [at, connected, with media]; people: trainees."""

    session: str
    title: str
    now: Millis
    started_at: Millis | None
    ended_at: Millis | None
    countable_ms: int
    policy: PolicyAnswer
    stamped: PolicyAnswer
    policies: list[PolicyAnswer]
    #: the whole of `policy`
    rules: AttendancePolicy
    #: who may watch the recordings
    replay: ReplayAccess
    staff: list[str]
    idle: list[tuple[int, int]]
    curve: list[tuple[int, int, int]]
    checks: list[CheckAnswer]
    #: how many are on the roster, 0 = none was given
    expected: int
    people: list[PersonAttendance]
    #: why nothing of the class may be deleted, while it is under a legal hold
    hold: str | None = None


class OwnAttendance(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own record; attendance is None before the class starts."""

    now: Millis
    started_at: Millis | None
    ended_at: Millis | None
    countable_ms: int
    policy: PolicyAnswer
    attendance: PersonAttendance | None


class NewOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this person's attendance counts as from now on; status null lifts the override. `op` makes a repeated call happen once."""

    status: AttendanceStatus | None
    reason: OverrideReason
    minutes: CreditedMinutes | None = None
    op: Id | None = None


async def report(call: Call) -> ReportAnswer:
    """Everybody's attendance."""
    session, now = await _class(call), call.now_ms
    found = await call.app[keys.DIRECTORY].get(session) or {}
    holds = await call.app[keys.HOLDS].reasons(session)
    async with call.app[keys.PRESENCE].facts(session) as facts:
        rules = _policy(call.query.policy, facts.log.policy)
        subjects = await call.app[keys.ROSTER].subjects(session)
        told = await asyncio.to_thread(_report, session, facts, now, rules, ReplayAccess(found["replay"]), subjects)
    return msgspec.structs.replace(told, hold=holds[0].reason if holds else None)


async def csv_sheet(call: Call) -> web.Response:
    """The report as CSV."""
    return _file(call, sheets.as_csv(await _table(call)), "text/csv", "csv")


async def xlsx_sheet(call: Call) -> web.Response:
    """The report as XLSX."""
    table = await _table(call)
    return _file(call, await asyncio.to_thread(sheets.as_xlsx, table, language=call.query.lang), _XLSX, "xlsx")


async def own(call: Call) -> OwnAttendance:
    """The record of whoever asks, never of anybody else."""
    session, now, seat = await _class(call), call.now_ms, call.principal.seat
    if seat is None:
        raise Problem("not_allowed")
    async with call.app[keys.PRESENCE].facts(session) as facts:
        log = facts.log
        found = attendance.evaluate(log, now=now, delivered=facts.delivered, only=seat.participant)
        return OwnAttendance(
            now=now,
            started_at=log.started_at,
            ended_at=log.ended_at,
            countable_ms=attendance.countable_ms(log, now),
            policy=_named(log.policy),
            attendance=_person(log, found[0]) if found else None,
        )


async def override(call: Call) -> None:
    """Decide about a trainee's attendance; journaled with author and reason."""
    session, seat = await _class(call), call.principal.seat
    if seat is None:
        raise Problem("not_allowed")
    wanted: NewOverride = call.body
    if not wanted.reason.strip() or any(not letter.isprintable() for letter in wanted.reason):
        raise Problem("bad_message")
    try:
        command = msgspec.convert(
            {
                "type": "override_attendance",
                "participant": call.request.match_info["participant"],
                "status": wanted.status,
                "minutes": wanted.minutes,
                "reason": wanted.reason,
            },
            OverrideAttendance,
        )
    except msgspec.ValidationError:
        raise Problem("bad_message") from None
    reply = await call.app[keys.HUB].dispatch(session, seat.participant, command, wanted.op)
    if reply.error is not None:
        raise Rejected(reply.error)


async def _class(call: Call) -> str:
    """The class in the path, which a seat holder must be of."""
    session = call.request.match_info["session"]
    seat = call.principal.seat
    if seat is not None and seat.session != session:
        raise Problem("not_found")
    await classes.kept(call.app, session)
    return session


def _policy(name: str | None, stamped: AttendancePolicy) -> AttendancePolicy:
    """Raises Problem (not_found) for a name that is neither ours nor the class's own."""
    if name is None:
        return stamped
    id, _, version = name.rpartition(".")
    known = {**POLICIES, (stamped.id, stamped.version): stamped}
    found = known.get((id, int(version)))
    if found is None:
        raise Problem("not_found")
    return found


async def _table(call: Call) -> list[list[sheets.Cell]]:
    session, now, query = await _class(call), call.now_ms, call.query
    async with call.app[keys.PRESENCE].facts(session) as facts:
        rules = _policy(query.policy, facts.log.policy)
        subjects = await call.app[keys.ROSTER].subjects(session)
        people = await asyncio.to_thread(attendance.evaluate, facts.log, now=now, policy=rules, delivered=facts.delivered)
        return sheets.rows(facts.log, _trainees(people), subjects, language=query.lang, offset_min=query.offset)


def _file(call: Call, body: bytes, media_type: str, ending: str) -> web.Response:
    response = web.Response(body=body, content_type=media_type, charset="utf-8" if ending == "csv" else None)
    response.headers["Content-Disposition"] = f'attachment; filename="attendance-{call.request.match_info["session"]}.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _trainees(people: list[Attendance]) -> list[Attendance]:
    return [one for one in people if one.role is Role.TRAINEE]


def _report(
    session: str, facts: Facts, now: Millis, rules: AttendancePolicy, replay: ReplayAccess, subjects: Mapping[ParticipantId, str]
) -> ReportAnswer:
    log = facts.log
    policies = {**POLICIES, (log.policy.id, log.policy.version): log.policy}
    people = _trainees(attendance.evaluate(log, now=now, policy=rules, delivered=facts.delivered))
    return ReportAnswer(
        session=session,
        title=log.title,
        now=now,
        started_at=log.started_at,
        ended_at=log.ended_at,
        countable_ms=attendance.countable_ms(log, now),
        policy=_named(rules),
        stamped=_named(log.policy),
        policies=[_named(policy) for policy in policies.values()],
        rules=rules,
        replay=replay,
        staff=[person.name for person in log.people.values() if person.role in (Role.TRAINER, Role.ASSISTANT)],
        idle=attendance.idle_spans(log, now),
        curve=[(point.at, point.connected, point.delivered) for point in attendance.curve(log, people, now=now)],
        checks=[CheckAnswer(at=c.at, automatic=c.automatic, asked=c.asked, answered=c.answered) for c in log.checks.values()],
        expected=sum(person.expected for person in log.people.values()),
        people=[_person(log, one, subjects.get(one.person)) for one in people],
    )


def _named(policy: AttendancePolicy) -> PolicyAnswer:
    return PolicyAnswer(id=policy.id, version=policy.version)


def _person(log: PresenceLog, one: Attendance, subject: str | None = None) -> PersonAttendance:
    made = ("participant", "subject", "segments", "override")
    told: dict[str, Any] = {name: getattr(one, name) for name in PersonAttendance.__struct_fields__ if name not in made}
    segments = [SegmentAnswer(start=s.start, end=s.end, bridged=s.bridged, recovered=s.recovered) for s in one.segments]
    return PersonAttendance(participant=one.person, subject=subject, segments=segments, override=_decision(log, one.override), **told)


def _decision(log: PresenceLog, found: Override | None) -> OverrideAnswer | None:
    if found is None or found.event.status is None:
        return None
    author = log.people.get(found.by or "")
    return OverrideAnswer(
        status=found.event.status,
        minutes=found.event.minutes,
        reason=found.event.reason,
        by=author.name if author is not None else "",
        at=found.at,
    )


_WOKEN = ("not_found", "no_longer_kept", "class_ended", "draining", "overloaded")
ROUTES = (
    Route(
        method="GET",
        path="/classes/{session}/attendance",
        handler=report,
        right=Right.SEE_ATTENDANCE,
        summary="Attendance of a class: minutes, checks and status of every trainee",
        query=ReportQuery,
        answer=ReportAnswer,
        codes=_WOKEN,
    ),
    Route(
        method="GET",
        path="/classes/{session}/attendance.csv",
        handler=csv_sheet,
        right=Right.SEE_ATTENDANCE,
        summary="Attendance of a class as CSV",
        query=SheetQuery,
        codes=_WOKEN,
        raw={200: "text/csv"},
    ),
    Route(
        method="GET",
        path="/classes/{session}/attendance.xlsx",
        handler=xlsx_sheet,
        right=Right.SEE_ATTENDANCE,
        summary="Attendance of a class as XLSX",
        query=SheetQuery,
        codes=_WOKEN,
        raw={200: _XLSX},
    ),
    Route(
        method="GET",
        path="/classes/{session}/attendance/own",
        handler=own,
        right=Right.SEE_OWN_ATTENDANCE,
        summary="The caller's own attendance",
        answer=OwnAttendance,
        codes=_WOKEN,
    ),
    Route(
        method="POST",
        path="/classes/{session}/attendance/{participant}/override",
        handler=override,
        right=Right.OVERRIDE_ATTENDANCE,
        summary="Decide about a trainee's attendance, with a reason",
        body=NewOverride,
        status=204,
        codes=(*_WOKEN, "no_such_participant", "wrong_phase", "not_admitted"),
    ),
)
