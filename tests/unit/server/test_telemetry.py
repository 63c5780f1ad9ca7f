"""The figures the operator's plots are made of."""

from typing import Any

from aiohttp import web

from server import keys
from server.telemetry import figures
from signaling.metrics import Counters


class Still:
    """A media plane and a hub without classes, with these metrics."""

    def __init__(self, **metrics: int) -> None:
        self._metrics = metrics

    def metrics(self) -> dict[str, int]:
        return self._metrics

    def sessions(self) -> list[str]:
        return []

    def room(self, session: str) -> None:
        return None


def test_every_queue_that_ran_over_is_among_the_drops() -> None:
    app = web.Application()
    parts: Any = Still(dropped_send_full=1, dropped_outbox_full=20, commands_lost=300)
    app[keys.PLANE] = app[keys.HUB] = parts
    counters = app[keys.COUNTERS] = Counters()
    counters.queue_full, counters.dropped_behind, counters.dropped_stalled = 4_000, 50_000, 600_000
    assert figures(app)["queue_drops"] == 654_321
