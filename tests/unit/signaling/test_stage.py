"""Who is on stage and who is large."""

import pytest

from signaling.classroom import tracks
from signaling.classroom.hands import RaiseHand
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.stage import BringOnStage, LeaveStage, MainChanged, SetMain, TakeOffStage
from tests.support.classroom import kinds, live


def test_in_a_small_class_trainees_are_on_stage_at_once_while_there_is_room() -> None:
    lesson = live(trainees=["ann", "bob", "cat"], settings=Settings(stage_size=2))
    assert lesson.room.stage == ["ann", "bob"]
    assert not lesson["cat"].on_stage


def test_staff_is_on_stage_without_taking_a_place_and_inspectors_are_not() -> None:
    lesson = live(Profile.LARGE)
    assert [lesson[who].on_stage for who in ("tom", "eve", "ivy", "ann")] == [True, True, False, False]
    assert lesson.room.stage == []


def test_going_up_lowers_the_hand() -> None:
    lesson = live(Profile.LARGE)
    lesson.do("ann", RaiseHand())
    assert kinds(lesson.do("tom", BringOnStage(participant="ann"))) == ["HandLowered", "StageJoined"]
    assert lesson.do("tom", BringOnStage(participant="ann")) == []
    assert lesson.room.hands == []


def test_a_full_stage_takes_nobody_until_somebody_leaves() -> None:
    lesson = live(Profile.LARGE, settings=Settings(auto_stage=False, stage_size=1))
    lesson.do("tom", BringOnStage(participant="ann"))
    assert lesson.refusal("tom", BringOnStage(participant="bob")) == "stage_full"
    lesson.do("ann", LeaveStage())
    assert lesson.refusal("tom", BringOnStage(participant="bob")) is None


@pytest.mark.parametrize("command", [TakeOffStage(participant="ann"), LeaveStage()])
def test_coming_down_switches_the_tracks_off_and_is_no_longer_large(command: TakeOffStage | LeaveStage) -> None:
    lesson = live(settings=Settings(screens=True))
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.do("ann", tracks.StartScreen())
    lesson.do("tom", SetMain(participant="ann"))
    actor = "ann" if isinstance(command, LeaveStage) else "eve"
    assert kinds(lesson.do(actor, command)) == ["MicrophoneChanged", "ScreenStopped", "MainChanged", "StageLeft"]
    assert lesson.do(actor, command) == []
    assert lesson.refusal("ann", tracks.SetMicrophone(on=True)) == "not_on_stage"


def test_staff_cannot_be_taken_off_stage_nor_an_inspector_put_on_it() -> None:
    lesson = live()
    assert lesson.refusal("tom", TakeOffStage(participant="eve")) == "not_allowed"
    assert lesson.refusal("eve", LeaveStage()) == "not_allowed"
    assert lesson.refusal("tom", BringOnStage(participant="ivy")) == "not_allowed"


def test_only_somebody_on_stage_can_be_large() -> None:
    lesson = live(Profile.LARGE)
    assert lesson.refusal("tom", SetMain(participant="ann")) == "not_on_stage"
    assert lesson.do("tom", SetMain(participant="eve")) == [MainChanged(participant="eve")]
    assert lesson.do("tom", SetMain(participant="eve")) == []
    assert lesson.do("tom", SetMain(participant=None)) == [MainChanged(participant=None)]


def test_an_absent_person_keeps_the_place() -> None:
    lesson = live(Profile.LARGE)
    lesson.do("tom", BringOnStage(participant="ann"))
    lesson.drop("ann")
    assert lesson.room.stage == ["ann"]


def test_nobody_unknown_or_waiting_goes_on_stage() -> None:
    lesson = live(settings=Settings(waiting_room=True))
    assert lesson.refusal("tom", BringOnStage(participant="ann")) == "no_such_participant"
    assert lesson.refusal("tom", BringOnStage(participant="nobody")) == "no_such_participant"
