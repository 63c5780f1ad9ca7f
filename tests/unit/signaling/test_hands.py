"""The queue of raised hands."""

from signaling.classroom.hands import MAX_HANDS, LowerAllHands, LowerHand, RaiseHand
from signaling.classroom.roles import Role
from signaling.classroom.session import ChangeSettings, TakeBreak
from signaling.classroom.settings import Profile
from tests.support.classroom import Lesson, kinds, live


def test_hands_stand_in_the_order_they_were_raised_and_raising_twice_keeps_the_place() -> None:
    lesson = live()
    lesson.do("bob", RaiseHand())
    lesson.pass_seconds(1)
    lesson.do("ann", RaiseHand())
    assert lesson.do("bob", RaiseHand()) == []
    assert lesson.room.hands == ["bob", "ann"]
    lesson.do("bob", LowerHand())
    lesson.do("bob", RaiseHand())
    assert lesson.room.hands == ["ann", "bob"]


def test_staff_lowers_anybodys_hand_and_a_trainee_only_the_own() -> None:
    lesson = live()
    lesson.do("ann", RaiseHand())
    assert lesson.refusal("bob", LowerHand(participant="ann")) == "not_allowed"
    assert kinds(lesson.do("eve", LowerHand(participant="ann"))) == ["HandLowered"]
    lesson.do("ann", RaiseHand())
    assert kinds(lesson.do("ann", LowerHand(participant="ann"))) == ["HandLowered"]
    assert lesson.do("ann", LowerHand()) == []


def test_lowering_all_empties_the_queue_once() -> None:
    lesson = live()
    lesson.do("ann", RaiseHand())
    lesson.do("bob", RaiseHand())
    assert kinds(lesson.do("tom", LowerAllHands())) == ["AllHandsLowered"]
    assert lesson.do("tom", LowerAllHands()) == []
    assert lesson["ann"].hand_at is None


def test_hands_are_raised_only_in_a_live_class_that_allows_it() -> None:
    lesson = Lesson()
    lesson.join("ann")
    assert lesson.refusal("ann", RaiseHand()) == "wrong_phase"
    lesson = live()
    lesson.do("tom", ChangeSettings(hands=False))
    assert lesson.refusal("ann", RaiseHand()) == "hands_off"
    lesson.do("tom", TakeBreak(minutes=1))
    assert lesson.refusal("ann", RaiseHand()) == "wrong_phase"


def test_the_queue_is_bounded() -> None:
    lesson = live(Profile.LARGE, trainees=[f"t{n}" for n in range(MAX_HANDS + 1)])
    for n in range(MAX_HANDS):
        lesson.do(f"t{n}", RaiseHand())
    assert lesson.refusal(f"t{MAX_HANDS}", RaiseHand()) == "too_many"


def test_staff_raises_no_hand() -> None:
    lesson = live()
    for who in ("tom", "eve", "ivy"):
        assert lesson.refusal(who, RaiseHand()) == "not_allowed"
    lesson.join("kim", Role.ASSISTANT)
    assert lesson.do(None, LowerAllHands()) == []
