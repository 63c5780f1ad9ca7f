"""Recording a class: who begins it, who knows of it, what ends it, who is left out."""

import asyncio

from signaling import messages
from signaling.classroom import audience, recording
from signaling.classroom import room as rooms
from signaling.classroom.participants import Connect
from signaling.classroom.recording import LeaveOut, LeftOutChanged, RecordingStarted, RecordingStopped, StartRecording, StopRecording
from signaling.classroom.roles import Role
from signaling.classroom.session import ChangeSettings, EndClass
from signaling.classroom.settings import Profile
from signaling.hub import Hub
from tests.support.classroom import Lesson, kinds, live
from tests.support.journal import MemoryDirectory, MemoryJournal
from tests.support.node import NoScreen, QuietMedia


def recorded() -> Lesson:
    lesson = live()
    lesson.do("tom", StartRecording())
    return lesson


def test_it_begins_once_and_ends_once() -> None:
    lesson = recorded()
    assert lesson.room.recording == recording.Recording(id=f"r{lesson.room.seq}", since=lesson.now, by="tom")
    assert lesson.do("eve", StartRecording()) == []
    name = lesson.room.recording.id
    assert lesson.do("eve", StopRecording()) == [RecordingStopped(recording=name, reason="asked")]
    assert lesson.do("eve", StopRecording()) == []
    lesson.do("tom", StartRecording())
    assert lesson.room.recording is not None
    assert lesson.room.recording.id != name


def test_everybody_is_told_and_who_waits_too() -> None:
    lesson = live()
    lesson.do("tom", ChangeSettings(waiting_room=True))
    lesson.join("wim")
    assert audience.view_for(lesson.room, "wim").session.recorded_since is None
    [event] = lesson.do("tom", StartRecording())
    assert isinstance(event, RecordingStarted)
    _, origin, _ = lesson.journal[-1]
    for viewer in ("tom", "eve", "ivy", "ann", "wim"):
        assert audience.visible(lesson.room, viewer, origin, event)
        assert audience.view_for(lesson.room, viewer).session.recorded_since == lesson.now


def test_the_end_of_the_class_ends_it() -> None:
    lesson = recorded()
    assert kinds(lesson.do("tom", EndClass()))[-2:] == ["RecordingStopped", "ClassEnded"]
    assert lesson.room.recording is None


def test_a_node_that_cannot_go_on_says_so() -> None:
    lesson = recorded()
    [event] = lesson.do(None, StopRecording())
    assert event == RecordingStopped(recording=f"r{lesson.room.seq - 1}", reason="failed")


def test_it_goes_on_under_its_name_when_the_class_is_woken_again() -> None:
    lesson = recorded()
    woken = messages.decode_room(messages.encode_room(rooms.replay(lesson.journal)))
    assert woken.recording == lesson.room.recording


def test_who_is_left_out_is_known_to_staff_inspectors_and_that_person() -> None:
    lesson = live()
    [event] = lesson.do("tom", LeaveOut(participant="ann", left_out=True))
    assert event == LeftOutChanged(participant="ann", left_out=True)
    assert lesson.do("tom", LeaveOut(participant="ann", left_out=True)) == []
    _, origin, _ = lesson.journal[-1]
    assert [who for who in ("tom", "ivy", "ann", "bob") if audience.visible(lesson.room, who, origin, event)] == ["tom", "ivy", "ann"]
    told = {who: audience.view_for(lesson.room, who).left_out for who in ("tom", "ivy", "ann", "bob")}
    assert told == {"tom": ["ann"], "ivy": ["ann"], "ann": ["ann"], "bob": []}
    lesson.do("tom", LeaveOut(participant="ann", left_out=False))
    assert lesson.room.left_out == []


def test_only_people_of_the_class_are_left_out_and_not_without_bound() -> None:
    lesson = live()
    assert lesson.refusal("tom", LeaveOut(participant="nobody", left_out=True)) == "no_such_participant"
    lesson.room.left_out.extend(f"p{n}" for n in range(recording.MAX_LEFT_OUT))
    assert lesson.refusal("tom", LeaveOut(participant="ann", left_out=True)) == "too_many"


class FullDisk:
    """A recorder without room."""

    def __init__(self) -> None:
        self.code: str | None = "disk_full"

    def refusal(self) -> str | None:
        return self.code


async def test_with_a_full_disk_it_does_not_begin_and_nothing_is_journaled() -> None:
    journal, disk = MemoryJournal(), FullDisk()
    hub = Hub(journal=journal, directory=MemoryDirectory(), media=QuietMedia(), screen=NoScreen(), clock=lambda: 1_000, recorder=disk)
    await hub.create("c1", "Class", Profile.SMALL, None)
    try:
        await hub.dispatch("c1", "tom", Connect(connection="x", name="Tom", role=Role.TRAINER))
        await hub.dispatch("c1", "ann", Connect(connection="y", name="Ann", role=Role.TRAINEE))
        before = await journal.last_seq("c1")
        assert (await hub.dispatch("c1", "tom", StartRecording())).error == "disk_full"
        assert (await hub.dispatch("c1", "ann", StartRecording())).error == "not_allowed"
        assert await journal.last_seq("c1") == before
        disk.code = None
        assert (await hub.dispatch("c1", "tom", StartRecording())).error is None
    finally:
        await asyncio.wait_for(hub.drain(), 5)
