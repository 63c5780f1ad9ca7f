"""The node's part in erasing: what it has in memory of a class goes while the rest of an erasure still takes its time."""

import asyncio
import contextlib
from typing import Any

import pytest

from server.erasure import worker as module
from server.erasure.worker import Worker
from signaling.ports import Unavailable


class Slow:
    """An erasure whose media take as long as the test wants; also its store."""

    def __init__(self) -> None:
        self.store = self
        self.changed: list[tuple[int, str]] = []
        self.away = 0
        self.calls = 0
        self.broken_off = False
        self.begun, self.media_done, self.nothing_left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def carry_out(self) -> str | None:
        self.calls += 1
        if self.calls > 1:
            self.nothing_left.set()
            return None
        self.changed.append((1, "class-1"))
        self.begun.set()
        try:
            await self.media_done.wait()
        except asyncio.CancelledError:
            self.broken_off = True
            raise
        return "receipt"

    async def changed_since(self, number: int) -> list[tuple[int, str]]:
        if self.away and self.begun.is_set():
            self.away -= 1
            raise Unavailable("away")
        return [one for one in self.changed if one[0] > number]


class Memory:
    """Hub and seats: what was let go of."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.forgotten: list[str] = []
        self._went = asyncio.Condition()

    def forget(self, session: str) -> None:
        self.forgotten.append(session)

    async def let_go(self, session: str) -> None:
        async with self._went:
            self.gone.append(session)
            self._went.notify_all()

    async def until(self, *sessions: str) -> None:
        async with asyncio.timeout(5), self._went:
            await self._went.wait_for(lambda: self.gone == list(sessions))


def run(erasing: Any, memory: Any) -> tuple[Worker, "asyncio.Task[None]"]:
    worker = Worker(erasing, memory, memory)
    return worker, asyncio.create_task(worker.run())


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)


@pytest.mark.parametrize("away", [0, 2], ids=["", "the store is away meanwhile"])
async def test_classes_are_let_go_of_while_an_erasure_is_still_at_their_media(away: int) -> None:
    erasing, memory = Slow(), Memory()
    erasing.away = away
    worker, running = run(erasing, memory)
    await memory.until("class-1")
    erasing.changed.append((2, "class-2"))  # by a command line beside the node
    await memory.until("class-1", "class-2")
    assert (memory.forgotten, worker.done, erasing.media_done.is_set()) == (["class-1", "class-2"], 0, False)
    erasing.media_done.set()
    await asyncio.wait_for(erasing.nothing_left.wait(), 5)
    assert worker.done == 1
    running.cancel()


async def test_a_node_that_stops_breaks_its_erasure_off_before_its_store_is_closed() -> None:
    erasing = Slow()
    _, running = run(erasing, Memory())
    await erasing.begun.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert erasing.broken_off
