"""People on sockets who talk all the time, come back after every crash and resend what was not acked: the client's half of the promise
that what is acked is stored, exactly once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support import member
from tests.support.demo import DemoNode, take_seat
from tests.support.member import Member, Refused

PAUSE_S = 1.2
#: a small class holds 50 trainees, three of whom are left for browsers; more people come as assistants
TRAINEES = 47


@dataclass
class Chatter:
    """One person; `acked` maps texts to journal numbers, `said` holds every text ever sent. Raises Gap if numbering has a hole."""

    node: DemoNode
    seat: dict[str, Any]
    cookie: str
    acked: dict[str, int] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    #: monotonic times at which the person was (again) in place
    welcomed: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._resume: dict[str, Any] | None = None
        self._count = 0
        self._news = asyncio.Event()
        self._open: tuple[str, str] | None = None

    async def back(self, since: float) -> None:
        """Wait until this person was welcomed after that moment."""
        while not self.welcomed or self.welcomed[-1] < since:
            self._news.clear()
            await self._news.wait()

    async def live(self) -> None:
        """Talk until cancelled."""
        while True:
            with contextlib.suppress(ConnectionError, aiohttp.ClientError, TimeoutError, Refused, AttributeError):
                async with member.socket(self.node, {"Cookie": self.cookie}) as ws:
                    await self._talk(Member(ws))
            await asyncio.sleep(0.2)

    async def _talk(self, line: Member) -> None:
        auth: dict[str, Any] = {"seat": self.seat["seat"], "tab": self.seat["participant"]}
        if self._resume is not None:
            auth["resume"] = self._resume
            line.last = self._resume["seq"]
        try:
            await line.connect(auth)
            self.welcomed.append(time.monotonic())
            self._news.set()
            while not line.closed.is_set():
                await self._say(line)
                self._keep(line)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(line.closed.wait(), PAUSE_S)
        finally:
            self._keep(line)

    def _keep(self, line: Member) -> None:
        self.heard += line.events
        line.events = []
        if line.epoch:
            self._resume = {"epoch": line.epoch, "seq": line.last}

    async def _say(self, line: Member) -> None:
        if self._open is None:
            self._count += 1
            self._open = (f"{self.seat['participant'][:12]}-{self._count}", f"{self.seat['name']} says {self._count}")
        ref, text = self._open
        self.said.add(text)
        answer = await line.command("post_chat", ref=ref, text=text)
        if "seq" in answer:
            self.acked[text] = answer["seq"]
            self._open = None
        else:
            self.refused.append(answer["error"]["code"])


@asynccontextmanager
async def chatters(node: DemoNode, count: int) -> AsyncIterator[list[Chatter]]:
    """That many people, in place and talking."""
    people = []
    for index in range(count):
        seat, cookie = await take_seat(node, "trainee" if index < TRAINEES else "assistant", f"Member {index}")
        people.append(Chatter(node, seat, cookie))
    tasks = [asyncio.create_task(person.live()) for person in people]
    try:
        async with asyncio.timeout(30):
            for person in people:
                await person.back(since=0)
        yield people
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)]
    assert not broken, broken
