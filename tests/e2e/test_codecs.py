"""A publisher that wants VP9 or AV1 is forwarded as it is to browsers that decode it."""

import asyncio

import pytest

from tests.support.bare import bare_node
from tests.support.browser import chromium, firefox

pytestmark = pytest.mark.e2e

ARRIVES = "inbound().then((all) => all.find((s) => s.use === 'main' && s.frames > 20))"
CODEC = """async () => { const all = [...(await down.getStats()).values()];
  const row = all.find((r) => r.type === 'inbound-rtp' && r.framesDecoded); return all.find((r) => r.id === row.codecId).mimeType; }"""


@pytest.mark.parametrize("codec", ["video/VP9", "video/AV1"])
async def test_the_codec_a_publisher_restricts_itself_to_reaches_both_browsers(codec: str) -> None:
    async with chromium() as crome, firefox() as fox, bare_node() as node:
        trainer, viewers = await crome.page(), [await crome.page(), await fox.page()]
        await trainer.goto(node.url + "#ann")
        node.announce("ann")
        for page, name in zip(viewers, ("bo", "cy"), strict=True):
            await page.goto(f"{node.url}#{name}")
            await page.run("subscribe", {})
        await trainer.run("publish", {"codec": codec})
        await asyncio.gather(*(page.until(ARRIVES) for page in viewers))
        assert [await page.run(CODEC) for page in viewers] == [codec, codec]
