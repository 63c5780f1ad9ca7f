"""One timer that follows a time the class says: kept on the newest, moved when it changes, silent when there is none."""

import asyncio
from collections.abc import Callable

from signaling.classroom.ids import Millis
from signaling.ports import Clock


class Alarm:
    """Rings once per time; who hears it sets the next."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at: Millis | None = None
        self._not_before: Millis = 0

    def set(self, at: Millis | None) -> None:
        """Ring at this time, or never; setting the same again changes nothing."""
        if at == self._at:
            return
        self.stop()
        self._at = at
        if at is not None:
            wait_s = (max(at, self._not_before) - self._clock()) / 1_000
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._ring)

    def rest(self, for_ms: Millis) -> None:
        """Forget the time that was set, and ring for none before so many milliseconds have passed."""
        self.stop()
        self._not_before = self._clock() + for_ms

    def stop(self) -> None:
        """Ring no more until set again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, None
