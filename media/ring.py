"""A patient way into the engine's command ring: in order, never blocking, bounded.

The ring refuses with BlockingIOError when it is full; commands then wait here and are offered again every 2 ms. Beyond 65,536 waiting
commands new ones are lost and counted; whoever opens something new asks `busy` first. A command that fails at once is its caller's matter;
one that fails after it waited is logged and counted, and holds up nobody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, ParamSpec

log = logging.getLogger("jiangtai.media")
P = ParamSpec("P")

MAX_WAITING: Final = 65_536
BUSY: Final = 4_096
RETRY_S: Final = 0.002


class CommandRing:
    """Commands on their way to the engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], Any]] = deque()
        self._closed = False
        self.lost = 0
        self.failed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether so much waits that nothing new should be begun."""
        return len(self._waiting) > BUSY

    def put(self, command: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run the command now, or after those that wait."""
        if not self._waiting:
            try:
                command(*args, **kwargs)
            except BlockingIOError:
                self._loop.call_later(RETRY_S, self._catch_up)
            else:
                return
        if len(self._waiting) >= MAX_WAITING:
            self.lost += 1
            return
        self._waiting.append(partial(command, *args, **kwargs))

    def close(self) -> None:
        """Forget what waits."""
        self._closed = True
        self._waiting.clear()

    def _catch_up(self) -> None:
        while self._waiting and not self._closed:
            try:
                self._waiting[0]()
            except BlockingIOError:
                self._loop.call_later(RETRY_S, self._catch_up)
                return
            except Exception:
                self.failed += 1
                log.exception("a command to the engine failed")
            self._waiting.popleft()
