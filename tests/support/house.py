"""A whole node with its door: real tokens, seats, HTTP, signaling, store and media plane. In this process, or as one of its own.

`Guest` is one browser: a cookie and the seats it owns. Requests carry the node's own Origin unless told otherwise.
"""

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from server import auth, config, keyring, keys, serve
from signaling.classroom.roles import Role
from tests.support.member import Member

API_KEY = "test-key-of-the-learning-platform"
API_KEYS = f"lms:{hashlib.sha256(API_KEY.encode()).hexdigest()}"
SERVICE = {"Authorization": f"Bearer {API_KEY}"}
#: node settings for tests: any free ports, no private listener
_SETTINGS = {"port": 0, "private_port": 0, "tokens.api_keys": (API_KEYS,)}


@dataclass(kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Any
    cookies: dict[str, str]

    @property
    def code(self) -> str:
        """The refusal's code, empty for a good answer."""
        return self.body["error"]["code"] if isinstance(self.body, dict) and "error" in self.body else ""


@dataclass(kw_only=True)
class Guest:
    """A browser with one seat."""

    seat: str
    participant: str
    session: str
    cookie: str
    sub: str


@dataclass(kw_only=True)
class House:
    """A node as its clients see it; `node` is set when it runs in this process."""

    url: str
    ring: keyring.KeyRing
    http: aiohttp.ClientSession
    private_url: str = ""
    pid: int = 0
    node: serve.Node | None = None
    cookie_name: str = "jiangtai"
    lines: list[str] = field(default_factory=list)
    #: everything the process has written to its log; `wrote` is set at every line
    log: list[str] = field(default_factory=list)
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    async def logged(self, words: str) -> None:
        """Wait until a log line holds these words."""
        async with asyncio.timeout(10):
            while not any(words in line for line in self.log):
                self.wrote.clear()
                await self.wrote.wait()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        cookie: str = "",
        operator: str = "",
        headers: dict[str, str] | None = None,
        data: bytes | io.BytesIO | None = None,
    ) -> Answer:
        """One API call."""
        sent = {"Origin": self.url, **(headers or {})}
        jar = [f"{self.cookie_name}={cookie}"] if cookie else []
        jar += [f"{self.cookie_name}-operator={operator}"] if operator else []
        if jar:
            sent["Cookie"] = "; ".join(jar)
        extra = {"data": data} if data is not None else {"json": body} if body is not None else {}
        async with self.http.request(method, f"{self.url}/api/v1{path}", headers=sent, **extra) as response:
            raw = await response.read()
            json_body = await response.json() if response.content_type == "application/json" and raw else raw
            cookies = {name: morsel.value for name, morsel in response.cookies.items()}
            return Answer(status=response.status, body=json_body, headers=response.headers, cookies=cookies)

    async def create(self, title: str = "Lesson", **more: Any) -> str:
        """Make a class as the learning platform; returns its id."""
        answer = await self.call("POST", "/classes", {"title": title, **more}, headers=SERVICE)
        assert answer.status == 201, answer
        return str(answer.body["session"])

    def token(self, session: str, sub: str, role: Role = Role.TRAINEE, *, now: float | None = None, **more: Any) -> str:
        """A join token signed by the node's own key."""
        name = more.pop("name", sub)
        when = time.time() if now is None else now
        return auth.issue(auth.Kind.JOIN, self.ring, audience="jiangtai", now=when, sub=sub, room=session, role=role, name=name, **more)

    async def come_in(self, session: str, sub: str, role: Role = Role.TRAINEE, *, cookie: str = "", **more: Any) -> Guest:
        """Take a seat with a fresh token."""
        answer = await self.call("POST", "/seats", {"token": self.token(session, sub, role, **more)}, cookie=cookie)
        assert answer.status == 201, answer
        kept = answer.cookies[self.cookie_name]
        return Guest(seat=answer.body["seat"], participant=answer.body["participant"], session=session, cookie=kept, sub=sub)

    def proof(self, guest: Guest) -> dict[str, str]:
        """Headers of the guest's browser."""
        return {"Cookie": f"{self.cookie_name}={guest.cookie}", "Origin": self.url}

    @contextlib.asynccontextmanager
    async def socket(self, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket on which nothing but the opening has been said."""
        url = f"{self.url}/rt/?EIO=4&transport=websocket"
        async with self.http.ws_connect(url, headers=headers, compress=0, max_msg_size=0) as ws:
            assert (await ws.receive_str()).startswith("0{")
            yield ws

    @contextlib.asynccontextmanager
    async def join(self, guest: Guest, **said: Any) -> AsyncIterator[Member]:
        """The guest in class."""
        async with self.socket(self.proof(guest)) as ws:
            member = Member(ws)
            member.last = said.get("resume", {}).get("seq", 0)
            await member.connect({"seat": guest.seat, **said})
            yield member
            await member.leave()

    @contextlib.asynccontextmanager
    async def member(self, session: str, sub: str, role: Role = Role.TRAINEE, **more: Any) -> AsyncIterator[Member]:
        """Somebody who takes a seat and is in class."""
        async with self.join(await self.come_in(session, sub, role, **more)) as member:
            yield member


@contextlib.asynccontextmanager
async def house(var: Path, **settings: Any) -> AsyncIterator[House]:
    """A node in this process."""
    loaded = config.load(environ={}, overrides={**_SETTINGS, "var": str(var), **settings})
    async with serve.running(loaded) as node, _client() as http:
        name = "__Host-jiangtai" if loaded.secure else "jiangtai"
        private = f"http://127.0.0.1:{node.private_port}"
        yield House(url=node.origin, ring=node.app[keys.RING], http=http, node=node, cookie_name=name, private_url=private, pid=os.getpid())


@contextlib.asynccontextmanager
async def spawned(var: Path, *arguments: str, **environ: str) -> AsyncIterator[House]:
    """A node in a process of its own; `environ` are its JIANGTAI_… variables without the prefix."""
    settings = {"PORT": "0", "PRIVATE_PORT": "-1", "TOKENS_API_KEYS": API_KEYS, **environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", "serve", "--var", str(var), *arguments,
        env={**os.environ, **{f"JIANGTAI_{name}": value for name, value in settings.items()}},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    log: list[str] = []
    wrote = asyncio.Event()
    draining = asyncio.create_task(_drain(process.stderr, log, wrote))
    try:
        async with asyncio.timeout(30):
            while not lines or not lines[-1].startswith("READY "):
                line = (await process.stdout.readline()).decode()
                assert line, f"the node ended: {log}"
                lines.append(line.rstrip())
        url = lines[-1].removeprefix("READY ")
        ring = keyring.open_ring(var / "keys" / "node.json")
        async with _client() as http:
            yield House(url=url, ring=ring, http=http, pid=process.pid, lines=lines, log=log, wrote=wrote)
    finally:
        for _ in range(2):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            raise
        finally:
            await draining


def _client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0, ssl=False), timeout=aiohttp.ClientTimeout(total=30)
    )


async def _drain(stream: asyncio.StreamReader | None, into: list[str], wrote: asyncio.Event) -> None:
    assert stream is not None
    while line := await stream.readline():
        into.append(line.decode().rstrip())
        wrote.set()
