"""The node's part in erasing: carries out what was asked for, and lets go of what it has in memory of those who were erased.

Whoever erased somebody, this node or a command line beside it, the store says so; the node looks every two seconds. A class is let go of
whole: who is connected to it comes back to what the store says now.
"""

import asyncio
import contextlib
import logging
from typing import Final

from server.adapters.sqlite_seats import SqliteSeats
from server.erasure.erasing import Busy, Erasing, NotNow
from server.erasure.work import BrokenSeal
from signaling.hub import Hub
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.erasure")
_LOOK_S: Final = 2.0
_AGAIN_S: Final = 30.0


class Worker:
    """Runs beside the classes of one node."""

    def __init__(self, erasing: Erasing, hub: Hub, seats: SqliteSeats) -> None:
        self._erasing = erasing
        self._hub = hub
        self._seats = seats
        self._asked = asyncio.Event()
        #: the newest made-up participant this node knows of
        self._seen = 0
        #: erasures carried out here
        self.done = 0

    def wake(self) -> None:
        """Something was asked for."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        pause = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), pause)
            self._asked.clear()
            pause = _LOOK_S
            try:
                await self.let_go()
                while await self._carry_out() is not None:
                    self.done += 1
                    await self.let_go()
            except (Unavailable, Busy, NotNow, OSError, BrokenSeal) as error:
                log.error("an erasure waits", extra={"why": type(error).__name__})
                pause = _AGAIN_S
            except Exception:
                log.exception("an erasure waits")
                pause = _AGAIN_S

    async def _carry_out(self) -> str | None:
        """Carry an erasure out; what it or anybody else has done meanwhile is let go of at once, not at its end: media take their time."""
        carrying = asyncio.create_task(self._erasing.carry_out(), name="carry an erasure out")
        try:
            while not (await asyncio.wait({carrying}, timeout=_LOOK_S))[0]:
                with contextlib.suppress(Unavailable):
                    await self.let_go()
            return carrying.result()
        finally:
            carrying.cancel()
            await asyncio.wait({carrying})

    async def let_go(self) -> None:
        """Forget what is in memory of classes in which somebody was erased since the last time. Raises Unavailable."""
        while changed := await self._erasing.store.changed_since(self._seen):
            for session in dict.fromkeys(session for _, session in changed):
                self._seats.forget(session)
                await self._hub.let_go(session)
            self._seen = changed[-1][0]
