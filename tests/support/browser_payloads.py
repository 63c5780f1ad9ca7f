"""Records RTP payloads of real browsers for the engine's tests: `python -m tests.support.browser_payloads`.

A page sends an animated canvas to aiortc, which takes the packets as they come from SRTP and decodes nothing; what they are is told by
real decoders afterwards. Written to media/engine/core/src/<codec>/tests/browser.txt in the form of tests/support/payloads.py.
"""

import asyncio
import itertools
from pathlib import Path
from typing import Any, NamedTuple

from aiortc import (  # noqa: TID251 - an independent receiver
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.codecs import CODECS  # noqa: TID251
from aiortc.rtp import RtpPacket  # noqa: TID251

from tests.support.browser import Page, chromium, firefox
from tests.support.payloads import decoded, describe

ENGINE = Path(__file__).parents[2] / "media/engine/core/src"


class Take(NamedTuple):
    """One recording."""

    browser: str
    codec: str
    mode: str | None
    width: int
    height: int
    pictures: int


TAKES = [
    Take("chromium", "vp8", "L1T3", 160, 90, 8),
    Take("firefox", "vp8", None, 160, 90, 8),
    Take("chromium", "h264", None, 160, 90, 8),
    Take("chromium", "vp9", None, 160, 90, 8),
    Take("chromium", "vp9", "L1T3", 160, 90, 8),
    Take("chromium", "vp9", "L3T3_KEY", 960, 540, 6),
    Take("chromium", "vp9", "L2T2", 480, 270, 6),
    Take("firefox", "vp9", None, 160, 90, 8),
    Take("chromium", "av1", None, 160, 90, 8),
    Take("chromium", "av1", "L1T3", 160, 90, 8),
    Take("chromium", "av1", "L2T2", 480, 270, 6),
    Take("firefox", "av1", None, 160, 90, 8),
]

#: A disc that moves over a plain ground; offers this codec alone.
OFFER = """
async (codec, mode, width, height) => {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const paint = canvas.getContext("2d");
  let n = 0;
  setInterval(() => {
    paint.fillStyle = "#357"; paint.fillRect(0, 0, width, height);
    paint.fillStyle = "#eda"; paint.beginPath();
    paint.arc(width * (0.2 + 0.1 * (n++ % 7)), height / 2, height / 5, 0, 7); paint.fill();
  }, 66);
  const [track] = canvas.captureStream(15).getVideoTracks();
  globalThis.up = new RTCPeerConnection();
  const encoding = {maxBitrate: 300000, ...(mode ? {scalabilityMode: mode} : {})};
  const transceiver = up.addTransceiver(track, {direction: "sendonly", sendEncodings: [encoding]});
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const unwanted = /profile-id=[123]|packetization-mode=0/;
  const wanted = all.filter((c) => c.mimeType.toLowerCase() === "video/" + codec && !unwanted.test(c.sdpFmtpLine));
  if (!wanted.length) return null;
  transceiver.setCodecPreferences([wanted[0]]);
  await up.setLocalDescription();
  await new Promise((done) => up.iceGatheringState === "complete" ? done() : up.onicegatheringstatechange = () =>
    up.iceGatheringState === "complete" && done());
  return up.localDescription.sdp;
}
"""


class Ear:
    """The packets of one connection, by picture; complete when enough pictures have ended, one of them a later key frame."""

    def __init__(self, wanted: int) -> None:
        self.packets: list[RtpPacket] = []
        self.done = asyncio.Event()
        self._wanted = wanted

    def hear(self, packet: RtpPacket) -> None:
        if not self.done.is_set():
            self.packets.append(packet)
            if sum(bool(p.marker) for p in self.packets) == self._wanted:
                self.done.set()

    def pictures(self) -> list[list[bytes]]:
        ordered = sorted(self.packets, key=lambda p: (p.sequence_number - self.packets[0].sequence_number + 100) & 0xFFFF)
        numbers = [p.sequence_number for p in ordered]
        assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers)), "a packet is missing"
        pictures: list[list[bytes]] = [[]]
        # Padding alone probes the bandwidth.
        for packet in (packet for packet in ordered if packet.payload):
            pictures[-1].append(packet.payload)
            if packet.marker:
                pictures.append([])
        return [picture for picture in pictures if picture][: self._wanted]


async def listen(page: Page, take: Take) -> list[list[bytes]] | None:
    """The payloads of the first pictures, by picture; None if the browser does not send this codec."""
    offer = await page.run(OFFER, take.codec, take.mode, take.width, take.height)
    if offer is None:
        return None
    receiver, ear = RTCPeerConnection(), Ear(take.pictures)

    async def hear(self: RTCRtpReceiver, packet: RtpPacket, arrival_time_ms: int) -> None:
        ear.hear(packet)
        if len(ear.packets) == 1 or sum(bool(p.marker) for p in ear.packets) == take.pictures // 2:
            await self._send_rtcp_pli(packet.ssrc)

    handler = RTCRtpReceiver._handle_rtp_packet
    RTCRtpReceiver._handle_rtp_packet = hear
    try:
        await receiver.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await receiver.setLocalDescription(await receiver.createAnswer())
        await page.run("(sdp) => up.setRemoteDescription({type: 'answer', sdp})", receiver.localDescription.sdp)
        await asyncio.wait_for(ear.done.wait(), 30)
    finally:
        RTCRtpReceiver._handle_rtp_packet = handler
        await receiver.close()
        await page.run("() => up.close()")
    return ear.pictures()


def lines(take: Take, pictures: list[list[bytes]]) -> list[str]:
    found = [f"stream {take.browser} {take.mode or 'L1T1'} {take.width}x{take.height}"]
    for payloads, (size, key) in zip(pictures, decoded(take.codec, pictures), strict=True):
        found.extend(describe(take.codec, payloads, size if key else None))
    return found


async def main() -> None:
    for name in ("VP9", "AV1"):
        number = 39 if name == "VP9" else 41
        CODECS["video"].append(RTCRtpCodecParameters(mimeType=f"video/{name}", clockRate=90000, payloadType=number))
    found: dict[str, list[str]] = {}
    async with chromium() as crome, firefox() as fox:
        browsers: dict[str, Any] = {"chromium": crome, "firefox": fox}
        for take in TAKES:
            page = await browsers[take.browser].page()
            pictures = await listen(page, take)
            if pictures is None:
                print(take, "is not sent by this browser")
                continue
            found.setdefault(take.codec, []).extend(lines(take, pictures))
            print(take, [sum(map(len, picture)) for picture in pictures])
            await page.close()
    for codec, text in found.items():
        (ENGINE / codec / "tests/browser.txt").write_text("".join(f"{line}\n" for line in text))


if __name__ == "__main__":
    asyncio.run(main())
