"""A node with a class of twenty honest people in it, who must not notice what a hostile case does.

One node and one class serve all cases of a module; each case is judged by what the twenty saw while it ran. Where the machine itself is
starved, the lateness of this process's own event loop (the node is another process) is allowed on top; while that loop does not turn it
hears no answer, so what it was late during a wait is no part of the wait.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from signaling.classroom.roles import Role
from tests.support.member import Member, join
from tests.support.process import NodeProcess, spawn

PEOPLE = 20
ACK_P99_S = 0.25
#: on a machine that is busy with something else, as many times what they usually wait
BUSY = 4
_EVERY_S = 0.2


class Bystanders:
    """Twenty members who raise and lower their hands all the time."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self._acks: list[float] = []
        self._late: list[float] = []
        self._late_total = 0.0
        #: codes of refusals a case brings upon them by what the class does, and which are no harm
        self.accepted: set[str] = set()
        self._stop = False
        self._tasks = [asyncio.create_task(self._live(member, n)) for n, member in enumerate(members)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def _live(self, member: Member, n: int) -> None:
        await asyncio.sleep(n / len(self.members) * _EVERY_S)
        raised = False
        while not self._stop:
            begun, late = time.perf_counter(), self._late_total
            reply = await member.command("lower_hand" if raised else "raise_hand")
            self._acks.append(time.perf_counter() - begun - (self._late_total - late))
            if "error" not in reply:
                raised = not raised
            else:
                assert reply["error"]["code"] in self.accepted, reply
            await asyncio.sleep(_EVERY_S)

    async def _watch(self) -> None:
        while not self._stop:
            begun = time.perf_counter()
            await asyncio.sleep(0.01)
            late = time.perf_counter() - begun - 0.01
            self._late.append(late)
            self._late_total += late

    def begin(self) -> None:
        """A case starts."""
        self._acks.clear()
        self._late.clear()

    async def usual(self) -> float:
        """How long they wait (99th percentile) while nothing happens; a new case begins then."""
        self.begin()
        await self._enough()
        waited = statistics.quantiles(self._acks, n=100)[98]
        self.begin()
        return waited

    async def hold(self, usual: float = 0.0) -> None:
        """Assert that nobody was dropped or kept waiting since `begin`, much longer than usual where that is known."""
        await self._enough()
        assert not any(member.closed.is_set() for member in self.members)
        p99, late = statistics.quantiles(self._acks, n=100)[98], statistics.quantiles(self._late, n=100)[98]
        limit = max(ACK_P99_S + 3 * late, BUSY * usual)
        assert p99 < limit, f"p99 of {len(self._acks)} answers {p99 * 1000:.0f} ms; own loop late {late * 1000:.0f} ms"

    async def _enough(self) -> None:
        while len(self._acks) < 2 * PEOPLE:
            assert not any(task.done() for task in self._tasks), "a bystander was dropped"
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Let them go."""
        self._stop = True
        await asyncio.gather(*self._tasks)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where there is such a place: how long a disk takes is not what these cases are about."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(folder: Path) -> AsyncIterator[NodeProcess]:
    """A node process with the class c1."""
    async with spawn(folder / "node.db") as node:
        await node.create("c1")
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(node: NodeProcess) -> AsyncIterator[Bystanders]:
    """The twenty, in a class that runs."""
    async with AsyncExitStack() as stack:
        tina = await stack.enter_async_context(join(node, "c1", "tina", Role.TRAINER))
        await tina.command("start_class")
        people = Bystanders([await stack.enter_async_context(join(node, "c1", f"p{n}")) for n in range(PEOPLE)])
        yield people
        await people.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def bystanders(people: Bystanders) -> AsyncIterator[Bystanders]:
    """The twenty, judged by what they see during one case."""
    people.begin()
    yield people
    await people.hold()
