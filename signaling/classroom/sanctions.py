"""What staff may do to a person: mute, stop camera or screen, block, remove, ban.

Staff can silence but never open another's microphone or camera. A trainer and an inspector cannot be sanctioned by anybody, an assistant
only by a trainer (or the node); nobody removes or blocks themselves. Removal and ban end tracks, hand and stage place at once and every
connection with them. A removed person may come back through the waiting room, a banned one not; restrictions stay either way. People who
wait can be banned as well.
"""

from typing import TYPE_CHECKING

import msgspec

from signaling.classroom import tracks
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.hands import lowered
from signaling.classroom.ids import ParticipantId
from signaling.classroom.participants import closed, settle
from signaling.classroom.seats import Permissions, Person, Seat, sanctionable, seat_of, target
from signaling.classroom.stage import off_stage

if TYPE_CHECKING:
    from signaling.classroom.state import Room


class Mute(Command, frozen=True, kw_only=True, tag="mute"):
    """Switch one person's microphone off."""

    participant: ParticipantId


class MuteAll(Command, frozen=True, kw_only=True, tag="mute_all"):
    """Switch off every trainee's microphone."""


class StopCamera(Command, frozen=True, kw_only=True, tag="stop_camera"):
    """Switch one person's camera off."""

    participant: ParticipantId


class StopScreenOf(Command, frozen=True, kw_only=True, tag="stop_screen_of"):
    """End one person's screen share."""

    participant: ParticipantId


class SetPermissions(Command, frozen=True, kw_only=True, tag="set_permissions"):
    """Block or allow one person's microphone, camera, screen, chat; blocking a running track stops it."""

    participant: ParticipantId
    microphone: bool | None = None
    camera: bool | None = None
    screen: bool | None = None
    chat: bool | None = None


class Remove(Command, frozen=True, kw_only=True, tag="remove"):
    """Send one person out; ban=True bars the identity for the rest of the class."""

    participant: ParticipantId
    ban: bool = False


class Unban(Command, frozen=True, kw_only=True, tag="unban"):
    """Lift a ban or a refusal; the person may knock again."""

    participant: ParticipantId


class PermissionsChanged(Event, frozen=True, kw_only=True, tag="permissions_changed"):
    """All permissions of one person as they now are; told to the person, staff and inspectors. View: permissions = permissions."""

    participant: ParticipantId
    permissions: Permissions


class ParticipantRemoved(Event, frozen=True, kw_only=True, tag="participant_removed"):
    """A person was sent out; staff alone is told when it is from the waiting room (waited). View: remove from participants and waiting;
    if banned, append to banned, not present (staff); own seat = removed or banned."""

    participant: ParticipantId
    who: Person
    banned: bool = False
    waited: bool = False


class BanLifted(Event, frozen=True, kw_only=True, tag="ban_lifted"):
    """A banned or declined person may knock again. View: remove from banned (staff)."""

    participant: ParticipantId


def decide_mute(room: "Room", context: Context, command: Mute) -> list[Event]:
    person = target(room, command.participant)
    if person.id != context.actor:
        sanctionable(room, context, person)
    return tracks.microphone_off(person)


def decide_mute_all(room: "Room", context: Context, command: MuteAll) -> list[Event]:
    return tracks.microphones_off(room, tracks.is_trainee)


def decide_stop_camera(room: "Room", context: Context, command: StopCamera) -> list[Event]:
    person = target(room, command.participant)
    if person.id != context.actor:
        sanctionable(room, context, person)
    return tracks.camera_off(person)


def decide_stop_screen(room: "Room", context: Context, command: StopScreenOf) -> list[Event]:
    person = target(room, command.participant)
    if person.id != context.actor:
        sanctionable(room, context, person)
    return tracks.screen_off(room, person)


def decide_permissions(room: "Room", context: Context, command: SetPermissions) -> list[Event]:
    person = target(room, command.participant)
    sanctionable(room, context, person)
    asked = {name: getattr(command, name) for name in Permissions.__struct_fields__}
    new = msgspec.structs.replace(person.permissions, **{name: value for name, value in asked.items() if value is not None})
    if new == person.permissions:
        return []
    events: list[Event] = [PermissionsChanged(participant=person.id, permissions=new)]
    events += [] if new.microphone else tracks.microphone_off(person)
    events += [] if new.camera else tracks.camera_off(person)
    events += [] if new.screen else tracks.screen_off(room, person)
    return events


def decide_remove(room: "Room", context: Context, command: Remove) -> list[Event]:
    person = seat_of(room, command.participant)
    sanctionable(room, context, person)
    if person.id == context.actor:
        raise Rejected("not_allowed")
    if person.seat is Seat.BANNED or (not command.ban and person.seat in (Seat.REMOVED, Seat.DECLINED)):
        return []
    who = msgspec.structs.replace(person.introduction(), present=False)
    removed = ParticipantRemoved(participant=person.id, who=who, banned=command.ban, waited=person.seat is not Seat.ADMITTED)
    return [*off_stage(room, person), *lowered(person), removed, *closed(person, "banned" if command.ban else "removed")]


def decide_unban(room: "Room", context: Context, command: Unban) -> list[Event]:
    person = seat_of(room, command.participant)
    return [BanLifted(participant=person.id)] if person.seat in (Seat.BANNED, Seat.DECLINED) else []


def evolve_permissions(room: "Room", seq: int, origin: Origin, event: PermissionsChanged) -> None:
    room.participants[event.participant].permissions = event.permissions


def evolve_removed(room: "Room", seq: int, origin: Origin, event: ParticipantRemoved) -> None:
    person = room.participants[event.participant]
    room.barred.pop(person.id, None)  # banned after a refusal: newest last
    settle(room, person, seq, seat=Seat.BANNED if event.banned else Seat.REMOVED)
    person.on_stage = False


def evolve_lifted(room: "Room", seq: int, origin: Origin, event: BanLifted) -> None:
    settle(room, room.participants[event.participant], seq, seat=Seat.REMOVED)
