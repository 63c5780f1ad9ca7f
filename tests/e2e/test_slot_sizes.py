"""Viewers say how high they show a picture and get the layer that is worth it: real browsers, the real engine, every size once."""

import asyncio

import pytest

from tests.support.bare import BareNode, bare_node
from tests.support.browser import Page, chromium, firefox

pytestmark = pytest.mark.e2e

PUBLISH = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
  up = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const microphone = up.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly" });
  const sendEncodings = [["q", 4], ["h", 2], ["f", 1]].map(([rid, scaleResolutionDownBy]) => ({ rid, scaleResolutionDownBy }));
  const camera = up.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", sendEncodings });
  await up.setLocalDescription();
  const tracks = [{ mid: microphone.mid, source: "microphone" }, { mid: camera.mid, source: "camera", height: 720 }];
  const { sdp } = await ask("publish", { sdp: up.localDescription.sdp, tracks });
  await up.setRemoteDescription({ type: "answer", sdp });
}"""
MAIN = "slots.find((slot) => slot.use === 'main').mid"
HEIGHT = f"rows(down, 'inbound-rtp').then((all) => all.find((row) => row.mid === {MAIN})?.frameHeight)"
FRAMES = f"rows(down, 'inbound-rtp').then((all) => all.find((row) => row.mid === {MAIN}).framesDecoded)"


async def show(page: Page, height: int) -> None:
    await page.run(f"(height) => ask('subscribe', {{ action: 'size', sizes: [{{ mid: {MAIN}, height }}] }})", height)


def layer(node: BareNode) -> int:
    """What the viewer was told last of the only picture there is."""
    [slot] = node.heard.newest["bo", "layers"]["slots"]
    return int(slot["layer"])


@pytest.mark.parametrize("sender", ["chromium", "firefox"])
async def test_a_viewer_gets_the_layer_it_shows(sender: str) -> None:
    async with chromium() as crome, firefox() as fox, bare_node() as node:
        trainer, trainee = await {"chromium": crome, "firefox": fox}[sender].page(), await crome.page()
        await trainer.goto(node.url + "#ann")
        await trainee.goto(node.url + "#bo")
        node.announce("ann")
        await trainee.run("subscribe", {})
        await trainer.run(PUBLISH)
        for height, wanted, index in ((160, 180, 0), (720, 720, 2), (400, 360, 1)):
            await show(trainee, height)
            await trainee.until(f"{HEIGHT}.then((height) => height === {wanted})", limit=30)
            assert layer(node) == index
        await show(trainee, 0)
        await asyncio.sleep(0.5)  # what was on its way
        before = await trainee.run(f"() => {FRAMES}")
        await asyncio.sleep(1)
        assert await trainee.run(f"() => {FRAMES}") == before
        await show(trainee, 180)
        await trainee.until(f"{FRAMES}.then((frames) => frames > {before} + 20)")
        await trainee.until(f"{HEIGHT}.then((height) => height === 180)")
