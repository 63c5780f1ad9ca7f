"""Which classes are awake: woken once, bounded, put to rest when empty, drained with everything saved."""

import asyncio
from collections.abc import Sequence

import pytest

from signaling import hub as module
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.roles import Role
from signaling.classroom.room import Room
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Phase, Profile
from signaling.entries import Entry
from signaling.hub import Hub
from signaling.ports import Unavailable
from signaling.runner import Runner
from tests.support.journal import Fault, MemoryDirectory, MemoryJournal
from tests.support.node import NoScreen, QuietMedia


class Follower:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.rested = asyncio.Event()

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None:
        self.calls.append(("opened", runner.session))

    def published(self, runner: Runner, entries: Sequence[Entry]) -> None:
        self.calls.append(("published", runner.session))

    def closed(self, runner: Runner, code: str) -> None:
        self.calls.append((f"closed {code}", runner.session))
        self.rested.set()


class House:
    def __init__(self, journal: MemoryJournal | None = None, directory: MemoryDirectory | None = None, **options: float) -> None:
        self.journal = journal or MemoryJournal()
        self.directory = directory or MemoryDirectory()
        self.media = QuietMedia()
        self.hub = Hub(
            journal=self.journal,
            directory=self.directory,
            media=self.media,
            screen=NoScreen(),
            clock=lambda: 5,
            **options,  # type: ignore[arg-type]
        )
        self.follower = Follower()
        self.hub.follower = self.follower

    async def enter(self, session: str, name: str, role: Role = Role.TRAINER) -> None:
        reply = await self.hub.dispatch(session, name, Connect(connection=f"{name}-1", name=name, role=role))
        assert reply.error is None


async def test_class_is_made_once_and_woken_when_somebody_comes() -> None:
    house = House()
    await house.hub.create("c1", "Title", Profile.SMALL, 77)
    await house.hub.create("c1", "Title", Profile.SMALL, 77)
    assert house.hub.sessions() == []
    assert house.hub.room("c1") is None
    runners = await asyncio.gather(*(house.hub.runner("c1") for _ in range(20)))
    assert len({id(runner) for runner in runners}) == 1
    room = house.hub.room("c1")
    assert room is not None
    assert (room.title, room.starts_at, room.seq) == ("Title", 77, 1)
    await house.hub.drain()


async def test_unknown_class_is_no_class() -> None:
    house = House()
    with pytest.raises(Rejected, match="class_ended"):
        await house.hub.runner("nowhere")
    assert house.journal.records == {}


async def test_store_that_fails_at_waking_is_told_and_tried_again() -> None:
    house = House()
    await house.hub.create("c1", "Title", Profile.SMALL, None)
    house.journal.faults = [Fault.REFUSE]
    with pytest.raises(Unavailable):
        await house.hub.runner("c1")
    house.journal.faults = [Fault.FENCE]
    with pytest.raises(Unavailable):
        await house.hub.runner("c1")
    assert (await house.hub.runner("c1")).alive
    await house.hub.drain()


async def test_number_of_awake_classes_is_bounded() -> None:
    house = House(limit=2)
    for name in ("a", "b", "c"):
        await house.hub.create(name, name, Profile.SMALL, None)
    await asyncio.gather(house.hub.runner("a"), house.hub.runner("b"))
    with pytest.raises(Rejected, match="overloaded"):
        await house.hub.runner("c")
    assert house.hub.counters.runners == 2
    await house.hub.drain()


async def test_draining_node_wakes_nothing_but_goes_on_with_what_is_awake() -> None:
    house = House()
    for name in ("a", "b"):
        await house.hub.create(name, name, Profile.SMALL, None)
    await house.enter("a", "tina")
    house.hub.refuse_new()
    assert house.hub.draining
    with pytest.raises(Rejected, match="draining"):
        await house.hub.runner("b")
    with pytest.raises(Rejected, match="draining"):
        await house.hub.create("c", "c", Profile.SMALL, None)
    assert (await house.hub.dispatch("a", "tina", StartClass())).error is None
    await house.hub.drain()
    assert ("closed draining", "a") in house.follower.calls
    assert house.journal.snapshots["a"][0] == len(house.journal.records["a"])
    assert house.hub.sessions() == []
    await house.hub.drain()


async def test_empty_class_is_put_to_rest_and_wakes_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_S", 0.01)
    house = House(idle_s=0.02)
    await house.hub.create("a", "a", Profile.SMALL, None)
    await house.enter("a", "tina")
    await house.hub.dispatch("a", "tina", StartClass())
    await asyncio.sleep(0.1)
    assert house.hub.sessions() == ["a"], "somebody is in it"
    await house.hub.dispatch("a", "tina", Disconnect(connection="tina-1", reason="lost"))
    await asyncio.wait_for(house.follower.rested.wait(), 3)
    await asyncio.sleep(0.02)
    assert house.hub.sessions() == []
    runner = await house.hub.runner("a")
    assert runner.room.phase is Phase.LIVE
    await house.hub.drain()


async def test_lost_class_is_let_go_and_may_be_woken_again() -> None:
    house = House()
    await house.hub.create("a", "a", Profile.SMALL, None)
    await house.enter("a", "tina")
    house.journal.faults = [Fault.FENCE]
    assert (await house.hub.dispatch("a", "tina", StartClass())).error == "draining"
    assert house.hub.sessions() == []
    assert (await house.hub.dispatch("a", "tina", Connect(connection="t2", name="tina", role=Role.TRAINER))).error is None
    await house.hub.drain()


async def test_end_of_a_class_is_kept_in_the_directory_even_if_told_late() -> None:
    house = House()
    await house.hub.create("a", "a", Profile.SMALL, None)
    await house.enter("a", "tina")
    assert (await house.hub.dispatch("a", None, EndClass())).error is None
    await house.hub.drain()
    found = await house.directory.get("a")
    assert found is not None
    assert found["ended_at"] == 5
    forgetful = MemoryDirectory()
    await forgetful.create("a", "a", "small", None)
    again = House(house.journal, forgetful)
    await again.hub.runner("a")
    found = await forgetful.get("a")
    assert found is not None
    assert found["ended_at"] == 5
    await again.hub.drain()


async def test_watchers_see_everything_and_one_that_fails_harms_nobody() -> None:
    house = House()
    seen: list[str] = []

    def watch(session: str, room: Room, entries: Sequence[Entry]) -> None:
        seen.extend(type(entry.event).__name__ for entry in entries)

    def fail(session: str, room: Room, entries: Sequence[Entry]) -> None:
        raise RuntimeError("defect")

    house.hub.watch(fail)
    house.hub.watch(watch)
    await house.hub.create("a", "a", Profile.SMALL, None)
    await house.enter("a", "tina")
    await house.hub.dispatch("a", "tina", StartClass())
    assert seen == ["ParticipantJoined", "ConnectionOpened", "ClassStarted"]
    await house.hub.drain()


async def test_a_class_that_is_empty_makes_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRESH_S", 0.0)
    house = House(limit=2)
    for name in ("a", "b", "c", "d", "e"):
        await house.hub.create(name, name, Profile.SMALL, None)
    await house.hub.runner("b")
    await house.enter("a", "tina")
    await house.enter("c", "tina")
    assert house.hub.sessions() == ["a", "c"]
    assert ("closed draining", "b") in house.follower.calls
    assert house.journal.snapshots["b"][0] == len(house.journal.records["b"])
    with pytest.raises(Rejected, match="overloaded"):
        await house.hub.runner("d")
    await house.hub.dispatch("a", "tina", Disconnect(connection="tina-1", reason="lost"))
    await house.hub._rest_who_may()  # sees that it is empty
    found = await asyncio.gather(house.hub.runner("d"), house.hub.runner("e"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Rejected", "Runner"]
    assert len(house.hub.sessions()) == house.hub.counters.runners == 2
    assert house.hub.room("c") is not None, "somebody is in it"
    await house.hub.drain()


async def test_who_woke_a_class_has_time_to_come_in() -> None:
    house = House(limit=1)
    for name in ("a", "b"):
        await house.hub.create(name, name, Profile.SMALL, None)
    await house.hub.runner("a")
    with pytest.raises(Rejected, match="overloaded"):
        await house.hub.runner("b")
    await house.enter("a", "tina")
    await house.hub.drain()


async def test_a_class_lost_while_it_is_put_to_rest_and_woken_anew_stays_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    await house.hub.create("a", "a", Profile.SMALL, None)
    former = await house.hub.runner("a")
    stop = former.stop

    async def slow() -> None:
        house.hub.closed(former, "draining")
        await house.hub.runner("a")
        await stop()

    monkeypatch.setattr(former, "stop", slow)
    await house.hub.let_go("a")
    assert house.hub.sessions() == ["a"]
    assert await house.hub.runner("a") is not former
    await house.hub.drain()


async def test_what_cannot_be_told_to_clients_is_told_to_watchers() -> None:
    house = House()
    seen: list[str] = []
    house.hub.watch(lambda session, room, entries: seen.extend(type(entry.event).__name__ for entry in entries))
    await house.hub.create("a", "a", Profile.SMALL, None)
    await house.enter("a", "tina")

    def fail(runner: Runner, entries: Sequence[Entry]) -> None:
        raise RuntimeError("defect")

    house.follower.published = fail  # type: ignore[method-assign]
    assert (await house.hub.dispatch("a", None, EndClass())).error is None
    assert seen[-1] == "ClassEnded"
    await house.hub.drain()
    found = await house.directory.get("a")
    assert found is not None
    assert found["ended_at"] == 5


async def test_an_error_nobody_thought_of_does_not_keep_classes_awake_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_S", 0.0)
    house = House(idle_s=0.0)
    await house.hub.create("a", "a", Profile.SMALL, None)
    closed = house.follower.closed

    def fail(runner: Runner, code: str) -> None:
        house.follower.closed = closed  # type: ignore[method-assign]
        raise RuntimeError("defect")

    house.follower.closed = fail  # type: ignore[method-assign]
    await house.hub.runner("a")
    await asyncio.wait_for(house.follower.rested.wait(), 3)
    await house.hub.drain()
