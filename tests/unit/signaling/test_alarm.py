"""One timer that follows a time."""

import asyncio

from signaling.alarm import Alarm


class Bell:
    """An alarm on a clock that is set, and how often it rang."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.rang = asyncio.Event()
        self.times = 0
        self.alarm = Alarm(lambda: self.now, self._ring)

    def _ring(self) -> None:
        self.times += 1
        self.rang.set()

    @property
    def wait_s(self) -> float | None:
        """How long until it rings."""
        timer = self.alarm._timer
        return None if timer is None else timer.when() - asyncio.get_running_loop().time()


async def test_it_rings_once_when_the_time_has_come() -> None:
    bell = Bell()
    bell.alarm.set(bell.now - 5)
    await asyncio.wait_for(bell.rang.wait(), 2)
    assert bell.times == 1


async def test_the_newest_time_counts_and_the_same_changes_nothing() -> None:
    bell = Bell()
    bell.alarm.set(bell.now + 60_000)
    timer = bell.alarm._timer
    bell.alarm.set(bell.now + 60_000)
    assert bell.alarm._timer is timer
    bell.alarm.set(bell.now + 30_000)
    assert bell.wait_s is not None
    assert 29 < bell.wait_s <= 30
    bell.alarm.set(None)
    assert bell.wait_s is None


async def test_after_a_rest_nothing_rings_before_it_is_over() -> None:
    bell = Bell()
    bell.alarm.set(bell.now + 1_000)
    bell.alarm.rest(60_000)
    assert bell.wait_s is None
    bell.alarm.set(bell.now + 1_000)
    assert bell.wait_s is not None
    assert 59 < bell.wait_s <= 60
    bell.alarm.stop()
