"""How attendance is judged: the rules stamped on a class when it is created, so that a later change of the rules does not change the past.

A policy never changes under its (id, version); a new rule is a new version in `POLICIES`. Minutes are wall minutes without breaks.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias

import msgspec

from signaling.classroom.ids import Id

#: `<id>.<version>`
PolicyName: TypeAlias = Annotated[str, msgspec.Meta(max_length=80, pattern=r"\A[A-Za-z0-9_-]{1,64}\.[0-9]{1,7}\Z")]


class AttendanceStatus(StrEnum):
    PRESENT = "present"
    LATE = "late"
    LEFT_EARLY = "left_early"
    ABSENT = "absent"
    EXCUSED = "excused"  # by a person's decision only


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """From this many counted minutes on a class is worth this many study hours (学时)."""

    minutes: Annotated[int, msgspec.Meta(ge=0, le=1_440)]
    hours: Annotated[float, msgspec.Meta(ge=0, le=100)]


class AttendancePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules."""

    id: Id
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    #: seconds: a gap between two connections up to this long counts as present and is marked
    grace_s: Annotated[int, msgspec.Meta(ge=0, le=600)] = 60
    #: seconds: all such gaps of one person together
    bridged_max_s: Annotated[int, msgspec.Meta(ge=0, le=3_600)] = 600
    #: seconds after the start from which on somebody is late, before the end from which on somebody left early
    late_s: Annotated[int, msgspec.Meta(ge=0, le=7_200)] = 300
    early_s: Annotated[int, msgspec.Meta(ge=0, le=7_200)] = 300
    #: share of the class below which somebody counts as absent
    absent_below: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    #: seconds between two automatic presence checks, the share of it by which that varies either way, and the time to answer
    check_every_s: Annotated[int, msgspec.Meta(ge=1, le=7_200)] = 1_200
    check_jitter: Annotated[float, msgspec.Meta(ge=0, le=0.9)] = 0.4
    check_window_s: Annotated[int, msgspec.Meta(ge=10, le=300)] = 60
    #: ascending by minutes; below the first a class is worth nothing
    credits: Annotated[list[Credit], msgspec.Meta(max_length=50)] = []


def _hours(*table: tuple[int, float]) -> list[Credit]:
    return [Credit(minutes=minutes, hours=hours) for minutes, hours in table]


#: 45 minutes are one study hour, with some allowance, in halves
STANDARD: Final = AttendancePolicy(
    id="standard", version=1, credits=_hours((20, 0.5), (40, 1), (65, 1.5), (85, 2), (110, 2.5), (130, 3), (155, 3.5), (175, 4))
)
#: continuing education: 50 full minutes are one hour, at least three checks an hour
CONTINUING: Final = AttendancePolicy(
    id="continuing",
    version=1,
    absent_below=0.5,
    check_every_s=900,
    credits=_hours(*((minutes, minutes / 50) for minutes in range(50, 401, 25))),
)
POLICIES: Final[Mapping[tuple[str, int], AttendancePolicy]] = MappingProxyType(
    {(policy.id, policy.version): policy for policy in (STANDARD, CONTINUING)}
)
#: what a journal without a stamp was held under
UNSTAMPED: Final = STANDARD


def stamped(rules: str | None) -> AttendancePolicy:
    """The policy kept for a class until its journal begins; None = a class made before there was a choice."""
    return msgspec.json.decode(rules, type=AttendancePolicy) if rules is not None else STANDARD


def contradicts(policy: AttendancePolicy) -> bool:
    """Whether the table of study hours goes down, or names the same minutes twice."""
    pairs = list(zip(policy.credits, policy.credits[1:], strict=False))
    return any(after.minutes <= before.minutes or after.hours < before.hours for before, after in pairs)
