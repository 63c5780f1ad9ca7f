"""Polls from draft to revealed result."""

import pytest

from signaling.classroom.polls import MAX_POLLS, AnswerPoll, ClosePoll, CreatePoll, OpenPoll, PollClosed, PollRevealed, RevealPoll, chosen
from signaling.classroom.roles import Role
from signaling.classroom.session import ChangeSettings
from tests.support.classroom import Lesson, kinds, live


def polling(**options: bool) -> tuple[Lesson, str]:
    lesson = live(trainees=["ann", "bob", "cat"])
    lesson.do("tom", CreatePoll(question="?", options=["a", "b", "c"], **options))
    return lesson, next(iter(lesson.room.polls))


def answer(lesson: Lesson, who: str, poll: str, *choices: int) -> str | None:
    return lesson.refusal(who, AnswerPoll(poll=poll, choices=list(choices)))


def test_a_poll_opens_at_once_or_from_a_draft() -> None:
    lesson = live()
    assert kinds(lesson.do("tom", CreatePoll(question="?", options=["a", "b"], open=False))) == ["PollCreated"]
    poll = next(iter(lesson.room.polls))
    assert kinds(lesson.do("eve", OpenPoll(poll=poll))) == ["PollOpened"]
    assert lesson.do("eve", OpenPoll(poll=poll)) == []


def test_ids_derive_from_the_journal_number() -> None:
    lesson = live()
    lesson.do("tom", CreatePoll(question="?", options=["a", "b"]))
    assert list(lesson.room.polls) == [f"p{lesson.room.seq - 1}"]


def test_each_person_answers_once_and_tallies_add_up() -> None:
    lesson, poll = polling()
    assert (answer(lesson, "ann", poll, 0), answer(lesson, "bob", poll, 2)) == (None, None)
    assert answer(lesson, "ann", poll, 1) == "already_answered"
    assert lesson.do("tom", ClosePoll(poll=poll)) == [PollClosed(poll=poll, tally=[1, 0, 1], voters=2)]
    assert answer(lesson, "cat", poll, 0) == "poll_not_open"


@pytest.mark.parametrize(
    ("choices", "single", "multiple"),
    [([0, 1], "bad_choice", None), ([3], "bad_choice", "bad_choice"), ([1, 1], "bad_choice", "bad_choice")],
)
def test_choices_must_fit_the_poll(choices: list[int], single: str | None, multiple: str | None) -> None:
    lesson, poll = polling()
    assert answer(lesson, "ann", poll, *choices) == single
    lesson, poll = polling(multiple=True)
    assert answer(lesson, "ann", poll, *choices) == multiple


def test_an_answer_with_several_choices_counts_for_each_and_for_one_voter() -> None:
    lesson, poll = polling(multiple=True)
    answer(lesson, "ann", poll, 2, 0)
    answer(lesson, "bob", poll, 2)
    kept = lesson.room.polls[poll]
    assert (kept.tally, kept.voters, chosen(kept.answers["ann"])) == ([1, 0, 2], 2, [0, 2])


def test_staff_and_inspectors_do_not_answer() -> None:
    lesson, poll = polling()
    assert [answer(lesson, who, poll, 0) for who in ("tom", "eve", "ivy")] == ["not_allowed"] * 3


def test_a_frozen_class_answers_nothing() -> None:
    lesson, poll = polling()
    lesson.do("tom", ChangeSettings(frozen=True))
    assert answer(lesson, "ann", poll, 0) == "class_frozen"


def test_one_poll_is_open_at_a_time() -> None:
    lesson, poll = polling()
    assert lesson.refusal("tom", CreatePoll(question="?", options=["a", "b"])) == "poll_already_open"
    lesson.do("tom", CreatePoll(question="?", options=["a", "b"], open=False))
    draft = list(lesson.room.polls)[-1]
    assert lesson.refusal("tom", OpenPoll(poll=draft)) == "poll_already_open"
    lesson.do("tom", ClosePoll(poll=poll))
    assert lesson.refusal("tom", OpenPoll(poll=draft)) is None


def test_a_closed_poll_stays_closed() -> None:
    lesson, poll = polling()
    lesson.do("tom", ClosePoll(poll=poll))
    assert lesson.do("tom", ClosePoll(poll=poll)) == []
    assert lesson.refusal("tom", OpenPoll(poll=poll)) == "poll_not_open"


def test_the_result_can_be_revealed_while_open_and_after() -> None:
    lesson, poll = polling()
    answer(lesson, "ann", poll, 1)
    assert lesson.do("tom", RevealPoll(poll=poll)) == [PollRevealed(poll=poll, tally=[0, 1, 0], voters=1)]
    assert lesson.do("tom", RevealPoll(poll=poll)) == []
    assert answer(lesson, "bob", poll, 1) is None
    assert lesson.do("tom", ClosePoll(poll=poll)) == [PollClosed(poll=poll, tally=[0, 2, 0], voters=2)]


def test_a_draft_is_neither_closed_nor_revealed_and_trainees_know_nothing_of_it() -> None:
    lesson = live()
    lesson.do("tom", CreatePoll(question="?", options=["a", "b"], open=False))
    poll = next(iter(lesson.room.polls))
    assert lesson.refusal("tom", ClosePoll(poll=poll)) == "poll_not_open"
    assert lesson.refusal("tom", RevealPoll(poll=poll)) == "poll_not_open"
    assert answer(lesson, "ann", poll, 0) == answer(lesson, "ann", "nothing", 0) == "no_such_poll"


@pytest.mark.parametrize("options", [["a", "a"], ["a", " a "], ["a", " "]])
def test_options_are_distinct_and_not_blank(options: list[str]) -> None:
    assert live().refusal("tom", CreatePoll(question="?", options=options)) == "bad_choice"


def test_before_the_lobby_polls_are_only_prepared() -> None:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    assert lesson.refusal("tom", CreatePoll(question="?", options=["a", "b"])) == "wrong_phase"
    assert lesson.refusal("tom", CreatePoll(question="?", options=["a", "b"], open=False)) is None


def test_a_class_holds_a_bounded_number_of_polls() -> None:
    lesson = live()
    for _ in range(MAX_POLLS):
        lesson.do("tom", CreatePoll(question="?", options=["a", "b"], open=False))
    assert lesson.refusal("tom", CreatePoll(question="?", options=["a", "b"], open=False)) == "too_many"
