"""Who is on the roster and never came is absent; who came is counted as ever, whenever the roster arrived."""

from moderation.attendance import Attendance, evaluate
from moderation.presence_log import PresenceLog
from signaling.classroom.expected import ChangeExpected, Expected
from signaling.classroom.overrides import OverrideAttendance
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, StartClass
from tests.support.classroom import Lesson


def found(lesson: Lesson) -> dict[str, Attendance]:
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    return {one.person: one for one in evaluate(log, now=lesson.now) if one.role is Role.TRAINEE}


def expect(lesson: Lesson, *people: tuple[str, str]) -> None:
    lesson.do(None, ChangeExpected(people=[Expected(participant=id, name=name) for id, name in people]))


def taught(roster_first: bool) -> Lesson:
    lesson = Lesson()
    roster = (("ann", "Ann of the roster"), ("zoe", "Zoe"), ("wei2", "王伟"))
    if roster_first:
        expect(lesson, *roster)
    lesson.join("tom", Role.TRAINER)
    lesson.do("tom", StartClass())
    lesson.join("ann", name="Ann")
    lesson.join("wei1", name="王伟")
    lesson.pass_seconds(3_600)
    lesson.do("tom", EndClass())
    if not roster_first:
        expect(lesson, *roster)
    return lesson


def test_the_absent_are_named_and_namesakes_are_two_people() -> None:
    for first in (True, False):
        people = found(taught(first))
        assert {id: (one.name, one.status, one.minutes, one.came, one.expected, one.known) for id, one in people.items()} == {
            "ann": ("Ann", AttendanceStatus.PRESENT, 60, True, True, True),
            "wei1": ("王伟", AttendanceStatus.PRESENT, 60, True, False, True),
            "zoe": ("Zoe", AttendanceStatus.ABSENT, 0, False, True, False),
            "wei2": ("王伟", AttendanceStatus.ABSENT, 0, False, True, False),
        }
        zoe = people["zoe"]
        assert (zoe.segments, zoe.ratio, zoe.hours, zoe.first_at, zoe.checks_asked) == ((), 0.0, 0.0, None, 0)


def test_nobody_is_absent_before_the_class_begins() -> None:
    lesson = Lesson()
    expect(lesson, ("zoe", "Zoe"))
    assert found(lesson) == {}


def test_an_excuse_counts_for_who_never_came_and_stays_known_when_it_is_lifted() -> None:
    lesson = taught(True)
    lesson.do("tom", OverrideAttendance(participant="zoe", status=AttendanceStatus.EXCUSED, minutes=45, reason="ill"))
    zoe = found(lesson)["zoe"]
    assert (zoe.status, zoe.computed, zoe.minutes, zoe.known) == (AttendanceStatus.EXCUSED, AttendanceStatus.ABSENT, 45, True)
    lesson.do("tom", OverrideAttendance(participant="zoe", status=None, reason="mistake"))
    zoe = found(lesson)["zoe"]
    assert (zoe.status, zoe.minutes, zoe.known) == (AttendanceStatus.ABSENT, 0, True)


def test_who_is_struck_from_the_roster_and_never_came_is_gone_who_came_is_not() -> None:
    lesson = taught(True)
    lesson.do(None, ChangeExpected(gone=["ann", "zoe"]))
    people = found(lesson)
    assert "zoe" not in people
    assert people["ann"].expected is False
    assert people["ann"].minutes == 60
