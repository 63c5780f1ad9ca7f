"""A class member on the wire: speaks Socket.IO over aiohttp's WebSocket client, applies the numbering rules of PROTOCOL.md strictly."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import msgspec

from signaling.classroom.roles import Role
from tests.support.node import cookie

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Address(Protocol):
    """Where a node listens."""

    @property
    def url(self) -> str: ...


class Gap(AssertionError):
    """A batch began behind what this member knows."""


class Refused(Exception):
    """CONNECT was refused; args = (code,)."""


class Member:
    """One connection. `events` are those applied, in order; `last` is the number reached."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sid = ""
        self.events: list[dict[str, Any]] = []
        self.welcomes: list[dict[str, Any]] = []
        self.signals: list[dict[str, Any]] = []
        self.byes: list[dict[str, Any]] = []
        self.last = 0
        self.epoch = ""
        self.disconnected = False
        self.closed = asyncio.Event()
        self._changed = asyncio.Event()
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self._connected: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> dict[str, Any]:
        """The newest snapshot."""
        found: dict[str, Any] = next(w["snapshot"] for w in reversed(self.welcomes) if "snapshot" in w)
        return found

    async def connect(self, auth: dict[str, Any]) -> None:
        """Say CONNECT and wait for the welcome; raises Refused."""
        self._reader = asyncio.create_task(self._read())
        await self.ws.send_bytes(_encode({"type": 0, "nsp": "/", "data": auth}))
        await asyncio.wait_for(self._connected, 10)
        await self.until(lambda: bool(self.welcomes))

    async def command(self, type_: str, ref: str | None = None, **fields: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        return await asyncio.wait_for(await self.begin(type_, ref, **fields), 10)

    async def begin(self, type_: str, ref: str | None = None, **fields: Any) -> "asyncio.Future[Any]":
        """Send one command; the future resolves with its answer."""
        number = next(self._ids)
        answer = self._acks[number] = asyncio.get_running_loop().create_future()
        said = {"v": 1, "ref": ref or f"op-{self.sid[:8]}-{number}", "type": type_, **fields}
        await self.ws.send_bytes(_encode({"type": 2, "nsp": "/", "data": ["command", said], "id": number, "options": {"compress": True}}))
        return answer

    async def until(self, what: Callable[[], bool], within: float = 10.0) -> None:
        """Wait for something to become true as messages arrive."""
        async with asyncio.timeout(within):
            while not what():
                self._changed.clear()
                if self.closed.is_set():
                    raise ConnectionError(f"closed while waiting; byes: {self.byes}")
                await self._changed.wait()

    def types(self) -> list[str]:
        """Kinds of the applied events, in order."""
        return [entry["event"]["type"] for entry in self.events]

    async def leave(self) -> None:
        """Close the socket."""
        await self.ws.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def _read(self) -> None:
        try:
            async for message in self.ws:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._packet(_decode(message.data))
                elif message.data == "2":
                    await self.ws.send_str("3")
                self._changed.set()
        finally:
            self.closed.set()
            self._changed.set()
            for answer in self._acks.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("closed before the answer"))
                    answer.exception()
            if not self._connected.done():
                self._connected.set_exception(ConnectionError("closed before CONNECT was answered"))
                self._connected.exception()

    def _packet(self, packet: dict[str, Any]) -> None:
        kind = packet["type"]
        if kind == 0:
            self.sid = packet["data"]["sid"]
            self._connected.set_result(self.sid)
        elif kind == 1:
            self.disconnected = True
        elif kind == 2:
            self._event(*packet["data"])
        elif kind == 3:
            answer = self._acks.pop(packet["id"])
            if not answer.done():
                answer.set_result(packet["data"][0])
        elif kind == 4:
            self._connected.set_exception(Refused(packet["data"]["data"]["code"]))

    def _event(self, name: str, argument: Any) -> None:
        if name == "welcome":
            self.welcomes.append(argument)
            self.epoch = argument["epoch"]
            if "snapshot" in argument:
                self.last = argument["snapshot"]["seq"]
        elif name == "events":
            if argument["after"] > self.last:
                raise Gap(f"have {self.last}, got after {argument['after']}")
            assert argument["after"] <= argument["upto"]
            numbers = [entry["seq"] for entry in argument["events"]]
            assert numbers == sorted(set(numbers))
            assert all(argument["after"] < number <= argument["upto"] for number in numbers)
            self.events += [entry for entry in argument["events"] if entry["seq"] > self.last]
            self.last = max(self.last, argument["upto"])
        elif name == "signals":
            self.signals += argument
        elif name == "bye":
            self.byes.append(argument)


@asynccontextmanager
async def socket(node: Address, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket on which nothing but the Engine.IO open packet has been said."""
    async with aiohttp.ClientSession() as http:
        ws = await http.ws_connect(
            f"{node.url}/rt/?EIO=4&transport=websocket", headers={"Origin": node.url, **headers}, compress=0, max_msg_size=0
        )
        try:
            assert (await ws.receive_str()).startswith("0{")
            yield ws
        finally:
            await ws.close()


@asynccontextmanager
async def join(node: Address, session: str, participant: str, role: Role = Role.TRAINEE, **auth: Any) -> AsyncIterator[Member]:
    """A member who is in."""
    async with socket(node, cookie(session, participant, role)) as ws:
        member = Member(ws)
        member.last = auth.get("resume", {}).get("seq", 0)
        await member.connect({"seat": participant, **auth})
        yield member
        await member.leave()
