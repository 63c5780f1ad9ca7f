"""Browsers against the media plane alone: every pairing that must work, over UDP and over TCP."""

import asyncio

import pytest

from tests.support.bare import bare_node
from tests.support.browser import chromium, firefox

pytestmark = pytest.mark.e2e

ARRIVES = "inbound().then((all) => all.find((s) => s.use === 'main' && s.frames > 20))"
SOUNDS = "inbound().then((all) => all.find((s) => s.use === 'audio' && s.packets > 20))"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("pair", ["chromium-chromium", "chromium-firefox", "firefox-chromium"])
async def test_camera_and_microphone_arrive(pair: str, tcp: bool) -> None:
    sender, receiver = pair.split("-")
    async with chromium() as crome, firefox() as fox, bare_node() as node:
        browsers = {"chromium": crome, "firefox": fox}
        trainer = await browsers[sender].page()
        trainee = await browsers[receiver].page()
        await trainer.goto(node.url + "#ann")
        await trainee.goto(node.url + "#bo")
        node.announce("ann")
        await trainee.run("subscribe", {"tcp": tcp})
        await trainer.run("publish", {"tcp": tcp})
        await asyncio.gather(trainee.until(ARRIVES), trainee.until(SOUNDS))
        for page, pc in ((trainer, "up"), (trainee, "down")):
            await page.until(f"way({pc}).then((found) => found.protocol === '{'tcp' if tcp else 'udp'}')", limit=10)
