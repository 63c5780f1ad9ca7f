"""Who may watch the recordings of a class: said at its creation, changed by its trainer or from outside, also after its end.

Told to nobody in class: whoever asks for a recording is let in or not (server/replays.py), and the pages that show the setting read it
there. What was changed, when and by whom is in the journal and so in the audit trail.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Capability, can
from signaling.classroom.seats import holder

if TYPE_CHECKING:
    from signaling.classroom.state import Room


class ReplayAccess(StrEnum):
    NOBODY = "nobody"
    TRAINERS = "trainers"  # trainers and assistants, and who oversees: inspectors and the operator
    PARTICIPANTS = "participants"  # and the trainees who were admitted


class SetReplayAccess(Command, frozen=True, kw_only=True, tag="set_replay_access"):
    """Node only, on behalf of a trainer, or of a service or operator (no actor): who may watch from now on."""

    access: ReplayAccess


class ReplayAccessChanged(Event, frozen=True, kw_only=True, tag="replay_access_changed"):
    """Others may watch the recordings than before; told to nobody in class."""

    access: ReplayAccess


def decide_access(room: "Room", context: Context, command: SetReplayAccess) -> list[Event]:
    if context.actor is not None and not can(holder(room, context).role, Capability.SHARE_REPLAY):
        raise Rejected("not_allowed")
    return [] if room.replay is command.access else [ReplayAccessChanged(access=command.access)]


def evolve_access(room: "Room", seq: int, origin: Origin, event: ReplayAccessChanged) -> None:
    room.replay = event.access
