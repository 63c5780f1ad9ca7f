"""Reactions."""

from signaling.classroom.reactions import React, Reacted, Reaction
from signaling.classroom.roles import Role
from signaling.classroom.session import ChangeSettings, TakeBreak
from tests.support.classroom import Lesson, live

CLAP = React(reaction=Reaction.CLAP)


def test_trainees_react_while_live_and_on_a_break() -> None:
    lesson = live()
    assert lesson.do("ann", CLAP) == [Reacted(reaction=Reaction.CLAP)]
    lesson.do("tom", TakeBreak(minutes=1))
    assert lesson.refusal("ann", CLAP) is None


def test_before_the_class_only_staff_reacts() -> None:
    lesson = Lesson()
    lesson.join("tom", Role.TRAINER)
    lesson.join("ann")
    assert (lesson.refusal("tom", CLAP), lesson.refusal("ann", CLAP)) == (None, "wrong_phase")


def test_reactions_can_be_switched_off_and_frozen() -> None:
    lesson = live()
    lesson.do("tom", ChangeSettings(frozen=True))
    assert lesson.refusal("ann", CLAP) == "class_frozen"
    lesson.do("tom", ChangeSettings(frozen=False, reactions=False))
    assert (lesson.refusal("ann", CLAP), lesson.refusal("tom", CLAP)) == ("reactions_off", "reactions_off")
