"""The way into a full command ring: in order, bounded, never blocking."""

import asyncio
import logging

import pytest

from media import ring
from media.ring import CommandRing


class Full:
    """An engine ring that refuses until it is opened."""

    def __init__(self) -> None:
        self.open = True
        self.got: list[tuple[int, str]] = []

    def command(self, number: int, *, word: str = "") -> None:
        if not self.open:
            raise BlockingIOError
        self.got.append((number, word))


async def _emptied(waiting: CommandRing) -> None:
    for _ in range(100):
        if not len(waiting):
            return
        await asyncio.sleep(ring.RETRY_S)
    raise AssertionError("still waiting")


async def test_commands_go_through_at_once_while_there_is_room() -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())
    way.put(engine.command, 1, word="one")
    assert engine.got == [(1, "one")]
    assert len(way) == 0


async def test_what_was_refused_goes_later_and_in_order() -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())
    engine.open = False
    way.put(engine.command, 1)
    engine.open = True
    # Although there is room now, nothing overtakes what waits.
    way.put(engine.command, 2)
    assert engine.got == []
    await _emptied(way)
    assert [number for number, _ in engine.got] == [1, 2]


async def test_it_asks_again_while_the_ring_stays_full() -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())
    engine.open = False
    for number in range(10):
        way.put(engine.command, number)
    await asyncio.sleep(3 * ring.RETRY_S)
    assert len(way) == 10
    engine.open = True
    await _emptied(way)
    assert [number for number, _ in engine.got] == list(range(10))


async def test_it_is_bounded_and_counts_what_it_loses() -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())
    engine.open = False
    assert not way.busy
    for number in range(ring.MAX_WAITING + 5):
        way.put(engine.command, number)
    assert way.busy
    assert (len(way), way.lost) == (ring.MAX_WAITING, 5)
    way.close()
    assert len(way) == 0


async def test_nothing_is_done_after_the_end() -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())
    engine.open = False
    way.put(engine.command, 1)
    way.close()
    engine.open = True
    await asyncio.sleep(3 * ring.RETRY_S)
    assert engine.got == []


async def test_a_waiting_command_that_fails_is_counted_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    engine, way = Full(), CommandRing(asyncio.get_running_loop())

    def broken() -> None:
        if not engine.open:
            raise BlockingIOError
        raise ValueError("malformed")

    engine.open = False
    way.put(broken)
    way.put(engine.command, 1)
    way.put(broken)
    way.put(engine.command, 2)
    engine.open = True
    with caplog.at_level(logging.ERROR, "jiangtai.media"):
        await _emptied(way)
    assert [number for number, _ in engine.got] == [1, 2]
    assert (way.failed, way.lost) == (2, 0)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
    way.put(engine.command, 3)
    assert engine.got[-1] == (3, ""), "nothing waits any more"
