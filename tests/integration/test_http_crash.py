"""The node is killed in the middle of a class, again and again: everybody is back soon, and what was acknowledged happened exactly once.

Fifty members write all the time, keep what is not acknowledged and send it again with the same operation id, as the web client does.
"""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from signaling.classroom.chat import ChatPosted
from signaling.classroom.hands import HandRaised
from signaling.classroom.roles import Role
from signaling.messages import decode_event
from tests.support.house import Guest, House, spawned
from tests.support.member import Member, Refused
from tests.support.ports import free_port

MEMBERS = 49
BACK_P95_S = 5.0
_PACE_S = 0.5
#: on a machine that is busy with something else, as many times what the node took to start
_BUSY = 2


class Stage:
    """Where the node is now; None while it is dead."""

    def __init__(self) -> None:
        self.home: House | None = None
        self.up = asyncio.Event()
        self.over = False


class Writer:
    """One member over all its connections."""

    def __init__(self, name: str, guest: Guest) -> None:
        self.name = name
        self.guest = guest
        self.pending: dict[str, str] = {}
        self.acked: dict[str, int] = {}
        self.read: list[tuple[int, str]] = []
        self.mark: dict[str, Any] = {}
        self.snapshots = 0
        self.back_at = 0.0
        self._back = asyncio.Event()
        self._numbers = itertools.count()

    async def live(self, stage: Stage) -> None:
        """Be in class whenever there is one, and write."""
        while not stage.over:
            await stage.up.wait()
            home = stage.home
            if home is None or stage.over:
                continue
            try:
                async with home.join(self.guest, **({"resume": self.mark} if self.mark else {})) as member:
                    self.back_at = time.monotonic()
                    self._back.set()
                    self.snapshots += not member.welcomes[0].get("resumed", False)
                    try:
                        await self._write(member, stage)
                    finally:
                        self._note(member)
            except (aiohttp.ClientError, ConnectionError, TimeoutError, Refused):
                await asyncio.sleep(0.05)

    async def is_back(self, since: float) -> None:
        """Wait until this member has come in after that moment."""
        while self.back_at < since:
            self._back.clear()
            await self._back.wait()

    async def _write(self, member: Member, stage: Stage) -> None:
        while not stage.over and not member.closed.is_set():
            if not self.pending:
                number = next(self._numbers)
                self.pending[f"{self.name}-{number}"] = f"message {number} of {self.name}"
            for ref, text in list(self.pending.items()):
                answer = await self._answer(member, ref, text)
                if answer is None:
                    return
                if "seq" in answer:
                    self.acked[text] = answer["seq"]
                    del self.pending[ref]
                else:
                    assert answer["error"]["retry"] != "never", answer
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(member.closed.wait(), _PACE_S * random.uniform(0.6, 1.4))

    async def _answer(self, member: Member, ref: str, text: str) -> dict[str, Any] | None:
        """The answer to a message; None if the connection ended first."""
        answer = await member.begin("post_chat", ref, text=text)
        closed = asyncio.ensure_future(member.closed.wait())
        await asyncio.wait({answer, closed}, return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        return answer.result() if answer.done() else None

    def _note(self, member: Member) -> None:
        self.read += [(entry["seq"], entry["event"]["text"]) for entry in member.events if entry["event"]["type"] == "chat_posted"]
        self.mark = {"epoch": member.epoch, "seq": member.last}


async def hold_a_class(var: Path, kills: int) -> None:
    port = str(free_port())
    stage, backs, starts, writers = Stage(), list[float](), list[float](), list[Writer]()
    session, tasks = "", list[asyncio.Task[None]]()
    hands: list[str] = []
    killed_at = 0.0
    for round_ in range(kills + 1):
        started = time.monotonic()
        async with spawned(var, PORT=port, LIMITS_REQUESTS_PER_MINUTE="100000") as home:
            starts.append(time.monotonic() - started)
            if not writers:
                session = await home.create("Crash")
                boss = await home.come_in(session, "boss", Role.TRAINER)
                async with home.join(boss) as member:
                    await member.command("start_class")
                writers = [Writer(f"w{n}", await home.come_in(session, f"w{n}")) for n in range(MEMBERS)]
                for writer in writers[:5]:
                    async with home.join(writer.guest) as member:
                        await member.command("raise_hand")
                    hands.append(writer.guest.participant)
                tasks = [asyncio.create_task(writer.live(stage)) for writer in writers]
            else:
                backs += await until_all_are_back(stage, home, writers, killed_at)
            stage.home = home
            stage.up.set()
            if round_ == kills:
                stage.over = True
                await asyncio.gather(*tasks)
                async with home.join(boss) as member:
                    assert member.snapshot["hands"] == hands
                    assert member.snapshot["session"]["phase"] == "live"
                break
            if round_ == 0:
                await until_all_are_back(stage, home, writers, time.monotonic())
            await asyncio.sleep(random.uniform(0.5, 2.0))
            stage.up.clear()
            stage.home = None
            killed_at = time.monotonic()
            os.kill(home.pid, signal.SIGKILL)
    await check(var, session, writers)
    if backs:
        backs.sort()
        p95 = backs[int(len(backs) * 0.95)]
        middle = backs[len(backs) // 2]
        print(f"\n{kills} kills, {MEMBERS} members: back after p50 {middle:.2f} s, p95 {p95:.2f} s, worst {backs[-1]:.2f} s")
        print(f"of which the node took {max(starts):.2f} s at most to start")
        # The long proof is run on a quiet machine and holds the promise itself; the short form allows for a busy one.
        assert p95 <= (BACK_P95_S if kills >= 20 else max(BACK_P95_S, _BUSY * max(starts)))


async def until_all_are_back(stage: Stage, home: House, writers: list[Writer], since: float) -> list[float]:
    """Let everybody in; returns how long after `since` each was in class."""
    stage.home = home
    stage.up.set()
    async with asyncio.timeout(30):
        for writer in writers:
            await writer.is_back(since)
    return [writer.back_at - since for writer in writers]


async def check(var: Path, session: str, writers: list[Writer]) -> None:
    """Acked = stored once; stored = tried; everybody read the same, once and in order."""
    database = Database(var / "jiangtai.sqlite")
    await database.start()
    try:
        journal = SqliteJournal(database)
        events = [(record.seq, decode_event(record.event)) async for record in journal.read(session, 0, 1_000_000)]
        assert (await journal.verify(session)).broken_at is None
    finally:
        await database.close()
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    stored = [(seq, event.text) for seq, event in events if isinstance(event, ChatPosted)]
    texts = [text for _, text in stored]
    assert len(set(texts)) == len(texts), "something happened twice"
    acked = {text: seq for writer in writers for text, seq in writer.acked.items()}
    tried = set(acked) | {text for writer in writers for text in writer.pending.values()}
    assert set(acked) <= set(texts), "something acknowledged is lost"
    assert set(texts) <= tried, "something nobody sent is stored"
    assert {text: seq for seq, text in stored if text in acked} == acked
    for writer in writers:
        assert writer.snapshots == 1, "a resume became a snapshot"
        first, last = writer.read[0][0], writer.mark["seq"]
        assert writer.read == [(seq, text) for seq, text in stored if first <= seq <= last], f"{writer.name} read something else"
    assert sum(isinstance(event, HandRaised) for _, event in events) == 5
    assert len(acked) > MEMBERS


async def test_a_node_killed_three_times_in_class_loses_nothing(tmp_path: Path) -> None:
    await hold_a_class(tmp_path, 3)


@pytest.mark.prove
async def test_a_node_killed_twenty_times_in_class_loses_nothing(tmp_path: Path) -> None:
    await hold_a_class(tmp_path, 20)
