"""RFC 6455 for a server, without I/O: bytes in, messages out; and the other way round for single unmasked frames.

Rules: client frames are masked, reserved bits are clear (no extension is ever negotiated), opcodes are known, control frames are whole and
<= 125 bytes, text is UTF-8, a message is <= `limit` bytes in <= 256 fragments. A breach raises `ProtocolError` with the close code of
section 7.4.1; the parser is then spent. Memory held is at most the limit plus one frame header.
"""

import base64
import codecs
import hashlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

MAX_FRAGMENTS: Final = 256
#: RFC 6455 section 1.3
_HANDSHAKE_KEY: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class ProtocolError(Exception):
    """The peer broke the protocol; `code` is what to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def accept_key(key: str) -> str:
    """The answer to Sec-WebSocket-Key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _HANDSHAKE_KEY, usedforsecurity=False).digest()).decode()


def valid_key(key: str) -> bool:
    """Whether a Sec-WebSocket-Key is the base64 of 16 bytes (section 4.1)."""
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """One final, unmasked frame (section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int | None) -> bytes:
    """A close frame; None gives one without a code."""
    return frame(Opcode.CLOSE, b"" if code is None else code.to_bytes(2, "big"))


def close_code(payload: bytes) -> int | None:
    """The code in a received close frame, None when empty; raises ProtocolError when it is not one a peer may send (section 7.4)."""
    if not payload:
        return None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ProtocolError(1002, "bad close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise ProtocolError(1007, "close reason is not UTF-8") from None
    return code


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Section 5.3, by one big-integer exclusive or."""
    size = len(payload)
    if not size:
        return b""
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


class Parser:
    """Feed received bytes; iterate the messages they complete. Pings, pongs and closes come out as they are, text as UTF-8 bytes."""

    __slots__ = ("_buffer", "_checker", "_fragments", "_limit", "_opcode", "_size")

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit
        #: of the message in progress: its opcode (0 = none), parts and size
        self._opcode = 0
        self._fragments: list[bytes] = []
        self._size = 0
        self._checker: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of each complete message, in order; stop iterating to drop the rest. Raises ProtocolError."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 2:
            first, second = buffer[0], buffer[1]
            opcode = first & 0x0F
            self._check_header(first, second, opcode)
            size, start = second & 0x7F, 2
            if size == 126:
                start = 4
                if len(buffer) < start:
                    return
                size = int.from_bytes(buffer[2:4], "big")
            elif size == 127:
                start = 10
                if len(buffer) < start:
                    return
                size = int.from_bytes(buffer[2:10], "big")
            if self._size + size > self._limit and opcode < 8:
                raise ProtocolError(1009, "message too large")
            end = start + 4 + size
            if len(buffer) < end:
                return
            payload = unmask(bytes(buffer[start + 4 : end]), bytes(buffer[start : start + 4]))
            del buffer[:end]
            if opcode >= 8:
                yield opcode, payload
            else:
                message = self._data(opcode, payload, final=first & 0x80 != 0)
                if message is not None:
                    yield message

    def _check_header(self, first: int, second: int, opcode: int) -> None:
        if first & 0x70:
            raise ProtocolError(1002, "reserved bit set")
        if not second & 0x80:
            raise ProtocolError(1002, "client frame is not masked")
        if opcode >= 8:
            if opcode > 10 or not first & 0x80 or second & 0x7F > 125:
                raise ProtocolError(1002, "bad control frame")
        elif opcode > 2:
            raise ProtocolError(1002, "unknown opcode")
        elif (opcode == 0) != bool(self._opcode):
            raise ProtocolError(1002, "continuation without a message, or a message inside another")

    def _data(self, opcode: int, payload: bytes, *, final: bool) -> tuple[int, bytes] | None:
        kind = opcode or self._opcode
        if kind == Opcode.TEXT:
            self._check_text(payload, final=final)
        if final and opcode:
            return kind, payload
        self._opcode = kind
        self._size += len(payload)
        self._fragments.append(payload)
        if not final:
            if len(self._fragments) > MAX_FRAGMENTS:
                raise ProtocolError(1009, "too many fragments")
            return None
        message = b"".join(self._fragments)
        self._opcode, self._size, self._fragments, self._checker = 0, 0, [], None
        return kind, message

    def _check_text(self, payload: bytes, *, final: bool) -> None:
        try:
            if self._checker is None and final:
                payload.decode()
                return
            if self._checker is None:
                self._checker = codecs.getincrementaldecoder("utf-8")()
            self._checker.decode(payload, final)
        except UnicodeDecodeError:
            raise ProtocolError(1007, "text is not UTF-8") from None
