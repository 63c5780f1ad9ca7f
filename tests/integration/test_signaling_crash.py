"""`kill -9` of the node in mid-class, again and again: what was acknowledged is there once, nobody sees a gap, everybody comes back."""

import asyncio
import contextlib
import random
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from signaling.classroom.roles import Role
from tests.support.member import Gap, Member, Refused, join
from tests.support.process import NodeProcess, spawn

BACK_P95_S = 5.0


class Learner:
    """A member who comes back after every crash and sends each operation until it is answered."""

    def __init__(self, node: NodeProcess, name: str, role: Role) -> None:
        self.node = node
        self.name = name
        self.role = role
        self.acked: dict[str, int] = {}
        self.attempted: set[str] = set()
        self.seen: list[int] = []
        self.gaps = 0
        self.back: list[float] = []
        self._mark: dict[str, Any] | None = None
        self._lost_at: float | None = None
        self._pending: tuple[str, str] | None = None
        self._number = 0

    async def live(self, stop: asyncio.Event, rng: random.Random) -> None:
        """Until told to stop."""
        while not stop.is_set() or self._pending is not None:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.TimeoutError, Refused):
                resume = {"resume": self._mark} if self._mark else {}
                async with join(self.node, "c1", self.name, self.role, tab="1", **resume) as member:
                    await self._inside(member, stop, rng)
            await asyncio.sleep(0.05 + rng.random() * 0.1)

    async def _inside(self, member: Member, stop: asyncio.Event, rng: random.Random) -> None:
        if self._lost_at is not None:
            self.back.append(time.monotonic() - self._lost_at)
            self._lost_at = None
        if "snapshot" in member.welcomes[0]:
            self.seen.clear()
        try:
            while not stop.is_set() or self._pending is not None:
                if self._pending is None:
                    self._number += 1
                    self._pending = (f"{self.name}-{self._number}", "lower_hand" if self._number % 2 == 0 else "raise_hand")
                ref, kind = self._pending
                self.attempted.add(ref)
                reply = await member.command(kind, ref=ref)
                if "seq" in reply:
                    self.acked[ref] = reply["seq"]
                    self._pending = None
                await asyncio.sleep(rng.random() * 0.1)
        except Gap:
            self.gaps += 1
            raise
        finally:
            self.seen += [entry["seq"] for entry in member.events]
            self._mark = {"epoch": member.epoch, "seq": member.last}
            self._lost_at = time.monotonic() if not stop.is_set() else None


async def chaos(folder: Path, *, members: int, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    async with spawn(folder / "node.db") as node:
        await node.create("c1")
        async with join(node, "c1", "tina", Role.TRAINER) as tina:
            await tina.command("start_class")
        people = [Learner(node, f"p{n}", Role.TRAINEE) for n in range(members)]
        stop = asyncio.Event()
        lives = [asyncio.create_task(person.live(stop, random.Random(rng.random()))) for person in people]
        for _ in range(kills):
            await asyncio.sleep(0.5 + rng.random())
            await node.end()
            await node.start()
        await asyncio.sleep(1.0)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*lives), 60)
    database = Database(folder / "node.db")
    await database.start()
    journal = SqliteJournal(database)
    verdict = await journal.verify("c1")
    stored: dict[str, list[int]] = {}
    async for record in journal.read("c1", 0, 10**9):
        if record.op is not None and record.by != "tina":
            stored.setdefault(record.op, []).append(record.seq)
    await database.close()
    acked = {ref: seq for person in people for ref, seq in person.acked.items()}
    attempted = {ref for person in people for ref in person.attempted}
    assert verdict.broken_at is None
    assert len(acked) > members * kills, "the class was at work"
    assert {ref: stored.get(ref) for ref in acked if stored.get(ref) != [acked[ref]]} == {}, "acknowledged and not stored once, there"
    assert stored.keys() <= attempted
    assert all(len(seqs) == 1 for seqs in stored.values())
    assert sum(person.gaps for person in people) == 0
    assert all(person.seen == sorted(set(person.seen)) for person in people)
    back = [seconds for person in people for seconds in person.back]
    assert len(back) >= members * (kills - 1)
    p95 = statistics.quantiles(back, n=20)[18]
    print(f"{kills} kills, {len(acked)} acknowledged, back p95 {p95:.2f} s, worst {max(back):.2f} s")
    assert p95 <= BACK_P95_S


async def test_short_form(tmp_path: Path) -> None:
    await chaos(tmp_path, members=12, kills=4, seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(3))
async def test_fifty_members_and_twenty_kills(tmp_path: Path, seed: int) -> None:
    await chaos(tmp_path, members=50, kills=20, seed=seed)
