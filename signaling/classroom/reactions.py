"""Reactions: journaled one by one for the records, shown live only as counts per half second (signal `reactions`)."""

from enum import StrEnum

from signaling.classroom.base import Command, Event


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
    """Somebody reacted."""

    reaction: Reaction
