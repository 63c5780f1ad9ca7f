"""Attendance decided by a person: an override stands beside what was computed, with its author and reason, and never replaces it.

Only staff of the class override, only the attendance of a trainee or of somebody on the roster who never came, and only once the class has
begun; also after its end. A newer override replaces an older one, one without a status lifts it. Told to nobody in class: it is read with
the report.
"""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Capability, Role, can
from signaling.classroom.seats import holder, seat_of
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room

OverrideReason: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
CreditedMinutes: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_440)]


class OverrideAttendance(Command, frozen=True, kw_only=True, tag="override_attendance"):
    """Node only, on behalf of a member of staff: what this person's attendance is to count as; status None lifts the override."""

    participant: ParticipantId
    status: AttendanceStatus | None
    minutes: CreditedMinutes | None = None
    reason: OverrideReason


class AttendanceOverridden(Event, frozen=True, kw_only=True, tag="attendance_overridden"):
    """Staff decided about a person's attendance, or took that back; told to nobody in class."""

    participant: ParticipantId
    status: AttendanceStatus | None
    reason: OverrideReason
    minutes: CreditedMinutes | None = None


def decide_override(room: "Room", context: Context, command: OverrideAttendance) -> list[Event]:
    actor = holder(room, context)
    if not can(actor.role, Capability.OVERRIDE_ATTENDANCE):
        raise Rejected("not_allowed")
    if room.phase in (Phase.SCHEDULED, Phase.LOBBY):
        raise Rejected("wrong_phase")
    expected = command.participant in room.expected and command.participant not in room.participants
    if not expected and seat_of(room, command.participant).role is not Role.TRAINEE:
        raise Rejected("not_allowed")
    if not command.reason.strip() or (command.status is None and command.minutes is not None):
        raise Rejected("bad_message")
    return [
        AttendanceOverridden(participant=command.participant, status=command.status, minutes=command.minutes, reason=command.reason.strip())
    ]


def evolve_overridden(room: "Room", seq: int, origin: Origin, event: AttendanceOverridden) -> None:
    """The report reads it from the journal."""
