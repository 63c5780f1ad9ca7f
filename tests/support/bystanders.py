"""Twenty members who go about their class while somebody attacks the node: each attack must leave them as they were."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from signaling.classroom.roles import Role
from tests.support.house import House
from tests.support.member import Member

COUNT = 20
P99_S = 0.25
#: on a machine that is busy with something else, as many times what they waited before the attack
_BUSY = 4
_PACE_S = 0.2
#: answers each must have had for the figure to mean something
_FEWEST = 3


class Watch:
    """What the bystanders saw; `enough` once it means something."""

    def __init__(self, fewest: int) -> None:
        self._fewest = fewest
        self.waits: list[float] = []
        self.enough = asyncio.Event()

    def add(self, seconds: float) -> None:
        """One answer came after this time."""
        self.waits.append(seconds)
        if len(self.waits) >= self._fewest:
            self.enough.set()

    def again(self) -> None:
        """Forget what was seen so far."""
        self.waits.clear()
        self.enough.clear()

    def p99(self) -> float:
        """99th percentile of the time to an answer, in seconds."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]


@contextlib.asynccontextmanager
async def bystanders(home: House, count: int = COUNT) -> AsyncIterator[Watch]:
    """Members of a class who react five times a second while the block runs; afterwards none may be gone or have waited long."""
    watch, stop = Watch(count * _FEWEST), asyncio.Event()
    session = await home.create("Bystanders")
    async with contextlib.AsyncExitStack() as stack:
        boss = await stack.enter_async_context(home.member(session, "boss", Role.TRAINER))
        await boss.command("start_class")
        members = [await stack.enter_async_context(home.member(session, f"member-{n}")) for n in range(count)]
        tasks = [asyncio.create_task(_carry_on(member, watch, stop, n / count)) for n, member in enumerate(members)]
        try:
            await asyncio.wait_for(watch.enough.wait(), 30)
            limit = max(P99_S, _BUSY * watch.p99())
            watch.again()
            yield watch
            await asyncio.wait_for(watch.enough.wait(), 30)
        finally:
            stop.set()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert not failures, f"bystanders failed: {failures}"
        gone = [member.byes for member in members if member.closed.is_set()]
        assert not gone, f"bystanders lost their connection: {gone}"
        waited = watch.p99()
        assert waited < limit, f"bystanders waited {waited:.3f} s (limit {limit:.3f}) at the 99th percentile of {len(watch.waits)}"


async def _carry_on(member: Member, watch: Watch, stop: asyncio.Event, phase: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), phase * _PACE_S)
    while not stop.is_set():
        started = time.perf_counter()
        answer = await member.command("react", reaction="clap")
        watch.add(time.perf_counter() - started)
        assert "seq" in answer, answer
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PACE_S)
