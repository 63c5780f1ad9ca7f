"""Records stores that fail in every way a network can: a small one of our own, and a proxy in front of a real one.

The small store is strict about what matters to the relay: batches are whole or nothing, a known id with other bytes is a conflict, a
statement with `bad` in its verb is refused, one with `poison` breaks it.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from server.records.validate import validate_xapi
from tests.support.record_stores import HEADERS

Forward = Callable[[bytes], Awaitable[tuple[int, bytes]]]


@dataclass(kw_only=True)
class Faults:
    """Chances of each fault per request, in this order; the rest is served."""

    chance: random.Random = field(default_factory=lambda: random.Random(7))
    error: float = 0.0
    too_many: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    half: float = 0.0
    hang: float = 0.0

    def next(self) -> str:
        roll = self.chance.random()
        for name in ("error", "too_many", "cut_before", "cut_after", "half", "hang"):
            roll -= getattr(self, name)
            if roll < 0:
                return name
        return ""


#: as measured in the field, and more of it
MANY = {"error": 0.08, "too_many": 0.06, "cut_before": 0.08, "cut_after": 0.12, "half": 0.04, "hang": 0.01}


class MemoryStore:
    """The small store; `held` by id in the order of arrival."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.batches: list[list[str]] = []
        self.arrivals = 0
        self.max_bytes = 10_000_000

    async def post(self, body: bytes) -> tuple[int, bytes]:
        if len(body) > self.max_bytes:
            return 413, b"too large"
        statements = json.loads(body)
        self.arrivals += len(statements)
        for one in statements:
            if "poison" in one["verb"]["id"]:
                return 500, b"broken"
            if "bad" in one["verb"]["id"] or validate_xapi(one):
                return 400, b"bad verb"
            if self.held.get(one["id"], one) != one:
                return 409, b"another statement has this id"
        self.batches.append([one["id"] for one in statements])
        self.held |= {one["id"]: one for one in statements}
        return 200, b"[]"


class Server:
    """A store on loopback; `answers` are given first, one per POST, instead of anything else: (status, headers)."""

    def __init__(self, forward: Forward, faults: Faults, held: dict[str, Any] | None, upstream: str) -> None:
        self._forward = forward
        self.faults = faults
        self._held = held
        self._upstream = upstream
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.posts = 0
        self.url = ""
        #: a request has come
        self.served = asyncio.Event()
        self._gone = asyncio.Event()
        self._index: dict[str, list[Any]] = {}
        self._indexed = -1
        self._awaited = 1 << 60
        self._reached = asyncio.Event()

    async def after(self, posts: int) -> None:
        """Until so many more requests have come."""
        self._reached.clear()
        self._awaited = self.posts + posts
        await asyncio.wait_for(self._reached.wait(), 60)

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        self.served.set()
        if self.posts >= self._awaited:
            self._reached.set()
        body = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(body)
        del self.bodies[:-10], self.headers[:-10]
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers)
        fault = self.faults.next()
        if fault == "error":
            return web.Response(status=500)
        if fault == "too_many":
            return web.Response(status=429, headers={"Retry-After": "0"})
        if fault == "cut_before":
            return self._cut(request)
        if fault == "hang":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), 5)
            return self._cut(request)
        if fault == "half":
            statements = json.loads(body)
            await self._forward(json.dumps(statements[: (len(statements) + 1) // 2]).encode())
            return web.Response(status=500)
        status, answer = await self._forward(body)
        return self._cut(request) if fault == "cut_after" else web.Response(status=status, body=answer)

    async def get(self, request: web.Request) -> web.Response:
        self.served.set()
        if self._held is not None:
            if (registration := request.query.get("registration")) is not None:
                return web.json_response({"statements": self._of(registration)})
            found = self._held.get(request.query.get("statementId", ""))
            return web.json_response(found) if found else web.Response(status=404)
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self._upstream}/statements", params=request.query, headers=_kept(request)) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    async def about(self, request: web.Request) -> web.Response:
        return web.json_response({"version": ["1.0.3"]})

    def _of(self, registration: str) -> list[Any]:
        if self._indexed != len(self._held or {}):
            self._indexed = len(self._held or {})
            self._index = {}
            for one in (self._held or {}).values():
                self._index.setdefault(one.get("context", {}).get("registration", ""), []).append(one)
        return self._index.get(registration, [])

    def stop(self) -> None:
        self._gone.set()

    def _cut(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _kept(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name in ("Authorization", "X-Experience-API-Version")}


@contextlib.asynccontextmanager
async def serve(store: MemoryStore | None = None, *, upstream: str = "", faults: Faults | None = None) -> AsyncIterator[Server]:
    """A store (or a proxy to `upstream`, whose address ends before /statements)."""
    async with aiohttp.ClientSession() as http:

        async def forward(body: bytes) -> tuple[int, bytes]:
            async with http.post(f"{upstream}/statements", data=body, headers=HEADERS) as answer:
                return answer.status, await answer.read()

        server = Server(store.post if store else forward, faults or Faults(), store.held if store else None, upstream)
        app = web.Application(client_max_size=50_000_000)
        app.router.add_post("/xAPI/statements", server.post)
        app.router.add_get("/xAPI/statements", server.get)
        app.router.add_get("/xAPI/about", server.about)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/xAPI"
        try:
            yield server
        finally:
            server.stop()
            await runner.cleanup()
