"""Socket.IO v5 packets in the MessagePack encoding of socket.io-msgpack-parser 3: one map {type, nsp, data?, id?} per binary message.

`check` walks foreign MessagePack before anything is decoded: bounded depth and item count, unique string keys, no zero characters, finite numbers, no
extension types (a client library may write "undefined" as extension 0 beside `data` and `id` of the packet itself: read as absent).
"""

import struct
from enum import IntEnum
from typing import Any, Final

import msgspec

from signaling.websocket import Opcode, frame

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 4_000


class Kind(IntEnum):
    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Malformed(Exception):
    """Not a packet we accept."""


class Packet(msgspec.Struct, frozen=True):
    """A decoded packet; `data` is still encoded."""

    type: int
    nsp: str = "/"
    data: msgspec.Raw = msgspec.Raw(b"")
    id: msgspec.Raw = msgspec.Raw(b"")


class Connecting(msgspec.Struct, frozen=True):
    """`auth` of a CONNECT packet."""

    seat: str
    tab: str | None = None
    resume: dict[str, Any] | None = None
    view: str = "full"


_UNDEFINED: Final = b"\xd4\x00\x00"
_packet = msgspec.msgpack.Decoder(Packet)
_connecting = msgspec.msgpack.Decoder(Connecting)
_event = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_ack_id = msgspec.msgpack.Decoder(int)
_encoder = msgspec.msgpack.Encoder()

#: size of the fixed-size scalars by first byte: nil, booleans, integers, floats
_SCALARS: Final = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
#: width of the length field of strings and byte strings, of arrays, of maps
_STRINGS: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BYTES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_ARRAYS: Final = {0xDC: 2, 0xDD: 4}
_MAPS: Final = {0xDE: 2, 0xDF: 4}


def check(data: bytes) -> None:
    """Raise Malformed unless data is exactly one acceptable value."""
    try:
        end = _walk(data)
    except (IndexError, struct.error):
        raise Malformed("cut short") from None
    if end != len(data):
        raise Malformed("bytes behind the value")


def _walk(data: bytes) -> int:
    #: values still to read in each open container, and the keys seen if it is a map (which then counts keys and values)
    remaining, keys = [1], [None]  # type: list[int], list[set[bytes] | None]
    position = items = 0
    while remaining:
        if not remaining[-1]:
            remaining.pop()
            keys.pop()
            continue
        remaining[-1] -= 1
        items += 1
        head = data[position]
        position += 1
        known = keys[-1]
        if known is not None and remaining[-1] % 2:
            position = _key(data, head, position, known)
        elif head <= 0x7F or head >= 0xE0:
            pass
        elif head >= 0xC0 and (size := _SCALARS.get(head)) is not None:
            if head in (0xCA, 0xCB):
                _finite(data, head, position)
            position += size
        elif end := _string_end(data, head, position):
            if data.find(0, position + _STRINGS.get(head, 0), end) >= 0:
                raise Malformed("a zero character")
            position = end
        elif end := _bytes_end(data, head, position):
            position = end
        elif 0x80 <= head <= 0x9F or head in _ARRAYS or head in _MAPS:
            is_map = head <= 0x8F or head in _MAPS
            width = 0 if head <= 0x9F else (_ARRAYS.get(head) or _MAPS[head])
            count = int.from_bytes(data[position : position + width], "big") if width else head & 0x0F
            position += width
            if count > MAX_ITEMS or len(remaining) > MAX_DEPTH:
                raise Malformed("too large or too deep")
            remaining.append(count * 2 if is_map else count)
            keys.append(set() if is_map else None)
        elif len(remaining) == 2 and data[position - 1 : position + 2] == _UNDEFINED:
            position += 2
        else:
            raise Malformed("type not accepted")
        if items > MAX_ITEMS or position > len(data):
            raise Malformed("too many items, or cut short")
    return position


def _key(data: bytes, head: int, position: int, known: set[bytes]) -> int:
    end = _string_end(data, head, position)
    if not end:
        raise Malformed("a key is not a string")
    key = data[position:end]
    if key in known:
        raise Malformed("a key comes twice")
    known.add(key)
    return end


def _string_end(data: bytes, head: int, position: int) -> int:
    """Where the string ends, 0 when it is none."""
    if 0xA0 <= head <= 0xBF:
        return position + (head & 0x1F)
    width = _STRINGS.get(head)
    return position + width + int.from_bytes(data[position : position + width], "big") if width else 0


def _bytes_end(data: bytes, head: int, position: int) -> int:
    width = _BYTES.get(head)
    return position + width + int.from_bytes(data[position : position + width], "big") if width else 0


def _finite(data: bytes, head: int, position: int) -> None:
    (value,) = struct.unpack_from(">f" if head == 0xCA else ">d", data, position)
    if value - value != 0:
        raise Malformed("a number is not finite")


def decode(data: bytes) -> Packet:
    """A checked packet; raises Malformed."""
    check(data)
    try:
        return _packet.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed("not a packet") from error


def connecting(packet: Packet) -> Connecting:
    """The `auth` of a CONNECT packet; raises Malformed."""
    try:
        return _connecting.decode(packet.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed("bad auth") from error


def event(packet: Packet) -> tuple[str, msgspec.Raw, int | None]:
    """Name, encoded argument and acknowledgement id of an EVENT packet with one argument; raises Malformed."""
    try:
        name, argument = _event.decode(packet.data)
        answer = None if bytes(packet.id) in (b"", _UNDEFINED) else _ack_id.decode(packet.id)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed("not an event with one argument") from error
    if answer is not None and not 0 <= answer < 2**53:
        raise Malformed("bad acknowledgement id")
    return name, argument, answer


def _frame(packet: dict[str, Any]) -> bytes:
    return frame(Opcode.BINARY, _encoder.encode(packet))


def encode_event(name: str, argument: Any) -> bytes:
    """A whole WebSocket frame with an EVENT packet; the argument may hold msgspec.Raw parts."""
    return _frame({"type": Kind.EVENT, "data": (name, argument), "nsp": "/"})


def encode_ack(answer: int, argument: Any) -> bytes:
    """A whole WebSocket frame with an ACK packet."""
    return _frame({"type": Kind.ACK, "data": (argument,), "id": answer, "nsp": "/"})


def encode_connected(sid: str) -> bytes:
    """A whole WebSocket frame that accepts a CONNECT."""
    return _frame({"type": Kind.CONNECT, "data": {"sid": sid}, "nsp": "/"})


def encode_connect_error(code: str, retry: str) -> bytes:
    """A whole WebSocket frame that refuses a CONNECT."""
    return _frame({"type": Kind.CONNECT_ERROR, "data": {"message": code, "data": {"code": code, "retry": retry}}, "nsp": "/"})


def encode_disconnect() -> bytes:
    """A whole WebSocket frame after which a client library does not come back by itself."""
    return _frame({"type": Kind.DISCONNECT, "nsp": "/"})


def raw(value: Any) -> msgspec.Raw:
    """Encode once, embed in many."""
    return msgspec.Raw(_encoder.encode(value))


