"""The attendance roll-up as a statement, and its replacement. Pure; the figures come from the attendance engine.

A roll-up is never edited: `replaced` voids the one of the revision before and tells the new one. Its duration is what counts as
attended; completion says whether the class's policy was met.
"""

import msgspec

from server.records import vocabulary as v
from server.records.fold import ClassFold, Draft
from server.records.statements import duration, number, statement_id
from signaling.classroom.ids import Millis, ParticipantId


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of presence; `bridged` when a short loss of connection was counted as present."""

    start: Millis
    end: Millis
    bridged: bool = False


class RollUp(msgspec.Struct, frozen=True, kw_only=True):
    """One person's attendance in one class, judged by one version of one policy; `revision` counts evaluations from 1."""

    participant: ParticipantId
    revision: int
    minutes: float
    #: share of the class attended, 0 to 1
    ratio: float
    met: bool
    segments: tuple[Segment, ...]
    policy: str
    policy_version: str
    checks_asked: int = 0
    checks_answered: int = 0


def attended(fold: ClassFold, rollup: RollUp, at: Millis) -> Draft:
    """`attended` with duration, completion, ratio and what they rest on."""
    site = fold.site
    spans = [f"{segment.start}/{segment.end}{'/bridged' if segment.bridged else ''}" for segment in rollup.segments]
    result = {
        "duration": duration(round(rollup.minutes * 60_000)),
        "completion": rollup.met,
        "score": {"scaled": number(min(1.0, max(0.0, rollup.ratio)))},
        "extensions": {
            site.extension("segments"): spans,
            site.extension("policy"): {"id": rollup.policy, "version": rollup.policy_version},
            site.extension("checks"): {"asked": rollup.checks_asked, "answered": rollup.checks_answered},
        },
    }
    kind = _kind(rollup.participant, rollup.revision)
    return Draft(kind=kind, by=rollup.participant, verb=v.ATTENDED, object=fold.classroom(), at=at, result=result)


def replaced(fold: ClassFold, rollup: RollUp, at: Millis, *, former_seq: int) -> list[Draft]:
    """Void the revision before, told at entry `former_seq`, and tell this one."""
    former = statement_id(fold.site, fold.session, former_seq, _kind(rollup.participant, rollup.revision - 1))
    target = {"objectType": "StatementRef", "id": former}
    void = Draft(kind=f"voided/{former}", by=None, verb=v.VOIDED, object=target, at=at, voids=former)
    return [void, attended(fold, rollup, at)]


def _kind(participant: ParticipantId, revision: int) -> str:
    return f"attended/{participant}/{revision}"
