"""Microphone, camera and screen of each person: what is announced as on. The media plane follows these, never the other way round.

One must be admitted, on stage (staff always is), allowed by settings, permissions and phase. One screen at a time; staff may take it
over. An announced track that is off is not forwarded whatever its sender transmits.
"""

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import ParticipantId


class SetMicrophone(Command, frozen=True, kw_only=True, tag="set_microphone"):
    """Switch the own microphone."""

    on: bool


class SetCamera(Command, frozen=True, kw_only=True, tag="set_camera"):
    """Switch the own camera."""

    on: bool


class StartScreen(Command, frozen=True, kw_only=True, tag="start_screen"):
    """Share the own screen."""


class StopScreen(Command, frozen=True, kw_only=True, tag="stop_screen"):
    """End the own screen share."""


class MicrophoneChanged(Event, frozen=True, kw_only=True, tag="microphone_changed"):
    """A microphone is on or off (Origin.by tells who did it)."""

    participant: ParticipantId
    on: bool


class CameraChanged(Event, frozen=True, kw_only=True, tag="camera_changed"):
    """A camera is on or off."""

    participant: ParticipantId
    on: bool


class ScreenStarted(Event, frozen=True, kw_only=True, tag="screen_started"):
    """This person's screen is shown; any other share has ended."""

    participant: ParticipantId


class ScreenStopped(Event, frozen=True, kw_only=True, tag="screen_stopped"):
    """No screen is shown any more."""

    participant: ParticipantId
