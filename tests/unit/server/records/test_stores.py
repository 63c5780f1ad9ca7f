"""The other side of a destination may do anything: redirect, drip, flood, lie about who it is. It costs a bounded answer, no error."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server import config, tls
from server.records.answers import Verdict, judge
from server.records.destinations import Destination
from server.records.outbox import Row
from server.records.stores import Store, store_for

ROW = Row(number=1, id="fd41c918-b88b-4b20-a0a5-a4c32391aaa0", session="c", at=0, body=b"{}")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def facing(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Store]:
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as http:
            yield store_for(Destination(name="x", url=url, read_s=0.3), http, lambda: 0.0)
    finally:
        await runner.cleanup()


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/inside")

    async with facing(elsewhere) as store:
        answer = await store.post([ROW])
    assert judge(answer.status) is Verdict.PAUSE
    assert seen == ["/statements"]


async def test_a_flood_is_read_to_its_bound() -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65_536))
        except ConnectionError:
            return response

    async with facing(flood) as store:
        answer = await asyncio.wait_for(store.post([ROW]), 5)
    assert answer.status == 400
    assert len(answer.text) <= 2_000


async def test_a_drip_ends_with_the_time_limit() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(3)
        return response

    async with facing(drip) as store:
        answer = await asyncio.wait_for(store.post([ROW]), 2)
    assert judge(answer.status) is Verdict.AGAIN


async def test_who_cannot_prove_to_be_the_store_gets_nothing_and_pauses(tmp_path: Path) -> None:
    asked: list[str] = []

    async def take(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    context = tls.context_for(config.load(environ={}, overrides={"tls": "self-signed", "var": str(tmp_path)}))
    async with facing(take, context) as store:
        answer = await store.post([ROW])
    assert judge(answer.status) is Verdict.PAUSE
    assert asked == []


@pytest.mark.parametrize(
    ("body", "status", "held"),
    [
        (b'{"actor":{}}', 200, {"actor": {}}),
        (b'{"statements":[{"actor":{}}]}', 200, {"actor": {}}),
        (b'{"statements":[]}', 404, None),
        (b'{"statements":[{},{}]}', 200, None),
        (b"<html>", 200, None),
        (b"[1]", 200, [1]),
    ],
)
async def test_what_a_store_says_it_holds_is_read_with_care(body: bytes, status: int, held: object) -> None:
    async def tell(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with facing(tell) as store:
        answer, found = await store.find(ROW)
    assert (answer.status, found) == (status, held)
