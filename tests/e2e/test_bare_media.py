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


async def test_h264_is_forwarded_to_those_who_speak_it_and_kept_from_those_who_do_not() -> None:
    async with chromium() as crome, firefox() as fox, bare_node() as node:
        trainer, speaks, does_not = await crome.page(), await crome.page(), await fox.page()
        for page, name in ((trainer, "ann"), (speaks, "bo"), (does_not, "cy")):
            await page.goto(f"{node.url}#{name}")
        node.announce("ann")
        await speaks.run("subscribe", {})
        await does_not.run("subscribe", {})
        await trainer.run("publish", {"codec": "video/H264"})
        await asyncio.gather(speaks.until(ARRIVES), does_not.until(SOUNDS))
        codec = (
            "async () => { const rows = [...(await down.getStats()).values()];"
            " const row = rows.find((r) => r.type === 'inbound-rtp' && r.framesDecoded);"
        )
        assert await speaks.run(codec + " return rows.find((r) => r.id === row.codecId).mimeType; }") == "video/H264"
        assert not await does_not.run("() => inbound().then((all) => all.some((s) => s.kind === 'video' && s.packets > 0))")


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
async def test_media_survives_ice_restarts_of_both_sides(kind: str) -> None:
    async with chromium() as crome, firefox() as fox, bare_node() as node:
        browser = {"chromium": crome, "firefox": fox}[kind]
        trainer, trainee = await browser.page(), await browser.page()
        await trainer.goto(node.url + "#ann")
        await trainee.goto(node.url + "#bo")
        node.announce("ann")
        await trainee.run("subscribe", {})
        await trainer.run("publish", {})
        await trainee.until(ARRIVES)
        for page, side in ((trainee, "subscribe"), (trainer, "publish")):
            await page.run("restart", side)
            before = await trainee.run("() => inbound().then((all) => all.find((s) => s.use === 'main').frames)")
            await trainee.until(f"inbound().then((all) => all.find((s) => s.use === 'main').frames > {before} + 60)", limit=20)
        metrics = node.plane.metrics()
        assert metrics["ice_restarts"] >= 2
        assert metrics["joins"] == 2, "a restart keeps the DTLS association"


async def test_nobody_hears_the_own_voice() -> None:
    async with chromium() as crome, bare_node() as node:
        trainer = await crome.page()
        await trainer.goto(node.url + "#ann")
        node.announce("ann")
        await trainer.run("subscribe", {})
        await trainer.run("publish", {})
        await trainer.until("outbound().then((all) => all.find((s) => s.kind === 'audio' && s.packets > 100))")
        assert not await trainer.run("() => inbound().then((all) => all.some((s) => s.packets > 0))")
