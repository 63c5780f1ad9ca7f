"""A node with a class of twenty honest people in it, who must not notice what a hostile case does."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from signaling.classroom.roles import Role
from tests.support.member import Member, join
from tests.support.process import NodeProcess, spawn

PEOPLE = 20
ACK_P99_S = 0.25


class Bystanders:
    """Twenty members who raise and lower their hands all the time."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.acks: list[float] = []
        self._stop = False
        self._tasks = [asyncio.create_task(self._live(member, n)) for n, member in enumerate(members)]

    async def _live(self, member: Member, n: int) -> None:
        await asyncio.sleep(n / len(self.members) / 4)
        raised = False
        while not self._stop:
            begun = time.perf_counter()
            reply = await member.command("lower_hand" if raised else "raise_hand")
            self.acks.append(time.perf_counter() - begun)
            assert "error" not in reply, reply
            raised = not raised
            await asyncio.sleep(0.25)

    async def hold(self) -> None:
        """Assert that nobody was dropped or kept waiting; call at the end of a case."""
        await asyncio.sleep(0.3)
        self._stop = True
        await asyncio.gather(*self._tasks)
        assert not any(member.closed.is_set() for member in self.members)
        assert len(self.acks) >= PEOPLE
        p99 = statistics.quantiles(self.acks, n=100)[98]
        assert p99 < ACK_P99_S, f"p99 of {len(self.acks)} acknowledgements: {p99 * 1000:.0f} ms"


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: how long a disk takes is not what these cases are about."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
async def node(folder: Path) -> AsyncIterator[NodeProcess]:
    """A node process with the class c1."""
    async with spawn(folder / "node.db") as node:
        await node.create("c1")
        yield node


@pytest.fixture
async def bystanders(node: NodeProcess) -> AsyncIterator[Bystanders]:
    """The twenty, in a class that runs; `hold` is called for every test."""
    async with AsyncExitStack() as stack:
        tina = await stack.enter_async_context(join(node, "c1", "tina", Role.TRAINER))
        await tina.command("start_class")
        members = [await stack.enter_async_context(join(node, "c1", f"p{n}")) for n in range(PEOPLE)]
        people = Bystanders(members)
        yield people
        await people.hold()
