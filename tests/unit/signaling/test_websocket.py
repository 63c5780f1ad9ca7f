"""RFC 6455 parsing: an independent client library's frames come through however cut; every breach has its close code."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol
from wsproto.frame_protocol import Opcode as TheirOpcode

from signaling.websocket import (
    MAX_FRAGMENTS,
    Opcode,
    Parser,
    ProtocolError,
    accept_key,
    close_code,
    close_frame,
    frame,
    unmask,
    valid_key,
)


def masked(opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    size = len(payload)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + unmask(payload, mask)


def fed(*chunks: bytes, limit: int = 65_536) -> list[tuple[int, bytes]]:
    parser = Parser(limit)
    return [message for chunk in chunks for message in parser.feed(chunk)]


def breach(*chunks: bytes, limit: int = 65_536) -> int:
    with pytest.raises(ProtocolError) as raised:
        fed(*chunks, limit=limit)
    return raised.value.code


MESSAGES = st.lists(st.tuples(st.booleans(), st.text(max_size=300), st.integers(1, 4)), max_size=6)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_messages_of_an_independent_client_survive_any_cutting(messages: list[tuple[bool, str, int]], cuts: list[int]) -> None:
    client = FrameProtocol(client=True, extensions=[])
    stream = b""
    for binary, text, parts in messages:
        step = max(1, len(text) // parts)
        pieces = [text[i : i + step] for i in range(0, len(text), step)] or [""]
        for i, piece in enumerate(pieces):
            stream += client.send_data(piece.encode() if binary else piece, fin=i == len(pieces) - 1)
        stream += client.ping(b"between")
    chunks, position = [], 0
    while position < len(stream):
        size = cuts[len(chunks) % len(cuts)]
        chunks.append(stream[position : position + size])
        position += size
    expected: list[tuple[int, bytes]] = []
    for binary, text, _ in messages:
        expected += [(Opcode.BINARY if binary else Opcode.TEXT, text.encode()), (Opcode.PING, b"between")]
    assert fed(*chunks) == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_an_independent_client_reads_our_frames(size: int) -> None:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(frame(Opcode.BINARY, bytes(size)))
    parts = list(client.received_frames())
    assert b"".join(part.payload for part in parts) == bytes(size)
    assert parts[-1].message_finished
    assert parts[0].opcode is TheirOpcode.BINARY


def test_control_frames_may_come_between_fragments() -> None:
    stream = masked(1, b"a", final=False) + masked(9, b"!") + masked(0, b"b", final=False) + masked(10, b"") + masked(0, b"c")
    assert fed(stream) == [(9, b"!"), (10, b""), (1, b"abc")]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(Opcode.TEXT, b"not masked"), 1002),
        (masked(1, b"", reserved=0x40), 1002),
        (masked(2, b"", reserved=0x10), 1002),
        *((masked(opcode, b""), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (masked(9, bytes(126)), 1002),
        (masked(9, b"", final=False), 1002),
        (masked(0, b"continues nothing"), 1002),
        (masked(1, b"a", final=False) + masked(1, b"b"), 1002),
        (masked(1, b"\xff"), 1007),
        (masked(1, b"\xed\xa0\x80"), 1007),
        (masked(1, b"\xc0\x80"), 1007),
        (masked(1, b"\xe4\xbd", final=False) + masked(0, b""), 1007),
        (b"\x82\xff" + b"\xff" * 8 + b"mask", 1009),
        (b"\x82\xff" + (65_537).to_bytes(8, "big"), 1009),
        (masked(2, bytes(40_000), final=False) + masked(0, bytes(25_537)), 1009),
        (masked(2, b"", final=False) + masked(0, b"", final=False) * MAX_FRAGMENTS, 1009),
    ],
)
def test_breaches_are_refused_with_their_code(stream: bytes, code: int) -> None:
    assert breach(stream) == code
    assert breach(*(stream[i : i + 1] for i in range(len(stream)))) == code


def test_refusal_comes_before_the_payload() -> None:
    assert breach(masked(2, bytes(1_000))[:4], limit=999) == 1009
    assert breach(masked(1, b"\xff", final=False)) == 1007


def test_message_of_exactly_the_limit_passes() -> None:
    assert fed(masked(2, bytes(1_000)), limit=1_000) == [(2, bytes(1_000))]
    assert fed(masked(2, bytes(600), final=False) + masked(0, bytes(400)), limit=1_000) == [(2, bytes(1_000))]


@given(st.binary(max_size=2_000), st.integers(1, 64))
def test_noise_ends_in_messages_or_a_protocol_error(noise: bytes, cut: int) -> None:
    codes = set()
    try:
        assert all(len(payload) <= 500 for _, payload in fed(*(noise[i : i + cut] for i in range(0, len(noise), cut)), limit=500))
    except ProtocolError as error:
        codes.add(error.code)
    assert codes <= {1002, 1007, 1009}


def test_many_small_frames_in_one_read_cost_linear_memory() -> None:
    stream = masked(9, b"") * 40_000
    parser = Parser(65_536)
    tracemalloc.start()
    assert sum(1 for _ in parser.feed(stream)) == 40_000
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_codes_a_peer_may_send(code: int) -> None:
    assert close_code(close_frame(code)[2:] + b"reason") == code


@pytest.mark.parametrize("payload", [b"\x03", *(code.to_bytes(2, "big") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000))])
def test_close_codes_a_peer_may_not_send(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        close_code(payload)


def test_close_reason_must_be_text() -> None:
    with pytest.raises(ProtocolError) as raised:
        close_code(b"\x03\xe8\xff")
    assert raised.value.code == 1007
    assert close_code(b"") is None


def test_handshake_key_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert valid_key("dGhlIHNhbXBsZSBub25jZQ==")
    assert not valid_key("short")
    assert not valid_key("dGhlIHNhbXBsZSBub25jZQ==x")
