"""Load users for a running demo node: `locust -f loadtests/locustfile.py --host http://127.0.0.1:8080` beside `make run`.

A trainee comes in through the doors (invitation, token, seat), joins the class over its socket, talks, reacts, raises a hand, leaves and
comes back with `resume`. A visitor opens pages only. Figures are per call and per command; a gap in the numbers counts as a failure.
"""

import secrets
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
from locust import HttpUser, between, task

from loadtests.crowd import frame

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Gap(Exception):
    """Events are missing."""


class Line:
    """One connection to a class, blocking (locust makes sockets cooperative)."""

    def __init__(self, host: str, cookies: str, seat: str, resume: dict[str, Any] | None) -> None:
        address = urlsplit(host)
        self._socket = socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), 10)
        self._socket.settimeout(10)
        self._file = self._socket.makefile("rb")
        self._numbers = 0
        self.epoch = ""
        self.last = resume["seq"] if resume else 0
        self._socket.sendall(
            (
                f"GET /rt/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: {host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                f"Cookie: {cookies}\r\n\r\n"
            ).encode()
        )
        if not self._file.readline().startswith(b"HTTP/1.1 101"):
            raise ConnectionError("no upgrade")
        while self._file.readline() != b"\r\n":
            pass
        self._send({"type": 0, "nsp": "/", "data": {"seat": seat, **({"resume": resume} if resume else {})}})
        while not self.epoch:
            self._hear()

    def command(self, **fields: Any) -> dict[str, Any]:
        """Say one command and wait for its answer, hearing everything that comes before it."""
        self._numbers += 1
        said = {"v": 1, "ref": secrets.token_hex(8), **fields}
        self._send({"type": 2, "nsp": "/", "data": ["command", said], "id": self._numbers})
        while True:
            packet = self._hear()
            if packet is not None and packet["type"] == 3 and packet["id"] == self._numbers:
                answer: dict[str, Any] = packet["data"][0]
                return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, packet: dict[str, Any]) -> None:
        self._socket.sendall(frame(_encode(packet)))

    def _hear(self) -> dict[str, Any] | None:
        head, size = self._exactly(2)
        if size == 126:
            size = int.from_bytes(self._exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self._exactly(8), "big")
        payload = self._exactly(size)
        if head == 0x81:
            if payload == b"2":
                self._socket.sendall(b"\x81\x81\x00\x00\x00\x003")
            return None
        if head != 0x82:
            raise ConnectionError("closed")
        packet: dict[str, Any] = _decode(payload)
        if packet["type"] == 2:
            self._event(*packet["data"])
        elif packet["type"] == 4:
            raise ConnectionError(packet["data"]["message"])
        return packet

    def _event(self, name: str, argument: Any) -> None:
        if name == "welcome":
            self.epoch = argument["epoch"]
            self.last = argument.get("snapshot", {}).get("seq", self.last)
        elif name == "events":
            if argument["after"] > self.last:
                raise Gap(f"after {argument['after']}, have {self.last}")
            self.last = max(self.last, argument["upto"])

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionError("ended")
        return data


class Trainee(HttpUser):
    """Takes part in the demo class."""

    weight = 10
    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Come in."""
        self.line: Line | None = None
        self.raised = False
        link = self.client.get("/api/v1/demo").json()["links"]["trainee"]
        invite = link.partition("#invite=")[2]
        name = f"Load {secrets.token_hex(3)}"
        token = self.client.post("/api/v1/invitations", json={"invite": invite, "name": name}).json()["token"]
        self.seat = self.client.post("/api/v1/seats", json={"token": token}).json()["seat"]
        self._connect(None)

    def on_stop(self) -> None:
        """Go."""
        if self.line is not None:
            self.line.close()

    @task(5)
    def chat(self) -> None:
        """Say something."""
        self._say("post_chat", text="load " * 10)

    @task(5)
    def react(self) -> None:
        """Clap."""
        self._say("react", reaction="clap")

    @task(2)
    def hand(self) -> None:
        """Raise or lower the hand."""
        self._say("lower_hand" if self.raised else "raise_hand")
        self.raised = not self.raised

    @task(1)
    def come_back(self) -> None:
        """Lose the connection and resume."""
        if self.line is not None:
            mark = {"epoch": self.line.epoch, "seq": self.line.last}
            self.line.close()
            self._connect(mark)

    @task(2)
    def look_at_seat(self) -> None:
        """What the page asks when it is opened."""
        self.client.get(f"/api/v1/seats/{self.seat}", name="/api/v1/seats/[seat]")

    def _connect(self, resume: dict[str, Any] | None) -> None:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.client.cookies)
        with self._measured("resume" if resume else "join"):
            self.line = Line(self.host or "", cookies, self.seat, resume)

    def _say(self, type_: str, **fields: Any) -> None:
        if self.line is not None:
            with self._measured(type_) as outcome:
                answer = self.line.command(type=type_, **fields)
                if answer.get("error", {}).get("retry") == "never":
                    outcome.append(answer["error"]["code"])

    def _measured(self, name: str) -> "_Measured":
        return _Measured(self, name)


class _Measured:
    """Tells locust how long a block took and whether it failed."""

    def __init__(self, user: Trainee, name: str) -> None:
        self._user = user
        self._name = name
        self._errors: list[str] = []

    def __enter__(self) -> list[str]:
        self._begun = time.perf_counter()
        return self._errors

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        failed = error or (ConnectionError(self._errors[0]) if self._errors else None)
        self._user.environment.events.request.fire(
            request_type="socket",
            name=self._name,
            response_time=(time.perf_counter() - self._begun) * 1e3,
            response_length=0,
            exception=failed,
            context={},
        )
        if isinstance(error, OSError | Gap):
            self._user.line = None
            return True
        return False


class Visitor(HttpUser):
    """Opens pages."""

    weight = 1
    wait_time = between(2, 6)

    @task
    def page(self) -> None:
        """The join page."""
        self.client.get("/join")

    @task
    def health(self) -> None:
        """What a balancer asks."""
        self.client.get("/healthz")
