"""Minutes, status and hours from the class's log: the rules by name."""

import pytest

from moderation.attendance import WINDOW_MS, countable_ms, curve, evaluate, hours_for
from moderation.presence_log import PresenceLog
from signaling.classroom import room as rooms
from signaling.classroom.overrides import OverrideAttendance
from signaling.classroom.participants import Admit, Disconnect, Leave
from signaling.classroom.policies import CONTINUING, POLICIES, STANDARD, AttendanceStatus
from signaling.classroom.presence import AnswerCheck, StartCheck
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Remove
from signaling.classroom.session import ResumeClass, SessionCreated, StartClass, TakeBreak
from signaling.classroom.settings import Profile, Settings
from tests.support.attendance import MINUTE, Fact, T, begun, closed, joined, of, over, read, session_started, wait
from tests.support.classroom import START, Lesson


def test_who_is_there_from_start_to_end_is_present_for_the_whole_class() -> None:
    lesson = begun()
    lesson.join("ann")
    over(lesson, 90)
    ann = of(lesson, "ann")
    assert (ann.connected_ms, ann.ratio, ann.status, ann.minutes, ann.hours) == (90 * MINUTE, 1.0, AttendanceStatus.PRESENT, 90, 2)
    assert (ann.policy_id, ann.policy_version) == ("standard", 1)


def test_time_before_the_start_and_after_the_end_does_not_count() -> None:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    lesson.join("ann")
    wait(lesson, 20)
    lesson.do("tom", StartClass())
    over(lesson, 10)
    wait(lesson, 30)
    assert of(lesson, "ann").connected_ms == 10 * MINUTE


def test_two_tabs_and_a_phone_count_once() -> None:
    lesson = begun()
    lesson.join("ann", connection="tab-1")
    wait(lesson, 5)
    lesson.join("ann", connection="tab-2")
    wait(lesson, 5)
    lesson.drop("ann", "tab-1")
    lesson.join("ann", connection="phone")
    wait(lesson, 5)
    lesson.drop("ann", "tab-2")
    over(lesson, 5)
    assert of(lesson, "ann").connected_ms == 20 * MINUTE
    assert len(of(lesson, "ann").segments) == 1


def test_a_device_change_with_join_join_left_left_counts_the_whole_time() -> None:
    lesson = begun()
    lesson.join("ann", connection="a")
    lesson.join("ann", connection="b")
    wait(lesson, 10)
    lesson.drop("ann", "a")
    lesson.drop("ann", "b")
    over(lesson, 10)
    assert of(lesson, "ann").connected_ms == 10 * MINUTE


def test_waiting_does_not_count_until_admission() -> None:
    lesson = begun(Settings(waiting_room=True))
    lesson.join("ann")
    lesson.join("bob")
    wait(lesson, 6)
    lesson.do("tom", Admit(participants=["ann"]))
    over(lesson, 4)
    assert of(lesson, "ann").connected_ms == 4 * MINUTE
    assert of(lesson, "bob").connected_ms == 0
    assert of(lesson, "bob").status is AttendanceStatus.ABSENT


def test_breaks_are_subtracted_from_the_class_and_from_everybody() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 20)
    lesson.do("tom", TakeBreak(minutes=5))
    wait(lesson, 5)
    lesson.do("tom", TakeBreak(minutes=5))  # made longer, not begun again
    wait(lesson, 5)
    lesson.do("tom", ResumeClass())
    over(lesson, 20)
    ann = of(lesson, "ann")
    assert (ann.connected_ms, ann.ratio) == (40 * MINUTE, 1.0)
    assert [s.end - s.start for s in ann.segments] == [20 * MINUTE, 20 * MINUTE]


@pytest.mark.parametrize(("gap_s", "counted", "bridged"), [(60, 20, 1), (61, 19, 0)])
def test_a_reconnect_within_the_grace_is_bridged_and_marked(gap_s: int, counted: int, bridged: int) -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    lesson.drop("ann")
    lesson.pass_seconds(gap_s)
    lesson.join("ann", connection="again")
    over(lesson, 9)
    ann = of(lesson, "ann")
    assert ann.connected_ms == counted * MINUTE
    assert sum(s.bridged for s in ann.segments) == bridged
    assert ann.bridged_ms == bridged * MINUTE


def test_bridged_gaps_are_capped_per_person() -> None:
    lesson = begun()
    for n in range(30):
        lesson.join("ann", connection=f"c{n}")
        wait(lesson, 2)
        lesson.drop("ann", f"c{n}")
        wait(lesson, 1)
    over(lesson)
    ann = of(lesson, "ann")
    assert ann.bridged_ms == STANDARD.bridged_max_s * 1_000
    assert ann.connected_ms == 60 * MINUTE + ann.bridged_ms


def test_neither_leaving_nor_removal_is_a_reconnect() -> None:
    for end in ("leave", "remove"):
        lesson = begun()
        lesson.join("ann")
        wait(lesson, 10)
        if end == "leave":
            lesson.do("ann", Leave())
        else:
            lesson.do("tom", Remove(participant="ann"))
        lesson.pass_seconds(30)
        lesson.join("ann", connection="again")
        lesson.do("tom", Admit(participants=[]))
        over(lesson, 10)
        assert of(lesson, "ann").connected_ms == 20 * MINUTE
        assert of(lesson, "ann").bridged_ms == 0


def test_a_removal_ends_the_time_even_if_the_connection_closes_later() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    lesson.do("tom", Remove(participant="ann", ban=True))
    over(lesson, 30)
    assert of(lesson, "ann").connected_ms == 10 * MINUTE


def test_a_silent_connection_ends_at_its_last_life_sign() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    seen = lesson.now
    lesson.pass_seconds(30)
    lesson.do("ann", Disconnect(connection="ann-1", reason="lost", seen=seen))
    over(lesson, 10)
    assert of(lesson, "ann").connected_ms == 10 * MINUTE


def test_a_crash_closes_at_the_last_life_sign_and_the_outage_counts_for_nobody() -> None:
    lesson = begun()
    lesson.join("ann")
    lesson.join("bob")
    wait(lesson, 20)
    seen = lesson.now
    wait(lesson, 5)
    for who in ("tom", "ann", "bob"):
        lesson.do(who, Disconnect(connection=f"{who}-1", reason="recovered", seen=seen))
    lesson.pass_seconds(20)
    lesson.join("tom", Role.TRAINER, connection="back")
    lesson.join("ann", connection="back")
    over(lesson, 10)
    ann, bob = of(lesson, "ann"), of(lesson, "bob")
    assert ann.segments[0].recovered
    assert (ann.connected_ms, ann.bridged_ms) == (30 * MINUTE + 20_000, 20_000)
    assert ann.ratio == 1.0
    assert bob.connected_ms == 20 * MINUTE


def test_who_was_silent_before_a_crash_takes_no_time_from_the_others() -> None:
    lesson = begun()
    lesson.join("ann")
    lesson.join("bob")
    wait(lesson, 20)
    seen = {"bob": lesson.now - 40_000, "tom": lesson.now, "ann": lesson.now - 30_000}
    wait(lesson, 5)
    for who, at in seen.items():
        lesson.do(who, Disconnect(connection=f"{who}-1", reason="recovered", seen=at))
    lesson.join("tom", Role.TRAINER, connection="back")
    over(lesson, 10)
    assert of(lesson, "tom").ratio == 1.0
    assert of(lesson, "tom").connected_ms == 30 * MINUTE
    assert of(lesson, "ann").connected_ms == 20 * MINUTE - 30_000
    assert of(lesson, "bob").connected_ms == 20 * MINUTE - 40_000


def test_who_had_just_come_when_the_node_died_is_bridged_like_everybody() -> None:
    lesson = begun()
    wait(lesson, 20)
    lesson.join("ann")
    seen = lesson.now
    lesson.pass_seconds(4)
    for who in ("tom", "ann"):
        lesson.do(who, Disconnect(connection=f"{who}-1", reason="recovered", seen=seen))
    lesson.pass_seconds(15)
    lesson.join("tom", Role.TRAINER, connection="back")
    lesson.join("ann", connection="back")
    over(lesson, 10)
    assert of(lesson, "ann").connected_ms == 10 * MINUTE + 15_000


def test_a_crash_without_life_signs_closes_at_the_last_entry_before_it() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 20)
    lesson.do("tom", StartCheck())
    wait(lesson, 5)
    for who in ("ann", "tom"):
        lesson.do(who, Disconnect(connection=f"{who}-1", reason="recovered"))
    assert of(lesson, "ann").connected_ms == 20 * MINUTE


def test_late_early_and_absent_follow_the_policy() -> None:
    lesson = begun()
    lesson.join("all")
    lesson.join("early")
    wait(lesson, 4)
    lesson.join("nearly")
    wait(lesson, 2)
    lesson.join("late")
    wait(lesson, 70)
    lesson.drop("early")
    wait(lesson, 10)
    lesson.join("glance")
    over(lesson, 4)
    found = {who: of(lesson, who).status.value for who in ("all", "nearly", "late", "early", "glance")}
    assert found == {"all": "present", "nearly": "present", "late": "late", "early": "left_early", "glance": "absent"}
    assert of(lesson, "glance").hours == 0


def test_nobody_has_left_early_while_the_class_goes_on() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 30)
    lesson.drop("ann")
    wait(lesson, 20)
    assert of(lesson, "ann").status is AttendanceStatus.PRESENT
    over(lesson)
    assert of(lesson, "ann").status is AttendanceStatus.LEFT_EARLY


def test_who_came_late_is_not_called_absent_while_the_class_goes_on() -> None:
    lesson = begun()
    wait(lesson, 40)
    lesson.join("ann")
    wait(lesson, 1)
    assert of(lesson, "ann").status is AttendanceStatus.LATE
    over(lesson)
    assert of(lesson, "ann").status is AttendanceStatus.ABSENT


def test_hours_are_a_table_of_the_policy() -> None:
    assert [hours_for(STANDARD, minutes) for minutes in (0, 19, 20, 62, 74, 84, 85, 500)] == [0, 0, 0.5, 1, 1.5, 1.5, 2, 4]
    assert [hours_for(CONTINUING, minutes) for minutes in (49, 50, 74, 100)] == [0, 1, 1, 2]


def test_another_policy_judges_the_same_facts_anew() -> None:
    lesson = begun()
    wait(lesson, 50)
    lesson.join("ann")
    over(lesson, 40)
    assert of(lesson, "ann").status is AttendanceStatus.LATE
    anew = of(lesson, "ann", policy=CONTINUING)
    assert (anew.status, anew.policy_id, anew.connected_ms) == (AttendanceStatus.ABSENT, "continuing", 40 * MINUTE)


def test_the_policy_in_force_at_creation_is_stamped_on_the_class() -> None:
    log = read([(T, None, rooms.create("s", "t", Profile.SMALL, policy=CONTINUING))])
    assert log.policy == CONTINUING
    assert rooms.begin(rooms.create("s", "t", Profile.SMALL)).policy == STANDARD
    unstamped = SessionCreated(session="s", title="t", profile=Profile.SMALL, settings=Settings())
    assert read([(T, None, unstamped)]).policy == STANDARD


def test_policies_are_known_by_their_id_and_version() -> None:
    assert all(key == (policy.id, policy.version) for key, policy in POLICIES.items())
    for policy in POLICIES.values():
        minutes = [credit.minutes for credit in policy.credits]
        assert minutes == sorted(set(minutes))


def test_media_counts_in_windows_within_the_connected_time() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    lesson.drop("ann")
    over(lesson, 10)
    first = START // WINDOW_MS
    ann = of(lesson, "ann", delivered={"ann": range(first, first + 9), "bob": range(first, first + 99)})
    assert 4 * MINUTE <= ann.delivered_ms <= 4.5 * MINUTE
    all_along = of(lesson, "ann", delivered={"ann": range(first - 10, first + 100)})
    assert all_along.delivered_ms == all_along.connected_ms


def test_checks_are_counted_for_those_who_were_asked() -> None:
    lesson = begun()
    lesson.join("ann")
    lesson.join("bob")
    for answers in (True, False):
        lesson.do("tom", StartCheck())
        asked = lesson["ann"].asked
        assert asked is not None
        if answers:
            lesson.do("ann", AnswerCheck(check=asked.check, nonce=asked.nonce))
        wait(lesson, 2)
    lesson.join("cat")
    over(lesson)
    counted = {who: (of(lesson, who).checks_answered, of(lesson, who).checks_asked) for who in ("ann", "bob", "cat")}
    assert counted == {"ann": (1, 2), "bob": (0, 2), "cat": (0, 0)}


def test_a_decision_of_staff_stands_beside_what_was_computed_and_can_be_lifted() -> None:
    lesson = begun()
    wait(lesson, 10)
    lesson.join("ann")
    over(lesson, 80)
    decide = OverrideAttendance(participant="ann", status=AttendanceStatus.PRESENT, minutes=90, reason="power cut, shown")
    lesson.do("tom", decide)
    ann = of(lesson, "ann")
    assert (ann.computed, ann.status, ann.minutes, ann.hours) == (AttendanceStatus.LATE, AttendanceStatus.PRESENT, 90, 2)
    assert ann.override is not None
    assert (ann.override.by, ann.override.event.reason) == ("tom", "power cut, shown")
    assert ann.connected_ms == 80 * MINUTE
    lesson.do("tom", OverrideAttendance(participant="ann", status=None, reason="wrong person"))
    assert of(lesson, "ann").status is AttendanceStatus.LATE
    assert of(lesson, "ann").override is None


def test_two_namesakes_are_two_people() -> None:
    lesson = begun()
    lesson.join("u1", name="王伟")
    wait(lesson, 30)
    lesson.join("u2", name="王伟")
    over(lesson, 30)
    assert (of(lesson, "u1").connected_ms, of(lesson, "u2").connected_ms) == (60 * MINUTE, 30 * MINUTE)


def test_nothing_is_said_before_the_class_starts() -> None:
    lesson = Lesson()
    lesson.join("ann")
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    assert (evaluate(log, now=lesson.now), curve(log, [], now=lesson.now), countable_ms(log, lesson.now)) == ([], [], 0)


@pytest.mark.parametrize(
    "start", [1_700_006_395_000, 1_711_846_200_000, 1_729_990_200_000, 951_782_000_000], ids=["midnight", "DST on", "DST off", "leap day"]
)
def test_calendars_and_time_zones_change_nothing(start: int) -> None:
    created = rooms.create("s", "t", Profile.SMALL)
    facts: list[Fact] = [(start, None, created), *joined("ann", start), (start, "tom", session_started())]
    facts += [(start + 90 * MINUTE, "ann", closed("ann", "ann-1"))]
    log = read(facts)
    assert evaluate(log, now=start + 100 * MINUTE, only="ann")[0].connected_ms == 90 * MINUTE


def test_the_curve_counts_people_at_each_moment() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    lesson.join("bob")
    wait(lesson, 10)
    lesson.drop("ann")
    over(lesson, 10)
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    people = [one for one in evaluate(log, now=lesson.now) if one.role is Role.TRAINEE]
    points = curve(log, people, now=lesson.now, points=7)
    assert [point.connected for point in points] == [1, 1, 2, 2, 2, 1, 1]


def test_the_curve_shows_who_stayed_through_a_break() -> None:
    lesson = begun()
    lesson.join("ann")
    wait(lesson, 10)
    lesson.do("tom", TakeBreak(minutes=10))
    wait(lesson, 10)
    lesson.do("tom", ResumeClass())
    over(lesson, 10)
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    people = [one for one in evaluate(log, now=lesson.now) if one.role is Role.TRAINEE]
    assert [point.connected for point in curve(log, people, now=lesson.now, points=4)] == [1, 1, 1, 1]
