"""Recording a class: who begins it, who knows of it, what ends it, who is left out."""

from signaling import messages
from signaling.classroom import audience, recording
from signaling.classroom import room as rooms
from signaling.classroom.recording import LeaveOut, LeftOutChanged, RecordingStarted, RecordingStopped, StartRecording, StopRecording
from signaling.classroom.session import ChangeSettings, EndClass
from tests.support.classroom import Lesson, kinds, live


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
