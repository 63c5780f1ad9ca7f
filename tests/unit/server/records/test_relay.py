"""The sender's rules, one by one, against a store over HTTP and the real outbox on disk."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.records.answers import PAUSE_S, Verdict, judge, retry_after_s, wait_s
from server.records.destinations import Destination
from server.records.relay import Sender
from server.records.stores import store_for
from tests.support.faulty_store import MemoryStore, Server, serve
from tests.support.filled import Filled, simple

BAD = "https://class.example/verbs/bad"
POISON = "https://class.example/verbs/poison"


class Bench:
    """A filled outbox, a store, a sender between them and a clock that jumps instead of waiting."""

    def __init__(self, filled: Filled, store: MemoryStore, server: Server, http: aiohttp.ClientSession, **options: Any) -> None:
        self.filled = filled
        self.store = store
        self.server = server
        self.destination = Destination(name="lrs", url=server.url, authorization="Basic Y2xhc3M6c2VjcmV0", **options)
        self.waits: list[float] = []
        self.sender = self.make(http)
        self.http = http

    def make(self, http: aiohttp.ClientSession, owner: str = "here:1") -> Sender:
        return Sender(
            self.destination,
            outbox=self.filled.outbox,
            store=store_for(self.destination, http, lambda: self.filled.now / 1000),
            clock=lambda: self.filled.now,
            owner=owner,
            sleep=self._sleep,
            chance=random.Random(1),
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.filled.now += round(seconds * 1000) + 1

    async def steps(self, limit: int = 1000) -> None:
        """Until nothing is due or the limit of steps."""
        for _ in range(limit):
            if 0 not in (await self.filled.states()).values():
                return
            rest = await self.sender.step()
            if rest:
                await self._sleep(rest)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = MemoryStore()
    async with Filled(tmp_path / "node.db") as filled, serve(store) as server, aiohttp.ClientSession() as http:
        yield Bench(filled, store, server, http, batch=50, read_s=0.5)


async def test_batches_go_in_order_with_the_headers_of_the_standard(bench: Bench) -> None:
    ids = await bench.filled.put(simple(120))
    await bench.steps()
    assert [len(batch) for batch in bench.store.batches] == [50, 50, 20]
    assert [id for batch in bench.store.batches for id in batch] == ids
    head = bench.server.headers[-1]
    assert head["x-experience-api-version"] == "1.0.3"
    assert head["authorization"] == "Basic Y2xhc3M6c2VjcmV0"
    assert head["content-type"] == "application/json"
    assert set((await bench.filled.states()).values()) == {1}


async def test_the_same_bytes_are_sent_again_after_a_failure(bench: Bench) -> None:
    await bench.filled.put(simple(3))
    bench.server.answers = [(503, {}), (429, {"Retry-After": "7"}), (408, {}), (425, {})]
    await bench.steps()
    assert len(set(bench.server.bodies)) == 1
    assert bench.server.posts == 5
    assert bench.waits[1] == 7.0
    assert all(0 <= wait <= 4 for wait in bench.waits[:1] + bench.waits[2:])


async def test_refused_statements_are_isolated_and_the_answer_kept(bench: Bench) -> None:
    good, bad = await bench.filled.put(simple(60)), await bench.filled.put(simple(2, BAD))
    more = await bench.filled.put(simple(30, first=100))
    await bench.steps()
    states = await bench.filled.states()
    assert {id for id, state in states.items() if state == 2} == set(bad)
    assert set(bench.store.held) == {*good, *more}
    letters = await bench.filled.outbox.dead(after=0, limit=10)
    assert [(letter.id, letter.status, letter.answer) for letter in letters] == [(id, 400, "bad verb") for id in bad]
    assert await bench.filled.outbox.requeue("lrs", [letters[0].number]) == 1
    assert list((await bench.filled.states()).values()).count(0) == 1


async def test_a_known_id_is_acknowledged_if_equal_and_a_conflict_if_not(bench: Bench) -> None:
    statements = simple(3)
    same = {**statements[0], "stored": "2027-01-15T09:00:00.000Z", "timestamp": "2027-01-15T16:00:00+08:00"}
    bench.store.held = bench.server._held = {
        same["id"]: same,
        statements[1]["id"]: {**statements[1], "result": {"success": True}},
    }
    ids = await bench.filled.put(statements)
    await bench.steps()
    assert await bench.filled.states() == {ids[0]: 1, ids[1]: 3, ids[2]: 1}


async def test_too_large_batches_are_halved_and_the_size_is_remembered(bench: Bench) -> None:
    bench.store.max_bytes = 5_000
    await bench.filled.put(simple(100))
    await bench.steps()
    first = bench.server.posts
    assert set((await bench.filled.states()).values()) == {1}
    await bench.filled.put(simple(40, first=500))
    await bench.steps()
    assert bench.server.posts - first <= 6


@pytest.mark.parametrize("status", [401, 403, 404, 302, 405])
async def test_what_an_operator_must_mend_pauses_and_buries_nothing(bench: Bench, status: int) -> None:
    await bench.filled.put(simple(3))
    bench.server.answers = [(status, {"Location": "/elsewhere"})]
    assert await bench.sender.step() == PAUSE_S
    (standing,) = await bench.filled.outbox.standings(bench.filled.now)
    assert standing.paused.startswith(str(status))
    assert (standing.due, standing.dead) == (3, 0)
    assert await bench.sender.step() > 1
    assert bench.server.posts == 1
    await bench.steps()
    (standing,) = await bench.filled.outbox.standings(bench.filled.now)
    assert (standing.due, standing.paused) == (0, "")
    assert await bench.filled.outbox.delivered() == {"lrs": 3}


async def test_one_poisonous_statement_is_isolated_after_eight_failures(bench: Bench) -> None:
    await bench.filled.put(simple(10))
    await bench.steps()
    poison = await bench.filled.put(simple(1, POISON))
    await bench.filled.put(simple(20, first=100))
    await bench.steps()
    states = await bench.filled.states()
    assert {id for id, state in states.items() if state == 2} == set(poison)
    assert list(states.values()).count(1) == 30
    assert sum(wait > 0 for wait in bench.waits) >= 7


def erase(id: str) -> Callable[[sqlite3.Connection], None]:
    """As an erasure does to a statement."""

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM delivery WHERE statement = (SELECT number FROM statement WHERE id = ?)", (id,))
        connection.execute("DELETE FROM statement WHERE id = ?", (id,))

    return job


async def test_what_was_erased_is_not_sent_to_see_whether_the_store_takes_anything(bench: Bench) -> None:
    *_, last = await bench.filled.put(simple(10))
    await bench.steps()
    await bench.filled.database.write(erase(last))
    del bench.store.held[last]
    poison = await bench.filled.put(simple(1, POISON))
    await bench.filled.put(simple(20, first=100))
    await bench.steps()
    assert {id for id, state in (await bench.filled.states()).items() if state == 2} == set(poison)
    assert last not in bench.store.held


async def test_what_is_erased_while_a_poisonous_statement_is_looked_for_is_sent_no_more(bench: Bench) -> None:
    await bench.filled.put(simple(10))
    await bench.steps()
    poison = await bench.filled.put(simple(1, POISON))
    *_, last = await bench.filled.put(simple(20, first=100))
    good = bench.server._forward
    asked: list[bytes] = []

    async def erasing(body: bytes) -> tuple[int, bytes]:
        """The first thing taken is what was taken before: the search begins."""
        status, answer = await good(body)
        if status == 200 and not asked:
            asked.append(body)
            await bench.filled.database.write(erase(last))
        return status, answer

    bench.server._forward = erasing
    await bench.steps()
    assert asked
    states = await bench.filled.states()
    assert [id for id, state in states.items() if state == 2] == poison
    assert list(states.values()).count(1) == 29
    assert last not in bench.store.held


async def test_a_store_that_takes_nothing_new_is_an_outage_not_poison(bench: Bench) -> None:
    """It still answers well to what it knows, as one with a full disk does."""
    await bench.filled.put(simple(10))
    await bench.steps()
    await bench.filled.put(simple(40, POISON))
    await bench.steps(limit=40)
    states = await bench.filled.states()
    assert list(states.values()).count(2) == 0
    assert list(states.values()).count(0) == 40


async def test_no_answer_and_a_hanging_store_are_tried_again(bench: Bench) -> None:
    await bench.filled.put(simple(3))
    bench.server.faults.hang = 1.0
    assert await bench.sender.step() > 0
    bench.server.faults.hang = 0.0
    bench.server.faults.cut_after = 1.0
    bench.filled.now += 10_000
    assert await bench.sender.step() > 0
    bench.server.faults.cut_after = 0.0
    await bench.steps()
    assert len(bench.store.held) == 3
    assert set((await bench.filled.states()).values()) == {1}


async def test_a_store_away_for_eight_hours_is_drained_without_an_operator(bench: Bench) -> None:
    ids = await bench.filled.put(simple(500))
    start, hours = bench.filled.now, 8 * 3_600_000
    refusing: Callable[[bytes], Awaitable[tuple[int, bytes]]] = bench.server._forward

    async def away(body: bytes) -> tuple[int, bytes]:
        return (500, b"") if bench.filled.now < start + hours else await refusing(body)

    bench.server._forward = away
    await bench.steps()
    assert set(bench.store.held) == set(ids)
    assert bench.store.arrivals == 500
    late = bench.filled.now - start - hours
    assert 0 <= late <= 300_000 * 2, "drained within the longest wait after the store came back"
    assert bench.server.posts < 600


async def test_one_holder_of_a_lease_at_a_time_and_a_dead_one_is_succeeded(bench: Bench) -> None:
    await bench.filled.put(simple(3))
    outbox, now = bench.filled.outbox, bench.filled.now
    taken = await outbox.lease("lrs", "elsewhere:7", now, now + 60_000, rows=10, size=10_000)
    assert len(taken.rows) == 3
    assert (await outbox.lease("lrs", "here:1", now, now + 1, rows=10, size=10_000)).wait_until == now + 60_000
    assert len((await outbox.lease("lrs", "here:1", now + 60_001, now + 90_000, rows=10, size=10_000)).rows) == 3
    assert len((await outbox.lease("lrs", "here:2", now + 60_002, now + 90_000, rows=10, size=10_000)).rows) == 0
    assert len((await outbox.lease("lrs", "here:4194305", now + 90_001, now + 95_000, rows=10, size=10_000)).rows) == 3
    assert len((await outbox.lease("lrs", "here:5", now + 90_002, now + 95_000, rows=10, size=10_000)).rows) == 3


async def test_a_clock_put_back_keeps_nothing_waiting(bench: Bench) -> None:
    await bench.filled.put(simple(3))
    bench.server.answers = [(503, {"Retry-After": "3000"})]
    assert await bench.sender.step() == 3000
    bench.filled.now -= 86_400_000
    assert await bench.sender.step() == 0
    assert len(bench.store.held) == 3


async def test_a_voiding_statement_waits_for_what_it_voids(bench: Bench) -> None:
    target, void = await bench.filled.put(simple(2))
    (other,) = await bench.filled.put(simple(1, first=7))

    def voids(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TRIGGER statement_is_never_changed")
        connection.execute("UPDATE statement SET voids = ? WHERE id = ?", (target, void))

    await bench.filled.database.write(voids)
    bench.server.answers = [(400, {}), (400, {})]
    for _ in range(3):
        await bench.sender.step()
    assert await bench.filled.states() == {target: 2, void: 0, other: 1}
    assert await bench.sender.step() > 0
    assert await bench.filled.outbox.requeue("lrs", []) == 1
    await bench.steps()
    assert bench.store.batches == [[other], [target], [void]]


async def test_stopping_finishes_the_request_and_gives_up_the_lease(bench: Bench) -> None:
    await bench.filled.put(simple(3))
    running = asyncio.create_task(bench.sender.run())
    await bench.server.served.wait()
    bench.sender.stop()
    await running
    held = await bench.filled.database.read(lambda c: c.execute("SELECT lease_until FROM destination").fetchone()[0])
    assert held == 0


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.STORED),
        (204, Verdict.STORED),
        (202, Verdict.PAUSE),
        (400, Verdict.REFUSED),
        (422, Verdict.REFUSED),
        (409, Verdict.CONFLICT),
        (413, Verdict.TOO_LARGE),
        (401, Verdict.PAUSE),
        (403, Verdict.PAUSE),
        (404, Verdict.PAUSE),
        (307, Verdict.PAUSE),
        (-1, Verdict.PAUSE),
        (0, Verdict.AGAIN),
        (408, Verdict.AGAIN),
        (425, Verdict.AGAIN),
        (429, Verdict.AGAIN),
        (500, Verdict.AGAIN),
        (503, Verdict.AGAIN),
    ],
)
def test_the_table_of_answers(status: int, verdict: Verdict) -> None:
    assert judge(status) is verdict


def test_waits_are_jittered_bounded_and_may_be_asked_for() -> None:
    chance = random.Random(3)
    assert all(0 <= wait_s(tries, None, chance) <= min(300, 0.5 * 2 ** (tries - 1)) for tries in range(1, 40))
    assert wait_s(1, 42.0, chance) == 42
    assert wait_s(1, 0.0, chance) == 0.1
    assert wait_s(1, 1e9, chance) == 3600
    assert retry_after_s("17", 0) == 17
    assert retry_after_s("Fri, 15 Jan 2027 08:00:10 GMT", 1_800_000_000) == 10
    assert retry_after_s("soon", 0) is None
    assert retry_after_s(None, 0) is None
