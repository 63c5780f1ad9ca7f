"""What staff may do to whom."""

import pytest

from signaling.classroom import participants, tracks
from signaling.classroom.base import Command
from signaling.classroom.hands import RaiseHand
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Mute, MuteAll, Remove, SetPermissions, StopCamera, StopScreenOf, Unban
from signaling.classroom.seats import Permissions, Seat
from signaling.classroom.settings import Settings
from signaling.classroom.stage import SetMain
from tests.support.classroom import Lesson, kinds, live


def sending() -> Lesson:
    lesson = live(settings=Settings(screens=True))
    for who in ("tom", "eve", "ann", "bob"):
        lesson.do(who, tracks.SetMicrophone(on=True))
        lesson.do(who, tracks.SetCamera(on=True))
    lesson.do("ann", tracks.StartScreen())
    return lesson


@pytest.mark.parametrize("sanction", [Mute, StopCamera, StopScreenOf, SetPermissions, Remove])
@pytest.mark.parametrize(
    ("actor", "target", "allowed"),
    [
        ("tom", "ann", True),
        ("tom", "eve", True),
        ("tom", "tim", False),
        ("tom", "ivy", False),
        ("eve", "ann", True),
        ("eve", "kim", False),
        ("eve", "tom", False),
        ("eve", "ivy", False),
        (None, "ann", True),
        (None, "eve", True),
        (None, "tom", False),
    ],
)
def test_trainers_and_inspectors_are_above_sanctions_and_assistants_under_trainers(
    sanction: type[Mute], actor: str | None, target: str, allowed: bool
) -> None:
    lesson = live()
    lesson.join("tim", Role.TRAINER)
    lesson.join("kim", Role.ASSISTANT)
    assert lesson.refusal(actor, sanction(participant=target)) == (None if allowed else "not_allowed")


@pytest.mark.parametrize("who", ["tom", "eve"])
def test_nobody_removes_or_blocks_themselves_but_everybody_may_mute_themselves(who: str) -> None:
    lesson = sending()
    assert lesson.refusal(who, Remove(participant=who)) == "not_allowed"
    assert lesson.refusal(who, SetPermissions(participant=who, microphone=False)) == "not_allowed"
    assert kinds(lesson.do(who, Mute(participant=who))) == ["MicrophoneChanged"]


def test_each_source_is_stopped_by_its_command_once() -> None:
    lesson = sending()
    for command, event in [
        (Mute(participant="ann"), "MicrophoneChanged"),
        (StopCamera(participant="ann"), "CameraChanged"),
        (StopScreenOf(participant="ann"), "ScreenStopped"),
    ]:
        assert kinds(lesson.do("eve", command)) == [event]
        assert lesson.do("eve", command) == []


def test_muting_all_spares_the_staff() -> None:
    lesson = sending()
    lesson.do("tom", MuteAll())
    assert lesson.room.microphones == ["tom", "eve"]
    assert lesson.do("tom", MuteAll()) == []


def test_the_muted_may_speak_again_and_the_blocked_may_not() -> None:
    lesson = sending()
    lesson.do("eve", Mute(participant="ann"))
    assert lesson.refusal("ann", tracks.SetMicrophone(on=True)) is None
    assert kinds(lesson.do("eve", SetPermissions(participant="ann", microphone=False))) == ["PermissionsChanged", "MicrophoneChanged"]
    assert lesson.refusal("ann", tracks.SetMicrophone(on=True)) == "microphone_blocked"
    lesson.do("eve", SetPermissions(participant="ann", microphone=True))
    assert not lesson["ann"].microphone
    assert lesson.refusal("ann", tracks.SetMicrophone(on=True)) is None


def test_blocking_says_all_permissions_and_leaves_the_others() -> None:
    lesson = sending()
    lesson.do("eve", SetPermissions(participant="ann", chat=False))
    lesson.do("eve", SetPermissions(participant="ann", camera=False, screen=False))
    assert lesson["ann"].permissions == Permissions(chat=False, camera=False, screen=False)
    assert lesson.do("eve", SetPermissions(participant="ann", chat=False)) == []
    assert lesson.room.screen is None


def test_removal_ends_everything_at_once_in_every_tab() -> None:
    lesson = sending()
    lesson.join("ann", connection="ann-2")
    lesson.do("ann", RaiseHand())
    lesson.do("tom", SetMain(participant="ann"))
    assert kinds(lesson.do("eve", Remove(participant="ann"))) == [
        "MicrophoneChanged",
        "CameraChanged",
        "ScreenStopped",
        "MainChanged",
        "StageLeft",
        "HandLowered",
        "ParticipantRemoved",
        "ConnectionClosed",
        "ConnectionClosed",
    ]
    assert lesson.refusal("ann", RaiseHand()) == "not_admitted"
    assert lesson.do("eve", Remove(participant="ann")) == []


def test_the_removed_come_back_through_the_waiting_room_with_their_restrictions() -> None:
    lesson = live()
    lesson.do("eve", SetPermissions(participant="ann", chat=False))
    lesson.do("eve", Remove(participant="ann"))
    lesson.join("ann")
    assert lesson["ann"].seat is Seat.WAITING
    lesson.do("eve", participants.Admit(participants=["ann"]))
    assert lesson["ann"].permissions == Permissions(chat=False)


def test_a_removed_assistant_waits_too() -> None:
    lesson = live()
    lesson.do("tom", Remove(participant="eve"))
    lesson.join("eve", Role.ASSISTANT)
    assert lesson["eve"].seat is Seat.WAITING
    assert lesson.refusal("eve", MuteAll()) == "not_admitted"


@pytest.mark.parametrize("connect", [participants.Connect(connection="x", name="N", role=role) for role in Role])
def test_the_banned_stay_out_whatever_their_next_token_says(connect: Command) -> None:
    lesson = live()
    lesson.do("eve", Remove(participant="ann", ban=True))
    assert lesson.refusal("ann", connect) == "banned"


def test_lifting_a_ban_lets_a_person_knock_again() -> None:
    lesson = live()
    lesson.do("eve", Remove(participant="ann", ban=True))
    assert kinds(lesson.do("eve", Unban(participant="ann"))) == ["BanLifted"]
    assert lesson.do("eve", Unban(participant="ann")) == []
    lesson.join("ann")
    assert lesson["ann"].seat is Seat.WAITING


def test_a_person_can_be_banned_from_the_waiting_room_and_after_having_left() -> None:
    lesson = live(settings=Settings(waiting_room=True))
    lesson.do("tom", Remove(participant="ann", ban=True))
    lesson.drop("bob")
    lesson.do("tom", Remove(participant="bob"))
    lesson.do("tom", Remove(participant="bob", ban=True))
    assert [lesson[who].seat for who in ("ann", "bob")] == [Seat.BANNED, Seat.BANNED]


def test_an_unknown_person_is_told_as_such() -> None:
    for command in (Mute(participant="x"), Remove(participant="x"), Unban(participant="x"), SetPermissions(participant="x")):
        assert live().refusal("tom", command) == "no_such_participant"
