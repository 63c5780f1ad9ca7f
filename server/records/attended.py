"""The attendance roll-up as a statement, and its replacement. Pure; the figures come from the attendance engine.

A roll-up is never edited: when a later evaluation differs, the statement of the former one is voided and a new one made. Its duration is
what counts as attended; completion says whether the class's policy was met. Same figures, same result: an evaluation repeated tells
nothing.
"""

from typing import NamedTuple

import msgspec

from server.records import vocabulary as v
from server.records.fold import Draft
from server.records.statements import Json, Site, activity, duration, number
from signaling.classroom.ids import Millis, ParticipantId, SessionId


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of presence; `bridged` when a short loss of connection was counted as present, `recovered` when the node's end cut it."""

    start: Millis
    end: Millis
    bridged: bool = False
    recovered: bool = False


class RollUp(msgspec.Struct, frozen=True, kw_only=True):
    """One person's attendance in one class, judged by one version of one policy."""

    participant: ParticipantId
    minutes: float
    #: share of the class attended, 0 to 1
    ratio: float
    met: bool
    segments: tuple[Segment, ...]
    policy: str
    policy_version: str
    checks_asked: int = 0
    checks_answered: int = 0
    #: present, late … as it counts; what the policy computed if a person decided otherwise
    status: str = ""
    computed: str = ""
    #: study hours (学时) the policy's table gives
    hours: float = 0.0


class Told(NamedTuple):
    """The newest roll-up told of a person: its statement's id and result."""

    id: str
    result: Json


def attended(site: Site, session: SessionId, rollup: RollUp, at: Millis, former: Told | None = None) -> list[Draft]:
    """`attended`, after `voided` if it replaces a former one; nothing if that said the same."""
    result = _result(site, rollup)
    if former is not None and former.result == result:
        return []
    who = rollup.participant
    classroom = activity(site.activity(session), v.CLASSROOM)
    new = Draft(kind=kind_of(who), by=who, verb=v.ATTENDED, object=classroom, at=at, result=result)
    return [new] if former is None else [voided(former.id, at), new]


def voided(id: str, at: Millis) -> Draft:
    """The statement of this id no longer holds."""
    target = {"objectType": "StatementRef", "id": id}
    return Draft(kind=f"voided/{id}", by=None, verb=v.VOIDED, object=target, at=at, voids=id)


def kind_of(participant: ParticipantId) -> str:
    """The kind of a person's roll-up."""
    return f"attended/{participant}"


def _result(site: Site, rollup: RollUp) -> Json:
    verdict = {"status": rollup.status, "hours": number(rollup.hours)} if rollup.status else {}
    if rollup.computed and rollup.computed != rollup.status:
        verdict["computed"] = rollup.computed
    return {
        "duration": duration(round(rollup.minutes * 60_000)),
        "completion": rollup.met,
        "score": {"scaled": number(min(1.0, max(0.0, rollup.ratio)))},
        "extensions": {
            site.extension("segments"): [_span(segment) for segment in rollup.segments],
            site.extension("policy"): {"id": rollup.policy, "version": rollup.policy_version},
            **({site.extension("attendance"): verdict} if verdict else {}),
            site.extension("checks"): {"asked": rollup.checks_asked, "answered": rollup.checks_answered},
        },
    }


def _span(segment: Segment) -> Json:
    marks = {name: True for name in ("bridged", "recovered") if getattr(segment, name)}
    return {"start": segment.start, "end": segment.end, **marks}
