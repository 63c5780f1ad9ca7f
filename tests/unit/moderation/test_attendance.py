"""Minutes, status and hours from the class's log: the rules by name, then the laws that hold for any log."""

import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.attendance import WINDOW_MS, Attendance, Segment, countable_ms, curve, evaluate, hours_for
from moderation.intervals import length
from moderation.presence_log import PersonLog, PresenceLog, Stay
from signaling.classroom import room as rooms
from signaling.classroom.base import Event
from signaling.classroom.overrides import AttendanceOverridden, OverrideAttendance
from signaling.classroom.participants import Admit, ConnectionClosed, ConnectionOpened, Disconnect, Leave, ParticipantJoined
from signaling.classroom.policies import CONTINUING, POLICIES, STANDARD, AttendancePolicy, AttendanceStatus
from signaling.classroom.presence import AnswerCheck, StartCheck
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Remove
from signaling.classroom.seats import Seat
from signaling.classroom.session import ClassStarted, EndClass, ResumeClass, SessionCreated, StartClass, TakeBreak
from signaling.classroom.settings import Profile, Settings
from tests.support.classroom import START, Lesson

MINUTE = 60_000
T = 1_700_000_000_000
Fact = tuple[int, str | None, Event]


def read(facts: Iterable[Fact]) -> PresenceLog:
    log = PresenceLog()
    for seq, (at, by, event) in enumerate(facts, 1):
        log.feed(seq, at, by, event)
    return log


def of(lesson: Lesson, who: str, **options: object) -> Attendance:
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    return evaluate(log, now=lesson.now, only=who, **options)[0]  # type: ignore[arg-type]


def begun(settings: Settings | None = None) -> Lesson:
    """A class that starts with its trainer alone."""
    lesson = Lesson(settings=settings)
    lesson.join("tom", Role.TRAINER)
    lesson.do("tom", StartClass())
    return lesson


def wait(lesson: Lesson, minutes: float) -> None:
    lesson.pass_seconds(minutes * 60)


def over(lesson: Lesson, minutes: float = 0) -> None:
    wait(lesson, minutes)
    lesson.do("tom", EndClass())


# ---- the rules ----


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


# ---- the laws ----


def session_started() -> Event:
    return ClassStarted()


def joined(who: str, at: int) -> list[Fact]:
    return [
        (at, who, ParticipantJoined(participant=who, name=who, role=Role.TRAINEE, seat=Seat.ADMITTED)),
        (at, who, ConnectionOpened(participant=who, connection=f"{who}-1", first=True)),
    ]


def closed(who: str, connection: str, **more: object) -> Event:
    return ConnectionClosed(participant=who, connection=connection, reason="lost", last=True, **more)  # type: ignore[arg-type]


def log_of(stays: list[Stay], breaks: list[tuple[int, int]], start: int, end: int) -> PresenceLog:
    log = PresenceLog()
    log.started_at, log.ended_at, log.breaks = start, end, breaks
    log.people["ann"] = PersonLog(name="Ann", role=Role.TRAINEE, admitted=True, stays=stays)
    return log


def judged(log: PresenceLog, policy: AttendancePolicy = STANDARD) -> Attendance:
    return evaluate(log, now=log.ended_at or 0, policy=policy)[0]


seconds = st.integers(0, 7_200).map(lambda s: s * 1_000)
stay = st.builds(lambda a, b, final: Stay(start=min(a, b), end=max(a, b), final=final), seconds, seconds, st.booleans())
stays = st.lists(stay, max_size=12)
breaks = st.lists(st.tuples(seconds, seconds).map(lambda pair: (min(pair), max(pair))), max_size=3)


@given(stays, breaks)
def test_counted_time_is_within_the_span_and_within_the_class(some: list[Stay], pauses: list[tuple[int, int]]) -> None:
    log = log_of(some, pauses, 600_000, 6_600_000)
    ann = judged(log)
    spans = [(s.start, s.end) for s in ann.segments]
    assert ann.connected_ms == length(spans) == sum(end - start for start, end in spans)
    assert 0 <= ann.connected_ms <= countable_ms(log, 0)
    assert 0 <= ann.ratio <= 1
    if spans:
        assert ann.connected_ms <= max(s.end or 0 for s in some) - min(s.start for s in some)
        assert spans[0][0] >= 600_000
        assert spans[-1][1] <= 6_600_000
    assert ann.bridged_ms <= STANDARD.bridged_max_s * 1_000


@given(stays, breaks, st.randoms(use_true_random=False))
def test_order_repetition_and_splitting_change_nothing(some: list[Stay], pauses: list[tuple[int, int]], dice: random.Random) -> None:
    expected = judged(log_of(some, pauses, 600_000, 6_600_000))
    shuffled = [*some, *(dice.sample(some, len(some) // 2))]
    dice.shuffle(shuffled)
    assert judged(log_of(shuffled, pauses, 600_000, 6_600_000)) == expected
    cut: list[Stay] = []
    for one in some:
        assert one.end is not None
        middle = dice.randint(one.start, one.end)
        cut += [Stay(start=one.start, end=middle), Stay(start=middle, end=one.end, final=one.final)]
    assert judged(log_of(cut, pauses, 600_000, 6_600_000)) == expected


@given(stays, breaks)
def test_without_grace_the_time_is_the_plain_union(some: list[Stay], pauses: list[tuple[int, int]]) -> None:
    strict = msgspec.structs.replace(STANDARD, grace_s=0)
    ann = judged(log_of(some, pauses, 0, 7_200_000), strict)
    seconds_covered = {s for one in some for s in range(one.start // 1_000, (one.end or 0) // 1_000)}
    paused = {s for start, end in pauses for s in range(start // 1_000, end // 1_000)}
    assert ann.connected_ms == len(seconds_covered - paused) * 1_000


@given(stays)
def test_a_longer_grace_never_takes_time_away(some: list[Stay]) -> None:
    policies = [msgspec.structs.replace(STANDARD, grace_s=grace, bridged_max_s=3_600) for grace in (0, 30, 60, 600)]
    minutes = [judged(log_of(some, [], 0, 7_200_000), policy).connected_ms for policy in policies]
    assert minutes == sorted(minutes)


def test_a_thousand_reconnects_count_like_the_model_that_walks_second_by_second() -> None:
    dice = random.Random(7)
    for _ in range(20):
        facts: list[Fact] = [(T, None, rooms.create("s", "t", Profile.SMALL)), (T, "tom", session_started())]
        facts += [(T, "ann", ParticipantJoined(participant="ann", name="Ann", role=Role.TRAINEE, seat=Seat.ADMITTED))]
        at, online = T, []
        for n in range(1_000):
            at += dice.randint(61, 90) * 1_000  # longer than the grace
            facts.append((at, "ann", ConnectionOpened(participant="ann", connection=f"c{n}", first=True)))
            stayed = dice.randint(1, 30) * 1_000
            facts.append((at + stayed, "ann", closed("ann", f"c{n}")))
            online.append(stayed)
            at += stayed
        assert evaluate(read(facts), now=at, only="ann")[0].connected_ms == sum(online)


@given(st.lists(st.tuples(st.integers(-3_600, 3_600), st.sampled_from(["open", "close", "twin", "close twin"])), max_size=30))
def test_a_clock_that_is_set_forth_and_back_never_makes_time_negative_or_longer_than_it_showed(steps: list[tuple[int, str]]) -> None:
    at = latest = T
    facts: list[Fact] = [(T, None, rooms.create("s", "t", Profile.SMALL)), *joined("ann", T), (T, "tom", session_started())]
    for jump, what in steps:
        at += jump * 1_000
        latest = max(latest, at)
        connection = "ann-2" if "twin" in what else "ann-1"
        if "close" in what:
            facts.append((at, "ann", closed("ann", connection)))
        else:
            facts.append((at, "ann", ConnectionOpened(participant="ann", connection=connection)))
    ann = evaluate(read(facts), now=at, only="ann")[0]
    assert 0 <= ann.connected_ms <= latest - T
    assert all(isinstance(s, Segment) and s.start < s.end for s in ann.segments)


def test_a_crash_after_any_entry_loses_at_most_what_the_life_signs_are_old() -> None:
    """The log of a whole lesson is cut after every entry; the node comes back five minutes later with signs ten seconds old."""
    lesson = begun()
    for n in range(12):
        lesson.join(f"p{n % 5}", connection=f"c{n}")
        wait(lesson, 3)
        if n >= 3:
            lesson.drop(f"p{(n - 3) % 5}", f"c{n - 3}")
        wait(lesson, 1)
    for cut in range(3, len(lesson.journal)):
        whole = lesson.journal[:cut]
        died_at = whole[-1][1].at + 25_000
        truth, log = PresenceLog(), PresenceLog()
        for seq, origin, event in whole:
            truth.feed(seq, origin.at, origin.by, event)
            log.feed(seq, origin.at, origin.by, event)
        back_at, seq = died_at + 300_000, cut
        for who, person in list(log.people.items()):
            for connection in list(person.open):
                seq += 1
                gone = ConnectionClosed(participant=who, connection=connection, reason="recovered", last=True, seen=died_at - 10_000)
                log.feed(seq, back_at, who, gone)
        before = {one.person: one.connected_ms for one in evaluate(truth, now=died_at)}
        after = {one.person: one.connected_ms for one in evaluate(log, now=back_at)}
        assert set(before) == set(after)
        assert all(0 <= before[who] - after[who] <= 10_000 for who in before)


def test_an_entry_fed_twice_counts_once() -> None:
    lesson = begun()
    lesson.join("ann")
    over(lesson, 10)
    log = PresenceLog()
    for _ in range(2):
        for seq, origin, event in lesson.journal:
            log.feed(seq, origin.at, origin.by, event)
    assert evaluate(log, now=lesson.now, only="ann")[0].connected_ms == 10 * MINUTE


def test_an_override_of_somebody_unknown_is_passed_over() -> None:
    log = read([(T, "tom", AttendanceOverridden(participant="nobody", status=AttendanceStatus.PRESENT, reason="x"))])
    assert log.people == {}
