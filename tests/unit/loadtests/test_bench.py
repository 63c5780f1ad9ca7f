"""The bench's arithmetic, and a crowd on a real node in small."""

import asyncio
from pathlib import Path

import pytest

from loadtests.bench_signaling import late_quantile
from loadtests.crowd import Crowd, frame, stamp
from signaling.classroom.settings import Profile
from signaling.metrics import Histogram
from signaling.websocket import Parser
from tests.support.node import serve


def test_lateness_is_told_from_above() -> None:
    histogram = Histogram()
    for _ in range(998):
        histogram.add(0.0001)
    histogram.add(0.04)
    histogram.add(0.07)
    told = {"counts": histogram.counts, "count": histogram.count, "max": histogram.max}
    assert late_quantile(told, 0.99) == 0.00025
    assert late_quantile(told, 0.999) == 0.05
    assert late_quantile(told, 1.0) == 0.07


@pytest.mark.parametrize("size", [0, 125, 126, 65_535])
def test_client_frames_are_well_formed(size: int) -> None:
    assert list(Parser(65_536).feed(frame(b"x" * size))) == [(2, b"x" * size)]


async def test_crowd_joins_talks_and_measures(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db") as node:
        await node.create("c1", Profile.LARGE)

        def live() -> Crowd:
            crowd = Crowd(node.port, "c1")
            (trainer,) = crowd.join(["tina"], "trainer")
            crowd.command(trainer, type="start_class")
            assert crowd.until(lambda: crowd.acked == 1, 10)
            speaker, *_others = crowd.join(f"m{n}" for n in range(20))
            crowd.command(speaker, type="post_chat", text=stamp())
            crowd.command(speaker, type="end_class")
            assert crowd.until(lambda: len(crowd.latencies) == 21 and crowd.acked == 2, 10)
            crowd.leave()
            return crowd

        crowd = await asyncio.to_thread(live)
    assert crowd.errors == {"not_allowed": 1}
    assert 0 < min(crowd.latencies) < 10
    assert crowd.closed == 0
