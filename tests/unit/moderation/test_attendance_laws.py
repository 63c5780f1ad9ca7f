"""What holds for the attendance of any log whatever: bounds, order, repetition, splitting, clocks, crashes."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from moderation.attendance import Attendance, Segment, countable_ms, evaluate
from moderation.intervals import length
from moderation.presence_log import PersonLog, PresenceLog, Stay
from signaling.classroom import room as rooms
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.participants import ConnectionClosed, ConnectionOpened, ParticipantJoined
from signaling.classroom.policies import STANDARD, AttendancePolicy, AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Profile
from tests.support.attendance import MINUTE, Fact, T, begun, closed, joined, over, read, session_started, wait


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
