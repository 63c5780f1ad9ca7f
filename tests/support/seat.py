"""A person at a real browser in a real class: comes in through the join page, uses the page as people do, and is measured.

What is measured comes from the browser itself (getStats, the pixels of <video>), through hooks put in place before the page's own scripts.
"""

import json
import time

from tests.support import clip
from tests.support.browser import Browser, Page
from tests.support.demo import DemoNode

#: remembers every connection and every remote track; tells what arrives and what is on screen
HOOKS = """
window.rtc = { connections: [], remote: new Set() };
const Native = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Native {
  constructor(...args) {
    super(...args);
    rtc.connections.push(this);
    this.addEventListener("track", (event) => rtc.remote.add(event.track.id));
  }
};
rtc.rows = async (type) => {
  const live = rtc.connections.filter((pc) => pc.connectionState !== "closed");
  return (await Promise.all(live.map((pc) => pc.getStats()))).flatMap((report) =>
    [...report.values()].filter((row) => row.type === type).map((row) => ({
      ...row, protocol: report.get(row.remoteCandidateId)?.protocol })));
};
// Total of a figure over everything received of a kind.
rtc.total = async (kind, name) =>
  (await rtc.rows("inbound-rtp")).filter((row) => row.kind === kind).reduce((sum, row) => sum + (row[name] ?? 0), 0);
// Pictures decoded over connections made since there were this many.
rtc.fresh = async (known) => (await Promise.all(
  rtc.connections.slice(known).filter((pc) => pc.connectionState !== "closed").map((pc) => pc.getStats())))
  .flatMap((report) => [...report.values()]).filter((row) => row.type === "inbound-rtp" && row.kind === "video")
  .reduce((sum, row) => sum + (row.framesDecoded ?? 0), 0);
rtc.ways = async () => (await rtc.rows("candidate-pair"))
  .filter((row) => row.nominated && row.state === "succeeded" && row.bytesSent + row.bytesReceived > 0).map((row) => row.protocol);
// <video> elements that show somebody else, largest first.
rtc.seen = () => [...document.querySelectorAll("video")]
  .filter((video) => video.videoWidth > 0 && video.srcObject?.getVideoTracks().some((track) => rtc.remote.has(track.id)))
  .sort((a, b) => b.clientWidth * b.clientHeight - a.clientWidth * a.clientHeight);
rtc.grab = (video) => (__GRAB__)(video);
""".replace("__GRAB__", clip.GRAB)


class Seat:
    """One person in class. `entered_at` is the monotonic time of the click on Enter."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name
        self.entered_at = 0.0

    # What people do.

    async def press(self, label: str, *, limit: float = 10) -> None:
        """Click the button, tab or menu entry with this name."""
        await self.page.click("button, [role=menuitem], [role=tab]", label, limit=limit)

    async def start_class(self) -> None:
        """Press Start in the bar (the card on stage gives way to the first picture) and wait until the class is live."""
        await self.page.click("footer button", "Start class")
        await self.see("Live")

    async def say(self, text: str) -> None:
        """Write to everybody in the chat."""
        await self.page.click("#tab-chat")
        await self.page.fill("form.compose textarea", text)
        await self.press("Send")

    async def manage(self, name: str, action: str) -> None:
        """Choose an action from a person's menu in the people list; confirms if asked."""
        await self.page.click("#tab-people")
        await self.press(f"Manage {name}")
        await self.page.click("[role=menuitem]", action)

    async def confirm(self, label: str) -> None:
        """Press the button of the open dialog."""
        await self.page.click("[role=dialog] button, [role=alertdialog] button", label)

    async def setting(self, name: str) -> None:
        """Touch one switch of the class settings."""
        await self.press("More")
        await self.page.click("[role=menuitem]", "Class settings")
        await self.page.click("[role=dialog] label", name)
        await self.page.press("Escape")
        await self.page.miss("[role=dialog]")

    async def see(self, text: str, *, limit: float = 10) -> None:
        """Wait until this is on the page."""
        await self.page.until(f"document.body.innerText.includes({json.dumps(text)})", limit=limit)

    async def miss(self, text: str, *, limit: float = 10) -> None:
        """Wait until this is not on the page."""
        await self.page.until(f"!document.body.innerText.includes({json.dumps(text)})", limit=limit)

    # What is measured.

    async def frames(self) -> int:
        """Pictures decoded so far, of everybody."""
        return int(await self.page.run("() => rtc.total('video', 'framesDecoded')"))

    async def energy(self) -> float:
        """Sound energy received so far (getStats totalAudioEnergy)."""
        return float(await self.page.run("() => rtc.total('audio', 'totalAudioEnergy')"))

    async def first_picture(self, limit: float = 20) -> float:
        """Seconds from the click on Enter to the first foreign picture on screen."""
        await self.page.until("rtc.seen().some((video) => video.currentTime > 0)", limit=limit)
        return time.monotonic() - self.entered_at

    async def picture(self) -> bytes:
        """The largest foreign picture, as clip.thumb gives it."""
        found = await self.page.until("rtc.seen().length && rtc.grab(rtc.seen()[0])")
        return clip.grabbed(found)

    async def people_seen(self) -> int:
        """How many others are seen moving."""
        return int(await self.page.run("() => rtc.seen().length"))

    async def ways(self) -> set[str]:
        """Transport protocols media travels by."""
        return set(await self.page.run("() => rtc.ways()"))


#: everybody who came in during this test; looked at when it fails
ENTERED: list[Seat] = []


async def arrive(
    browser: Browser, node: DemoNode, link: str, name: str, *, width: int = 1280, height: int = 800, preload: str = ""
) -> Seat:
    """Open a link (a path, or the role whose demo link it is) in a fresh profile."""
    page = await browser.page(width, height, HOOKS + preload)
    seat = Seat(page, name)
    ENTERED.append(seat)
    await page.goto(node.url + node.links.get(link, link))
    return seat


async def enter(
    browser: Browser,
    node: DemoNode,
    link: str,
    name: str = "",
    *,
    microphone: bool = False,
    camera: bool = False,
    width: int = 1280,
    height: int = 800,
    preload: str = "",
) -> Seat:
    """Open a link and go in through the join page; a name is asked for where the link does not say who it is."""
    seat = await arrive(browser, node, link, name, width=width, height=height, preload=preload)
    page = seat.page
    await page.see("button[type=submit]", "Enter class")
    if link in node.links:
        await page.fill("input[autocomplete=name]", name)
    for kind, wanted in (("microphone", microphone), ("camera", camera)):
        on, off = (f"button[aria-label='Turn {kind} {state}']" for state in ("on", "off"))
        await page.see(f"{on}, {off}")
        if wanted != await page.run("(off) => !!document.querySelector(off)", off):
            await page.click(f"{on}, {off}")
    seat.entered_at = time.monotonic()
    await page.click("button[type=submit]", "Enter class")
    return seat
