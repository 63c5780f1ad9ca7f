"""What the media plane does while the class log cannot be written, and once it can: the real runner above, an engine written down below."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

import media.plane
from media.plane import NativePlane
from signaling.classroom import room as classroom
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.recording import StartRecording
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Profile
from signaling.classroom.tracks import SetMicrophone
from signaling.entries import Entry
from signaling.metrics import Counters
from signaling.ports import Record
from signaling.runner import Reply, Runner
from tests.support.bare import Heard
from tests.support.journal import Fault, MemoryJournal
from tests.support.node import NoScreen
from tests.support.noted import NotedEngine

OFFER = (Path(__file__).parent / "offers" / "chromium-simulcast.sdp").read_text()
MICROPHONE = [{"mid": "0", "source": "microphone"}]


class Nobody:
    """runner.Follower of a class without clients."""

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None: ...
    def published(self, runner: Runner, entries: Sequence[Entry]) -> None: ...
    def closed(self, runner: Runner, code: str) -> None: ...


class SlowJournal(MemoryJournal):
    """Tells when an append waits at its gate."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def append(self, session: str, expected_seq: int, records: Sequence[Record]) -> None:
        self.asked.set()
        await super().append(session, expected_seq, records)

    def shut(self) -> None:
        self.gate.clear()
        self.asked.clear()


class Node:
    """A class with a trainer who publishes a microphone, all on one journal."""

    def __init__(self, root: Path) -> None:
        clock = itertools.count(1_000, 500)
        self.journal = SlowJournal()
        self.plane = NativePlane(
            bind="", udp_ports=[0], tcp_port=None, announced=["192.0.2.1"], signals=Heard(), clock=lambda: next(clock), journals=root
        )
        self.engine: NotedEngine = self.plane._engine  # type: ignore[assignment]
        self.runner = Runner(
            "c1",
            journal=self.journal,
            media=self.plane,
            screen=NoScreen(),
            clock=lambda: next(clock),
            follower=Nobody(),
            counters=Counters(),
        )

    async def start(self) -> None:
        await self.runner.start(classroom.create("c1", "Title", Profile.SMALL))
        for name, role in (("tina", Role.TRAINER), ("ben", Role.TRAINEE)):
            assert (await self.do(name, Connect(connection=name, name=name, role=role))).error is None
        assert (await self.do("tina", StartClass())).error is None
        await self.publish("tina")

    async def publish(self, who: str) -> None:
        await self.plane.publish("c1", who, who, {"sdp": OFFER, "tracks": MICROPHONE})

    def ask(self, actor: str, command: Command | None) -> asyncio.Future[Reply]:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.runner.submit(actor, command, None, answer.set_result)
        return answer

    async def do(self, actor: str, command: Command | None) -> Reply:
        return await asyncio.wait_for(self.ask(actor, command), 5)

    def speak(self) -> None:
        """The engine hears somebody, which is when the plane looks at the room."""
        self.engine.events.append(("speakers", self.plane._board.classes["c1"].id, [(self.track, 100)]))
        self.plane._listening.listen()

    @property
    def track(self) -> int:
        return int(self.engine.of("add_track")[-1][0][0])

    @property
    def heard(self) -> bool:
        """Whether the engine was last told to forward the newest microphone."""
        told = [kwargs["allowed"] for args, kwargs in self.engine.of("set_track") if args == (self.track,)]
        return bool(told and told[-1])


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Node]:
    monkeypatch.setattr(media.plane, "Engine", NotedEngine)
    made = Node(tmp_path)
    await made.start()
    yield made
    made.journal.gate.set()
    made.journal.reading_fails = 0
    await made.runner.stop()
    made.plane.stop()


async def test_a_recording_whose_start_was_not_logged_is_never_opened(node: Node) -> None:
    node.journal.faults = [Fault.REFUSE]
    assert (await node.do("tina", StartRecording())).error == "journal_unavailable"
    node.speak()  # perhaps before the store answers again
    await node.do("tina", None)
    node.speak()
    assert node.engine.of("open_journal") == []
    assert (await node.do("tina", StartRecording())).error is None
    assert len(node.engine.of("open_journal")) == 1


async def test_nothing_is_recorded_while_the_log_has_not_yet_taken_the_start(node: Node) -> None:
    node.journal.shut()
    started = node.ask("tina", StartRecording())
    await node.journal.asked.wait()
    assert node.runner.room.recording is not None
    node.speak()
    await node.publish("tina")
    assert node.engine.of("open_journal") == []
    node.journal.gate.set()
    assert (await started).error is None
    assert len(node.engine.of("open_journal")) == 1


async def test_a_microphone_switched_on_in_a_room_that_was_not_logged_falls_silent_with_the_next_one(node: Node) -> None:
    node.journal.shut()
    node.journal.faults = [Fault.REFUSE]
    switched = node.ask("tina", SetMicrophone(on=True))
    await node.journal.asked.wait()
    await node.plane.publish("c1", "tina", "tina", {"sdp": OFFER, "tracks": [{"mid": "1", "source": "camera", "height": 360}]})
    await node.publish("tina")
    assert node.heard
    node.journal.gate.set()
    assert (await switched).error == "journal_unavailable"
    await node.do("tina", None)
    assert not node.heard


async def test_no_media_begin_while_the_store_cannot_be_read_and_those_that_flow_go_on(node: Node) -> None:
    assert (await node.do("tina", SetMicrophone(on=True))).error is None
    node.journal.faults, node.journal.reading_fails = [Fault.REFUSE], 1_000_000
    assert (await node.do("ben", SetMicrophone(on=True))).error == "journal_unavailable"
    with pytest.raises(Rejected, match="media_unavailable"):
        await node.publish("ben")
    assert node.heard
    node.journal.reading_fails = 0
    await node.do("ben", None)
    await node.publish("ben")
    assert not node.heard, "ben's microphone is off in the log"


async def test_what_was_stored_although_the_store_said_no_holds_for_everybody(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.publish("ben")
    monkeypatch.setattr("signaling.entries.RING", 0)  # no entries to catch up with: the room alone tells
    node.journal.faults = [Fault.LIE]
    refused = await asyncio.gather(node.ask("tina", Disconnect(connection="tina", reason="lost")), node.ask("ben", SetMicrophone(on=True)))
    assert refused[1].error == "journal_unavailable"
    await node.do("ben", None)
    assert node.heard, "ben's microphone is on in the log"
    assert list(node.plane._board.classes["c1"].devices) == ["ben"]


async def test_a_class_that_ended_although_the_store_said_no_has_no_media_left(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.entries.RING", 0)
    node.journal.faults = [Fault.LIE]
    assert (await node.do("tina", EndClass())).error == "journal_unavailable"
    await node.do("tina", None)
    assert node.plane._board.classes == {}
