"""WHIP and WHEP as others speak them: the npm package whip-whep in real browsers, from a page of another origin."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from media.addresses import local_addresses
from server import keys
from signaling.classroom.roles import Role
from tests.support.browser import Page, chromium, firefox
from tests.support.house import House, house

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "web/node_modules/whip-whep"


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    """Where the page comes from: not the node."""
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_static("/whip-whep", PACKAGE)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def _page(request: web.Request) -> web.StreamResponse:
    return web.Response(text=Path(__file__).with_name("whip.html").read_text(), content_type="text/html")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    # One candidate only: at a restart the package puts a comma between several.
    settings: dict[str, Any] = {"media.bind": "0.0.0.0", "media.announce": (local_addresses()[0],), "media.tcp_port": -1}
    async with house(tmp_path, **settings) as home:
        yield home


async def opened(page: Page, origin: str) -> Page:
    await page.goto(origin)
    await page.until("window.ready")
    return page


@pytest.mark.parametrize("viewer", ["chromium", "firefox"])
async def test_the_npm_package_publishes_and_watches(home: House, origin: str, viewer: str) -> None:
    session = await home.create("Knots")
    assert home.node is not None
    plane = home.node.app[keys.PLANE]
    async with chromium() as crome, firefox() as fox, home.member(session, "ann", Role.TRAINER) as ann:
        await ann.command("start_class")
        studio = await opened(await crome.page(), origin)
        screen = await opened(await {"chromium": crome, "firefox": fox}[viewer].page(), origin)
        await studio.run("publish", f"{home.url}/api/v1/whip", home.token(session, "studio", Role.TRAINER))
        await screen.run("watch", f"{home.url}/api/v1/whep?view=screen", home.token(session, "screen"))
        await screen.until("frames().then((n) => n > 20)")
        await screen.until("sounds().then((n) => n > 20)")
        await ann.until(lambda: any(entry["event"].get("type") == "camera_changed" for entry in ann.events))

        await studio.run("() => client.restart()")
        before = await screen.run("() => frames()")
        await screen.until(f"frames().then((n) => n > {before} + 60)", limit=20)
        metrics = plane.metrics()
        assert (metrics["ice_restarts"], metrics["joins"]) == (1, 2), "a restart keeps the DTLS association"

        await screen.run("() => client.stop()")
        await studio.run("() => client.stop()")
        await ann.until(lambda: sum(entry["event"]["type"] == "connection_closed" for entry in ann.events) == 2)
        assert len(home.node.app[keys.STREAMS]) == 0
