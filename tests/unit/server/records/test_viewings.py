"""Reports of watching and their statements are one transaction; few statements per watcher; opted-out classes tell nothing."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recording.watched import MAX_STRETCHES, Report, Stretch
from server.adapters.sqlite_publications import SqliteWatches
from server.adapters.sqlite_retention import SqliteRetention
from server.adapters.sqlite_viewings import SqliteViewings
from server.records import vocabulary as v
from server.records.viewed import IDLE_MS
from server.retention.due import DAY_MS, Kind, Thing
from signaling.ports import Unavailable
from tests.support.filled import Filled
from tests.support.recorded import START

MINUTE = 60_000


class Watching(Filled):
    """A store with a recording of 100 s, `r1` of `class-1`, and who watches it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.viewings = SqliteViewings(self.database, self.projection)
        self.watches = SqliteWatches(self.database, self.viewings.noted)
        self.ops = 0

    async def __aenter__(self) -> "Watching":
        await super().__aenter__()

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO class (session, title, profile) VALUES ('class-1', 'Knots', 'small')")
            sql = "INSERT OR IGNORE INTO recording (session, id, started_at, ended_at) VALUES ('class-1', 'r1', ?, ?)"
            connection.execute(sql, (START - 200_000, START - 100_000))

        await self.database.write(job)
        return self

    async def play(self, who: str, at: int, *stretches: tuple[int, int], op: str = "", session: str = "class-1") -> Report:
        self.ops += 1
        told = [Stretch(from_ms=start, to_ms=end) for start, end in stretches]
        report = Report(session, "r1", who, op or f"op{self.ops}-{at}", at, told)
        assert await self.watches.add(report, MAX_STRETCHES)
        return report

    async def settle(self, now: int) -> int:
        over = await self.viewings.due(now - IDLE_MS, 100)
        for viewing in over:
            await self.viewings.close(viewing)
        return len(over)

    async def told(self) -> list[tuple[str, str, Any]]:
        """(verb, subject, result) of every statement."""
        found = [msgspec.json.decode(body) for body in (await self.bodies()).values()]
        return [(v.DISPLAY[one["verb"]["id"]], one["actor"]["account"]["name"], one.get("result")) for one in found]


async def test_a_viewing_is_one_beginning_and_one_sum_however_many_reports(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        for n in range(40):
            await node.play("ann", START + n * 15_000, (n * 1_000, n * 1_000 + 1_000))
        assert [one[:2] for one in await node.told()] == [("initialized", "ann")]
        assert await node.settle(START + 40 * 15_000) == 0
        assert await node.settle(START + 40 * 15_000 + IDLE_MS) == 1
        _, ended = await node.told()
        assert ended[:2] == ("terminated", "ann")
        assert ended[2]["extensions"][v.VIDEO_SEGMENTS] == "0[.]40"
        assert ended[2]["extensions"][v.VIDEO_PROGRESS] == 0.4
        assert await node.settle(START + 10 * IDLE_MS) == 0
        assert len(await node.told()) == 2
        assert set((await node.states()).values()) == {0}


async def test_coming_back_after_a_pause_is_another_viewing_and_the_whole_is_completed_once(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.play("ann", START, (0, 50_000))
        await node.play("ann", START + IDLE_MS + 1, (50_000, 95_000))
        assert [one[0] for one in await node.told()] == ["initialized", "terminated", "initialized"]
        await node.play("ann", START + 2 * IDLE_MS + 2, (0, 100_000))
        assert await node.settle(START + 4 * IDLE_MS) == 1
        told = await node.told()
        assert [one[0] for one in told] == [
            "initialized", "terminated", "initialized", "completed", "terminated", "initialized", "terminated"
        ]  # fmt: skip
        completed = told[3][2]
        assert completed["completion"] is True
        assert completed["extensions"][v.VIDEO_PROGRESS] == 0.95
        assert told[4][2]["extensions"][v.VIDEO_SEGMENTS] == "50[.]95"


async def test_a_report_sent_again_tells_nothing_again(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        for _ in range(3):
            await node.play("ann", START, (0, 10_000), op="same")
        before = await node.bodies()
        await node.settle(START + 2 * IDLE_MS)
        for _ in range(2):
            await node.play("ann", START + 3 * IDLE_MS, (0, 10_000), op="same")
        after = await node.bodies()
        assert len(before) == 1
        assert len(after) == 2
        assert after.items() > before.items()


async def test_resending_sends_the_same_bytes(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.play("ann", START, (0, 10_000))
        await node.settle(START + 2 * IDLE_MS)
        first = await node.outbox.lease("lrs", "me", START, START + 1, rows=10, size=100_000)
        assert await node.outbox.resend("lrs", session="class-1") == 2
        again = await node.outbox.lease("lrs", "me", START, START + 1, rows=10, size=100_000)
        assert [(row.id, row.body) for row in first.rows] == [(row.id, row.body) for row in again.rows]
        assert len(again.rows) == 2


async def test_an_undone_report_leaves_no_statement_and_no_viewing(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:

        def breaks(connection: sqlite3.Connection, report: Report) -> None:
            node.viewings.noted(connection, report)
            raise Unavailable("the disk is full")

        spoilt = SqliteWatches(node.database, breaks)
        with pytest.raises(Unavailable):
            await spoilt.add(Report("class-1", "r1", "ann", "op", START, [Stretch(from_ms=0, to_ms=5)]), MAX_STRETCHES)
        assert await node.bodies() == {}
        assert await node.watches.stretches("class-1", "r1") == []
        assert await node.viewings.due(START + 1, 10) == []


async def test_a_stop_of_the_node_leaves_no_viewing_without_its_sum(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.play("ann", START, (0, 10_000))
    async with Watching(tmp_path / "node.db") as node:
        await node.play("bob", START + MINUTE, (0, 10_000))
        assert await node.settle(START + 3 * IDLE_MS) == 2
        assert sorted(one[:2] for one in await node.told()) == [
            ("initialized", "ann"), ("initialized", "bob"), ("terminated", "ann"), ("terminated", "bob")
        ]  # fmt: skip


async def test_an_opted_out_class_tells_nothing_of_watching_either(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.outbox.tell("class-1", wanted=False)
        await node.play("ann", START, (0, 95_000))
        assert await node.settle(START + 2 * IDLE_MS) == 0
        assert await node.bodies() == {}
        assert len(await node.watches.stretches("class-1", "r1")) == 1
        await node.outbox.tell("class-1", wanted=True)
        await node.play("ann", START + 3 * IDLE_MS, (0, 10_000))
        await node.outbox.tell("class-1", wanted=False)
        assert await node.settle(START + 6 * IDLE_MS) == 1
        assert [one[0] for one in await node.told()] == ["initialized"]


async def test_a_clock_that_goes_back_ends_nothing_early_and_loses_nothing(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.play("ann", START, (0, 10_000))
        await node.play("ann", START - 5 * MINUTE, (10_000, 20_000))
        await node.play("ann", START + MINUTE, (20_000, 30_000))
        assert await node.settle(START + 2 * IDLE_MS) == 1
        (_, ended) = await node.told()
        assert ended[2]["extensions"][v.VIDEO_PROGRESS] == 0.3


async def test_the_most_restless_watcher_costs_three_statements_in_a_viewing(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        for n in range(MAX_STRETCHES // 50):
            pieces: Sequence[tuple[int, int]] = [(at, at + 3) for at in range(0, 100_000, 2_000)]
            await node.play("ann", START + n, *pieces)
        refused = Report("class-1", "r1", "ann", "more", START, [Stretch(from_ms=0, to_ms=5)])
        assert not await node.watches.add(refused, MAX_STRETCHES)
        await node.settle(START + 2 * IDLE_MS)
        told = [msgspec.json.decode(body) for body in (await node.bodies()).values()]
        assert len(told) == 2
        assert max(map(len, (await node.bodies()).values())) < 20_000


async def test_a_recording_nobody_knows_is_told_to_nobody(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        await node.play("ann", START, (0, 10_000), session="elsewhere")
        assert await node.bodies() == {}


async def test_a_viewing_after_the_former_ones_were_removed_is_another_one(tmp_path: Path) -> None:
    """Retention knows nothing of what stores were told: they know the former ones for ever."""
    async with Watching(tmp_path / "node.db") as node:
        for n in range(3):
            at = START + n * DAY_MS
            await node.play("ann", at, (0, 10_000 * (n + 1)))
            assert await node.settle(at + 2 * IDLE_MS) == 1
            act = await SqliteRetention(node.database).begin(Thing(session="class-1", kind=Kind.WATCHED), "rule", at + 3 * IDLE_MS)
            assert act is not None
            assert await SqliteRetention(node.database).unwatch(act, 100) == 1
            await SqliteRetention(node.database).finish(act.number, at + 3 * IDLE_MS)
        told = await node.told()
        assert [one[0] for one in told] == ["initialized", "terminated"] * 3
        assert [one[2]["extensions"][v.VIDEO_SEGMENTS] for one in told[1::2]] == ["0[.]10", "0[.]20", "0[.]30"]


async def test_a_viewing_begun_while_the_clock_was_back_has_a_number_of_its_own(tmp_path: Path) -> None:
    async with Watching(tmp_path / "node.db") as node:
        for at in (START, START - 5 * MINUTE):
            await node.play("ann", at, (0, 10_000))
            assert await node.settle(START + 2 * IDLE_MS) == 1
        assert [one[0] for one in await node.told()] == ["initialized", "terminated"] * 2
