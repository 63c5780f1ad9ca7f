"""People: one seat per identity, many connections, admission.

A seat is waiting, admitted, declined, removed or banned. A waiting person sees only the own seat. Declined and banned hold for the
identity for the rest of the class (unban lifts a ban; a removed person may come back through the waiting room). Being present means
holding at least one connection; a connection is opened and closed by the node, never by a client's message. Leaving closes all.
An inspector is admitted at once, shown to everybody as present, and holds no right that changes anything.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ConnectionId, ParticipantId
from signaling.classroom.roles import Role

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


class Connect(Command, tag="connect"):
    """Node only: a verified person opened a connection (Context.actor = the participant)."""

    connection: ConnectionId
    name: Name
    role: Role


class Disconnect(Command, tag="disconnect"):
    """Node only: a connection ended. reason: closed, lost, replaced, recovered (found open after a crash)."""

    connection: ConnectionId
    reason: str


class Leave(Command, tag="leave"):
    """Give up all own connections; the seat stays."""


class Admit(Command, tag="admit"):
    """Let waiting people in; an empty list means everybody who waits."""

    participants: Annotated[list[ParticipantId], msgspec.Meta(max_length=200)]


class Decline(Command, tag="decline"):
    """Send a waiting person away for the rest of the class."""

    participant: ParticipantId


class ParticipantJoined(Event, tag="participant_joined"):
    """An identity took its seat for the first time, or again after a removal."""

    participant: ParticipantId
    name: Name
    role: Role
    seat: Seat
    on_stage: bool = False


class ConnectionOpened(Event, tag="connection_opened"):
    """A device of this person is here."""

    participant: ParticipantId
    connection: ConnectionId


class ConnectionClosed(Event, tag="connection_closed"):
    """A device of this person is gone."""

    participant: ParticipantId
    connection: ConnectionId
    reason: str


class ParticipantAdmitted(Event, tag="participant_admitted"):
    """A waiting person is in."""

    participant: ParticipantId
    on_stage: bool = False


class ParticipantDeclined(Event, tag="participant_declined"):
    """A waiting person was sent away."""

    participant: ParticipantId


class ParticipantLeft(Event, tag="participant_left"):
    """A person left of their own accord; hand and tracks go with it."""

    participant: ParticipantId
