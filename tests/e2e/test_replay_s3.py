"""A replay whose media come from the store itself: a page of this node plays them, and who was sent out is led there no more."""

from pathlib import Path

import pytest

from server import keys
from signaling.classroom.roles import Role
from tests.e2e.test_replay import play, published, watch
from tests.support.browser import Chromium
from tests.support.house import house
from tests.support.s3_server import S3Server

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

VIDEOS = "[...document.querySelectorAll('video')].filter((video) => video.videoWidth > 0)"


async def test_media_come_from_the_store_and_the_rest_through_the_node(crome: Chromium, tmp_path: Path, s3_server: S3Server) -> None:
    settings = {**s3_server.settings(s3_server.place()), "recordings.serve": "presigned"}
    async with house(tmp_path, **settings) as home:
        held = await published(home)
        guest = await home.come_in(held.session, "tom", Role.TRAINER)
        assert home.node is not None
        sender = home.node.app[keys.SENDER]
        page = await watch(crome, home, held, guest)
        await play(page)
        await page.until(f"{VIDEOS}.some((video) => video.currentTime > 1)")
        fetched: list[str] = await page.run("() => performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert await page.run("() => reel.errors") == []
        assert sender.redirects > 0
        print(f"{sender.redirects} redirects, {sender.bytes} bytes through the node")
        assert any("t00000.json" in name for name in fetched)
        # A finisher may have brought some into its work folder; nothing is served from there.
        assert not list(tmp_path.glob("published/*/v*/*.webm")), "nothing of it lies here"
        # The pictures of another origin cannot be read by script; that they go on is told by their time.
        await page.run("() => reel.key('7')")
        await page.until(f"{VIDEOS}.some((video) => !video.seeking && video.readyState >= 2) && reel.at() > {held.duration_ms * 0.7}")
        assert await page.run("() => reel.errors") == []
        assert await page.run(f"() => {VIDEOS}.filter((video) => video.error).length") == 0
        await page.close()
