"""Recording of a class: begun and ended by staff, told to everybody, those who wait included.

off <-> on; the end of the class ends it. What is recorded is the stage: microphones, cameras and screens of staff and of trainees on stage,
announced as on, but nothing of who is left out. The media plane follows these events (media/recorded.py); when the node cannot record it
ends the recording itself, with a reason. A recording's name derives from the journal number of the event that began it; it keeps its name
when the node restarts.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Id, Millis, ParticipantId
from signaling.classroom.seats import target

if TYPE_CHECKING:
    from signaling.classroom.state import Room

RecordingId: TypeAlias = Id
#: asked: somebody stopped it; ended: the class is over; failed: the node could not go on
Reason: TypeAlias = Literal["asked", "ended", "failed"]
#: people one class may leave out
MAX_LEFT_OUT = 1_000


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The recording that is on."""

    id: RecordingId
    since: Millis
    by: ParticipantId | None


class StartRecording(Command, frozen=True, kw_only=True, tag="start_recording"):
    """Record the stage from now on."""


class StopRecording(Command, frozen=True, kw_only=True, tag="stop_recording"):
    """End the recording."""


class LeaveOut(Command, frozen=True, kw_only=True, tag="leave_out"):
    """Leave a person out of recordings from now on, or no longer."""

    participant: ParticipantId
    left_out: bool


class RecordingStarted(Event, frozen=True, kw_only=True, tag="recording_started"):
    """The class is being recorded. View: session.recorded_since = at."""

    recording: RecordingId


class RecordingStopped(Event, frozen=True, kw_only=True, tag="recording_stopped"):
    """It is no longer. View: session.recorded_since = null."""

    recording: RecordingId
    reason: Reason


class LeftOutChanged(Event, frozen=True, kw_only=True, tag="left_out_changed"):
    """A person is left out of recordings, or no longer. View: participant is in left_out or not."""

    participant: ParticipantId
    left_out: bool


def decide_start(room: "Room", context: Context, command: StartRecording) -> list[Event]:
    return [] if room.recording is not None else [RecordingStarted(recording=f"r{context.seq}")]


def decide_stop(room: "Room", context: Context, command: StopRecording) -> list[Event]:
    return stopped(room, "failed" if context.actor is None else "asked")


def decide_leave_out(room: "Room", context: Context, command: LeaveOut) -> list[Event]:
    person = target(room, command.participant)
    if (person.id in room.left_out) == command.left_out:
        return []
    if command.left_out and len(room.left_out) >= MAX_LEFT_OUT:
        raise Rejected("too_many")
    return [LeftOutChanged(participant=person.id, left_out=command.left_out)]


def stopped(room: "Room", reason: Reason) -> list[Event]:
    """The end of the recording, if there is one."""
    return [] if room.recording is None else [RecordingStopped(recording=room.recording.id, reason=reason)]


def evolve_started(room: "Room", seq: int, origin: Origin, event: RecordingStarted) -> None:
    room.recording = Recording(id=event.recording, since=origin.at, by=origin.by)


def evolve_stopped(room: "Room", seq: int, origin: Origin, event: RecordingStopped) -> None:
    room.recording = None


def evolve_left_out(room: "Room", seq: int, origin: Origin, event: LeftOutChanged) -> None:
    if event.left_out:
        room.left_out.append(event.participant)
    else:
        room.left_out.remove(event.participant)
