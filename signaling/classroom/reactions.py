"""Reactions: journaled one by one for the records, shown live only as counts per half second (signal `reactions`).

Trainees react while the class is live or on a break, not frozen, reactions enabled; staff whenever they are in.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.seats import member
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room


class Reaction(StrEnum):
    THUMBS_UP = "thumbs_up"
    CLAP = "clap"
    HEART = "heart"
    LAUGH = "laugh"
    SURPRISE = "surprise"
    YES = "yes"
    NO = "no"
    SLOWER = "slower"
    FASTER = "faster"


class React(Command, frozen=True, kw_only=True, tag="react"):
    """Show a feeling or a pace wish."""

    reaction: Reaction


class Reacted(Event, frozen=True, kw_only=True, tag="reacted"):
    """Somebody reacted; told to nobody as an event. View: unchanged."""

    reaction: Reaction


def decide_react(room: "Room", context: Context, command: React) -> list[Event]:
    if not member(room, context).staff:
        if room.phase not in (Phase.LIVE, Phase.BREAK):
            raise Rejected("wrong_phase")
        if room.settings.frozen:
            raise Rejected("class_frozen")
    if not room.settings.reactions:
        raise Rejected("reactions_off")
    return [Reacted(reaction=command.reaction)]


def evolve_reacted(room: "Room", seq: int, origin: Origin, event: Reacted) -> None:
    """Nothing to keep: the journal has it."""
