"""Raised hands, in the order they were raised; raising twice keeps the place."""

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ParticipantId
from signaling.classroom.seats import Person


class RaiseHand(Command, frozen=True, kw_only=True, tag="raise_hand"):
    """Ask to speak."""


class LowerHand(Command, frozen=True, kw_only=True, tag="lower_hand"):
    """Take the own hand down, or (staff) another's."""

    participant: ParticipantId | None = None


class LowerAllHands(Command, frozen=True, kw_only=True, tag="lower_all_hands"):
    """Clear the queue."""


class HandRaised(Event, frozen=True, kw_only=True, tag="hand_raised"):
    """A person waits to speak, last in the queue."""

    participant: ParticipantId
    who: Person


class HandLowered(Event, frozen=True, kw_only=True, tag="hand_lowered"):
    """A person's hand is down."""

    participant: ParticipantId


class AllHandsLowered(Event, frozen=True, kw_only=True, tag="all_hands_lowered"):
    """The queue is empty."""
