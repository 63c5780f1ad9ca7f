"""Microphone, camera and screen: who may announce them, and what switches them off."""

import pytest

from signaling.classroom.base import Command
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import SetPermissions
from signaling.classroom.session import ChangeSettings, OpenLobby
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.tracks import ScreenStarted, ScreenStopped, SetCamera, SetMicrophone, StartScreen, StopScreen
from tests.support.classroom import Lesson, kinds, live

SOURCES = [
    (SetMicrophone(on=True), "microphone"),
    (SetCamera(on=True), "camera"),
    (StartScreen(), "screen"),
]


@pytest.mark.parametrize(("command", "source"), SOURCES)
def test_a_trainee_on_stage_in_a_live_class_may_send(command: Command, source: str) -> None:
    lesson = live(settings=Settings(screens=True))
    assert len(lesson.do("ann", command)) == 1
    assert lesson.do("ann", command) == []


@pytest.mark.parametrize(("command", "source"), SOURCES)
def test_the_class_or_staff_can_withhold_a_source(command: Command, source: str) -> None:
    lesson = live(settings=Settings(screens=True))
    lesson.do("tom", SetPermissions(participant="ann", **{source: False}))
    assert lesson.refusal("ann", command) == f"{source}_blocked"
    lesson.do("tom", ChangeSettings(**{f"{source}s": False}))
    assert lesson.refusal("bob", command) == f"{source}_blocked"
    assert lesson.refusal("eve", command) is None


@pytest.mark.parametrize(("command", "source"), SOURCES)
def test_the_audience_of_a_large_class_sends_nothing(command: Command, source: str) -> None:
    lesson = live(Profile.LARGE, settings=Settings(auto_stage=False, screens=True))
    assert lesson.refusal("ann", command) == "not_on_stage"


@pytest.mark.parametrize(("command", "source"), SOURCES)
def test_before_the_class_only_staff_checks_its_sound(command: Command, source: str) -> None:
    lesson = Lesson(settings=Settings(screens=True))
    lesson.join("tom", Role.TRAINER)
    lesson.join("ann")
    lesson.do("tom", OpenLobby())
    assert lesson.refusal("ann", command) == "wrong_phase"
    assert lesson.refusal("tom", command) is None


def test_switching_off_is_always_allowed() -> None:
    lesson = live()
    lesson.do("ann", SetMicrophone(on=True))
    lesson.do("ann", SetCamera(on=True))
    lesson.do("tom", SetPermissions(participant="ann", chat=False))
    assert kinds(lesson.do("ann", SetMicrophone(on=False))) == ["MicrophoneChanged"]
    assert kinds(lesson.do("ann", SetCamera(on=False))) == ["CameraChanged"]
    assert lesson.do("ann", SetCamera(on=False)) == []


def test_one_screen_at_a_time_and_staff_takes_over() -> None:
    lesson = live(settings=Settings(screens=True))
    lesson.do("ann", StartScreen())
    assert lesson.refusal("bob", StartScreen()) == "screen_taken"
    assert lesson.do("eve", StartScreen()) == [ScreenStopped(participant="ann"), ScreenStarted(participant="eve")]
    assert lesson.do("ann", StopScreen()) == []
    assert lesson.do("eve", StopScreen()) == [ScreenStopped(participant="eve")]
    assert lesson.room.screen is None


def test_trainees_share_no_screen_unless_the_class_says_so() -> None:
    assert live().refusal("ann", StartScreen()) == "screen_blocked"
