"""Presence checks: who is asked, who may answer what and when, what staff learn, and the node's own checks."""

import pytest

from signaling.classroom import audience, presence
from signaling.classroom import room as rooms
from signaling.classroom.base import Context
from signaling.classroom.participants import Admit, Leave
from signaling.classroom.policies import STANDARD
from signaling.classroom.presence import AnswerCheck, CheckAnswered, CheckAsked, CheckOpened, ScheduleChecks, StartCheck
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Remove
from signaling.classroom.session import ChangeSettings, EndClass, TakeBreak
from signaling.classroom.settings import Profile, Settings
from tests.support.classroom import Lesson, kinds, live


def checking(**options: int) -> Lesson:
    lesson = live()
    lesson.do("tom", StartCheck(**options))
    return lesson


def answer(lesson: Lesson, who: str, *, of: str = "", nonce: str | None = None, check: str | None = None) -> str | None:
    """Answer with what was told to `of` (the person itself); returns the refusal."""
    asked = lesson[of or who].asked
    told = (asked.check, asked.nonce) if asked is not None else ("k0", "none")
    return lesson.refusal(who, AnswerCheck(check=check or told[0], nonce=nonce or told[1]))


def test_every_trainee_present_is_asked_with_a_nonce_of_the_own() -> None:
    lesson = live(trainees=["ann", "bob", "cat"])
    lesson.do("cat", Leave())
    events = lesson.do("tom", StartCheck())
    assert kinds(events) == ["CheckOpened", "CheckAsked", "CheckAsked"]
    opened, *asked = events
    assert isinstance(opened, CheckOpened)
    assert (opened.asked, opened.automatic, opened.until) == (2, False, lesson.now + STANDARD.check_window_s * 1_000)
    told = {event.participant: event.nonce for event in asked if isinstance(event, CheckAsked)}
    assert set(told) == {"ann", "bob"}
    assert len(set(told.values())) == 2


def test_nonces_depend_on_chance_alone_and_differ_from_check_to_check() -> None:
    lesson = live()
    command = StartCheck()
    seen = set()
    for chance in (b"one", b"two"):
        for seq in (50, 60):
            made = rooms.decide(lesson.room, Context(actor="tom", now=lesson.now, seq=seq, chance=chance), command)
            seen |= {event.nonce for event in made if isinstance(event, CheckAsked)}
    assert len(seen) == 8


def test_an_answer_counts_once_and_staff_see_who_answered() -> None:
    lesson = checking()
    assert answer(lesson, "ann") is None
    assert answer(lesson, "ann") == "already_answered"
    staff, inspector = (audience.view_for(lesson.room, who).check for who in ("tom", "ivy"))
    assert staff is not None
    assert staff == inspector
    assert (staff.asked, staff.answered, staff.nonce) == (2, ["ann"], None)
    mine = audience.view_for(lesson.room, "ann").check
    assert mine is not None
    assert (mine.mine, mine.asked, mine.answered) == (True, None, None)


def test_a_wrong_nonce_an_unknown_check_and_the_nonce_of_another_are_refused() -> None:
    lesson = checking()
    assert answer(lesson, "ann", of="bob") == "wrong_nonce"
    assert answer(lesson, "ann", nonce="guess") == "wrong_nonce"
    assert answer(lesson, "ann", check="k9999") == "no_such_check"
    assert lesson.room.check is not None
    assert lesson.room.check.answered == []
    assert answer(lesson, "ann") is None


def test_the_window_includes_its_last_millisecond_and_nothing_after_it() -> None:
    lesson = checking(window_s=10)
    lesson.now += 10_000
    assert answer(lesson, "ann") is None
    lesson.now += 1
    assert answer(lesson, "bob") == "check_over"


def test_staff_inspectors_and_those_outside_cannot_answer() -> None:
    lesson = live()
    lesson.do("tom", ChangeSettings(waiting_room=True))
    lesson.join("wim")
    lesson.do("tom", StartCheck())
    assert [answer(lesson, who, of="ann") for who in ("tom", "eve", "ivy", "wim")] == ["not_allowed"] * 3 + ["not_admitted"]
    lesson.do("tom", Admit(participants=["wim"]))
    assert answer(lesson, "wim", of="ann") == "no_such_check"
    lesson.do("tom", Remove(participant="bob", ban=True))
    assert answer(lesson, "bob") == "banned"


def test_an_operation_sent_again_is_the_same_answer() -> None:
    lesson = checking()
    asked = lesson["ann"].asked
    assert asked is not None
    command = AnswerCheck(check=asked.check, nonce=asked.nonce)
    assert lesson.do("ann", command, "op-1") == [CheckAnswered(check=asked.check)]
    assert lesson.do("ann", command, "op-1") == []


def test_a_page_loaded_anew_shows_the_check_with_the_time_left_and_another_device_may_answer() -> None:
    lesson = checking()
    lesson.drop("ann")
    lesson.join("ann", connection="phone")
    shown = audience.view_for(lesson.room, "ann").check
    assert shown is not None
    assert (shown.nonce, shown.until, shown.mine) == (lesson["ann"].asked.nonce, shown.opened_at + 60_000, False)  # type: ignore[union-attr]
    assert answer(lesson, "ann") is None


def test_freezing_and_a_break_do_not_take_the_answer_away_but_no_check_starts_then() -> None:
    lesson = checking()
    lesson.do("tom", ChangeSettings(frozen=True))
    assert answer(lesson, "ann") is None
    lesson.do("tom", TakeBreak(minutes=5))
    assert answer(lesson, "bob") is None
    lesson.pass_seconds(61)
    assert lesson.refusal("tom", StartCheck()) == "wrong_phase"


def test_one_check_at_a_time() -> None:
    lesson = checking()
    assert lesson.refusal("eve", StartCheck()) == "check_running"
    lesson.pass_seconds(60.001)
    assert lesson.refusal("eve", StartCheck()) is None


def test_a_wall_clock_that_is_set_back_makes_nobody_wait_for_a_check_of_its_future() -> None:
    lesson = checking()
    lesson.pass_seconds(-3_600)
    assert lesson.refusal("eve", StartCheck()) is None
    assert lesson.refusal("eve", StartCheck()) == "check_running"


def test_the_node_asks_when_the_time_has_come_and_draws_the_next_within_the_jitter() -> None:
    lesson = live()
    lesson.do("tom", ScheduleChecks(on=True))
    due = presence.due(lesson.room)
    assert due is not None
    every = STANDARD.check_every_s * 1_000
    spread = STANDARD.check_jitter
    assert every * (1 - spread) <= due - lesson.now <= every * (1 + spread)
    assert lesson.do(None, StartCheck()) == []
    lesson.now = due
    assert kinds(lesson.do(None, StartCheck())) == ["CheckOpened", "CheckAsked", "CheckAsked", "ChecksScheduled"]
    assert lesson.room.check is not None
    assert lesson.room.check.automatic
    assert presence.due(lesson.room) != due


def test_the_nodes_check_is_put_off_on_a_break_with_nobody_there_and_while_another_runs() -> None:
    lesson = live()
    lesson.do("tom", ScheduleChecks(on=True))
    lesson.now = presence.due(lesson.room) or 0
    lesson.do("tom", TakeBreak(minutes=5))
    assert kinds(lesson.do(None, StartCheck())) == ["ChecksScheduled"]
    lesson = live(trainees=[])
    lesson.do("tom", ScheduleChecks(on=True))
    lesson.now = presence.due(lesson.room) or 0
    assert kinds(lesson.do(None, StartCheck())) == ["ChecksScheduled"]


def test_automatic_checks_end_with_the_switch_and_with_the_class() -> None:
    lesson = live()
    lesson.do("tom", ScheduleChecks(on=True))
    assert lesson.do("eve", ScheduleChecks(on=True)) == []
    lesson.do("tom", ScheduleChecks(on=False))
    assert presence.due(lesson.room) is None
    lesson.do("tom", ScheduleChecks(on=True))
    lesson.do("tom", EndClass())
    assert presence.due(lesson.room) is None
    assert answer(lesson, "ann") == "class_ended"


def test_intervals_are_spread_over_the_whole_jitter() -> None:
    lesson = live()
    shares = []
    for n in range(300):
        context = Context(actor="tom", now=0, seq=n + 1, chance=b"x")
        (event,) = rooms.decide(lesson.room, context, ScheduleChecks(on=True))
        assert isinstance(event, presence.ChecksScheduled)
        assert event.at is not None
        shares.append(event.at / (STANDARD.check_every_s * 1_000))
    assert min(shares) < 0.65
    assert max(shares) > 1.35
    assert 0.95 < sum(shares) / len(shares) < 1.05


def test_in_a_very_large_class_2000_are_drawn() -> None:
    lesson = live(Profile.LARGE, trainees=[f"p{n}" for n in range(2_100)], settings=Settings(auto_stage=False, capacity=5_000))
    events = lesson.do("tom", StartCheck())
    asked = [event.participant for event in events if isinstance(event, CheckAsked)]
    assert len(asked) == len(set(asked)) == presence.MAX_ASKED
    assert asked != [f"p{n}" for n in range(2_000)]


@pytest.mark.parametrize("viewer", ["tom", "eve", "ivy", "bob"])
def test_nobody_but_the_person_is_told_the_nonce(viewer: str) -> None:
    lesson = checking()
    for _, origin, event in lesson.journal:
        if isinstance(event, CheckAsked) and event.participant == "ann":
            assert audience.visible(lesson.room, "ann", origin, event)
            assert not audience.visible(lesson.room, viewer, origin, event)


def test_trainees_learn_neither_counts_nor_the_answers_of_others() -> None:
    lesson = checking()
    answer(lesson, "ann")
    for _, origin, event in lesson.journal:
        if isinstance(event, CheckOpened):
            assert not audience.visible(lesson.room, "bob", origin, event)
        if isinstance(event, CheckAnswered):
            assert audience.visible(lesson.room, "ann", origin, event)
            assert not audience.visible(lesson.room, "bob", origin, event)
    lesson.join("new", Role.TRAINEE)
    assert audience.view_for(lesson.room, "new").check is None
    assert audience.view_for(lesson.room, "ann").checks_at is None
