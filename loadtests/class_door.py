"""A class on a running node as the load generator enters it: HTTP in front, people who speak our own signaling behind.

The load generator speaks SDP over HTTP and nothing else; the node is to see what it sees of browsers. So every POST here is a person who
comes through the doors: join token, `POST /api/v1/seats`, Socket.IO with the cookie, `media_publish` or `media_subscribe` as a command,
microphone and camera switched on as commands. The connection stays open and is listened to (every batch's numbering is checked, as a
browser would) until the load generator deletes what Location named. Media go between load generator and node; nothing here carries them.

- `POST /publish`: an offer that sends; 201 with the node's answer. The first audio m-line is the microphone, the first video the camera.
- `POST /view`: empty, for with us it is the node that offers; 201 with its offer. `PATCH` of Location with the answer: 204.
- `DELETE` of what Location named: the person closes the connection.
- `GET /figures`: what the people here and the node itself know of the class.

A refusal of the node's is passed on as 409 with its code. Tokens are signed here with the node's key: issuing them is a learning
platform's work and would be measured with the node's.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from loadtests.report import quantile
from media.sdp import parse
from server import auth
from server.keyring import KeyRing
from signaling.classroom.roles import Role
from tests.support.member import Gap, Member, Refused

SDP: Final = "application/sdp"
#: a person whose node is silent for so long does not get in
PATIENCE_S: Final = 20.0


class Turned(Exception):
    """The node said no; args = (code,)."""


@dataclass(frozen=True)
class NodeAccess:
    """A running node, and the keys to let people in and ask about classes."""

    url: str
    ring: KeyRing
    audience: str

    def join_token(self, session: str, sub: str, role: Role) -> str:
        """For one person, used once."""
        return auth.issue(auth.Kind.JOIN, self.ring, audience=self.audience, now=time.time(), sub=sub, room=session, role=role, name=sub)

    def api_token(self) -> str:
        """For calls about classes."""
        return auth.issue(auth.Kind.API, self.ring, audience=self.audience, now=time.time(), sub="swarm")


async def call(http: aiohttp.ClientSession, node: NodeAccess, method: str, path: str, body: Any = None) -> Any:
    """One call of the node's API about classes; raises Turned."""
    headers = {"Authorization": f"Bearer {node.api_token()}", "Origin": node.url}
    async with http.request(method, f"{node.url}/api/v1{path}", json=body, headers=headers) as answer:
        if answer.status >= 400:
            raise Turned(f"{method} {path}: {answer.status} {(await answer.text())[:200]}")
        return await answer.json()


class Person(Member):
    """A member that counts what it hears instead of keeping it: many of them live long."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, heard: Counter[str]) -> None:
        super().__init__(ws)
        self.heard = heard

    async def ask(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The answer to a command; raises Turned."""
        answer = await self.command(type_, **fields)
        if "error" in answer:
            raise Turned(f"{type_}: {answer['error']['code']}")
        return answer

    def _event(self, name: str, argument: Any) -> None:
        try:
            super()._event(name, argument)
        except (Gap, AssertionError):
            self.heard["gaps"] += 1
            raise
        self.heard["events"] += len(self.events)
        for signal in self.signals:
            self.heard["signals"] += 1
            if signal["type"] == "media":
                self.heard[f"{signal['side']}_{signal['state']}"] += 1
        self.heard["byes"] += len(self.byes)
        for kept in (self.events, self.signals, self.byes):
            kept.clear()


@dataclass
class Door:
    """The people of one class, and the HTTP side of them."""

    node: NodeAccess
    session: str
    tiles: int
    http: aiohttp.ClientSession
    people: dict[str, Person] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)
    #: seconds each step of coming in took
    steps: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._opening: asyncio.Future[Any] | None = None

    # ---- coming in ----

    async def publish(self, request: web.Request) -> web.Response:
        """A trainer goes on stage with microphone and camera on."""
        offer = await request.text()
        sources: dict[str, str] = {}
        for section in parse(offer).sections:
            sources.setdefault("microphone" if section.kind == "audio" else "camera", section.first("mid") or "")
        tracks = [{"mid": mid, "source": source} for source, mid in sources.items()]

        async def on_stage(person: Person) -> str:
            await self._open_class(person)
            answer = await self._timed("media_publish", person.ask("media_publish", sdp=offer, tracks=tracks))
            for source in sources:
                await person.ask(f"set_{source}", on=True)
            return str(answer["sdp"])

        return await self._come_in(Role.TRAINER, on_stage)

    async def view(self, _request: web.Request) -> web.Response:
        """A trainee is offered its places."""

        async def watching(person: Person) -> str:
            asked = person.ask("media_subscribe", action="offer", tiles=self.tiles)
            return str((await self._timed("media_subscribe", asked))["sdp"])

        return await self._come_in(Role.TRAINEE, watching)

    async def answer(self, request: web.Request) -> web.Response:
        """A trainee's answer to what it was offered."""
        person = self.people.get(request.match_info["person"])
        if person is None:
            return web.Response(status=404)
        try:
            await self._timed("answer", person.ask("media_subscribe", action="answer", sdp=await request.text()))
        except (Turned, TimeoutError, ConnectionError) as error:
            return web.Response(status=409, text=str(error))
        return web.Response(status=204)

    async def leave(self, request: web.Request) -> web.Response:
        """Somebody closes the connection."""
        person = self.people.pop(request.match_info["person"], None)
        if person is not None:
            await person.leave()
        return web.Response()

    async def _come_in(self, role: Role, then: Callable[[Person], Coroutine[Any, Any, str]]) -> web.Response:
        name = f"{role.value} {next(self._numbers)}"
        try:
            async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
                seat, cookie = await self._timed("seat", self._take_seat(role, name))
                person = await self._timed("connect", self._connect(seat, cookie))
                stack.push_async_callback(person.leave)
                sdp = await then(person)
                stack.pop_all()
        except (Turned, Refused, TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            return web.Response(status=409, text=f"{type(error).__name__} {error}")
        self.people[seat] = person
        return web.Response(status=201, text=sdp, content_type=SDP, headers={"Location": f"/people/{seat}"})

    async def _take_seat(self, role: Role, name: str) -> tuple[str, str]:
        token = self.node.join_token(self.session, name, role)
        url, headers = f"{self.node.url}/api/v1/seats", {"Origin": self.node.url}
        async with self.http.post(url, json={"token": token}, headers=headers) as answer:
            told = await answer.json()
            if answer.status != 201:
                raise Turned(f"seat: {told['error']['code']}")
            return str(told["seat"]), "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())

    async def _connect(self, seat: str, cookie: str) -> Person:
        url, headers = f"{self.node.url}/rt/?EIO=4&transport=websocket", {"Origin": self.node.url, "Cookie": cookie}
        person = Person(await self.http.ws_connect(url, headers=headers, compress=0, max_msg_size=0), self.heard)
        await person.ws.receive()  # the opening of Engine.IO
        try:
            await person.connect({"seat": seat, "tab": "swarm"})
        except BaseException:
            await person.leave()
            raise
        return person

    async def open_class(self) -> None:
        """An assistant comes in and starts the class, for encoders cannot; raises Turned, Refused."""
        seat, cookie = await self._take_seat(Role.ASSISTANT, "assistant")
        self.people[seat] = person = await self._connect(seat, cookie)
        await person.ask("start_class")

    async def _open_class(self, person: Person) -> None:
        """The first trainer starts the class; the others wait until that is done."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(person.ask("start_class"))
        await asyncio.shield(self._opening)

    async def _timed(self, step: str, doing: Coroutine[Any, Any, Any]) -> Any:
        began = time.monotonic()
        done = await doing
        self.steps.setdefault(step, []).append(time.monotonic() - began)
        return done

    # ---- looking ----

    async def figures(self, _request: web.Request) -> web.Response:
        """Who is here as the node tells it, and what the people heard."""
        told = await call(self.http, self.node, "GET", f"/classes/{self.session}")
        return web.json_response(
            {
                "session": self.session,
                "phase": told["phase"],
                "present": told["present"],
                "people": len(self.people),
                "heard": self.heard,
                "steps_ms": {
                    step: {"n": len(took), **{f"p{q}": round(1e3 * quantile(took, q / 100), 2) for q in (50, 95, 99)}}
                    for step, took in self.steps.items()
                },
            }
        )

    async def close(self) -> None:
        """Everybody who is still here leaves."""
        await asyncio.gather(*(person.leave() for person in self.people.values()), return_exceptions=True)
        self.people.clear()


@asynccontextmanager
async def listening(door: Door) -> Any:
    """The door's HTTP server on loopback; gives its URL."""
    app = web.Application()
    app.router.add_post("/publish", door.publish)
    app.router.add_post("/view", door.view)
    app.router.add_patch("/people/{person}", door.answer)
    app.router.add_delete("/people/{person}", door.leave)
    app.router.add_get("/figures", door.figures)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await door.close()
        await runner.cleanup()
