"""Who is on stage, and who is large.

Admitted staff is always on stage and does not count towards its size; inspectors never are. Trainees are brought up by staff, or come up
with their seat where `auto_stage` is set and there is room. A place on stage survives a lost connection, not leaving the class (unless
`auto_stage`). Going up lowers the hand; coming down switches the tracks off first. Only somebody on stage can be large.
"""

from typing import TYPE_CHECKING

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.hands import lowered
from signaling.classroom.ids import ParticipantId
from signaling.classroom.roles import STAFF, Role
from signaling.classroom.seats import Participant, Person, member, target
from signaling.classroom.tracks import all_off

if TYPE_CHECKING:
    from signaling.classroom.state import Room


class BringOnStage(Command, frozen=True, kw_only=True, tag="bring_on_stage"):
    """Let an admitted trainee speak and show the camera; lowers the hand."""

    participant: ParticipantId


class TakeOffStage(Command, frozen=True, kw_only=True, tag="take_off_stage"):
    """Send a trainee back to the audience; stops the tracks."""

    participant: ParticipantId


class LeaveStage(Command, frozen=True, kw_only=True, tag="leave_stage"):
    """Go back to the audience oneself."""


class SetMain(Command, frozen=True, kw_only=True, tag="set_main"):
    """Show one person large for everybody; None = the trainer, else whoever speaks."""

    participant: ParticipantId | None


class StageJoined(Event, frozen=True, kw_only=True, tag="stage_joined"):
    """A trainee is on stage. View: list `who` if unknown; on_stage = true; append to stage."""

    participant: ParticipantId
    who: Person


class StageLeft(Event, frozen=True, kw_only=True, tag="stage_left"):
    """A trainee is back in the audience; the tracks went off before. View: on_stage = false; remove from stage."""

    participant: ParticipantId


class MainChanged(Event, frozen=True, kw_only=True, tag="main_changed"):
    """Who is large; None = automatic. View: main = participant."""

    participant: ParticipantId | None


def decide_bring(room: "Room", context: Context, command: BringOnStage) -> list[Event]:
    person = target(room, command.participant)
    if person.on_stage:
        return []
    if person.role is not Role.TRAINEE:
        raise Rejected("not_allowed")
    if not has_place(room):
        raise Rejected("stage_full")
    return [*lowered(person), StageJoined(participant=person.id, who=person.introduction())]


def decide_take_off(room: "Room", context: Context, command: TakeOffStage) -> list[Event]:
    person = target(room, command.participant)
    if person.staff:
        raise Rejected("not_allowed")
    return off_stage(room, person)


def decide_leave_stage(room: "Room", context: Context, command: LeaveStage) -> list[Event]:
    person = member(room, context)
    if person.staff:
        raise Rejected("not_allowed")
    return off_stage(room, person)


def decide_main(room: "Room", context: Context, command: SetMain) -> list[Event]:
    if command.participant is not None and not target(room, command.participant).on_stage:
        raise Rejected("not_on_stage")
    return [] if command.participant == room.main else [MainChanged(participant=command.participant)]


def has_place(room: "Room") -> bool:
    """Whether one more trainee fits on stage."""
    return len(room.stage) < room.settings.stage_size


def starts_on_stage(room: "Room", role: Role) -> bool:
    """Whether somebody of this role, admitted now, stands on stage at once."""
    return role in STAFF or (role is Role.TRAINEE and room.settings.auto_stage and has_place(room))


def off_stage(room: "Room", person: Participant) -> list[Event]:
    """What brings a person down: tracks off, no longer large, place free. Nothing for who is not on stage."""
    if not person.on_stage:
        return []
    events = all_off(room, person)
    if room.main == person.id:
        events.append(MainChanged(participant=None))
    if not person.staff:
        events.append(StageLeft(participant=person.id))
    return events


def evolve_joined(room: "Room", seq: int, origin: Origin, event: StageJoined) -> None:
    room.participants[event.participant].on_stage = True
    room.stage.append(event.participant)


def evolve_left(room: "Room", seq: int, origin: Origin, event: StageLeft) -> None:
    room.participants[event.participant].on_stage = False
    room.stage.remove(event.participant)


def evolve_main(room: "Room", seq: int, origin: Origin, event: MainChanged) -> None:
    room.main = event.participant
