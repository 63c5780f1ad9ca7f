"""The room as a whole: dispatch, operation memory, replay, cost."""

import time

import msgspec
import pytest

from signaling import messages
from signaling.classroom import participants
from signaling.classroom import room as rooms
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.chat import PostChat
from signaling.classroom.errors import CODES, MEANINGS, Rejected
from signaling.classroom.hands import RaiseHand
from signaling.classroom.room import EVOLVERS, MAX_RECENT_OPS, RULES
from signaling.classroom.session import ClassStarted, EndClass, StartClass
from signaling.classroom.settings import Profile
from signaling.classroom.tracks import SetMicrophone
from tests.support.classroom import Lesson, live


def subclasses(kind: type) -> set[type]:
    return {found for found in kind.__subclasses__() if found.__module__.startswith("signaling.classroom")}


def test_every_command_and_every_event_has_its_place_in_the_tables() -> None:
    assert subclasses(Command) == set(RULES)
    assert subclasses(Event) == set(EVOLVERS)


def test_a_command_of_no_table_is_refused() -> None:
    class Strange(Command, frozen=True, kw_only=True, tag="strange"):
        pass

    with pytest.raises(Rejected, match="unknown_type"):
        rooms.decide(live().room, Context(actor="tom", now=0, seq=9), Strange())


def test_every_code_has_a_meaning() -> None:
    assert list(CODES) == list(MEANINGS)
    assert all(Rejected(code).retry in ("never", "later", "now") for code in CODES)


def test_a_resent_operation_is_answered_by_the_number_of_its_last_event() -> None:
    lesson = live()
    lesson.do("ann", PostChat(text="one"), "op-1")
    assert rooms.recent_op(lesson.room, "ann", "op-1") == lesson.room.seq
    assert rooms.recent_op(lesson.room, "bob", "op-1") is None
    assert rooms.recent_op(lesson.room, "nobody", "op-1") is None
    assert lesson.do("ann", PostChat(text="one"), "op-1") == []
    assert [message.text for message in lesson.room.chat] == ["one"]


def test_operations_of_several_events_are_answered_by_the_last() -> None:
    lesson = live()
    lesson.do("ann", SetMicrophone(on=True))
    lesson.do("tom", EndClass(), "op-end")
    assert rooms.recent_op(lesson.room, "tom", "op-end") == lesson.room.seq


def test_operations_are_remembered_through_replay_and_snapshot() -> None:
    lesson = live()
    lesson.do("ann", RaiseHand(), "op-1")
    for room in (rooms.replay(lesson.journal), messages.decode_room(messages.encode_room(lesson.room))):
        assert rooms.recent_op(room, "ann", "op-1") == lesson.room.seq


def test_the_memory_of_operations_is_bounded_per_person() -> None:
    lesson = live()
    for n in range(MAX_RECENT_OPS + 10):
        lesson.do("ann", SetMicrophone(on=n % 2 == 0), f"op-{n}")
    assert len(lesson["ann"].recent) == MAX_RECENT_OPS
    assert rooms.recent_op(lesson.room, "ann", "op-9") is None
    assert rooms.recent_op(lesson.room, "ann", "op-10") is not None


def test_refused_operations_are_not_remembered() -> None:
    lesson = Lesson()
    lesson.join("ann")
    with pytest.raises(Rejected):
        lesson.do("ann", RaiseHand(), "op-1")
    lesson.do(None, StartClass())
    assert lesson.do("ann", RaiseHand(), "op-1") != []


def test_a_journal_begins_with_the_creation() -> None:
    with pytest.raises(ValueError, match="empty"):
        rooms.replay([])
    with pytest.raises(ValueError, match="session_created"):
        rooms.replay([(1, Origin(at=0), ClassStarted())])


@pytest.mark.parametrize(("session_id", "title"), [("no id", "T"), ("s", ""), ("s", "x" * 121)])
def test_a_class_is_not_created_with_what_could_not_be_read_back(session_id: str, title: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        rooms.create(session_id, title, Profile.SMALL)


def test_clients_cannot_speak_for_the_node() -> None:
    lesson = live()
    for command in (participants.Connect(connection="x", name="X", role="trainer"), participants.Disconnect(connection="x", reason="lost")):
        assert RULES[type(command)].by == "node"
        assert type(command) not in messages.COMMANDS
        assert lesson.refusal(None, command) == "not_allowed"


def cost(lesson: Lesson, actor: str, command: Command) -> float:
    """Best time of one decision, in seconds."""
    context = Context(actor=actor, now=lesson.now + 10**6, seq=lesson.room.seq + 1)
    best = 1.0
    for _ in range(50):
        begin = time.perf_counter()
        rooms.decide(lesson.room, context, command)
        best = min(best, time.perf_counter() - begin)
    return best


@pytest.mark.parametrize("command", [PostChat(text="hi"), RaiseHand()])
def test_a_command_costs_no_more_in_a_class_of_thousands(command: Command) -> None:
    few, many = live(Profile.LARGE), live(Profile.LARGE, trainees=["ann", *(f"t{n}" for n in range(3_000))])
    assert cost(many, "ann", command) < 10 * cost(few, "ann", command)
