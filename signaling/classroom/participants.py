"""People: one seat per identity, many connections, admission.

A seat is waiting, admitted, declined, removed or banned. A waiting person sees only the own seat. Declined and banned hold for the
identity for the rest of the class (unban lifts a ban; a removed person may come back through the waiting room). Being present means
holding at least one connection; a connection is opened and closed by the node, never by a client's message. Leaving closes all.
An inspector is admitted at once, shown to everybody as present, and holds no right that changes anything.
"""

from typing import Annotated

import msgspec

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ConnectionId, ParticipantId
from signaling.classroom.roles import Role
from signaling.classroom.seats import Name, Person
from signaling.classroom.seats import Permissions as Permissions
from signaling.classroom.seats import Seat as Seat

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class Connect(Command, frozen=True, kw_only=True, tag="connect"):
    """Node only: a verified person opened a connection (Context.actor = the participant)."""

    connection: ConnectionId
    name: Name
    role: Role
    #: the name with look-alike characters folded (moderation.names.likeness); equal to a staff member's => the name is flagged
    likeness: Annotated[str, msgspec.Meta(max_length=256)] = ""


class Disconnect(Command, frozen=True, kw_only=True, tag="disconnect"):
    """Node only: a connection ended. reason: closed, lost, replaced, recovered (found open after a crash)."""

    connection: ConnectionId
    reason: Reason


class Leave(Command, frozen=True, kw_only=True, tag="leave"):
    """Give up all own connections; the seat stays."""


class Admit(Command, frozen=True, kw_only=True, tag="admit"):
    """Let waiting people in; an empty list means everybody who waits."""

    participants: Annotated[list[ParticipantId], msgspec.Meta(max_length=200)]


class Decline(Command, frozen=True, kw_only=True, tag="decline"):
    """Send a waiting person away for the rest of the class."""

    participant: ParticipantId


class ParticipantJoined(Event, frozen=True, kw_only=True, tag="participant_joined"):
    """An identity took its seat for the first time, or again after a removal."""

    participant: ParticipantId
    name: Name
    role: Role
    seat: Seat
    on_stage: bool = False
    imitates: bool = False
    likeness: str = ""


class ConnectionOpened(Event, frozen=True, kw_only=True, tag="connection_opened"):
    """A device of this person is here."""

    participant: ParticipantId
    connection: ConnectionId
    first: bool = False


class ConnectionClosed(Event, frozen=True, kw_only=True, tag="connection_closed"):
    """A device of this person is gone."""

    participant: ParticipantId
    connection: ConnectionId
    reason: Reason
    last: bool = False


class ParticipantAdmitted(Event, frozen=True, kw_only=True, tag="participant_admitted"):
    """A waiting person is in. The person's own connections get a new snapshot."""

    participant: ParticipantId
    who: Person
    on_stage: bool = False


class ParticipantDeclined(Event, frozen=True, kw_only=True, tag="participant_declined"):
    """A waiting person was sent away."""

    participant: ParticipantId


class ParticipantLeft(Event, frozen=True, kw_only=True, tag="participant_left"):
    """A person left of their own accord; hand and tracks go with it."""

    participant: ParticipantId


class RoleChanged(Event, frozen=True, kw_only=True, tag="role_changed"):
    """The newest verified token gave this person another role; tracks, hand and stage place are gone; own connections get a snapshot."""

    participant: ParticipantId
    who: Person


class NameFlagged(Event, frozen=True, kw_only=True, tag="name_flagged"):
    """This person's name turned out to look like a staff member's (who came later)."""

    participant: ParticipantId
