"""That somebody was erased from a class that is over: written into its log by the node, beyond any command, told to nobody.

What that person was in the log before has another id and no name by then (`moderation/pseudonyms.py`). The entry moves the log on, so that
whoever still holds the class in memory as it was can append nothing to it, and the audit trail tells that and when it was done.
"""

from typing import TYPE_CHECKING

from signaling.classroom.base import Event, Origin
from signaling.classroom.ids import ParticipantId

if TYPE_CHECKING:
    from signaling.classroom.state import Room


class ParticipantErased(Event, frozen=True, kw_only=True, tag="participant_erased"):
    """Nobody knows any more who this was; participant is the made-up id. Told to nobody. View: unchanged."""

    participant: ParticipantId


def evolve_erased(room: "Room", seq: int, origin: Origin, event: ParticipantErased) -> None:
    """The log before already tells of nobody."""
