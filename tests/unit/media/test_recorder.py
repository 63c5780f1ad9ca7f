"""How recordings are carried out: the journal of a class opens and closes with its room, tracks go in and out of it."""

from pathlib import Path
from typing import Any

from media.devices import Class, Device, Transport
from media.directives import Track
from media.negotiation import Source, TrackPlan
from media.recorder import JournalNews, Recorder, event_kind
from media.transport import RemoteTransport, ServerTransport
from signaling.classroom.recording import LeaveOut, StartRecording, StopRecording
from signaling.classroom.session import ClassStarted
from tests.support.classroom import Lesson, live


class Board:
    """A switchboard whose engine does nothing but remember."""

    def __init__(self) -> None:
        self.engine: Any = self
        self.done: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return name

    def do(self, name: str, *args: Any) -> None:
        self.done.append((name, *args))

    def take(self) -> list[tuple[Any, ...]]:
        done, self.done = self.done, []
        return done


class House:
    def __init__(self) -> None:
        self.lesson: Lesson = live()
        self.board = Board()
        self.news: list[JournalNews] = []
        self.recorder = Recorder(self.board, Path("/journal"), self.news.append)  # type: ignore[arg-type]
        self.klass = Class(room=self.lesson.room, id=7, home=0)

    def do(self, who: str | None, command: Any) -> list[tuple[Any, ...]]:
        self.lesson.do(who, command)
        return self.follow()

    def follow(self) -> list[tuple[Any, ...]]:
        self.klass.told = self.lesson.room.seq
        self.recorder.follow(self.klass)
        return self.board.take()

    def publish(self, id: int, who: str, source: Source = "camera") -> None:
        plan = TrackPlan(mid=str(id), source=source, kind="video", ssrcs=(), codecs=((96, "vp8", None),))
        remote = RemoteTransport(ufrag="u", pwd="p", fingerprint="f", origin="1")
        server = ServerTransport(ufrag="u", pwd="p", fingerprint="f", addresses=(), udp_port=1, tcp_port=None, session="1")
        device = self.klass.devices.setdefault(f"{who}-1", Device(participant=who))
        device.publish = device.publish or Transport(peer=1, shard=0, remote=remote, server=server, extensions={})
        device.publish.tracks[plan.mid] = (id, plan)
        self.klass.director.add_tracks(self.lesson.room, [Track(id=id, participant=who, connection=f"{who}-1", source=source)])


def names(done: list[tuple[Any, ...]]) -> list[str]:
    return [call[0] for call in done]


def test_a_journal_opens_before_tracks_go_into_it_and_closes_after_they_left() -> None:
    house = House()
    house.publish(1, "tom")
    assert house.follow() == []
    done = house.do("tom", StartRecording())
    recording = house.lesson.room.recording
    assert recording is not None
    assert done[0] == ("open_journal", 7, Path("/journal"), "s1", recording.id)
    assert done[1][:4] == ("record_track", 1, 1, 2)
    assert house.follow() == [], "nothing is said twice"
    assert house.do("tom", StopRecording()) == [("stop_recording_track", 1), ("close_journal", 7)]


def test_tracks_are_numbered_as_they_come_and_numbers_are_never_used_again() -> None:
    house = House()
    house.do("tom", StartRecording())
    house.publish(1, "tom")
    assert house.follow()[0][:3] == ("record_track", 1, 1)
    house.klass.director.remove_tracks(house.lesson.room, [1])
    assert house.follow() == [], "the engine ends what is gone by itself"
    house.publish(2, "tom")
    assert house.follow()[0][:3] == ("record_track", 2, 2)


def test_leaving_somebody_out_takes_their_tracks_out_at_once() -> None:
    house = House()
    house.publish(1, "ann")
    house.do("tom", StartRecording())
    assert house.do("tom", LeaveOut(participant="ann", left_out=True)) == [("stop_recording_track", 1)]
    assert names(house.do("tom", LeaveOut(participant="ann", left_out=False))) == ["record_track"]


def test_a_class_that_is_woken_goes_on_under_the_name_of_its_recording() -> None:
    house = House()
    house.lesson.do("tom", StartRecording())
    recording = house.lesson.room.recording
    assert recording is not None
    assert house.follow() == [("open_journal", 7, Path("/journal"), "s1", recording.id)]


def test_news_are_told_of_the_journal_they_are_about() -> None:
    house = House()
    for _ in range(2):
        house.do("tom", StartRecording())
        house.do("tom", StopRecording())
        house.do("tom", StartRecording())
        house.do("tom", StopRecording())
    states = ["opened", "sealed", "closed"]
    for number in range(4):
        for state in states:
            house.recorder.heard(7, state, number + 1, 10, 1, 0)
    told = [(news.recording, news.file) for news in house.news if news.state == "sealed"]
    assert len({recording for recording, _ in told}) == 4
    assert [file for _, file in told] == [1, 2, 3, 4]
    house.recorder.heard(7, "closed", 9, 0, 0, 0)
    assert len(house.news) == 12, "of nobody's journal nothing is told"


def test_a_journal_that_did_not_open_is_not_closed() -> None:
    house = House()
    house.do("tom", StartRecording())
    house.recorder.heard(7, "disk_low", 0, 0, 0, 0)
    assert [news.state for news in house.news] == ["disk_low"]
    assert house.do(None, StopRecording()) == []
    house.do("tom", StartRecording())
    house.recorder.heard(7, "opened", 1, 0, 0, 0)
    assert house.news[-1].state == "opened"
    assert len(house.recorder) == 1


def test_the_class_log_is_tied_to_the_clock_of_the_media() -> None:
    house = House()
    house.recorder.note(house.klass, "class_started")
    assert house.board.take() == [], "not unless recorded"
    house.do("tom", StartRecording())
    house.recorder.note(house.klass, event_kind(ClassStarted()))
    content = f'{{"seq":{house.lesson.room.seq},"type":"class_started"}}'.encode()
    assert house.board.take() == [("note_in_journal", 7, content)]
