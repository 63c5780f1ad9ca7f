"""Video pictures cut into RTP payloads and put together again, for the codecs whose payload heads the engine reads.

VP8 and H.264 are aiortc's (RFC 7741, RFC 6184); VP9 (RFC 9628) and AV1 (AV1 RTP specification 1.0) are written here from the
specifications, independently of the engine's Rust.

Recorded streams are text: lines "stream NAME", then per RTP payload "key WIDTHxHEIGHT HEX" (begins a key frame and tells its size),
"key - HEX" (begins one, the size is elsewhere), "start HEX" (begins any other picture) or "rest HEX".
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

import aiortc.codecs.h264 as aiortc_h264  # noqa: TID251 - an independent packetiser
import av
from aiortc.codecs.h264 import H264Encoder, h264_depayload  # noqa: TID251
from aiortc.codecs.vpx import VpxPayloadDescriptor  # noqa: TID251

#: OBU types that no packet carries (AV1 RTP specification section 5): temporal delimiter, tile list, padding
_LEFT_OUT: Final = (2, 8, 15)


def _pieces(data: bytes, size: int) -> Iterator[tuple[bytes, bool, bool]]:
    """(piece, is first, is last)."""
    for start in range(0, len(data), size):
        yield data[start : start + size], start == 0, start + size >= len(data)


def cut_vp8(picture: bytes, number: int, key: bool, limit: int) -> list[bytes]:
    payloads = []
    for piece, first, _ in _pieces(picture, limit - 6):
        layer = number % 2
        head = VpxPayloadDescriptor(int(first), 0, picture_id=number & 0x7FFF, tl0picidx=number // 2 & 0xFF, tid=(layer, int(layer == 0)))
        payloads.append(bytes(head) + piece)
    return payloads


def join_vp8(payloads: Sequence[bytes]) -> bytes:
    return b"".join(VpxPayloadDescriptor.parse(payload)[1] for payload in payloads)


def cut_vp9(picture: bytes, number: int, key: bool, limit: int) -> list[bytes]:
    """One spatial and one temporal layer, fixed mode, 15-bit picture ids, as browsers send it."""
    payloads = []
    for piece, first, last in _pieces(picture, limit - 5):
        flags = 0x80 | 0x20 | (0 if key else 0x40) | (0x08 if first else 0) | (0x04 if last else 0)
        payloads.append(bytes([flags]) + (0x8000 | number & 0x7FFF).to_bytes(2, "big") + bytes([0, number & 0xFF]) + piece)
    return payloads


def _vp9_body(payload: bytes) -> bytes:
    flags, at = payload[0], 1
    if flags & 0x80:
        at += 2 if payload[at] & 0x80 else 1
    if flags & 0x20:
        at += 1 if flags & 0x10 else 2
    if flags & 0x50 == 0x50:
        while payload[at] & 1:
            at += 1
        at += 1
    if flags & 0x02:
        structure = payload[at]
        at += 1 + (4 * ((structure >> 5) + 1) if structure & 0x10 else 0)
        if structure & 0x08:
            pictures = payload[at]
            at += 1
            for _ in range(pictures):
                at += 1 + (payload[at] >> 2 & 3)
    return payload[at:]


def _vp9_spatial(payload: bytes) -> int:
    at = 1 + (0 if not payload[0] & 0x80 else 2 if payload[1] & 0x80 else 1)
    return payload[at] >> 1 & 7 if payload[0] & 0x20 else 0


def join_vp9(payloads: Sequence[bytes], lowest: bool = False) -> bytes:
    """The frames of all spatial layers, one after the other; `lowest`: of the base layer alone."""
    return b"".join(_vp9_body(payload) for payload in payloads if not lowest or _vp9_spatial(payload) == 0)


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """(value, position after it)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _obus(unit: bytes) -> Iterator[bytes]:
    """The OBUs of a temporal unit without their size fields."""
    at = 0
    while at < len(unit):
        first = unit[at]
        assert first & 0x02, "encoders tell sizes"
        head = 2 if first & 0x04 else 1
        size, body = _read_leb128(unit, at + head)
        if first >> 3 & 0x0F not in _LEFT_OUT:
            yield bytes([first & ~0x02]) + unit[at + 1 : at + head] + unit[body : body + size]
        at = body + size


def cut_av1(picture: bytes, number: int, key: bool, limit: int) -> list[bytes]:
    """OBUs aggregated as they fit and cut where they do not; counted up to three in a packet, else each with its length."""
    packets: list[tuple[list[bytes], bool, bool]] = []
    elements: list[bytes] = []
    continues = False
    for obu in _obus(picture):
        rest = obu
        while True:
            room = limit - 1 - sum(len(element) + 2 for element in elements) - 2
            if len(rest) <= room:
                elements.append(rest)
                break
            elements.append(rest[:room])
            rest = rest[room:]
            packets.append((elements, continues, True))
            elements, continues = [], True
    packets.append((elements, continues, False))
    payloads = []
    for place, (elements, continues, continued) in enumerate(packets):
        count = len(elements) if len(elements) <= 3 else 0
        head = continues << 7 | continued << 6 | count << 4 | (key and place == 0) << 3
        sized = [_leb128(len(element)) + element for element in elements]
        if count:
            sized[-1] = elements[-1]
        payloads.append(bytes([head]) + b"".join(sized))
    return payloads


def _av1_elements(payload: bytes) -> Iterator[bytes]:
    count, at, n = payload[0] >> 4 & 3, 1, 0
    while at < len(payload):
        n += 1
        size, at = (len(payload) - at, at) if n == count else _read_leb128(payload, at)
        yield payload[at : at + size]
        at += size


def join_av1(payloads: Sequence[bytes], lowest: bool = False) -> bytes:
    """A temporal unit with sizes and a delimiter in front, as decoders take it; `lowest`: without higher spatial layers."""
    obus: list[bytes] = []
    for payload in payloads:
        for place, element in enumerate(_av1_elements(payload)):
            if place == 0 and payload[0] & 0x80:
                obus[-1] += element
            else:
                obus.append(element)
    unit = bytearray(b"\x12\x00")
    for obu in obus:
        if lowest and obu[0] & 0x04 and obu[1] >> 3 & 3:
            continue
        if obu[0] & 0x02:
            unit += obu
            continue
        head = 2 if obu[0] & 0x04 else 1
        unit += bytes([obu[0] | 0x02]) + obu[1:head] + _leb128(len(obu) - head) + obu[head:]
    return bytes(unit)


def cut_h264(picture: bytes, number: int, key: bool, limit: int) -> list[bytes]:
    """Without supplemental information: the encoder's advertisement is most of a small stream."""
    units = [unit for unit in H264Encoder._split_bitstream(picture) if unit[0] & 0x1F != 6]
    with mock.patch.object(aiortc_h264, "PACKET_MAX", limit):
        return H264Encoder._packetize(units)


def join_h264(payloads: Sequence[bytes]) -> bytes:
    return b"".join(map(h264_depayload, payloads))


#: codec -> (picture, its number, is a key frame, longest payload) -> payloads
CUT: Final[dict[str, Callable[[bytes, int, bool, int], list[bytes]]]] = {
    "vp8": cut_vp8,
    "vp9": cut_vp9,
    "av1": cut_av1,
    "h264": cut_h264,
}
#: codec -> payloads of one picture -> what a decoder takes
JOIN: Final[dict[str, Callable[[Sequence[bytes]], bytes]]] = {"vp8": join_vp8, "vp9": join_vp9, "av1": join_av1, "h264": join_h264}


def _decode(decoder: str, pictures: Sequence[bytes]) -> list[av.VideoFrame]:
    context: Any = av.CodecContext.create(decoder, "r")
    context.thread_count = 1
    return [frame for packet in [*map(av.Packet, pictures), None] for frame in context.decode(packet)]


def decoded(codec: str, pictures: Sequence[Sequence[bytes]]) -> list[tuple[str, bool]]:
    """("WIDTHxHEIGHT", is a key frame) of each picture, from payloads without a gap, as decoders see them."""
    if codec in ("vp8", "h264"):
        frames = keys = _decode(codec, [JOIN[codec](payloads) for payloads in pictures])
    elif codec == "vp9":
        # libvpx knows what to make of spatial layers, FFmpeg's own decoder what a key frame is.
        frames = _decode("libvpx-vp9", [join_vp9(payloads) for payloads in pictures])
        keys = _decode("vp9", [join_vp9(payloads, lowest=True) for payloads in pictures])
    else:
        frames = _decode("libdav1d", [join_av1(payloads) for payloads in pictures])
        keys = _decode("libdav1d", [join_av1(payloads, lowest=True) for payloads in pictures])
    assert len(frames) == len(keys) == len(pictures)
    return [(f"{frame.width}x{frame.height}", bool(key.key_frame)) for frame, key in zip(frames, keys, strict=True)]


def _has_parameter_set(payload: bytes) -> bool:
    kind = payload[0] & 0x1F
    return kind == 7 or (kind == 24 and payload[3] & 0x1F == 7)


def _starts_idr(payload: bytes) -> bool:
    kind = payload[0] & 0x1F
    return kind == 5 or (kind == 28 and payload[1] & 0x9F == 0x85)


def describe(codec: str, payloads: Sequence[bytes], key: str | None) -> Iterator[str]:
    """The lines of one picture; `key` is its size if it is a key frame."""
    for place, payload in enumerate(payloads):
        if codec == "h264" and key and not _has_parameter_set(payload):
            yield f"key - {payload.hex()}" if _starts_idr(payload) else f"rest {payload.hex()}"
        elif key and place == 0:
            yield f"key {key} {payload.hex()}"
        else:
            yield f"{'start' if place == 0 else 'rest'} {payload.hex()}"


class Recorded(NamedTuple):
    """One recorded stream: per picture its payloads, and the size the lines claim if it is a key frame."""

    name: str
    pictures: list[tuple[list[bytes], str | None]]


def recorded(path: Path) -> list[Recorded]:
    streams: list[Recorded] = []
    for line in path.read_text().splitlines():
        kind, *words = line.split(" ")
        if kind == "stream":
            streams.append(Recorded(" ".join(words), []))
            continue
        told, payload = (words[0] if kind == "key" else None), bytes.fromhex(words[-1])
        pictures = streams[-1].pictures
        if kind == "rest" or told == "-":
            pictures[-1][0].append(payload)
        else:
            pictures.append(([payload], told))
    return streams
