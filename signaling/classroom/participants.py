"""People: one seat per identity, many connections, admission.

- A seat is waiting, admitted, declined, removed or banned. A waiting person sees only the own seat. Declined and banned hold for the
  identity for the rest of the class (unban lifts both). A removed person may come back, but only through the waiting room.
- With the waiting room on, new trainees wait; staff and inspectors never do. A locked class refuses new and removed trainees
  (`class_locked`); whoever holds a seat comes back to it.
- Capacity counts connected trainees, admitted or waiting; a new identity beyond it gets `class_full`. A class holds at most twice as many
  identities as its capacity, and 200 who are not trainees. One identity holds at most 8 connections.
- Present means holding a connection. Connections are opened and closed by the node, never by a client's message; two tabs are two
  connections of one person. With the last one gone the tracks go off; seat, role, hand and place on stage stay, so that a refresh is back
  in place. Leaving closes all connections and gives up hand and place on stage (the place stays where `auto_stage` would give it back).
- The name is the one first told in this class. The role is the one the server-side seat holds (the newest verified token): if it differs
  from the room's, `RoleChanged` follows, never by anything a client sends. It lifts no refusal: the declined and banned stay out.
- An inspector is admitted at once, shown to everybody, and holds no right that changes anything.
- A name that looks like a staff member's, or is a title, is flagged (`imitates`), whoever of the two came first.
"""

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.hands import lowered
from signaling.classroom.ids import ConnectionId, Millis, ParticipantId
from signaling.classroom.roles import Role
from signaling.classroom.seats import Name, Participant, Person, seat_of
from signaling.classroom.seats import Permissions as Permissions
from signaling.classroom.seats import Seat as Seat
from signaling.classroom.stage import StageJoined, off_stage, starts_on_stage
from signaling.classroom.tracks import all_off

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_CONNECTIONS: Final = 8
MAX_CREW: Final = 200
#: likenesses of titles nobody but staff may bear as a name
TITLES: Final = frozenset(
    {"trainer", "assistant", "inspector", "moderator", "host", "admin", "system", "主讲", "助教", "督导", "主持人", "管理员", "系统"}
)

MAX_REASON: Final = 32
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON)]


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
    #: the last life sign, where that was earlier than now (a silent connection, a crash)
    seen: Millis | None = None


class Leave(Command, frozen=True, kw_only=True, tag="leave"):
    """Give up all own connections; the seat stays."""


class Admit(Command, frozen=True, kw_only=True, tag="admit"):
    """Let waiting people in; an empty list means everybody who waits. Those named who do not wait are passed over."""

    participants: Annotated[list[ParticipantId], msgspec.Meta(max_length=200)]


class Decline(Command, frozen=True, kw_only=True, tag="decline"):
    """Send a waiting person away for the rest of the class."""

    participant: ParticipantId


class ParticipantJoined(Event, frozen=True, kw_only=True, tag="participant_joined"):
    """An identity took its seat for the first time, or again after a removal. View: admitted: list it, not present (append to stage if
    on_stage and trainee); waiting: append to waiting (staff)."""

    participant: ParticipantId
    name: Name
    role: Role
    seat: Seat
    on_stage: bool = False
    imitates: bool = False
    likeness: str = ""
    #: restrictions kept from before a removal; told like all permissions
    permissions: Permissions = Permissions()


class ConnectionOpened(Event, frozen=True, kw_only=True, tag="connection_opened"):
    """A device of this person is here. View: present = true, where listed."""

    participant: ParticipantId
    connection: ConnectionId
    first: bool = False


class ConnectionClosed(Event, frozen=True, kw_only=True, tag="connection_closed"):
    """A device of this person is gone. View: if last, present = false, where listed.

    seen is its last life sign, told if that was earlier than the event: attendance ends there.
    """

    participant: ParticipantId
    connection: ConnectionId
    reason: Reason
    last: bool = False
    seen: Millis | None = None


class ParticipantAdmitted(Event, frozen=True, kw_only=True, tag="participant_admitted"):
    """A waiting person is in; the person's own connections get a new snapshot. View: list `who` as admitted (append to stage if on_stage
    and trainee); remove from waiting."""

    participant: ParticipantId
    who: Person
    on_stage: bool = False


class ParticipantDeclined(Event, frozen=True, kw_only=True, tag="participant_declined"):
    """A waiting person was sent away. View: move from waiting to banned with seat declined (staff); own seat = declined."""

    participant: ParticipantId


class ParticipantLeft(Event, frozen=True, kw_only=True, tag="participant_left"):
    """A person left of their own accord; what they gave up has its own events. View: unchanged."""

    participant: ParticipantId


class RoleChanged(Event, frozen=True, kw_only=True, tag="role_changed"):
    """The newest verified token gave this person another role; tracks, hand and stage place are gone; own connections get a snapshot.
    View: replace or list `who`; on_stage is true for staff; if waiting, the role there (staff)."""

    participant: ParticipantId
    who: Person
    waits: bool = False


class NameFlagged(Event, frozen=True, kw_only=True, tag="name_flagged"):
    """This person's name turned out to look like a staff member's (who came later). View: imitates = true, where listed."""

    participant: ParticipantId


def decide_connect(room: "Room", context: Context, command: Connect) -> list[Event]:
    if context.actor is None:
        raise Rejected("not_allowed")
    _check(command)
    person = room.participants.get(context.actor)
    if person is None or person.seat is Seat.REMOVED:
        return _take_seat(room, context.actor, person, command)
    if person.seat in (Seat.DECLINED, Seat.BANNED):
        raise Rejected(person.seat.value)
    events = _change_role(room, person, command.role) if command.role is not person.role else []
    if command.connection not in person.connections:
        if len(person.connections) >= MAX_CONNECTIONS:
            raise Rejected("too_many")
        events.append(ConnectionOpened(participant=person.id, connection=command.connection, first=not person.present))
    return events


def _check(command: Connect) -> None:
    """The node makes this command itself, past the decoder; an event that cannot be read back would spoil the journal."""
    try:
        msgspec.convert(msgspec.to_builtins(command), Connect)
    except msgspec.ValidationError:
        raise Rejected("bad_message") from None


def _take_seat(room: "Room", id: ParticipantId, former: Participant | None, command: Connect) -> list[Event]:
    trainee = command.role is Role.TRAINEE
    if trainee and room.settings.locked:
        raise Rejected("class_locked")
    _has_room(room, former, trainee)
    waits = former is not None or (trainee and room.settings.waiting_room)
    joined = ParticipantJoined(
        participant=id,
        name=command.name,
        role=command.role,
        seat=Seat.WAITING if waits else Seat.ADMITTED,
        on_stage=not waits and starts_on_stage(room, command.role),
        imitates=trainee and _looks_like_staff(room, command.likeness),
        likeness=command.likeness,
        permissions=former.permissions if former is not None else Permissions(),
    )
    opened = ConnectionOpened(participant=id, connection=command.connection, first=True)
    return [joined, opened, *([] if waits else _imitators(room, command.role, command.likeness))]


def _has_room(room: "Room", former: Participant | None, trainee: bool) -> None:
    capacity = room.settings.capacity
    if trainee and (room.trainees_present >= capacity or (former is None and len(room.participants) >= 2 * capacity + MAX_CREW)):
        raise Rejected("class_full")
    if not trainee and len(room.crew) >= MAX_CREW:
        raise Rejected("class_full")


def _looks_like_staff(room: "Room", likeness: str) -> bool:
    return bool(likeness) and (likeness in TITLES or any(room.participants[id].likeness == likeness for id in room.crew))


def _imitators(room: "Room", role: Role, likeness: str) -> list[Event]:
    """Flags for trainees who bear the name of staff admitted after them. Walks all people: staff joins are rare."""
    if role is Role.TRAINEE or not likeness:
        return []
    alike = (p for p in room.participants.values() if p.likeness == likeness and p.role is Role.TRAINEE and not p.imitates)
    return [NameFlagged(participant=person.id) for person in alike if person.seat in (Seat.WAITING, Seat.ADMITTED)]


def _change_role(room: "Room", person: Participant, role: Role) -> list[Event]:
    events = [*off_stage(room, person), *lowered(person)]
    who = msgspec.structs.replace(person.introduction(), role=role, imitates=person.imitates and role is Role.TRAINEE)
    events.append(RoleChanged(participant=person.id, who=who, waits=person.seat is Seat.WAITING))
    if role is Role.TRAINEE:
        if starts_on_stage(room, role) and person.seat is Seat.ADMITTED:
            events.append(StageJoined(participant=person.id, who=who))
    elif person.seat is Seat.WAITING:
        events.append(ParticipantAdmitted(participant=person.id, who=who, on_stage=starts_on_stage(room, role)))
    return events + _imitators(room, role, person.likeness)


def decide_disconnect(room: "Room", context: Context, command: Disconnect) -> list[Event]:
    person = seat_of(room, context.actor or "")
    if command.connection not in person.connections:
        return []
    last = len(person.connections) == 1
    reason = command.reason[:MAX_REASON] or "closed"
    gone = ConnectionClosed(participant=person.id, connection=command.connection, reason=reason, last=last, seen=command.seen)
    return [*(all_off(room, person) if last else []), gone]


def decide_leave(room: "Room", context: Context, command: Leave) -> list[Event]:
    person = seat_of(room, context.actor or "")
    if not person.present:
        return []
    keeps_place = person.staff or room.settings.auto_stage
    given_up = all_off(room, person) if keeps_place else off_stage(room, person)
    return [*given_up, *lowered(person), ParticipantLeft(participant=person.id), *closed(person, "left")]


def decide_admit(room: "Room", context: Context, command: Admit) -> list[Event]:
    named = dict.fromkeys(command.participants or room.waiting)
    waiting = [seat_of(room, id) for id in named]
    places = room.settings.stage_size - len(room.stage) if room.settings.auto_stage else 0
    events: list[Event] = []
    for person in waiting:
        if person.seat is Seat.WAITING:
            on_stage = person.staff or (person.role is Role.TRAINEE and places > 0)
            places -= on_stage and not person.staff
            events.append(ParticipantAdmitted(participant=person.id, who=person.introduction(), on_stage=on_stage))
            events += _imitators(room, person.role, person.likeness)
    return events


def decide_decline(room: "Room", context: Context, command: Decline) -> list[Event]:
    person = seat_of(room, command.participant)
    if person.seat is Seat.DECLINED:
        return []
    if person.seat is not Seat.WAITING:
        raise Rejected("no_such_participant")
    return [ParticipantDeclined(participant=person.id), *closed(person, "declined")]


def closed(person: Participant, reason: str) -> list[Event]:
    """What ends every connection of a person."""
    left = len(person.connections)
    return [
        ConnectionClosed(participant=person.id, connection=connection, reason=reason, last=index == left - 1)
        for index, connection in enumerate(person.connections)
    ]


def settle(room: "Room", person: Participant, seq: int, *, seat: Seat | None = None, role: Role | None = None) -> None:
    """Give a person another seat or role and keep counts, lists and lane in step."""
    _count(room, person, -1)
    person.seat = seat or person.seat
    person.role = role or person.role
    person.lane_since = seq
    _count(room, person, +1)
    _list(room.waiting, person, seq, listed=person.seat is Seat.WAITING)
    _list(room.barred, person, seq, listed=person.seat in (Seat.DECLINED, Seat.BANNED))
    in_crew = person.seat is Seat.ADMITTED and person.role is not Role.TRAINEE
    if in_crew and person.id not in room.crew:
        room.crew.append(person.id)
    elif not in_crew and person.id in room.crew:
        room.crew.remove(person.id)


def _list(index: dict[ParticipantId, int], person: Participant, seq: int, *, listed: bool) -> None:
    if listed:
        index.setdefault(person.id, seq)
    else:
        index.pop(person.id, None)


def _count(room: "Room", person: Participant, by: int) -> None:
    if person.present and person.seat is Seat.ADMITTED:
        room.present += by
    if person.present and person.role is Role.TRAINEE and person.seat in (Seat.ADMITTED, Seat.WAITING):
        room.trainees_present += by


def _on_stage(room: "Room", person: Participant, on_stage: bool) -> None:
    person.on_stage = on_stage
    if on_stage and person.role is Role.TRAINEE:
        room.stage.append(person.id)


def evolve_joined(room: "Room", seq: int, origin: Origin, event: ParticipantJoined) -> None:
    person = room.participants.get(event.participant)
    if person is None:
        person = Participant(id=event.participant, name=event.name, role=event.role, seat=event.seat)
        room.participants[person.id] = person
    person.name, person.likeness, person.imitates = event.name, event.likeness, event.imitates
    settle(room, person, seq, seat=event.seat, role=event.role)
    _on_stage(room, person, event.on_stage)


def evolve_opened(room: "Room", seq: int, origin: Origin, event: ConnectionOpened) -> None:
    person = room.participants[event.participant]
    _count(room, person, -1)
    person.connections.append(event.connection)
    _count(room, person, +1)


def evolve_closed(room: "Room", seq: int, origin: Origin, event: ConnectionClosed) -> None:
    person = room.participants[event.participant]
    _count(room, person, -1)
    person.connections.remove(event.connection)
    _count(room, person, +1)


def evolve_admitted(room: "Room", seq: int, origin: Origin, event: ParticipantAdmitted) -> None:
    person = room.participants[event.participant]
    settle(room, person, seq, seat=Seat.ADMITTED)
    _on_stage(room, person, event.on_stage)


def evolve_declined(room: "Room", seq: int, origin: Origin, event: ParticipantDeclined) -> None:
    settle(room, room.participants[event.participant], seq, seat=Seat.DECLINED)


def evolve_left(room: "Room", seq: int, origin: Origin, event: ParticipantLeft) -> None:
    """What was given up has its own events."""


def evolve_role(room: "Room", seq: int, origin: Origin, event: RoleChanged) -> None:
    person = room.participants[event.participant]
    settle(room, person, seq, role=event.who.role)
    person.imitates = event.who.imitates
    person.on_stage = person.staff and person.seat is Seat.ADMITTED


def evolve_flagged(room: "Room", seq: int, origin: Origin, event: NameFlagged) -> None:
    room.participants[event.participant].imitates = True
