"""The node's pulse: once a second a row of figures for the operator's plots, five minutes of them; and how late the event loop runs.

Figures are sums and counts; no row names a person. Rates are per second, taken between two rows.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

ROWS: Final = 300


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One second of this node. Times in ms, bit rates in kbit/s, counts at the end of the second, the rest per second."""

    at: int
    classes: int
    people: int
    connections: int
    joins: float
    join_ms: float
    commands: float
    loop_late_ms: float
    journal_ms: float
    packets_in: float
    packets_out: float
    kbit_in: float
    kbit_out: float
    media_people: int
    nacks: float
    key_frame_requests: float
    queue_drops: float


class Pulse:
    """Takes the rows. `read` gives the present figures: gauges as they are, counters since start (telemetry.figures)."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read
        self._worst = 0.0
        self._before: Mapping[str, float] = {}
        self._before_at = 0.0
        self.rows: deque[Row] = deque(maxlen=ROWS)

    def late(self, seconds: float) -> None:
        """The loop ran a timer this much late."""
        self._worst = max(self._worst, seconds)

    async def beat(self) -> None:
        """Take a row every second until cancelled."""
        loop = asyncio.get_running_loop()
        self._before, self._before_at = self._read(), loop.time()
        while True:
            await asyncio.sleep(1.0)
            self.take(int(time.time() * 1000), loop.time())

    def take(self, at: int, now: float) -> None:
        """Add the row of the time since the last one; `at` is wall clock in ms, `now` monotonic in seconds."""
        figures, before = self._read(), self._before
        span = max(now - self._before_at, 1e-3)

        def rate(name: str) -> float:
            return round(max(0.0, figures[name] - before.get(name, 0.0)) / span, 3)

        def mean_ms(total: str, count: str) -> float:
            n = figures[count] - before.get(count, 0.0)
            return round((figures[total] - before.get(total, 0.0)) / n * 1000, 3) if n > 0 else 0.0

        self.rows.append(
            Row(
                at=at,
                classes=int(figures["classes"]),
                people=int(figures["people"]),
                connections=int(figures["connections"]),
                joins=rate("joins"),
                join_ms=mean_ms("join_seconds", "join_count"),
                commands=rate("commands"),
                loop_late_ms=round(self._worst * 1000, 3),
                journal_ms=mean_ms("journal_seconds", "journal_count"),
                packets_in=rate("packets_in"),
                packets_out=rate("packets_out"),
                kbit_in=round(rate("bytes_in") / 125, 3),
                kbit_out=round(rate("bytes_out") / 125, 3),
                media_people=int(figures["media_peers"]),
                nacks=rate("nacks"),
                key_frame_requests=rate("key_frame_requests"),
                queue_drops=rate("queue_drops"),
            )
        )
        self._worst = 0.0
        self._before, self._before_at = figures, now
