"""The event loop a node runs on: fair under thousands of simultaneous events, and watched.

A selector may report every socket of a node at once (a switch fails, a class ends). Handling them all before the next timer would make the
loop late by 100 us each; `FairSelector` hands over at most `BATCH` per turn, the kernel keeps the rest and rotates them. The same goes for
connections to be accepted: create_server(backlog=BATCH), then `widen_backlog`.
"""

import asyncio
import gc
import math
import os
import select
import selectors
import socket
from collections.abc import Callable
from typing import Final

from signaling.metrics import Histogram

BATCH: Final = 32
BACKLOG: Final = 4_096


class FairSelector(selectors.EpollSelector):
    """Reports at most BATCH ready descriptors at a time; epoll goes round among the others by itself."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See selectors.BaseSelector.select."""
        wait = -1.0 if timeout is None else math.ceil(max(timeout, 0.0) * 1e3) * 1e-3
        try:
            polled = self._selector.poll(wait, BATCH)  # type: ignore[attr-defined]
        except InterruptedError:
            return []
        keys: dict[int, selectors.SelectorKey] = self._fd_to_key  # type: ignore[attr-defined]
        ready = []
        for fd, event in polled:
            events = (selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0) | (selectors.EVENT_READ if event & ~select.EPOLLOUT else 0)
            key = keys.get(fd)
            if key is not None:
                ready.append((key, events & key.events))
        return ready


def widen_backlog(server: asyncio.Server, backlog: int = BACKLOG) -> None:
    """Let the kernel hold a storm of connections; asyncio itself accepts as many per turn as create_server's own `backlog` says (BATCH)."""
    for listener in server.sockets:
        with socket.socket(fileno=os.dup(listener.fileno())) as same:
            same.listen(backlog)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """For asyncio.Runner(loop_factory=...)."""
    return asyncio.SelectorEventLoop(FairSelector())


def settle() -> None:
    """Call once a node has started: what lives now lives on, so the garbage collector need not look at it again.

    Counting references frees nearly everything; the collector is for cycles. It looks at 20,000 new objects at a time (2 ms), at the
    200,000 of its middle generation now and then (25 ms), and hardly ever at all of them, which would stop a full node for 200 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 1_000)


class Probe:
    """Measures how late the loop runs its timers, every `every_s` seconds."""

    def __init__(self, lateness: Histogram, *, every_s: float = 0.05, tell: Callable[[float], None] | None = None) -> None:
        self._lateness = lateness
        self._every_s = every_s
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + every_s
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        late = self._loop.time() - self._due
        self._lateness.add(max(late, 0.0))
        if self._tell is not None:
            self._tell(late)
        self._due = self._loop.time() + self._every_s
        self._timer = self._loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """Measure no more."""
        self._timer.cancel()
