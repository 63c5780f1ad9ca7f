"""The wire: envelopes and unions of everything said between client and server, and their decoding. PROTOCOL.md tells them in words.

One source for decoding, documentation (`python -m signaling.messages docs`), TypeScript (`... typescript`) and JSON Schema (`... schema`).

Decoding is strict: unknown fields, wrong types, keys that come twice, nesting beyond 16, more than 512 values, non-finite numbers, bad
UTF-8, lone surrogates and U+0000 are refused with a code (bad_message, unknown_type, too_large) before anything else looks at the message.
Connect and Disconnect are said by the node alone and have no wire form. Events leave without the author's operation id.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, cast

import msgspec

from signaling.classroom.base import Command, Event, Origin
from signaling.classroom.errors import CODES, Rejected, Retry
from signaling.classroom.ids import ConnectionId, Id, Millis, OperationId, ParticipantId, PollId
from signaling.classroom.reactions import Reaction
from signaling.classroom.room import EVOLVERS, RULES
from signaling.classroom.state import Room
from signaling.classroom.view import ParticipantView, RoomView

VERSION: Final = 1
MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 16
#: values in one message, at any depth; the largest honest one names 200 people
MAX_VALUES: Final = 512

Sdp: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=60_000)]
Mid: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
Source: TypeAlias = Literal["microphone", "camera", "screen", "screen_audio"]


# ---- requests: commands that are not the classroom's; bound to one connection, never journaled ----


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"):
    """What a connection asks of the node."""


class MediaTrack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which m-line of an offer carries which source, and how high its full picture is in pixels."""

    mid: Mid
    source: Source
    height: Annotated[int, msgspec.Meta(ge=1, le=4320)] | None = None


class SlotSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How high a slot is shown, in device pixels; 0 = out of sight."""

    mid: Mid
    height: Annotated[int, msgspec.Meta(ge=0, le=4320)]


class MediaPublish(Request, frozen=True, kw_only=True, tag="media_publish"):
    """Offer to send; answered with {sdp}."""

    sdp: Sdp
    tracks: Annotated[list[MediaTrack], msgspec.Meta(max_length=8)]


class MediaSubscribe(Request, frozen=True, kw_only=True, tag="media_subscribe"):
    """The receiving side: "offer" {tiles: n} -> {sdp, slots}; "answer" {sdp} -> {}; "show" {tiles: [id]} -> {}; "size" {sizes} -> {};
    "restart" -> {sdp}."""

    action: Literal["offer", "answer", "show", "size", "restart"]
    tiles: Annotated[int, msgspec.Meta(ge=0, le=25)] | Annotated[list[ParticipantId], msgspec.Meta(max_length=25)] | None = None
    sizes: Annotated[list[SlotSize], msgspec.Meta(max_length=30)] | None = None
    sdp: Sdp | None = None


class Typing(Request, frozen=True, kw_only=True, tag="typing"):
    """I am writing a message."""


class People(Request, frozen=True, kw_only=True, tag="people"):
    """A page of the people list, by name: -> {people: [ParticipantView], next}."""

    after: Id | None = None
    query: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class PeoplePage(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `people`; next is the `after` of the following page, null at the end."""

    people: list[ParticipantView]
    next: ParticipantId | None


# ---- signals: unnumbered, newest wins ----


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """News that needs no history."""


class Present(Signal, frozen=True, kw_only=True, tag="present"):
    """How many admitted people are connected (and, to staff, how many wait)."""

    present: int
    waiting: int | None = None


class Reactions(Signal, frozen=True, kw_only=True, tag="reactions"):
    """How many of each kind since the last signal."""

    counts: dict[Reaction, int]


class Tally(Signal, frozen=True, kw_only=True, tag="tally"):
    """Running result of a poll."""

    poll: PollId
    tally: list[int]
    voters: int


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody heard now; level 0 (silent) to 127."""

    participant: ParticipantId
    level: int


class Speakers(Signal, frozen=True, kw_only=True, tag="speakers"):
    """Who speaks, loudest first."""

    speakers: list[Speaker]


class Slot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose video fills a slot; nobody's when participant is null."""

    mid: str
    participant: ParticipantId | None
    source: Source | None = None


class Slots(Signal, frozen=True, kw_only=True, tag="slots"):
    """All video slots of this connection, or the changed ones if partial."""

    slots: list[Slot]
    partial: bool = False


class SlotLayer(msgspec.Struct, frozen=True, kw_only=True):
    """Which size a video slot plays: 0 is the lowest; -1 = paused, the connection carries not even that."""

    mid: str
    layer: int


class Layers(Signal, frozen=True, kw_only=True, tag="layers"):
    """Sizes of what this connection's video slots play, of all that were ever told."""

    slots: list[SlotLayer]


class Audio(Signal, frozen=True, kw_only=True, tag="audio"):
    """Who is heard in audio slot i."""

    slots: list[ParticipantId | None]


class Media(Signal, frozen=True, kw_only=True, tag="media"):
    """State of one of this connection's media transports."""

    state: Literal["connected", "closed"]
    side: Literal["publish", "subscribe"]
    reason: str | None = None


class Quality(Signal, frozen=True, kw_only=True, tag="quality"):
    """Somebody's connection: score 0 (unusable) to 4, round trip in ms, loss 0 to 1."""

    participant: ParticipantId
    score: int
    rtt: float
    loss: float


class TypingPeople(Signal, frozen=True, kw_only=True, tag="typing"):
    """Who is writing a message."""

    participants: list[ParticipantId]


# ---- envelopes ----


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as a viewer is told it; by is absent when the node itself acted."""

    seq: int
    at: Millis
    by: ParticipantId | None = None
    event: msgspec.Raw


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """All events with after < seq <= upto that this viewer may see."""

    after: int
    upto: int
    events: list[msgspec.Raw]


class Welcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """First message of a connection, and again when the lane changes: a snapshot, or resumed and the missed batches follow."""

    epoch: str
    connection: ConnectionId
    now: Millis
    snapshot: RoomView | None = None
    resumed: bool = False


class Bye(msgspec.Struct, frozen=True, kw_only=True):
    """The server closes on purpose."""

    code: str
    retry: Retry


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command was refused, and when the same may succeed."""

    code: str
    retry: Retry


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answer to a command; a request's result has its own fields beside `ref`."""

    ref: OperationId
    seq: int | None = None
    error: Problem | None = None


class _Reference(msgspec.Struct, frozen=True, gc=False):
    """What of a command is needed to refuse it."""

    ref: OperationId | None = None


# ---- unions ----

#: the classroom's commands a client may send
COMMANDS: Final[tuple[type[Command], ...]] = tuple(command for command, rule in RULES.items() if rule.by not in ("node", "desk"))
EVENTS: Final[tuple[type[Event], ...]] = tuple(EVOLVERS)
REQUESTS: Final[tuple[type[Request], ...]] = (MediaPublish, MediaSubscribe, Typing, People)
SIGNALS: Final[tuple[type[Signal], ...]] = (Present, Reactions, Tally, Speakers, Slots, Layers, Audio, Media, Quality, TypingPeople)

_BY_TYPE: Final[Mapping[str, type[Any]]] = {cast(str, kind.__struct_config__.tag): kind for kind in (*COMMANDS, *REQUESTS)}
_event_union: Any = Union[EVENTS]  # noqa: UP007 - made of a tuple
_event_decoder: Final = msgspec.msgpack.Decoder(_event_union)
_room_decoder: Final = msgspec.msgpack.Decoder(Room)
_map_decoder: Final = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_list_decoder: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
_reference_decoder: Final = msgspec.msgpack.Decoder(_Reference)
_value_decoder: Final = msgspec.msgpack.Decoder(dict[str, Any])
_encoder: Final = msgspec.msgpack.Encoder()
_id: Any = Id


def decode_command(payload: Mapping[str, Any] | bytes | bytearray | memoryview) -> tuple[OperationId, Command | Request]:
    """The operation id and the typed message of one `command` {v, ref, type, ...}, decoded or as raw MessagePack.

    Raises Rejected: too_large, bad_message, unknown_type.
    """
    fields = _fields(payload) if isinstance(payload, bytes | bytearray | memoryview) else dict(payload)
    try:
        version, ref, tag = fields.pop("v", None), fields.pop("ref", None), fields.get("type")
        if version != VERSION or type(version) is not int or not isinstance(tag, str):
            raise Rejected("bad_message")
        ref = msgspec.convert(ref, _id)
        kind = _BY_TYPE.get(tag)
        if kind is None:
            raise Rejected("unknown_type")
        _check_strings(fields, MAX_DEPTH)
        return ref, msgspec.convert(fields, kind)
    except (msgspec.ValidationError, UnicodeError, RecursionError):
        raise Rejected("bad_message") from None


def reference(payload: Mapping[str, Any] | bytes | bytearray | memoryview) -> OperationId | None:
    """The operation id of a message that may be bad otherwise, to answer it by; None if it has none. Looks at nothing else."""
    try:
        if isinstance(payload, Mapping):
            return cast(OperationId, msgspec.convert(payload.get("ref"), _id))
        return _reference_decoder.decode(payload).ref if len(payload) <= MAX_BYTES else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _fields(payload: bytes | bytearray | memoryview) -> dict[str, Any]:
    if len(payload) > MAX_BYTES:
        raise Rejected("too_large")
    try:
        _check_keys(payload, MAX_DEPTH, MAX_VALUES)
        return _value_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Rejected("bad_message") from None


def _check_keys(raw: bytes | bytearray | memoryview, depth: int, left: int) -> int:
    """Refuse maps with a key that comes twice, nesting beyond `depth`, and more than `left` values; returns how many more may come."""
    head = memoryview(raw)[0] if len(raw) else 0
    is_map, is_list = 0x80 <= head <= 0x8F or head in (0xDE, 0xDF), 0x90 <= head <= 0x9F or head in (0xDC, 0xDD)
    if not is_map and not is_list:
        return left
    width = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}.get(head, 0)
    count = int.from_bytes(memoryview(raw)[1 : 1 + width], "big") if width else head & 0x0F
    left -= count
    if depth <= 0 or left < 0:
        raise Rejected("bad_message")
    inner: list[msgspec.Raw] = []
    if is_map:
        pairs = _map_decoder.decode(raw)
        if len(pairs) != count:
            raise Rejected("bad_message")
        inner = list(pairs.values())
    else:
        inner = _list_decoder.decode(raw)
    for value in inner:
        left = _check_keys(memoryview(value), depth - 1, left)
    return left


def _check_strings(value: Any, depth: int) -> None:
    """Refuse U+0000, lone surrogates and nesting beyond `depth`."""
    if isinstance(value, str):
        if "\0" in value:
            raise Rejected("bad_message")
        value.encode()  # raises UnicodeEncodeError for a lone surrogate
    elif isinstance(value, dict | list | tuple):
        if depth <= 0:
            raise Rejected("bad_message")
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_strings(inner, depth - 1)


def encode_event(event: Event) -> bytes:
    """The journal's form of an event."""
    return _encoder.encode(event)


def decode_event(data: bytes) -> Event:
    """An event from the journal's form; raises msgspec.DecodeError for what is none."""
    return cast(Event, _event_decoder.decode(data))


def encode_room(room: Room) -> bytes:
    """A class's state, for Journal.save_snapshot."""
    return _encoder.encode(room)


def decode_room(data: bytes) -> Room:
    """A class's state from Journal.load_snapshot; raises msgspec.DecodeError for what is none (say, of another version)."""
    return _room_decoder.decode(data)


def encode_entry(seq: int, origin: Origin, event: Event) -> bytes:
    """One line of a batch, for every viewer of a lane alike (`event` as redacted for it)."""
    return _encoder.encode(Entry(seq=seq, at=origin.at, by=origin.by, event=msgspec.Raw(_encoder.encode(event))))


def accepted(ref: OperationId, seq: int) -> Reply:
    """The answer to a command whose events are stored up to seq."""
    return Reply(ref=ref, seq=seq)


def refused(ref: OperationId, code: str) -> Reply:
    """The answer to a refused command."""
    return Reply(ref=ref, error=Problem(code=code, retry=CODES[code]))


def main(arguments: Sequence[str]) -> int:
    """`docs` rewrites the generated part of PROTOCOL.md in the working directory; `typescript` and `schema` print."""
    from signaling import describe

    match list(arguments):
        case ["docs"]:
            describe.rewrite_protocol()
        case ["typescript"]:
            sys.stdout.write(describe.typescript())
        case ["schema"]:
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(describe.schema())) + b"\n")
        case _:
            sys.stderr.write("usage: python -m signaling.messages docs|typescript|schema\n")
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
