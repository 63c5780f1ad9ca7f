"""The proof: a real node, killed again and again, hands everything to a real store through a proxy that fails in every way.

Nothing is missing, nothing is there twice, what is not valid and what the store holds otherwise is set aside, exactly.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.records.compare import same_statement
from tests.support.faulty_store import MANY, Faults, MemoryStore, serve
from tests.support.filled import Filled, simple
from tests.support.house import spawned
from tests.support.record_stores import AUTHORIZATION, HEADERS, lax, strict
from tests.support.recorded import SITE, everything

_LOOK_S = 0.2


async def fill(filled: Filled, classes: int) -> dict[str, list[str]]:
    """Whole classes by the projection; ids by class."""
    for number in range(classes):
        await filled.append(everything(f"class-{number}"), f"class-{number}", at_once=100)
    rows = await filled.database.read(lambda c: c.execute("SELECT session, id FROM statement").fetchall())
    ids: dict[str, list[str]] = {}
    for session, id in rows:
        ids.setdefault(session, []).append(id)
    return ids


def spoilt(count: int) -> list[dict[str, Any]]:
    """Statements a strict store refuses, as if the validator had missed them."""
    return [{**one, "result": {"duration": "PT2"}} for one in simple(count, "https://class.example/verbs/spoilt")]


async def drained(filled: Filled) -> bool:
    return (await filled.outbox.standings(filled.now))[0].due == 0


async def deliver(
    tmp_path: Path,
    upstream: str,
    *,
    classes: int,
    kills: int,
    wrong: int,
    taken: int,
    spread: int,
    limit_s: float,
    faults: dict[str, float] = MANY,
) -> float:
    """Fill an outbox, let a node hand it over, look at the store; returns statements a second."""
    (tmp_path / "var").mkdir()
    async with Filled(tmp_path / "var" / "jiangtai.sqlite") as filled, aiohttp.ClientSession(headers=HEADERS) as http:
        ids = await fill(filled, classes)
        spoilt_ids = await filled.put(spoilt(wrong))
        ours = simple(taken, "https://class.example/verbs/taken")
        theirs = [{**one, "result": {"success": True}} for one in ours]
        if theirs:
            async with http.post(f"{upstream}/statements", data=json.dumps(theirs)) as answer:
                assert answer.status == 200
        taken_ids = await filled.put(ours)
        started = time.monotonic()
        async with serve(upstream=upstream, faults=Faults(chance=random.Random(11), **faults)) as proxy:
            table = f'[lrs]\nurl = "{proxy.url}"\nprivate = true\nauthorization = "{AUTHORIZATION}"\nread_s = 3.0\n'
            for round_ in range(kills + 1):
                async with spawned(tmp_path / "var", RECORDS_DESTINATIONS=table, RECORDS_SITE=SITE.root) as home:
                    if round_ < kills:
                        await proxy.after(random.randint(1, spread))
                        await asyncio.sleep(random.uniform(0.0, 0.1))
                        os.kill(home.pid, signal.SIGKILL)
                        continue
                    async with asyncio.timeout(limit_s):
                        while not await drained(filled):
                            proxy.served.clear()
                            with contextlib.suppress(TimeoutError):
                                await asyncio.wait_for(proxy.served.wait(), _LOOK_S)
            posts = proxy.posts
        took = time.monotonic() - started
        states = await filled.states()
        bodies = await filled.bodies()
        good = [id for of_class in ids.values() for id in of_class]
        assert {id for id, state in states.items() if state == 2} == set(spoilt_ids)
        assert {id for id, state in states.items() if state == 3} == set(taken_ids)
        assert {id for id, state in states.items() if state == 1} == set(good)
        missing, other = await ask(http, upstream, {id: bodies[id] for id in good})
        assert (missing, other) == ([], [])
        twice = [session for session, of_class in ids.items() if not await once(http, upstream, session, of_class)]
        assert twice == []
        print(
            f"\n{len(good)} statements, {kills} kills, {posts} requests, {took:.1f} s ({len(good) / took:.0f} a second):"
            f" 0 missing, 0 doubled, {len(spoilt_ids)} refused and {len(taken_ids)} conflicts set aside"
        )
        return len(good) / took


async def ask(http: aiohttp.ClientSession, upstream: str, bodies: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """Ids the store has not, and those it holds otherwise."""
    missing: list[str] = []
    other: list[str] = []
    gate = asyncio.Semaphore(8)

    async def one(id: str, body: bytes) -> None:
        async with gate, http.get(f"{upstream}/statements", params={"statementId": id}) as answer:
            held = await answer.json(content_type=None) if answer.status == 200 else None
            held = held["statements"][0] if held and "statements" in held else held  # Ralph answers with a list of one
            if held is None:
                missing.append(id)
            elif not same_statement(json.loads(body), held):
                other.append(id)

    await asyncio.gather(*(one(id, body) for id, body in bodies.items()))
    return missing, other


async def once(http: aiohttp.ClientSession, upstream: str, session: str, ids: list[str]) -> bool:
    """Whether the store lists each statement of a class one time (one page: its paging cannot be trusted)."""
    query = {"registration": SITE.uuid("registration", session), "limit": "500"}
    async with http.get(f"{upstream}/statements", params=query) as answer:
        found = [one["id"] for one in (await answer.json(content_type=None))["statements"]]
    return sorted(found) == sorted(ids)


async def test_a_relay_killed_three_times_loses_nothing_at_a_strict_store(tmp_path: Path) -> None:
    async with strict(tmp_path) as upstream:
        await deliver(tmp_path, upstream, classes=72, kills=3, wrong=9, taken=5, spread=12, limit_s=60)


async def test_a_lax_store_gets_everything_too(tmp_path: Path) -> None:
    async with lax(tmp_path) as upstream:
        await deliver(tmp_path, upstream, classes=10, kills=1, wrong=0, taken=0, spread=2, limit_s=40)


@pytest.mark.prove
async def test_a_hundred_thousand_statements_and_twenty_kills(tmp_path: Path) -> None:
    """Into our own store: the strict one looks through all it holds for every id."""
    async with serve(MemoryStore()) as upstream:
        await deliver(tmp_path, upstream.url, classes=3572, kills=20, wrong=90, taken=50, spread=60, limit_s=1800)


@pytest.mark.prove
async def test_two_hundred_statements_a_second_reach_a_strict_store(tmp_path: Path) -> None:
    async with strict(tmp_path) as upstream:
        rate = await deliver(tmp_path, upstream, classes=143, kills=0, wrong=0, taken=0, spread=1, limit_s=60, faults={})
    assert rate >= 200


@pytest.mark.prove
async def test_ten_thousand_statements_at_a_strict_store(tmp_path: Path) -> None:
    async with strict(tmp_path) as upstream:
        await deliver(tmp_path, upstream, classes=358, kills=10, wrong=30, taken=20, spread=20, limit_s=900)
