"""The hand-off of a node: back-pressure, reconciliation after a class, pruning, figures."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp

from server.adapters.sqlite_journal import SqliteDirectory
from server.records.destinations import Destination
from server.records.reconcile import reconcile
from server.records.service import RecordsService
from server.records.stores import store_for
from tests.support.faulty_store import MemoryStore, serve
from tests.support.filled import Filled, simple
from tests.support.recorded import everything


async def test_a_long_backlog_sheds_telemetry_until_it_is_gone(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        service = RecordsService(filled.outbox, (), clock=lambda: filled.now, shed_after=10, keep_days=90)
        await service.look()
        assert not service.shedding
        await filled.put(simple(11))
        filled.now += 60_000
        await service.look()
        assert service.shedding
        assert service.figures()["due"] == 11
        assert service.figures()["oldest_unacked_seconds"] == 60
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1").rowcount)
        await service.look()
        assert not service.shedding


async def test_a_class_that_ended_before_a_restart_is_reconciled_after_it(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled, serve(MemoryStore()) as server:
        filled.now = 1_900_000_000_000
        directory = SqliteDirectory(filled.database)
        await directory.create("class-1", "Knots", "small", None)
        await directory.mark_ended("class-1", filled.now - 3_600_000)
        await filled.append(everything())
        destination = Destination(name="lrs", url=server.url, private=True)
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1").rowcount)
        service = RecordsService(filled.outbox, (destination,), clock=lambda: filled.now, shed_after=10, keep_days=9_000)
        await service.start()
        filled.now += 60_000
        count = len(await filled.bodies())
        async with asyncio.timeout(20):
            while service.reconciled < count:
                server.served.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(server.served.wait(), 0.2)
        await service.stop()
        assert service.missing == count


async def test_what_a_store_lost_is_found_and_sent_again(tmp_path: Path) -> None:
    store = MemoryStore()
    async with Filled(tmp_path / "node.db") as filled, serve(store) as server, aiohttp.ClientSession() as http:
        await filled.append(everything())
        await filled.database.write(lambda c: c.execute("UPDATE delivery SET state = 1").rowcount)
        destination = Destination(name="lrs", url=server.url)
        lrs = store_for(destination, http, lambda: 0.0)
        rows = await filled.outbox.feed(after=0, limit=500)
        await lrs.post(rows[2:])
        store.held[rows[5].id] = {**store.held[rows[5].id], "result": {"success": False}}
        report = await reconcile(filled.outbox, lrs, "lrs", "class-1")
        assert (report.asked, report.held, report.missing, report.different) == (len(rows), len(rows) - 3, 2, 1)
        assert [id for id, state in (await filled.states()).items() if state == 0] == [rows[0].id, rows[1].id]
        unreachable = store_for(Destination(name="lrs", url="http://127.0.0.1:9/xAPI"), http, lambda: 0.0)
        assert not (await reconcile(filled.outbox, unreachable, "lrs", "class-1")).complete
