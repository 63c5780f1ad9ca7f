"""Microphone, camera and screen of each person: what is announced as on. The media plane follows these, never the other way round.

Staff may publish in every phase but the end (a sound check before the class). A trainee must be on stage, in a live class that is not
frozen, with the source allowed by settings and permissions. One screen at a time: staff may take it over, trainees may not. Nobody
switches another's track on. Tracks go off, each by its own event, when a right to them ends: off stage, blocked, frozen, on a break,
the last connection gone, the end of the class. An announced track that is off is not forwarded whatever its sender transmits.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ParticipantId
from signaling.classroom.seats import Participant, member
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room


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
    """A microphone is on or off (by tells who did it). View: microphone = on."""

    participant: ParticipantId
    on: bool


class CameraChanged(Event, frozen=True, kw_only=True, tag="camera_changed"):
    """A camera is on or off (by tells who did it). View: camera = on."""

    participant: ParticipantId
    on: bool


class ScreenStarted(Event, frozen=True, kw_only=True, tag="screen_started"):
    """This person's screen is shown; an other share has ended just before. View: screen = participant, and the person's screen = true."""

    participant: ParticipantId


class ScreenStopped(Event, frozen=True, kw_only=True, tag="screen_stopped"):
    """No screen is shown any more. View: screen = null, and the person's screen = false."""

    participant: ParticipantId


def decide_microphone(room: "Room", context: Context, command: SetMicrophone) -> list[Event]:
    person = member(room, context)
    if command.on == person.microphone:
        return []
    if command.on:
        _may_publish(room, person)
        if not person.permissions.microphone or not (person.staff or room.settings.microphones):
            raise Rejected("microphone_blocked")
    return [MicrophoneChanged(participant=person.id, on=command.on)]


def decide_camera(room: "Room", context: Context, command: SetCamera) -> list[Event]:
    person = member(room, context)
    if command.on == person.camera:
        return []
    if command.on:
        _may_publish(room, person)
        if not person.permissions.camera or not (person.staff or room.settings.cameras):
            raise Rejected("camera_blocked")
    return [CameraChanged(participant=person.id, on=command.on)]


def decide_start_screen(room: "Room", context: Context, command: StartScreen) -> list[Event]:
    person = member(room, context)
    if room.screen == person.id:
        return []
    _may_publish(room, person)
    if not person.permissions.screen or not (person.staff or room.settings.screens):
        raise Rejected("screen_blocked")
    if room.screen is None:
        return [ScreenStarted(participant=person.id)]
    if not person.staff:
        raise Rejected("screen_taken")
    return [ScreenStopped(participant=room.screen), ScreenStarted(participant=person.id)]


def decide_stop_screen(room: "Room", context: Context, command: StopScreen) -> list[Event]:
    return screen_off(room, member(room, context))


def _may_publish(room: "Room", person: Participant) -> None:
    if person.staff:
        return
    if room.phase is not Phase.LIVE:
        raise Rejected("wrong_phase")
    if room.settings.frozen:
        raise Rejected("class_frozen")
    if not person.on_stage:
        raise Rejected("not_on_stage")


def microphone_off(person: Participant) -> list[Event]:
    """What switches this microphone off, if it is on."""
    return [MicrophoneChanged(participant=person.id, on=False)] if person.microphone else []


def camera_off(person: Participant) -> list[Event]:
    """What switches this camera off, if it is on."""
    return [CameraChanged(participant=person.id, on=False)] if person.camera else []


def screen_off(room: "Room", person: Participant) -> list[Event]:
    """What ends this person's screen share, if it is the one shown."""
    return [ScreenStopped(participant=person.id)] if room.screen == person.id else []


def all_off(room: "Room", person: Participant) -> list[Event]:
    """What switches off everything this person sends."""
    return microphone_off(person) + camera_off(person) + screen_off(room, person)


def microphones_off(room: "Room", whose: Callable[[Participant], bool]) -> list[Event]:
    """What switches off the running microphones of the people chosen."""
    return [MicrophoneChanged(participant=id, on=False) for id in room.microphones if whose(room.participants[id])]


def cameras_off(room: "Room", whose: Callable[[Participant], bool]) -> list[Event]:
    """What switches off the running cameras of the people chosen."""
    return [CameraChanged(participant=id, on=False) for id in room.cameras if whose(room.participants[id])]


def screens_off(room: "Room", whose: Callable[[Participant], bool]) -> list[Event]:
    """What ends the screen share if it is of one of the people chosen."""
    return [ScreenStopped(participant=room.screen)] if room.screen is not None and whose(room.participants[room.screen]) else []


def everything_off(room: "Room", whose: Callable[[Participant], bool]) -> list[Event]:
    """What switches off every running track of the people chosen."""
    return microphones_off(room, whose) + cameras_off(room, whose) + screens_off(room, whose)


def is_trainee(person: Participant) -> bool:
    """For `whose`: everybody but staff."""
    return not person.staff


def anybody(person: Participant) -> bool:
    """For `whose`: all."""
    return True


def evolve_microphone(room: "Room", seq: int, origin: Origin, event: MicrophoneChanged) -> None:
    room.participants[event.participant].microphone = event.on
    if event.on:
        room.microphones.append(event.participant)
    else:
        room.microphones.remove(event.participant)


def evolve_camera(room: "Room", seq: int, origin: Origin, event: CameraChanged) -> None:
    room.participants[event.participant].camera = event.on
    if event.on:
        room.cameras.append(event.participant)
    else:
        room.cameras.remove(event.participant)


def evolve_screen_started(room: "Room", seq: int, origin: Origin, event: ScreenStarted) -> None:
    room.screen = event.participant


def evolve_screen_stopped(room: "Room", seq: int, origin: Origin, event: ScreenStopped) -> None:
    room.screen = None
