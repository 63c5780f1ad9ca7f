"""The hand-off of a node: back-pressure, reconciliation after a class, pruning, figures."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from server.adapters.sqlite_journal import SqliteDirectory
from server.records.answers import Answer
from server.records.attended import RollUp
from server.records.destinations import Destination
from server.records.outbox import Row
from server.records.reconcile import LOOK_S, Reconciliation, reconcile
from server.records.service import RecordsService
from server.records.stores import store_for
from tests.support.faulty_store import MemoryStore, serve
from tests.support.filled import Filled, simple
from tests.support.recorded import everything

AWAY = Destination(name="lrs", url="http://127.0.0.1:9/xAPI")
ACKNOWLEDGED = (
    "UPDATE delivery SET state = 1 WHERE destination = (SELECT id FROM destination WHERE name = ?)"
    " AND statement IN (SELECT number FROM statement WHERE session = ?)"
)


class Holder:
    """A store that holds whatever it is asked for; `statuses` are answered first."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str]] = []

    async def find(self, row: Row) -> tuple[Answer, Any]:
        self.asked.append((row.session, row.id))
        return Answer(self.statuses.pop(0) if self.statuses else 200), msgspec.json.decode(row.body)

    async def post(self, rows: Sequence[Row]) -> Answer:
        return Answer(200)

    async def ask(self) -> Answer:
        return Answer(200)

    def classes(self) -> set[str]:
        """Which classes it was asked for."""
        return {session for session, _ in self.asked}


async def acknowledge(filled: Filled, destination: str, session: str = "class-1") -> None:
    await filled.database.write(lambda c: c.execute(ACKNOWLEDGED, (destination, session)).rowcount)


def reconciling(filled: Filled, store: Holder) -> Reconciliation:
    return Reconciliation("lrs", outbox=filled.outbox, store=store, clock=lambda: filled.now)


async def test_a_long_backlog_sheds_telemetry_until_it_is_gone(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        service = RecordsService(filled.outbox, (AWAY,), clock=lambda: filled.now, shed_after=10, keep_days=90)
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
            while service.figures()["reconciled"] < count:
                server.served.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(server.served.wait(), 0.2)
        await service.stop()
        assert service.figures()["reconciled_missing"] == count


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


async def test_what_is_due_at_a_destination_that_was_removed_sheds_nothing_and_holds_up_nothing(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db", ("lrs", "removed")) as filled:
        ids = await filled.put(simple(11))
        await acknowledge(filled, "lrs")
        service = RecordsService(filled.outbox, (AWAY,), clock=lambda: filled.now, shed_after=10, keep_days=90)
        await service.look()
        assert not service.shedding
        assert service.figures()["due"] == 11
        store = Holder()
        reconciliation = reconciling(filled, store)
        reconciliation.add("class-1")
        filled.now += 60_000
        await reconciliation.step()
        assert store.asked == [("class-1", id) for id in ids]


async def test_a_class_waits_until_nothing_of_it_is_due_and_no_other_waits_for_it(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.append(everything("class-1"), "class-1")
        await filled.append(everything("class-2"), "class-2")
        await acknowledge(filled, "lrs", "class-2")
        store = Holder()
        reconciliation = reconciling(filled, store)
        reconciliation.add("class-1")
        reconciliation.add("class-2")
        await reconciliation.step()
        assert store.classes() == set(), "not at once: a store may need time"
        filled.now += 60_000
        for _ in range(2):
            await reconciliation.step()
        assert store.classes() == {"class-2"}
        await acknowledge(filled, "lrs", "class-1")
        filled.now += 60_000
        await reconciliation.step()
        assert store.classes() == {"class-1", "class-2"}
        assert reconciliation.asked == len(store.asked) == len(await filled.bodies())


async def test_a_class_of_which_a_store_did_not_tell_everything_is_asked_for_again(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        await filled.append(everything())
        await acknowledge(filled, "lrs")
        store = Holder()
        store.statuses = [200, 503]
        reconciliation = reconciling(filled, store)
        reconciliation.add("class-1")
        filled.now += 60_000
        rest = await reconciliation.step()
        assert rest > LOOK_S
        assert len(store.asked) == 2
        filled.now += round(rest * 1000)
        assert await reconciliation.step() == LOOK_S
        assert [id for _, id in store.asked[2:]] == list(await filled.bodies())
        filled.now += 3_600_000
        await reconciliation.step()
        assert len(store.asked) == 2 + len(await filled.bodies()), "once it was told, nothing is asked any more"


async def test_what_waits_for_a_refused_statement_holds_up_no_reconciliation(tmp_path: Path) -> None:
    async with Filled(tmp_path / "node.db") as filled:
        rollup = RollUp(participant="ann", minutes=40, ratio=0.9, met=True, segments=(), policy="default", policy_version="1")
        tell = filled.outbox.attended
        await tell(filled.projection, "class-1", 50, filled.now, [rollup])
        await tell(filled.projection, "class-1", 52, filled.now, [msgspec.structs.replace(rollup, minutes=45)])
        first, void, second = await filled.bodies()
        await acknowledge(filled, "lrs")
        refused = "UPDATE delivery SET state = ? WHERE statement = (SELECT number FROM statement WHERE id = ?)"
        await filled.database.write(lambda c: c.executemany(refused, [(2, first), (0, void)]).rowcount)
        store = Holder()
        reconciliation = reconciling(filled, store)
        reconciliation.add("class-1")
        filled.now += 60_000
        await reconciliation.step()
        assert store.asked == [("class-1", second)]
