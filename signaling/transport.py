"""Engine.IO v4 over WebSocket: one `Connection` per client, nothing but messages for those above.

We speak the protocol ourselves: python-socketio's engine costs 14 times the kernel's price per delivered frame, queues without bound and
binds handlers by client-chosen names. Transport is WebSocket only, without compression; aiohttp parses the upgrade request, then hands us
the bytes (`set_parser`). Rules: a connection owns no task and no timer (one `Wheel` sends every ping); more than `FRAMES_PER_S` frames a
second, a pong nobody asked for, or any text besides pong and close is an error; silence for as many pings as the wheel allows ends it.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, Final, Protocol, cast

import msgspec
from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from signaling.outbound import Laggards, Outbound
from signaling.websocket import Opcode, Parser, ProtocolError, accept_key, close_code, close_frame, frame, valid_key

MAX_MESSAGE: Final = 64 * 1024
FRAMES_PER_S: Final = 100
FRAMES_BURST: Final = 400
#: kernel send buffer per socket: bounds what a reader who stalled can hold
SEND_BUFFER: Final = 64 * 1024
PING: Final = frame(Opcode.TEXT, b"2")


class Receiver(Protocol):
    """Who owns a connection."""

    def received(self, payload: bytes) -> None:
        """A binary message, <= MAX_MESSAGE bytes."""

    def breached(self, reason: str) -> None:
        """The peer broke the protocol; the connection is being closed."""

    def ended(self) -> None:
        """The connection is gone; called once, nothing comes after it."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may do."""

    message: int = MAX_MESSAGE
    frames_per_s: float = FRAMES_PER_S
    frames_burst: float = FRAMES_BURST
    send_buffer: int = SEND_BUFFER


class Connection(Outbound):
    """One client's WebSocket; also the parser aiohttp feeds."""

    __slots__ = (
        "_allowance",
        "_limits",
        "_loop",
        "_parser",
        "_refilled_at",
        "ended",
        "heard",
        "heard_at",
        "owner",
        "pinged",
        "silent",
        "unanswered",
        "waited",
    )

    def __init__(self, transport: asyncio.Transport, laggards: Laggards, limits: Limits) -> None:
        super().__init__(transport, laggards)
        self._loop = laggards.loop
        self._parser = Parser(limits.message)
        self._limits = limits
        self._allowance = limits.frames_burst
        self._refilled_at = self._loop.time()
        self.owner: Receiver | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        #: whether the peer showed life since the last ping, when it last did (loop time), and pings whose pong has not come
        self.heard = True
        self.heard_at = self._loop.time()
        self.pinged = 0
        #: pings in a row without a sign of life; ended for that
        self.unanswered = 0
        #: the last ping went behind what the peer had not read
        self.waited = False
        self.silent = False

    def begin(self, request: web.BaseRequest, owner: Receiver) -> None:
        """Receive from now on."""
        self.owner = owner
        cast(Any, request.protocol).set_parser(self)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes from the socket (aiohttp's parser interface: never asks for more, keeps no tail)."""
        if self.closing_until is None:
            try:
                for opcode, payload in self._parser.feed(data):
                    self._spend()
                    self._message(opcode, payload)
                    if self.closing_until is not None:
                        break
            except ProtocolError as error:
                self._breach(error)
        return False, b""

    def feed_eof(self) -> None:
        """The socket is closed."""
        if not self.ended.done():
            self.gone()
            self.ended.set_result(None)
            owner, self.owner = self.owner, None  # no cycle is left for the garbage collector
            if owner is not None:
                owner.ended()

    def end(self, code: int = 1000, words: bytes = b"") -> None:
        """Close on purpose after these last frames; what is not queued comes through if the peer reads within a second."""
        self.close(words + close_frame(code))

    def ping(self, missed: int = 1) -> bool:
        """Account for a ping about to be sent; False when the last `missed` were never answered.

        To a slow reader it is under way behind all the rest; how long that may take is watched by what it reads.
        """
        self.unanswered = 0 if self.heard or not self.pinged or self.lagging or self.waited else self.unanswered + 1
        self.waited = self.lagging
        if self.unanswered >= missed:
            self.silent = True
            return False
        self.pinged += 1
        self.heard = False
        return True

    def _message(self, opcode: int, payload: bytes) -> None:
        self.heard = True
        self.heard_at = self._loop.time()
        if opcode == Opcode.BINARY:
            if not payload:
                raise ProtocolError(1008, "empty message")
            if self.owner is not None:
                self.owner.received(payload)
        elif opcode == Opcode.TEXT:
            self._text(payload)
        elif opcode == Opcode.PING:
            self.send(frame(Opcode.PONG, payload))
        elif opcode == Opcode.CLOSE:
            close_code(payload)
            self.close(frame(Opcode.CLOSE, payload[:2]))

    def _text(self, payload: bytes) -> None:
        if payload == b"3" and self.pinged:
            self.pinged -= 1
        elif payload == b"1":
            self.end()
        else:
            raise ProtocolError(1003, "text message")

    def _spend(self) -> None:
        """One frame against the flood limit."""
        self._allowance -= 1
        if self._allowance < 0:
            now = self._loop.time()
            refill = (now - self._refilled_at) * self._limits.frames_per_s
            self._allowance = min(self._limits.frames_burst, refill) - 1
            self._refilled_at = now
            if self._allowance < 0:
                raise ProtocolError(1008, "too many frames")

    def _breach(self, error: ProtocolError) -> None:
        if self.owner is not None:
            self.owner.breached(str(error))
        self.end(error.code)
        if not self.transport.is_closing():
            self.transport.pause_reading()


class Wheel:
    """All heartbeats with one timer: each connection has a slot, each tick pings one slot and drops those that did not answer."""

    SLOTS: Final = 25

    def __init__(self, write: Callable[[list[Connection], bytes], None], *, interval_s: float = 25.0, missed: int = 1) -> None:
        """write sends one frame to many; a connection that answers none of `missed` pings is ended one interval after the last of them."""
        self._write = write
        self._missed = missed
        self._tick_s = interval_s / self.SLOTS
        self._slots: list[dict[Connection, None]] = [{} for _ in range(self.SLOTS)]
        self._hand = 0
        self._slot_of: dict[Connection, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._slot_of)

    def start(self) -> None:
        """Begin ticking on the running loop."""
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)

    def stop(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()

    def add(self, connection: Connection) -> None:
        """First ping one interval from now."""
        slot = (self._hand - 1) % self.SLOTS
        self._slots[slot][connection] = None
        self._slot_of[connection] = slot

    def discard(self, connection: Connection) -> None:
        """Forget a connection."""
        slot = self._slot_of.pop(connection, None)
        if slot is not None:
            del self._slots[slot][connection]

    def _tick(self) -> None:
        alive = []
        for connection in self._slots[self._hand]:
            if connection.ping(self._missed):
                alive.append(connection)
            else:
                connection.transport.abort()
        self._hand = (self._hand + 1) % self.SLOTS
        self._write(alive, PING)
        self.start()


class Refused(Exception):
    """Not an upgrade we serve; `status` is the HTTP answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Upgraded(web.StreamResponse):
    """What a handler returns after the WebSocket has ended: nothing is left to write."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing to prepare."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to write."""

    @property
    def keep_alive(self) -> bool | None:
        """The connection is over."""
        return False


def check_upgrade(request: web.BaseRequest) -> str:
    """The Sec-WebSocket-Accept value for a good request (RFC 6455 section 4.2.1, Engine.IO v4); raises Refused."""
    headers = request.headers
    if request.method != hdrs.METH_GET or headers.get(hdrs.UPGRADE, "").strip().lower() != "websocket":
        raise Refused(HTTPStatus.BAD_REQUEST, "WebSocket only")
    if "upgrade" not in (part.strip().lower() for part in headers.get(hdrs.CONNECTION, "").split(",")):
        raise Refused(HTTPStatus.BAD_REQUEST, "no upgrade")
    if headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, "version 13 only")
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    if len(headers.getall(hdrs.SEC_WEBSOCKET_KEY, [])) != 1 or not valid_key(key):
        raise Refused(HTTPStatus.BAD_REQUEST, "bad key")
    if request.query.get("EIO") != "4" or request.query.get("transport") != "websocket" or "sid" in request.query:
        raise Refused(HTTPStatus.BAD_REQUEST, "Engine.IO 4 over WebSocket only, in a new session")
    return accept_key(key)


def upgrade(request: web.BaseRequest, accept: str, laggards: Laggards, limits: Limits) -> Connection:
    """Answer 101 and take the socket's outgoing half; raises ConnectionResetError when the peer has left already."""
    protocol = request.protocol
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("left during the upgrade")
    socket = transport.get_extra_info("socket")
    if socket is not None and limits.send_buffer:
        socket.setsockopt(SOL_SOCKET, SO_SNDBUF, limits.send_buffer)
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    connection = Connection(transport, laggards, limits)
    connection.send(head.encode())
    protocol.keep_alive(False)
    return connection


def opening(sid: str, *, interval_s: float, timeout_s: float, limits: Limits) -> bytes:
    """The Engine.IO open packet as a frame."""
    fields = {
        "sid": sid,
        "upgrades": [],
        "pingInterval": int(interval_s * 1000),
        "pingTimeout": int(timeout_s * 1000),
        "maxPayload": limits.message,
    }
    return frame(Opcode.TEXT, b"0" + msgspec.json.encode(fields))
