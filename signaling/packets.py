"""Socket.IO v5 packets in the MessagePack encoding of socket.io-msgpack-parser 3: one map {type, nsp, data?, id?} per binary message.

Only the outer map is decoded here; what an event carries is left to `messages`, which is strict. Unknown keys of the outer map are skipped
(the official client adds `options`).
"""

from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec

from signaling.websocket import Opcode, frame


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


class Resume(msgspec.Struct, frozen=True):
    """Where a client that comes back stands."""

    epoch: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Connecting(msgspec.Struct, frozen=True):
    """`auth` of a CONNECT packet."""

    seat: Annotated[str, msgspec.Meta(max_length=64)]
    tab: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    resume: Resume | None = None
    view: Annotated[str, msgspec.Meta(max_length=16)] = "full"


#: a client library writes "undefined" as extension 0
_UNDEFINED: Final = b"\xd4\x00\x00"
_packet = msgspec.msgpack.Decoder(Packet)
_auth = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=lambda code, data: None)
_event = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_ack_id = msgspec.msgpack.Decoder(int)
_encoder = msgspec.msgpack.Encoder()
#: what msgspec raises for hostile bytes; RecursionError for nesting without end
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode(data: bytes) -> Packet:
    """The outer map, what it holds still encoded; raises Malformed."""
    try:
        return _packet.decode(data)
    except _BAD as error:
        raise Malformed("not a packet") from error


def connecting(packet: Packet) -> Connecting:
    """The `auth` of a CONNECT packet, "undefined" read as null; raises Malformed."""
    try:
        return msgspec.convert(_auth.decode(packet.data), Connecting)
    except _BAD as error:
        raise Malformed("bad auth") from error


def event(packet: Packet) -> tuple[str, msgspec.Raw, int | None]:
    """Name, encoded argument and acknowledgement id of an EVENT packet with one argument; raises Malformed."""
    try:
        name, argument = _event.decode(packet.data)
        answer = None if bytes(packet.id) in (b"", _UNDEFINED) else _ack_id.decode(packet.id)
    except _BAD as error:
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
