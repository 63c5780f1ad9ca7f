"""Phases and settings of a class."""

import pytest

from signaling.classroom import polls, session, tracks
from signaling.classroom.base import Command
from signaling.classroom.hands import RaiseHand
from signaling.classroom.roles import Role
from signaling.classroom.settings import Phase, Profile, Settings
from tests.support.classroom import START, Lesson, kinds, live


def in_phase(phase: Phase) -> Lesson:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    path: dict[Phase, list[Command]] = {
        Phase.SCHEDULED: [],
        Phase.LOBBY: [session.OpenLobby()],
        Phase.LIVE: [session.StartClass()],
        Phase.BREAK: [session.StartClass(), session.TakeBreak(minutes=5)],
        Phase.ENDED: [session.EndClass()],
    }
    for command in path[phase]:
        lesson.do("tom", command)
    assert lesson.room.phase is phase
    return lesson


@pytest.mark.parametrize(
    ("phase", "command", "expected"),
    [
        (Phase.SCHEDULED, session.OpenLobby(), Phase.LOBBY),
        (Phase.SCHEDULED, session.StartClass(), Phase.LIVE),
        (Phase.SCHEDULED, session.TakeBreak(minutes=1), "wrong_phase"),
        (Phase.SCHEDULED, session.ResumeClass(), "wrong_phase"),
        (Phase.SCHEDULED, session.EndClass(), Phase.ENDED),
        (Phase.LOBBY, session.OpenLobby(), Phase.LOBBY),
        (Phase.LOBBY, session.StartClass(), Phase.LIVE),
        (Phase.LOBBY, session.TakeBreak(minutes=1), "wrong_phase"),
        (Phase.LOBBY, session.EndClass(), Phase.ENDED),
        (Phase.LIVE, session.OpenLobby(), "wrong_phase"),
        (Phase.LIVE, session.StartClass(), Phase.LIVE),
        (Phase.LIVE, session.TakeBreak(minutes=1), Phase.BREAK),
        (Phase.LIVE, session.ResumeClass(), Phase.LIVE),
        (Phase.LIVE, session.EndClass(), Phase.ENDED),
        (Phase.BREAK, session.OpenLobby(), "wrong_phase"),
        (Phase.BREAK, session.StartClass(), "wrong_phase"),
        (Phase.BREAK, session.TakeBreak(minutes=9), Phase.BREAK),
        (Phase.BREAK, session.ResumeClass(), Phase.LIVE),
        (Phase.BREAK, session.EndClass(), Phase.ENDED),
        (Phase.ENDED, session.OpenLobby(), "class_ended"),
        (Phase.ENDED, session.StartClass(), "class_ended"),
        (Phase.ENDED, session.TakeBreak(minutes=1), "class_ended"),
        (Phase.ENDED, session.ResumeClass(), "class_ended"),
        (Phase.ENDED, session.EndClass(), "class_ended"),
        (Phase.ENDED, session.ChangeSettings(locked=True), "class_ended"),
    ],
)
def test_each_phase_leads_only_where_it_may(phase: Phase, command: Command, expected: Phase | str) -> None:
    lesson = in_phase(phase)
    refused = lesson.refusal("tom", command)
    assert (refused or lesson.room.phase) == expected


def test_times_of_start_break_and_end_are_the_servers() -> None:
    lesson = in_phase(Phase.SCHEDULED)
    lesson.pass_seconds(10)
    lesson.do("tom", session.StartClass())
    assert lesson.room.started_at == START + 10_000
    lesson.do("tom", session.TakeBreak(minutes=3))
    assert lesson.room.break_until == START + 10_000 + 180_000
    lesson.pass_seconds(5)
    lesson.do("tom", session.EndClass())
    assert (lesson.room.break_until, lesson.room.ended_at) == (None, START + 15_000)


def test_an_assistant_runs_the_class_but_cannot_end_it() -> None:
    lesson = live()
    lesson.do("eve", session.TakeBreak(minutes=1))
    lesson.do("eve", session.ResumeClass())
    assert lesson.refusal("eve", session.EndClass()) == "not_allowed"


def test_the_class_goes_on_when_the_last_trainer_leaves() -> None:
    lesson = live()
    lesson.drop("tom")
    assert lesson.room.phase is Phase.LIVE
    lesson.do("eve", session.TakeBreak(minutes=1))
    lesson.do(None, session.EndClass())
    assert lesson.room.phase is Phase.ENDED


def test_a_break_switches_trainees_off_and_leaves_staff_on() -> None:
    lesson = live()
    for who in ("tom", "ann"):
        lesson.do(who, tracks.SetMicrophone(on=True))
        lesson.do(who, tracks.SetCamera(on=True))
    lesson.do("tom", session.TakeBreak(minutes=5))
    assert (lesson["ann"].microphone, lesson["ann"].camera) == (False, False)
    assert (lesson["tom"].microphone, lesson["tom"].camera) == (True, True)
    assert lesson.refusal("ann", tracks.SetMicrophone(on=True)) == "wrong_phase"


def test_the_end_closes_tracks_hands_and_the_open_poll_first() -> None:
    lesson = live()
    lesson.do("tom", tracks.SetMicrophone(on=True))
    lesson.do("tom", tracks.StartScreen())
    lesson.do("ann", tracks.SetCamera(on=True))
    lesson.do("ann", RaiseHand())
    lesson.do("tom", polls.CreatePoll(question="?", options=["a", "b"]))
    events = lesson.do("tom", session.EndClass())
    assert kinds(events) == ["MicrophoneChanged", "CameraChanged", "ScreenStopped", "AllHandsLowered", "PollClosed", "ClassEnded"]
    assert lesson.room.open_poll is None


def test_freezing_pauses_everybody_but_staff() -> None:
    lesson = live(settings=Settings(screens=True))
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.do("ann", tracks.StartScreen())
    events = lesson.do("eve", session.ChangeSettings(frozen=True))
    assert kinds(events) == ["SettingsChanged", "MicrophoneChanged", "ScreenStopped"]
    assert lesson.refusal("ann", RaiseHand()) == "class_frozen"
    assert lesson.refusal("ann", tracks.SetCamera(on=True)) == "class_frozen"
    assert lesson.refusal("eve", tracks.SetCamera(on=True)) is None
    lesson.do("eve", session.ChangeSettings(frozen=False))
    assert lesson.refusal("ann", RaiseHand()) is None


def test_a_setting_that_takes_something_away_ends_what_runs_of_it() -> None:
    lesson = live(settings=Settings(screens=True))
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.do("bob", tracks.SetCamera(on=True))
    lesson.do("bob", tracks.StartScreen())
    lesson.do("bob", RaiseHand())
    events = lesson.do("tom", session.ChangeSettings(microphones=False, cameras=False, screens=False, hands=False))
    assert kinds(events) == ["SettingsChanged", "MicrophoneChanged", "CameraChanged", "ScreenStopped", "AllHandsLowered"]


def test_absent_switches_stay_and_the_same_settings_cause_nothing() -> None:
    lesson = live()
    before = lesson.room.settings
    lesson.do("tom", session.ChangeSettings(slow_mode_s=7))
    assert lesson.room.settings == Settings(slow_mode_s=7)
    assert before == Settings()
    assert lesson.do("tom", session.ChangeSettings(slow_mode_s=7)) == []


def test_a_large_class_starts_with_its_own_defaults() -> None:
    settings = Lesson(Profile.LARGE).room.settings
    assert (settings.auto_stage, settings.stage_size, settings.capacity, settings.slow_mode_s) == (False, 12, 5_000, 2)
