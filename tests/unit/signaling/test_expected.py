"""The roster in the class's log: what changes is an entry, what does not is none; it gives nobody any right."""

import pytest

from signaling import messages
from signaling.classroom import room as rooms
from signaling.classroom.expected import MAX_EXPECTED, ChangeExpected, Expected, PersonExpected, PersonNotExpected
from signaling.classroom.overrides import OverrideAttendance
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.session import EndClass
from signaling.classroom.settings import Settings
from tests.support.classroom import Lesson, live


def roster(*names: str, gone: list[str] | None = None) -> ChangeExpected:
    return ChangeExpected(people=[Expected(participant=name, name=name.title()) for name in names], gone=gone or [])


def test_the_same_roster_again_changes_nothing() -> None:
    lesson = live()
    assert lesson.do(None, roster("ann", "zoe")) == [
        PersonExpected(participant="ann", name="Ann"),
        PersonExpected(participant="zoe", name="Zoe"),
    ]
    assert lesson.do(None, roster("ann", "zoe")) == []
    renamed = ChangeExpected(people=[Expected(participant="zoe", name="Zoë")], gone=["ann", "ann", "unknown"])
    assert lesson.do(None, renamed) == [PersonNotExpected(participant="ann"), PersonExpected(participant="zoe", name="Zoë")]
    assert lesson.room.expected == {"zoe": "Zoë"}
    assert rooms.replay(lesson.journal).expected == {"zoe": "Zoë"}
    assert messages.decode_room(messages.encode_room(lesson.room)).expected == {"zoe": "Zoë"}


def test_it_can_be_given_after_the_end() -> None:
    lesson = live()
    lesson.do("tom", EndClass())
    assert len(lesson.do(None, roster("zoe"))) == 1


@pytest.mark.parametrize("actor", ["tom", "eve", "ivy", "ann", "stranger"])
def test_nobody_in_class_gives_a_roster(actor: str) -> None:
    lesson = live()
    assert lesson.refusal(actor, roster("zoe")) == "not_allowed"
    assert ChangeExpected not in messages.COMMANDS


def test_it_is_bounded() -> None:
    lesson = Lesson()
    for start in range(0, MAX_EXPECTED, 250):
        lesson.do(None, roster(*(f"p{start + n}" for n in range(250))))
    assert lesson.refusal(None, roster("one-more")) == "too_many"
    assert len(lesson.do(None, roster("one-more", gone=["p0"]))) == 2


def test_being_expected_opens_no_door() -> None:
    lesson = Lesson(settings=Settings(waiting_room=True))
    lesson.do(None, roster("zoe"))
    lesson.join("zoe")
    assert "zoe" in lesson.room.waiting


def test_staff_may_excuse_who_never_came_and_nobody_who_is_not_expected() -> None:
    lesson = live()
    lesson.do(None, roster("zoe"))
    excused = OverrideAttendance(participant="zoe", status=AttendanceStatus.EXCUSED, reason="ill")
    assert len(lesson.do("tom", excused)) == 1
    assert lesson.refusal("ann", excused) == "not_allowed"
    lesson.do(None, ChangeExpected(gone=["zoe"]))
    assert lesson.refusal("tom", excused) == "no_such_participant"
