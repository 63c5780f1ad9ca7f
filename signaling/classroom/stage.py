"""Who is on stage, and who is large. Staff is always on stage and does not count towards its size."""

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ParticipantId
from signaling.classroom.seats import Person


class BringOnStage(Command, frozen=True, kw_only=True, tag="bring_on_stage"):
    """Let an admitted trainee speak and show the camera; lowers the hand."""

    participant: ParticipantId


class TakeOffStage(Command, frozen=True, kw_only=True, tag="take_off_stage"):
    """Send a trainee back to the audience; stops the tracks."""

    participant: ParticipantId


class LeaveStage(Command, frozen=True, kw_only=True, tag="leave_stage"):
    """Go back to the audience oneself."""


class SetMain(Command, frozen=True, kw_only=True, tag="set_main"):
    """Show one person large for everybody; None = the trainer, else whoever speaks."""

    participant: ParticipantId | None


class StageJoined(Event, frozen=True, kw_only=True, tag="stage_joined"):
    """A trainee is on stage."""

    participant: ParticipantId
    who: Person


class StageLeft(Event, frozen=True, kw_only=True, tag="stage_left"):
    """A trainee is back in the audience; tracks are off."""

    participant: ParticipantId


class MainChanged(Event, frozen=True, kw_only=True, tag="main_changed"):
    """Who is large; None = automatic."""

    participant: ParticipantId | None
