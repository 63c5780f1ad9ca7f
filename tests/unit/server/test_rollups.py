"""What staff decides about attendance is told in the end, whenever the node stops."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from server.adapters.sqlite_attendance import SqliteAttendance
from server.adapters.sqlite_journal import SqliteJournal
from server.attendance import Reader
from server.records.handoff import HandOff
from server.rollups import RollUps
from signaling.classroom.overrides import AttendanceOverridden, OverrideAttendance
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Phase
from signaling.ports import Unavailable
from signaling.runner import Reply
from tests.support.filled import Filled
from tests.support.recorded import Log

DAY_MS = 86_400_000
EXCUSED = OverrideAttendance(participant="ann", status=AttendanceStatus.EXCUSED, minutes=45, reason="the network was down")


class Classes:
    """A hub whose classes are always between turns; `during` happens whenever one is evaluated."""

    def __init__(self) -> None:
        self.during: Callable[[], None] = lambda: None
        self.evaluations = 0
        self.again = asyncio.Event()

    async def runner(self, session: str) -> "Classes":
        self.evaluations += 1
        if self.evaluations > 1:
            self.again.set()
        self.during()
        return self

    def submit(self, actor: None, command: None, op: None, done: Callable[[Reply], None]) -> None:
        done(Reply(seq=0))


class Node:
    """As much of a node as evaluates: `told` is set when something was."""

    def __init__(self, filled: Filled) -> None:
        self.filled = filled
        self.told = asyncio.Event()
        self.classes = Classes()
        service: Any = SimpleNamespace(wake=self.told.set)
        handoff = HandOff(outbox=filled.outbox, projection=filled.projection, viewings=None, service=service)
        self.journal = SqliteJournal(filled.database, handoff.projections)
        hub: Any = self.classes
        reader = Reader(hub=hub, journal=self.journal, store=SqliteAttendance(filled.database))
        self.rollups = RollUps(reader, handoff, lambda: filled.now)

    async def append(self, log: Log) -> None:
        """What is new of a log."""
        known = await self.journal.last_seq("class-1")
        await self.journal.append("class-1", known, log.records()[known:])

    async def run_until(self, happened: asyncio.Event) -> None:
        """Evaluate what waits until something happened."""
        running = asyncio.create_task(self.rollups.run())
        await asyncio.wait_for(happened.wait(), 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def statements(self) -> list[Any]:
        """Attendance as it was told."""
        told = [msgspec.json.decode(body) for body in (await self.filled.bodies()).values()]
        return [one for one in told if one["verb"]["display"]["en"] in ("attended", "voided")]


def lesson() -> Log:
    log = Log()
    log.join("tina", Role.TRAINER)
    log.do("tina", StartClass())
    log.join("ann")
    return log


async def test_a_decision_the_node_did_not_live_to_tell_is_told_after_the_next_start(tmp_path: Path) -> None:
    log = lesson()
    log.do("tina", EndClass())
    async with Filled(tmp_path / "node.db") as filled:
        node = Node(filled)
        await node.append(log)
        assert await node.rollups.tell("class-1") == 1
        assert await filled.outbox.unevaluated(10) == []
        log.do("tina", EXCUSED)
        await node.append(log)
    async with Filled(tmp_path / "node.db") as filled:
        filled.now += 30 * DAY_MS
        node = Node(filled)
        await node.run_until(node.told)
        first, void, second = await node.statements()
        assert void["object"]["id"] == first["id"]
        assert second["result"]["duration"] == "PT2700S"
        assert await filled.outbox.unevaluated(10) == []


async def test_a_store_that_is_away_at_the_start_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.rollups._RETRY_S", 0.01)
    log = lesson()
    log.do("tina", EndClass())
    async with Filled(tmp_path / "node.db") as filled:
        node = Node(filled)
        await node.append(log)
        answers = filled.outbox.unevaluated

        async def away(limit: int) -> list[str]:
            monkeypatch.setattr(filled.outbox, "unevaluated", answers)
            raise Unavailable("away")

        monkeypatch.setattr(filled.outbox, "unevaluated", away)
        await node.run_until(node.told)
        assert len(await node.statements()) == 1


async def test_a_decision_during_an_evaluation_asks_for_another(tmp_path: Path) -> None:
    log = lesson()
    log.do("tina", EndClass())
    async with Filled(tmp_path / "node.db") as filled:
        node = Node(filled)
        await node.append(log)
        room: Any = SimpleNamespace(phase=Phase.ENDED)
        event = AttendanceOverridden(participant="ann", status=AttendanceStatus.EXCUSED, reason="ill")
        entry: Any = SimpleNamespace(event=event)

        def decide() -> None:
            node.classes.during = lambda: None
            node.rollups.watch("class-1", room, [entry])

        node.classes.during = decide
        node.rollups.watch("class-1", room, [entry])
        await node.run_until(node.classes.again)


async def test_what_is_decided_in_a_class_that_goes_on_waits_for_its_end(tmp_path: Path) -> None:
    log = lesson()
    log.do("tina", EXCUSED)
    async with Filled(tmp_path / "node.db") as filled:
        node = Node(filled)
        await node.append(log)
        assert await filled.outbox.unevaluated(10) == []
        assert await node.rollups.tell("class-1") == 0
        assert await node.statements() == []
        log.do("tina", EndClass())
        await node.append(log)
        assert await filled.outbox.unevaluated(10) == ["class-1"]
        assert await node.rollups.tell("class-1") == 1


async def test_a_class_whose_log_is_no_longer_kept_owes_nothing(tmp_path: Path) -> None:
    log = lesson()
    log.do("tina", EndClass())
    async with Filled(tmp_path / "node.db") as filled:
        await Node(filled).append(log)
        gone = "INSERT INTO expiry (session, kind, recording, policy, begun_at, count, bytes) VALUES ('class-1', 'log', '', 'p', 1, 0, 0)"
        await filled.database.write(lambda c: c.execute(gone).rowcount)
        assert await filled.outbox.unevaluated(10) == []
