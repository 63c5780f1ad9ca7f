"""Thousands of class members in one thread: a bare epoll client that costs less than the node it loads.

It speaks just enough WebSocket and Socket.IO by hand, answers heartbeats, counts what arrives and measures how long a stamped chat message
was under way (sender and readers share the machine's monotonic clock). Frames that come to many members alike are read once.
"""

import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

_STAMP: Final = re.compile(rb"@(\d{10,20})@")
_EVENTS: Final = b"\x83\xa4type\x02\xa4data\x92\xa6events"
_SIGNALS: Final = b"\x83\xa4type\x02\xa4data\x92\xa7signals"
_WELCOME: Final = b"\x83\xa4type\x02\xa4data\x92\xa7welcome"
_BYE: Final = b"\x83\xa4type\x02\xa4data\x92\xa3bye"
_PONG: Final = b"\x81\x81\x00\x00\x00\x003"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


def stamp() -> str:
    """A text that tells when it was said."""
    return f"@{time.monotonic_ns()}@"


def frame(payload: bytes) -> bytes:
    """A client's binary frame; the masking key is zero."""
    size = len(payload)
    if size < 126:
        return bytes((0x82, 0x80 | size)) + bytes(4) + payload
    if size < 65_536:
        return b"\x82\xfe" + size.to_bytes(2, "big") + bytes(4) + payload
    return b"\x82\xff" + size.to_bytes(8, "big") + bytes(4) + payload


class Member:
    """One connection."""

    __slots__ = ("buffer", "deaf", "frames", "inside", "latencies", "name", "sock", "upgraded")

    def __init__(self, name: str, sock: socket.socket) -> None:
        self.name = name
        self.sock = sock
        self.buffer = b""
        self.upgraded = False
        self.inside = False
        self.deaf = False
        self.frames = 0
        self.latencies: list[float] = []


class Crowd:
    """Members of one class; `step` moves everything that can move."""

    def __init__(self, port: int, session: str, *, receive_buffer: int | None = None) -> None:
        self.port = port
        self.session = session
        self.members: list[Member] = []
        #: seconds each stamped message took, per reader
        self.latencies: list[float] = []
        self.frames = 0
        self.bytes = 0
        self.inside = 0
        self.closed = 0
        self.acked = 0
        self.errors: Counter[str] = Counter()
        #: journal number -> of the newest open poll, if any was seen
        self.poll: str | None = None
        self._receive_buffer = receive_buffer
        self._epoll = select.epoll()
        self._by_fd: dict[int, Member] = {}
        self._cache: dict[bytes, list[int]] = {}
        self._numbers = 0

    # ---- coming ----

    def connect(self, names: Iterable[str], role: str = "trainee") -> list[Member]:
        """Open a connection for each name, all at once, without waiting."""
        opened = []
        for name in names:
            sock = socket.socket()
            if self._receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            sock.connect(("127.0.0.1", self.port))
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            member = Member(name, sock)
            sock.send(
                (
                    "GET /rt/?EIO=4&transport=websocket HTTP/1.1\r\nHost: node\r\nOrigin: http://node\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    f"Cookie: person={self.session}.{name}.{role}\r\n\r\n"
                ).encode()
            )
            self._by_fd[sock.fileno()] = member
            self._epoll.register(sock.fileno(), select.EPOLLIN)
            self.members.append(member)
            opened.append(member)
        return opened

    def join(self, names: Iterable[str], role: str = "trainee", *, within: float = 60.0, at_once: int = 500) -> list[Member]:
        """Come in, at most at_once connections being made at a time; raises TimeoutError."""
        names = list(names)
        joined: list[Member] = []
        until = time.monotonic() + within
        while names:
            part, names = names[:at_once], names[at_once:]
            joined += self.connect(part, role)
            while self.inside + sum(self.errors.values()) < len(self.members) - self.closed:
                self.step(0.05)
                if time.monotonic() > until:
                    raise TimeoutError(f"{self.inside} of {len(self.members)} are in; {dict(self.errors)}")
        return joined

    # ---- doing ----

    def command(self, member: Member, **fields: Any) -> None:
        """Send one command."""
        self._numbers += 1
        said = {"v": 1, "ref": f"load-{self._numbers}", **fields}
        try:
            member.sock.send(frame(_encode({"type": 2, "nsp": "/", "data": ["command", said], "id": self._numbers})))
        except OSError:
            self.errors["send"] += 1

    def step(self, timeout: float) -> None:
        """Read what is there, waiting at most `timeout` seconds for the first byte."""
        for fd, _ in self._epoll.poll(timeout, 4_096):
            member = self._by_fd.get(fd)
            if member is not None:
                self._read(member)

    def run(self, seconds: float, each: Callable[[float], None] | None = None, every: float = 0.005) -> None:
        """Read for so long, calling `each` with the elapsed seconds about every `every`."""
        begun = time.monotonic()
        while (elapsed := time.monotonic() - begun) < seconds:
            if each is not None:
                each(elapsed)
            self.step(every)

    def until(self, what: Callable[[], bool], within: float) -> bool:
        """Read until something is true; False if it never was."""
        end = time.monotonic() + within
        while not what():
            if time.monotonic() > end:
                return False
            self.step(0.01)
        return True

    def deafen(self, member: Member) -> None:
        """Read nothing more from this connection."""
        member.deaf = True
        self._epoll.unregister(member.sock.fileno())

    def leave(self) -> None:
        """Close everything."""
        for member in self.members:
            member.sock.close()
        self._by_fd.clear()
        self._epoll.close()

    # ---- reading ----

    def _read(self, member: Member) -> None:
        try:
            data = member.sock.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone(member)
            return
        self.bytes += len(data)
        data = member.buffer + data if member.buffer else data
        if not member.upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                member.buffer = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.errors[data[:12].decode(errors="replace")] += 1
                self._gone(member)
                return
            member.upgraded = True
            data = data[end + 4 :]
        member.buffer = self._frames(member, data)

    def _frames(self, member: Member, data: bytes) -> bytes:
        position, length = 0, len(data)
        while length - position >= 2:
            size, start = data[position + 1], position + 2
            if size == 126:
                size, start = int.from_bytes(data[position + 2 : position + 4], "big"), position + 4
            elif size == 127:
                size, start = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
            if length < start + size or start - position > length - position:
                break
            self._message(member, data[position], data[start : start + size])
            position = start + size
        return data[position:]

    def _message(self, member: Member, head: int, payload: bytes) -> None:
        self.frames += 1
        member.frames += 1
        if payload.startswith(_EVENTS):
            for said in self._stamps(payload):
                late = (time.monotonic_ns() - said) / 1e9
                self.latencies.append(late)
                member.latencies.append(late)
        elif payload.startswith(_SIGNALS):
            pass
        elif head == 0x81:
            self._text(member, payload)
        elif payload.startswith(_WELCOME):
            if not member.inside:
                member.inside = True
                self.inside += 1
        elif payload.startswith(_BYE):
            self.errors[_decode(payload)["data"][1]["code"]] += 1
        elif head == 0x82 and payload[0] & 0xF0 == 0x80:
            self._other(_decode(payload))

    def _stamps(self, payload: bytes) -> list[int]:
        found = self._cache.get(payload)
        if found is None:
            if b"poll_opened" in payload:
                events = _decode(payload)["data"][1]["events"]
                self.poll = next(e["event"]["poll"] for e in events if e["event"]["type"] == "poll_opened")
            if len(self._cache) > 200:
                self._cache.clear()
            found = self._cache[payload] = [int(text) for text in _STAMP.findall(payload)]
        return found

    def _text(self, member: Member, payload: bytes) -> None:
        if payload.startswith(b"0"):
            member.sock.send(frame(_encode({"type": 0, "nsp": "/", "data": {"seat": member.name}})))
        elif payload == b"2":
            member.sock.send(_PONG)

    def _other(self, packet: dict[str, Any]) -> None:
        if packet["type"] == 3:
            error = packet["data"][0].get("error")
            if error is None:
                self.acked += 1
            else:
                self.errors[error["code"]] += 1
        elif packet["type"] == 4:
            self.errors[packet["data"]["data"]["code"]] += 1

    def _gone(self, member: Member) -> None:
        if self._by_fd.pop(member.sock.fileno(), None) is not None:
            self._epoll.unregister(member.sock.fileno())
            member.sock.close()
            self.closed += 1
            self.inside -= member.inside
            member.inside = False
