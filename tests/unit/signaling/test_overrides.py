"""Decisions of staff about attendance."""

import pytest

from signaling.classroom.base import Event
from signaling.classroom.overrides import AttendanceOverridden, OverrideAttendance
from signaling.classroom.participants import Leave
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass
from tests.support.classroom import Lesson, live


def decide(who: str = "ann", **fields: object) -> OverrideAttendance:
    return OverrideAttendance(participant=who, **{"status": AttendanceStatus.PRESENT, "reason": "was here", **fields})  # type: ignore[arg-type]


def test_staff_decides_with_a_reason_during_and_after_the_class_even_when_gone() -> None:
    lesson = live()
    expected: list[Event] = [AttendanceOverridden(participant="ann", status=AttendanceStatus.PRESENT, reason="was here")]
    assert lesson.do("eve", decide(reason=" was here ")) == expected
    lesson.do("tom", EndClass())
    lesson.do("tom", Leave())
    assert lesson.do("tom", decide(minutes=45))[0].minutes == 45  # type: ignore[attr-defined]
    assert lesson.journal[-1][1].by == "tom"


@pytest.mark.parametrize(
    ("actor", "command", "code"),
    [
        ("ann", decide(), "not_allowed"),
        ("ann", decide("bob"), "not_allowed"),
        ("ivy", decide(), "not_allowed"),
        (None, decide(), "not_allowed"),
        ("stranger", decide(), "not_admitted"),
        ("tom", decide("stranger"), "no_such_participant"),
        ("tom", decide("eve"), "not_allowed"),
        ("tom", decide("tom"), "not_allowed"),
        ("tom", decide(reason="  "), "bad_message"),
        ("tom", decide(status=None, minutes=3), "bad_message"),
    ],
)
def test_nobody_else_decides_nor_about_anybody_else(actor: str | None, command: OverrideAttendance, code: str) -> None:
    assert live().refusal(actor, command) == code


def test_there_is_nothing_to_decide_before_the_class() -> None:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    lesson.join("ann")
    assert lesson.refusal("tom", decide()) == "wrong_phase"
