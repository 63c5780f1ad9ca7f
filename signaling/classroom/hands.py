"""Raised hands, in the order they were raised; raising twice keeps the place.

Trainees raise hands while the class is live, not frozen, and hands are enabled; at most 500 wait. A hand survives a lost connection and a
refresh; it goes down by the person, by staff, on stage, on leaving, and with `hands` switched off. In a large class the queue is seen by
staff and inspectors, and by each trainee only the own hand.
"""

from typing import TYPE_CHECKING, Final

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId
from signaling.classroom.roles import Capability, can
from signaling.classroom.seats import Participant, Person, member, target
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_HANDS: Final = 500


class RaiseHand(Command, frozen=True, kw_only=True, tag="raise_hand"):
    """Ask to speak."""


class LowerHand(Command, frozen=True, kw_only=True, tag="lower_hand"):
    """Take the own hand down, or (staff) another's."""

    participant: ParticipantId | None = None


class LowerAllHands(Command, frozen=True, kw_only=True, tag="lower_all_hands"):
    """Clear the queue."""


class HandRaised(Event, frozen=True, kw_only=True, tag="hand_raised"):
    """A person waits to speak. View: list `who` if unknown; hand_at = at; append to hands."""

    participant: ParticipantId
    who: Person


class HandLowered(Event, frozen=True, kw_only=True, tag="hand_lowered"):
    """A person's hand is down. View: hand_at = null; remove from hands."""

    participant: ParticipantId


class AllHandsLowered(Event, frozen=True, kw_only=True, tag="all_hands_lowered"):
    """The queue is empty. View: hand_at = null for all; hands = []."""


def decide_raise(room: "Room", context: Context, command: RaiseHand) -> list[Event]:
    person = member(room, context)
    if person.hand_at is not None:
        return []
    if room.phase is not Phase.LIVE:
        raise Rejected("wrong_phase")
    if room.settings.frozen:
        raise Rejected("class_frozen")
    if not room.settings.hands:
        raise Rejected("hands_off")
    if len(room.hands) >= MAX_HANDS:
        raise Rejected("too_many")
    return [HandRaised(participant=person.id, who=person.introduction())]


def decide_lower(room: "Room", context: Context, command: LowerHand) -> list[Event]:
    if command.participant is None or command.participant == context.actor:
        return lowered(member(room, context))
    if context.actor is not None and not can(member(room, context).role, Capability.MANAGE_HANDS):
        raise Rejected("not_allowed")
    return lowered(target(room, command.participant))


def decide_lower_all(room: "Room", context: Context, command: LowerAllHands) -> list[Event]:
    return all_lowered(room)


def lowered(person: Participant) -> list[Event]:
    """What takes this person's hand down, if it is up."""
    return [HandLowered(participant=person.id)] if person.hand_at is not None else []


def all_lowered(room: "Room") -> list[Event]:
    """What empties the queue, if anybody is in it."""
    return [AllHandsLowered()] if room.hands else []


def evolve_raised(room: "Room", seq: int, origin: Origin, event: HandRaised) -> None:
    room.participants[event.participant].hand_at = origin.at
    room.hands.append(event.participant)


def evolve_lowered(room: "Room", seq: int, origin: Origin, event: HandLowered) -> None:
    room.participants[event.participant].hand_at = None
    room.hands.remove(event.participant)


def evolve_all_lowered(room: "Room", seq: int, origin: Origin, event: AllHandsLowered) -> None:
    for participant in room.hands:
        room.participants[participant].hand_at = None
    room.hands.clear()
