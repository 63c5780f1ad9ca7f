"""A client without manners: a TCP socket on which a test writes whatever bytes it likes, and reads frames only if it wants to."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from signaling.classroom.roles import Role
from signaling.websocket import unmask
from tests.support.member import Address
from tests.support.node import cookie

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def frame(opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0, masked: bool = True, size: int | None = None) -> bytes:
    """A client frame, right or wrong; `size` lies about the length."""
    length = len(payload) if size is None else size
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65_536:
        head += bytes([bit | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + unmask(payload, mask)


def packet(**fields: Any) -> bytes:
    """A frame with a MessagePack Socket.IO packet."""
    return frame(2, _encode({"nsp": "/", **fields}))


def command(number: int, **fields: Any) -> bytes:
    """A frame with one command."""
    return packet(type=2, data=["command", {"v": 1, "ref": f"raw-{number}", **fields}], id=number)


class Raw:
    """One TCP connection to the node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *data: bytes) -> None:
        """Write bytes; a peer that has closed already is not an error."""
        try:
            self.writer.write(b"".join(data))
            await self.writer.drain()
        except ConnectionError:
            pass

    async def handshake(self, headers: dict[str, str], path: str = "/rt/?EIO=4&transport=websocket") -> tuple[int, str]:
        """Ask for the upgrade; returns status and the rest of the head."""
        lines = {
            "Host": "node",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        await self.send(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()
        return int(answer.split()[1]), answer

    async def frame(self, within: float = 5.0) -> tuple[int, bytes]:
        """Opcode and payload of the next server frame; raises IncompleteReadError at the end."""
        async with asyncio.timeout(within):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def packet(self, within: float = 5.0) -> dict[str, Any]:
        """The next Socket.IO packet."""
        while True:
            opcode, payload = await self.frame(within)
            if opcode == 2:
                found: dict[str, Any] = _decode(payload)
                return found
            if opcode == 8:
                raise ConnectionError(f"closed with {int.from_bytes(payload[:2], 'big')}")

    async def ack(self, number: int, within: float = 5.0) -> dict[str, Any]:
        """The answer with this number."""
        return (await self.acks_until(number, within))[number]

    async def acks_until(self, number: int, within: float = 5.0) -> dict[int, dict[str, Any]]:
        """All answers up to the one with this number."""
        answers: dict[int, dict[str, Any]] = {}
        async with asyncio.timeout(within):
            while number not in answers:
                found = await self.packet(within)
                if found["type"] == 3:
                    answers[found["id"]] = found["data"][0]
        return answers

    async def close_code(self, within: float = 5.0) -> int | None:
        """Read on until the end; the code of the close frame, None if there was none."""
        code = None
        try:
            async with asyncio.timeout(within):
                while True:
                    opcode, payload = await self.frame(within)
                    if opcode == 8:
                        code = int.from_bytes(payload[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return code

    async def join(self, session: str, participant: str, role: Role = Role.TRAINEE) -> dict[str, Any]:
        """Upgrade, CONNECT, and return the welcome."""
        status, head = await self.handshake({"Origin": "http://node", **cookie(session, participant, role)})
        assert status == 101, head
        await self.send(packet(type=0, data={"seat": participant}))
        while (found := await self.packet())["type"] != 2 or found["data"][0] != "welcome":
            assert found["type"] != 4, found
        welcome: dict[str, Any] = found["data"][1]
        return welcome


@asynccontextmanager
async def connect(node: Address, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """A TCP connection; a small receive buffer makes a reader that stops fill up soon."""
    host, port = "127.0.0.1", int(node.url.rpartition(":")[2])
    endpoint = socket.socket()
    if receive_buffer is not None:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    endpoint.setblocking(False)
    await asyncio.get_running_loop().sock_connect(endpoint, (host, port))
    reader, writer = await asyncio.open_connection(sock=endpoint, limit=2**16)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
