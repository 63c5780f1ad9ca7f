"""The fair selector and the lateness probe."""

import asyncio
import os
import selectors
import time

from signaling.loop import BATCH, FairSelector, Probe, new_event_loop
from signaling.metrics import Histogram


def test_ready_descriptors_come_in_batches_and_none_is_forgotten() -> None:
    selector = FairSelector()
    pipes = [os.pipe() for _ in range(3 * BATCH)]
    for read, write in pipes:
        selector.register(read, selectors.EVENT_READ)
        os.write(write, b"x")
    seen: set[int] = set()
    for _ in range(4):
        ready = selector.select(0)
        assert len(ready) <= BATCH
        assert all(events == selectors.EVENT_READ for _, events in ready)
        seen.update(key.fd for key, _ in ready)
    assert seen == {read for read, _ in pipes}
    for read, write in pipes:
        selector.unregister(read)
        os.close(read)
        os.close(write)
    assert selector.select(0) == []
    begun = time.monotonic()
    assert selector.select(0.05) == []
    assert time.monotonic() - begun >= 0.045
    selector.close()


def test_event_loop_runs_on_it() -> None:
    async def talk() -> bytes:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await reader.read()
            writer.close()
            done.set()

        done = asyncio.Event()
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        said = await reader.readexactly(5)
        writer.close()
        await done.wait()
        server.close()
        await asyncio.sleep(0.01)
        return said

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(talk()) == b"hello"


async def test_probe_sees_a_blocked_loop() -> None:
    lateness, told = Histogram(), []
    probe = Probe(lateness, every_s=0.005, tell=told.append)
    await asyncio.sleep(0.02)
    time.sleep(0.08)  # noqa: ASYNC251 - the point
    await asyncio.sleep(0.02)
    probe.stop()
    assert lateness.max > 0.05
    assert max(told) == lateness.max
    count = lateness.count
    await asyncio.sleep(0.02)
    assert lateness.count == count
