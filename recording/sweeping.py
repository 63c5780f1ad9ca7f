"""Removes what need not be there any more, again and again: files of deleted recordings, leftovers of versions.

A store that is away makes nothing fail: the row stays, and the next pass tries again. `unpurged` tells how many wait. Each pass begins with
asking the store, so that wrong settings are told when the node starts and not when the first class has ended.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from recording import deletion, publication
from recording.catalog import Recordings
from recording.objects import StoreRefuses
from recording.publication import Published
from signaling.classroom.ids import Millis
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.recording")

#: between two passes, give or take half of it
_PASS_S: Final = 60.0
#: leftovers looked at in one pass
_MOST: Final = 100


class Sweeping:
    """The passes of a running node; they do not overlap."""

    def __init__(self, recordings: Recordings, root: Path, published: Published, clock: Callable[[], Millis]) -> None:
        """Journals lie below `root`."""
        self._recordings = recordings
        self._root = root
        self._published = published
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        #: deleted recordings whose files are not all gone, versions that could not be swept: at the end of the last pass
        self.reached = True
        self.unpurged = 0
        self.unswept = 0

    async def start(self) -> None:
        """Make a pass, then one every now and then. No store elsewhere holds up the start."""
        if self._published.elsewhere is None:
            await self.once()
        self._task = asyncio.create_task(self._again(), name="sweeping")

    async def stop(self) -> None:
        """End (idempotent)."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def once(self) -> None:
        """One pass."""
        await self._ask()
        try:
            await deletion.finish(self._recordings, self._root, now=self._clock(), published=self._published)
            self.unpurged = sum(row.state == "deleted" for row in await self._recordings.rows())
            self.unswept = await publication.sweep(self._published, self._clock(), _MOST)
        except Unavailable:
            log.warning("the store cannot say what is to be removed")

    async def _ask(self) -> None:
        reached, why = True, ""
        try:
            await self._published.objects.check()
        except OSError as error:
            reached, why = False, str(error)
            if self.reached:
                level = logging.ERROR if isinstance(error, StoreRefuses) else logging.WARNING
                log.log(level, "recordings stay on this machine until their store takes them", extra={"why": why})
        if reached and not self.reached:
            log.info("the store of the recordings is back")
        self.reached = reached

    async def _again(self) -> None:
        wait_s = _PASS_S if self._published.elsewhere is None else 0.0
        while True:
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - only so that nodes do not move in step
            try:
                await self.once()
            except Exception:
                log.exception("nothing was swept")
            wait_s = _PASS_S
