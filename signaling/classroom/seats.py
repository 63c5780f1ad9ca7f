"""One identity's place in a class: the vocabulary of people, their state, and how a feature finds and checks them.

Rules: who is not admitted, or holds no open connection, does nothing (`member`). A target is looked up among admitted people (`target`)
or among all seats (`seat_of`). Trainers and inspectors are above sanctions; an assistant is sanctioned only by a trainer or the node.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from signaling.classroom.base import Context
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import CheckId, ConnectionId, Millis, OperationId, ParticipantId
from signaling.classroom.roles import STAFF, Role

if TYPE_CHECKING:
    from signaling.classroom.state import Room

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Seat(StrEnum):
    WAITING = "waiting"
    ADMITTED = "admitted"
    DECLINED = "declined"
    REMOVED = "removed"
    BANNED = "banned"


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What staff has left to one person, besides role and settings."""

    microphone: bool = True
    camera: bool = True
    screen: bool = True
    chat: bool = True


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An introduction, carried by events about somebody a client may not have in its list yet (large classes, admissions).

    A client that already lists the person ignores it. `permissions` is told to staff and inspectors only.
    """

    name: Name
    role: Role
    present: bool = True
    imitates: bool = False
    permissions: Permissions = Permissions()


class Asked(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The newest presence check one person was asked to answer."""

    check: CheckId
    nonce: str
    at: Millis
    until: Millis
    answered: bool = False


class Participant(msgspec.Struct, kw_only=True, omit_defaults=True):
    """State of one identity. `on_stage` is also true for admitted staff; `lane_since` is when (seq) the present lane was entered."""

    id: ParticipantId
    name: Name
    role: Role
    seat: Seat
    likeness: str = ""
    imitates: bool = False
    permissions: Permissions = Permissions()
    connections: list[ConnectionId] = msgspec.field(default_factory=list)
    on_stage: bool = False
    microphone: bool = False
    camera: bool = False
    hand_at: Millis | None = None
    chatted_at: Millis | None = None
    recent: dict[OperationId, int] = msgspec.field(default_factory=dict)
    lane_since: int = 0
    asked: Asked | None = None

    @property
    def present(self) -> bool:
        return bool(self.connections)

    @property
    def staff(self) -> bool:
        return self.role in STAFF

    def introduction(self) -> Person:
        """What events tell about this person."""
        return Person(name=self.name, role=self.role, present=self.present, imitates=self.imitates, permissions=self.permissions)


_SEAT_CODES: Final = {
    Seat.WAITING: "not_admitted",
    Seat.REMOVED: "not_admitted",
    Seat.DECLINED: "declined",
    Seat.BANNED: "banned",
}


def member(room: "Room", context: Context) -> Participant:
    """The admitted, connected person who asks; raises Rejected otherwise."""
    person = holder(room, context)
    if not person.present:
        raise Rejected("not_admitted")
    return person


def holder(room: "Room", context: Context) -> Participant:
    """The admitted person who asks, connected or not; raises Rejected otherwise."""
    person = room.participants.get(context.actor) if context.actor is not None else None
    if person is None:
        raise Rejected("not_admitted")
    if person.seat is not Seat.ADMITTED:
        raise Rejected(_SEAT_CODES[person.seat])
    return person


def seat_of(room: "Room", participant: ParticipantId) -> Participant:
    """A person by id whatever the seat; raises no_such_participant."""
    person = room.participants.get(participant)
    if person is None:
        raise Rejected("no_such_participant")
    return person


def target(room: "Room", participant: ParticipantId) -> Participant:
    """An admitted person by id, connected or not; raises no_such_participant."""
    person = seat_of(room, participant)
    if person.seat is not Seat.ADMITTED:
        raise Rejected("no_such_participant")
    return person


def sanctionable(room: "Room", context: Context, person: Participant) -> None:
    """Raise not_allowed unless whoever asks (the node included) stands above this person."""
    if person.role is Role.TRAINEE:
        return
    actor = room.participants.get(context.actor) if context.actor is not None else None
    if person.role is Role.ASSISTANT and (actor is None or actor.role is Role.TRAINER):
        return
    raise Rejected("not_allowed")
