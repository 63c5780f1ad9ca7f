"""A whole node in a process of its own, and on it a class of twenty honest people in whose midst a case happens."""

import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signaling.classroom.base import Event
from signaling.classroom.roles import Role
from signaling.messages import decode_event
from tests.hostile.conftest import PEOPLE, Bystanders
from tests.support.house import Guest, House, spawned
from tests.support.member import Member

TRAINER = "Trainer Li"


@dataclass(kw_only=True)
class Place:
    """A running node and where it keeps its state."""

    home: House
    var: Path

    def stored(self, session: str) -> list[tuple[int, str | None, str | None, Event]]:
        """The journal of a class as it is on disk: number, author, operation id, event."""
        with contextlib.closing(sqlite3.connect(f"file:{self.var}/jiangtai.sqlite?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT seq, by, op, event FROM record WHERE session = ? ORDER BY seq", (session,)).fetchall()
        return [(seq, by, op, decode_event(event)) for seq, by, op, event in rows]

    def resident(self) -> int:
        """Bytes of memory the node holds."""
        lines = Path(f"/proc/{self.home.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


@contextlib.asynccontextmanager
async def place(*arguments: str) -> AsyncIterator[Place]:
    """A node, in memory where there is such a place; nothing unforeseen may stand in its log at the end."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        async with spawned(Path(folder), *arguments, LIMITS_REQUESTS_PER_MINUTE="100000") as home:
            yield Place(home=home, var=Path(folder))
        assert not [line for line in home.log if "Traceback" in line or "exception" in line.lower()]


@dataclass(kw_only=True)
class Crowd:
    """A class that runs, with its trainer and the twenty."""

    home: House
    session: str
    owner: Guest
    boss: Member
    people: Bystanders

    @property
    def someone(self) -> Member:
        """One of the twenty."""
        return self.people.members[0]

    async def act(self, type_: str, **fields: Any) -> list[dict[str, Any]]:
        """Something the trainer does; the events it caused, once the trainer has heard of them."""
        before = self.boss.last
        answer = await self.boss.command(type_, **fields)
        assert "seq" in answer, answer
        await self.boss.until(lambda: self.boss.last >= answer["seq"])
        mine = [e for e in self.boss.events if before < e["seq"] <= answer["seq"] and e.get("by") == self.owner.participant]
        return [entry["event"] for entry in mine]


@contextlib.asynccontextmanager
async def crowd(home: House) -> AsyncIterator[Crowd]:
    """A class whose people must not notice what happens in the block: nobody dropped, nobody kept waiting."""
    session = await home.create("Knots")
    owner = await home.come_in(session, "boss", Role.TRAINER, name=TRAINER)
    async with contextlib.AsyncExitStack() as stack:
        boss = await stack.enter_async_context(home.join(owner))
        await boss.command("start_class")
        members = [await stack.enter_async_context(home.member(session, f"person-{n}")) for n in range(PEOPLE)]
        people = Bystanders(members)
        try:
            usual = await people.usual()
            yield Crowd(home=home, session=session, owner=owner, boss=boss, people=people)
            await people.hold(usual)
        finally:
            await people.stop()
