"""Coming, waiting, being let in, leaving, coming back."""

import pytest

from signaling.classroom import participants, sanctions, session, tracks
from signaling.classroom.hands import RaiseHand
from signaling.classroom.participants import MAX_CONNECTIONS, MAX_CREW, Admit, Decline, Leave
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.stage import BringOnStage, TakeOffStage
from tests.support.classroom import Lesson, kinds, live

WAITING_ROOM = Settings(waiting_room=True)


def test_two_tabs_are_two_connections_of_one_person() -> None:
    lesson = live()
    events = lesson.join("ann", connection="ann-2")
    assert kinds(events) == ["ConnectionOpened"]
    assert lesson["ann"].connections == ["ann-1", "ann-2"]
    assert lesson.room.present == 5
    assert [event.last for event in lesson.drop("ann", "ann-1") if isinstance(event, participants.ConnectionClosed)] == [False]
    assert lesson["ann"].present


def test_the_same_connection_opens_once_and_closes_once() -> None:
    lesson = live()
    assert lesson.join("ann") == []
    assert kinds(lesson.drop("ann")) == ["ConnectionClosed"]
    assert lesson.drop("ann") == []


def test_a_person_holds_a_bounded_number_of_connections() -> None:
    lesson = live()
    for n in range(2, MAX_CONNECTIONS + 1):
        lesson.join("ann", connection=f"ann-{n}")
    assert lesson.refusal("ann", participants.Connect(connection="one-more", name="Ann", role=Role.TRAINEE)) == "too_many"


def test_a_refresh_finds_seat_hand_and_stage_but_not_the_tracks() -> None:
    lesson = live()
    lesson.do("ann", RaiseHand())
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.do("ann", tracks.SetCamera(on=True))
    assert kinds(lesson.drop("ann")) == ["MicrophoneChanged", "CameraChanged", "ConnectionClosed"]
    assert kinds(lesson.join("ann", connection="new")) == ["ConnectionOpened"]
    ann = lesson["ann"]
    assert (ann.seat, ann.on_stage, ann.hand_at is not None, ann.microphone) == (Seat.ADMITTED, True, True, False)


def test_tracks_stay_on_while_another_device_is_there() -> None:
    lesson = live()
    lesson.join("ann", connection="phone")
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.drop("ann", "phone")
    assert lesson["ann"].microphone


def test_who_is_not_connected_does_nothing() -> None:
    lesson = live()
    lesson.drop("ann")
    assert lesson.refusal("ann", RaiseHand()) == "not_admitted"
    assert lesson.refusal("stranger", RaiseHand()) == "not_admitted"


def test_trainees_wait_where_the_waiting_room_is_on_and_staff_never_does() -> None:
    lesson = live(settings=WAITING_ROOM)
    assert [lesson[who].seat for who in ("tom", "eve", "ivy")] == [Seat.ADMITTED] * 3
    assert lesson["ann"].seat is Seat.WAITING
    assert lesson.refusal("ann", RaiseHand()) == "not_admitted"
    assert list(lesson.room.waiting) == ["ann", "bob"]


def test_the_admitted_are_in_and_on_stage_as_far_as_it_reaches() -> None:
    lesson = live(settings=Settings(waiting_room=True, stage_size=1))
    assert kinds(lesson.do("eve", Admit(participants=[]))) == ["ParticipantAdmitted"] * 2
    assert lesson.room.stage == ["ann"]
    assert lesson["bob"].seat is Seat.ADMITTED
    assert lesson.room.waiting == {}


def test_admitting_one_leaves_the_others_waiting() -> None:
    lesson = live(settings=WAITING_ROOM)
    lesson.do("tom", Admit(participants=["bob", "bob", "tom"]))
    assert list(lesson.room.waiting) == ["ann"]
    assert lesson.refusal("tom", Admit(participants=["nobody"])) == "no_such_participant"


def test_the_declined_stay_declined_in_every_tab_until_pardoned() -> None:
    lesson = live(settings=WAITING_ROOM)
    assert kinds(lesson.do("tom", Decline(participant="ann"))) == ["ParticipantDeclined", "ConnectionClosed"]
    assert not lesson["ann"].present
    for connection in ("ann-1", "ann-2"):
        assert lesson.refusal("ann", participants.Connect(connection=connection, name="Ann", role=Role.TRAINEE)) == "declined"
    lesson.do("tom", Admit(participants=["ann"]))
    assert lesson["ann"].seat is Seat.DECLINED
    lesson.do("tom", sanctions.Unban(participant="ann"))
    lesson.join("ann")
    assert lesson["ann"].seat is Seat.WAITING


def test_another_role_in_the_token_does_not_lift_a_refusal() -> None:
    lesson = live(settings=WAITING_ROOM)
    lesson.do("tom", Decline(participant="ann"))
    assert lesson.refusal("ann", participants.Connect(connection="x", name="Ann", role=Role.ASSISTANT)) == "declined"


def test_who_is_admitted_cannot_be_declined() -> None:
    assert live().refusal("tom", Decline(participant="ann")) == "no_such_participant"


def test_switching_the_waiting_room_off_lets_nobody_in_by_itself() -> None:
    lesson = live(settings=WAITING_ROOM)
    lesson.do("tom", session.ChangeSettings(waiting_room=False))
    lesson.join("cat")
    assert (lesson["ann"].seat, lesson["cat"].seat) == (Seat.WAITING, Seat.ADMITTED)


def test_a_waiting_person_may_go_and_keeps_the_place_in_the_queue() -> None:
    lesson = live(settings=WAITING_ROOM)
    lesson.do("ann", Leave())
    lesson.join("ann")
    assert list(lesson.room.waiting) == ["ann", "bob"]


def test_a_locked_class_takes_no_newcomers_but_everybody_who_has_a_seat() -> None:
    lesson = live()
    lesson.do("tom", session.ChangeSettings(locked=True))
    lesson.drop("ann")
    lesson.do("tom", sanctions.Remove(participant="bob"))
    for newcomer in ("cat", "bob"):
        assert lesson.refusal(newcomer, participants.Connect(connection="x", name="X", role=Role.TRAINEE)) == "class_locked"
    lesson.join("ann")
    lesson.join("joe", Role.INSPECTOR)
    lesson.join("kim", Role.ASSISTANT)
    assert all(lesson[who].seat is Seat.ADMITTED for who in ("ann", "joe", "kim"))


def test_a_full_class_refuses_new_trainees_but_not_staff_nor_returning_ones() -> None:
    lesson = live(settings=Settings(capacity=2))
    full = participants.Connect(connection="x", name="X", role=Role.TRAINEE)
    assert lesson.refusal("cat", full) == "class_full"
    lesson.join("joe", Role.INSPECTOR)
    lesson.drop("ann")
    assert lesson.refusal("cat", full) is None
    lesson.join("ann")
    assert lesson.room.trainees_present == 3


def test_waiting_people_count_towards_the_capacity() -> None:
    lesson = live(settings=Settings(capacity=2, waiting_room=True))
    assert lesson.refusal("cat", participants.Connect(connection="x", name="X", role=Role.TRAINEE)) == "class_full"


def test_a_class_holds_a_bounded_number_of_identities() -> None:
    lesson = Lesson(settings=Settings(capacity=1))
    for n in range(2 + MAX_CREW):
        lesson.join(f"t{n}")
        lesson.drop(f"t{n}")
    assert lesson.refusal("more", participants.Connect(connection="x", name="X", role=Role.TRAINEE)) == "class_full"


def test_leaving_closes_everything_and_gives_up_hand_and_stage() -> None:
    lesson = live(Profile.LARGE)
    lesson.do("tom", session.ChangeSettings(stage_size=5))
    lesson.do("tom", BringOnStage(participant="ann"))
    lesson.do("ann", tracks.SetMicrophone(on=True))
    lesson.do("ann", RaiseHand())
    events = lesson.do("ann", Leave())
    assert kinds(events) == ["MicrophoneChanged", "StageLeft", "HandLowered", "ParticipantLeft", "ConnectionClosed"]
    assert lesson.do("ann", Leave()) == []
    lesson.join("ann")
    assert lesson["ann"].seat is Seat.ADMITTED
    assert not lesson["ann"].on_stage


def test_in_a_small_class_who_comes_back_is_on_stage_again_but_not_who_was_taken_off() -> None:
    lesson = live()
    lesson.do("tom", TakeOffStage(participant="bob"))
    for who in ("ann", "bob"):
        lesson.do(who, Leave())
        lesson.join(who)
    assert (lesson["ann"].on_stage, lesson["bob"].on_stage) == (True, False)


def test_the_first_name_told_in_a_class_stays() -> None:
    lesson = live()
    lesson.drop("ann")
    lesson.join("ann", name="Trainer Tom")
    assert lesson["ann"].name == "Ann"


def test_a_newer_token_makes_a_trainee_an_assistant() -> None:
    lesson = live()
    lesson.do("ann", RaiseHand())
    lesson.do("ann", tracks.SetMicrophone(on=True))
    events = lesson.join("ann", Role.ASSISTANT, "ann-2")
    assert kinds(events) == ["MicrophoneChanged", "StageLeft", "HandLowered", "RoleChanged", "ConnectionOpened"]
    assert lesson["ann"].on_stage
    assert lesson.room.crew == ["tom", "eve", "ivy", "ann"]
    lesson.do("ann", sanctions.MuteAll())


def test_a_newer_token_can_take_the_role_of_staff_away() -> None:
    lesson = live(Profile.LARGE)
    lesson.do("eve", tracks.SetMicrophone(on=True))
    lesson.join("eve", Role.TRAINEE, "eve-2")
    assert (lesson["eve"].microphone, lesson["eve"].on_stage) == (False, False)
    assert lesson.refusal("eve", sanctions.MuteAll()) == "not_allowed"


def test_promotion_ends_waiting() -> None:
    lesson = live(settings=WAITING_ROOM)
    assert kinds(lesson.join("ann", Role.ASSISTANT, "ann-2")) == ["RoleChanged", "ParticipantAdmitted", "ConnectionOpened"]
    assert lesson["ann"].seat is Seat.ADMITTED


@pytest.mark.parametrize("trainer_first", [True, False])
def test_a_name_like_the_trainers_is_flagged_whoever_comes_first(trainer_first: bool) -> None:
    lesson = Lesson()
    order = [("tom", Role.TRAINER), ("imp", Role.TRAINEE)]
    for who, role in order if trainer_first else reversed(order):
        lesson.join(who, role, likeness="wang")
    lesson.join("ann", likeness="li")
    assert (lesson["imp"].imitates, lesson["tom"].imitates, lesson["ann"].imitates) == (True, False, False)


def test_a_title_as_a_name_is_flagged_for_trainees_alone() -> None:
    lesson = Lesson()
    lesson.join("imp", likeness="主讲")
    lesson.join("tom", Role.TRAINER, likeness="主讲")
    assert (lesson["imp"].imitates, lesson["tom"].imitates) == (True, False)


def test_after_the_end_nobody_comes_in_and_everybody_can_go() -> None:
    lesson = live()
    lesson.do("tom", session.EndClass())
    assert lesson.refusal("cat", participants.Connect(connection="x", name="X", role=Role.TRAINEE)) == "class_ended"
    assert kinds(lesson.drop("ann")) == ["ConnectionClosed"]
    assert kinds(lesson.do("bob", Leave())) == ["ParticipantLeft", "ConnectionClosed"]


@pytest.mark.parametrize(("connection", "name"), [("c", ""), ("c", "x" * 65), ("no id", "X"), ("", "X")])
def test_what_could_not_be_read_back_from_the_journal_never_gets_there(connection: str, name: str) -> None:
    assert live().refusal("cat", participants.Connect(connection=connection, name=name, role=Role.TRAINEE)) == "bad_message"


@pytest.mark.parametrize(("reason", "kept"), [("", "closed"), ("x" * 100, "x" * 32)])
def test_a_connection_closes_whatever_the_reason_said(reason: str, kept: str) -> None:
    lesson = live()
    closed = lesson.drop("ann", reason=reason)[-1]
    assert isinstance(closed, participants.ConnectionClosed)
    assert closed.reason == kept
