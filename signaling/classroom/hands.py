"""Raised hands, in the order they were raised; raising twice keeps the place."""

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ParticipantId


class RaiseHand(Command, tag="raise_hand"):
    """Ask to speak."""


class LowerHand(Command, tag="lower_hand"):
    """Take the own hand down, or (staff) another's."""

    participant: ParticipantId | None = None


class LowerAllHands(Command, tag="lower_all_hands"):
    """Clear the queue."""


class HandRaised(Event, tag="hand_raised"):
    """A person waits to speak, last in the queue."""

    participant: ParticipantId


class HandLowered(Event, tag="hand_lowered"):
    """A person's hand is down."""

    participant: ParticipantId


class AllHandsLowered(Event, tag="all_hands_lowered"):
    """The queue is empty."""
