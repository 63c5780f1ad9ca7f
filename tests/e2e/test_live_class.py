"""A class as it is held: a trainer with a real picture and voice, trainees in Chromium, Firefox and aiortc."""

import asyncio
import time
from typing import Any

import pytest

from tests.support import clip
from tests.support.browser import Browser, Chromium, Firefox
from tests.support.demo import DemoNode, bot
from tests.support.rhythm import follows_speech, loudness
from tests.support.seat import Seat, enter

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

#: dB between a picture as received and the nearest frame of the source, at 80x45 grey; another clip reaches 13, the wrong second 25
ALIKE_DB = 28.0
WATCH_S = 30.0
FPS = 15.0


async def _trainer(browser: Browser, node: DemoNode) -> Seat:
    ann = await enter(browser, node, "trainer", "Ann", microphone=True, camera=True)
    await ann.start_class()
    return ann


async def test_everybody_sees_and_hears_the_trainer(trainer_browser: Chromium, crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann = await _trainer(trainer_browser, node)
    seen: list[tuple[float, bytes]] = []
    arrived = asyncio.Event()

    def watch(use: str, frame: Any) -> None:
        arrived.set()
        if use == "main" and (not seen or time.monotonic() - seen[-1][0] > 1):
            seen.append((time.monotonic(), clip.thumb(frame)))

    seats = [await enter(crome, node, "trainee", "Bo"), await enter(crome, node, "trainee", "Cy"), await enter(fox, node, "trainee", "Dee")]
    async with bot(node, "trainee", "Eve", watch) as eve:
        await eve.peer.subscribe(tiles=1)
        for seat in seats:
            await seat.first_picture()
        main = next(slot for slot in eve.peer.received.values() if slot.use == "main")
        async with asyncio.timeout(10):
            await arrived.wait()

        start, before, eve_before = time.monotonic(), [await seat.frames() for seat in seats], main.frames
        rhythms = [asyncio.create_task(loudness(seat.energy, WATCH_S - 2)) for seat in seats]
        grabbed: dict[str, list[bytes]] = {seat.name: [] for seat in seats}
        while time.monotonic() < start + WATCH_S:
            for seat in seats:
                grabbed[seat.name].append(await seat.picture())
            await asyncio.sleep(2.5)
        took = time.monotonic() - start
        rates = {seat.name: (await seat.frames() - old) / took for seat, old in zip(seats, before, strict=True)}
        rates["Eve"] = (main.frames - eve_before) / took
        heard = {seat.name: await rhythm for seat, rhythm in zip(seats, rhythms, strict=True)}
        grabbed["Eve"] = [picture for _, picture in seen[:: max(1, len(seen) // 8)]]

    pictures = {name: [clip.nearest(picture) for picture in found] for name, found in grabbed.items()}
    print({name: round(rate, 1) for name, rate in rates.items()}, {name: min(db for _, db in found) for name, found in pictures.items()})
    assert min(rates.values()) >= FPS, rates
    for name, found in pictures.items():
        # The first second after joining may still be coarse; nine tenths of the samples must be the source's.
        assert sorted(db for _, db in found)[len(found) // 10] >= ALIKE_DB, (name, found)
        assert len({index for index, _ in found}) >= len(found) // 2, (name, "the picture stands still", found)
    for name, powers in heard.items():
        assert follows_speech(powers) is None, (name, follows_speech(powers), powers)
    for seat in [ann, *seats]:
        assert await seat.ways() == {"udp"}, seat.name
        await seat.page.close()


async def test_the_first_picture_comes_within_two_seconds(trainer_browser: Chromium, crome: Chromium, fox: Firefox, node: DemoNode) -> None:
    ann = await _trainer(trainer_browser, node)
    times = []
    for index in range(12):
        seat = await enter(fox if index % 4 == 3 else crome, node, "trainee", f"Trainee {index}")
        times.append(await seat.first_picture())
        await seat.page.close()
    await ann.page.close()
    times.sort()
    print("click to first picture:", [round(taken, 2) for taken in times])
    assert times[round(0.95 * len(times)) - 1] <= 2.0, times
