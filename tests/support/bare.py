"""The media plane without the rest of a node: the real engine, negotiation and classroom core behind one HTTP call, for a bare test page.

It stands in for gateway and runner only, so that a failure here is one of media and nothing else.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from media.addresses import local_addresses
from media.plane import NativePlane
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.roles import Role
from signaling.classroom.tracks import SetCamera, SetMicrophone, StartScreen
from tests.support.lesson import Lesson

PAGE = Path(__file__).parents[1] / "e2e" / "bare.html"


class Heard:
    """Signals, kept: newest by (connection or person, type)."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.all: list[tuple[str, Mapping[str, Any]]] = []

    def _keep(self, who: str, signal: Mapping[str, Any]) -> None:
        key = f"{signal['type']}-{signal['side']}" if "side" in signal else str(signal["type"])
        self.newest[who, key] = signal
        self.all.append((who, signal))
        del self.all[:-5000]

    def to_all(self, session: str, signal: Mapping[str, Any]) -> None:
        self._keep("*", signal)

    def to_staff(self, session: str, signal: Mapping[str, Any]) -> None:
        self._keep("staff", signal)

    def to_participant(self, session: str, participant: str, signal: Mapping[str, Any]) -> None:
        self._keep(participant, signal)

    def to_connection(self, session: str, connection: str, signal: Mapping[str, Any]) -> None:
        self._keep(connection, signal)


class BareNode:
    """One class on one plane, served at `url`."""

    def __init__(self, announced: Sequence[str] = (), bind: str = "0.0.0.0", tcp_port: int | None = 0) -> None:
        self.lesson = Lesson()
        self.heard = Heard()
        self.plane = NativePlane(
            bind=bind,
            udp_ports=[0],
            tcp_port=tcp_port,
            announced=announced or local_addresses(),
            signals=self.heard,
            clock=lambda: int(time.time() * 1000),
        )
        self.lesson.followers.append(lambda room, event: self.plane.follow(room.id, room, event))
        self.lesson.join("ann", Role.TRAINER)
        self.lesson.start("ann")
        self.url = ""

    def do(self, actor: str, command: Command) -> None:
        self.lesson.do(actor, command)

    def announce(self, person: str, *, screen: bool = False) -> None:
        """Switch everything of this person on."""
        self.do(person, SetMicrophone(on=True))
        self.do(person, SetCamera(on=True))
        if screen:
            self.do(person, StartScreen())

    async def _signal(self, request: web.Request) -> web.Response:
        message = await request.json()
        person, method = message["person"], message["method"]
        if person not in self.lesson.room.participants:
            self.lesson.join(person)
        call = self.plane.publish if method == "publish" else self.plane.subscribe
        try:
            return web.json_response(await call(self.lesson.room.id, person, message.get("connection", person), message["request"]))
        except Rejected as refusal:
            return web.json_response({"error": refusal.code})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=PAGE.read_text(), content_type="text/html")


@contextlib.asynccontextmanager
async def bare_node(announced: Sequence[str] = (), bind: str = "0.0.0.0", tcp_port: int | None = 0) -> AsyncIterator[BareNode]:
    node = BareNode(announced, bind, tcp_port)
    app = web.Application()
    app.router.add_post("/signal", node._signal)
    app.router.add_get("/", node._page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield node
    finally:
        await runner.cleanup()
        node.plane.stop()
