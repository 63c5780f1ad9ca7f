"""Who says who may watch the recordings, and that it survives."""

import pytest

from signaling import messages
from signaling.classroom import room as rooms
from signaling.classroom.participants import Leave
from signaling.classroom.replay_access import ReplayAccess, ReplayAccessChanged, SetReplayAccess
from signaling.classroom.sanctions import Remove
from signaling.classroom.session import EndClass
from signaling.classroom.settings import Profile
from tests.support.classroom import live


def share(access: ReplayAccess = ReplayAccess.NOBODY) -> SetReplayAccess:
    return SetReplayAccess(access=access)


def test_a_trainer_changes_it_in_class_and_after_its_end_even_when_gone() -> None:
    lesson = live()
    assert lesson.room.replay is ReplayAccess.PARTICIPANTS
    assert lesson.do("tom", share()) == [ReplayAccessChanged(access=ReplayAccess.NOBODY)]
    assert lesson.do("tom", share()) == []
    lesson.do("tom", EndClass())
    lesson.do("tom", Leave())
    lesson.do("tom", share(ReplayAccess.TRAINERS))
    assert lesson.room.replay is ReplayAccess.TRAINERS
    assert lesson.journal[-1][1].by == "tom"


def test_a_service_or_operator_changes_it_as_nobody_in_class() -> None:
    lesson = live()
    lesson.do(None, share())
    assert lesson.journal[-1][1].by is None
    assert lesson.room.replay is ReplayAccess.NOBODY


@pytest.mark.parametrize(("actor", "code"), [("eve", "not_allowed"), ("ivy", "not_allowed"), ("ann", "not_allowed"), ("x", "not_admitted")])
def test_nobody_else_does(actor: str, code: str) -> None:
    lesson = live()
    assert lesson.refusal(actor, share()) == code
    assert lesson.room.replay is ReplayAccess.PARTICIPANTS


def test_who_was_sent_out_does_not_either() -> None:
    lesson = live()
    lesson.do("tom", Remove(participant="eve"))
    assert lesson.refusal("eve", share()) == "not_admitted"


def test_no_client_can_say_it_over_the_wire() -> None:
    assert SetReplayAccess not in messages.COMMANDS


def test_it_is_stamped_at_creation_and_kept_by_log_and_snapshot() -> None:
    created = rooms.create("s", "t", Profile.SMALL, replay=ReplayAccess.NOBODY)
    room = rooms.begin(messages.decode_event(messages.encode_event(created)))  # type: ignore[arg-type]
    assert room.replay is ReplayAccess.NOBODY
    assert messages.decode_room(messages.encode_room(room)).replay is ReplayAccess.NOBODY
    lesson = live()
    lesson.do("tom", share(ReplayAccess.TRAINERS))
    assert rooms.replay(lesson.journal).replay is ReplayAccess.TRAINERS
