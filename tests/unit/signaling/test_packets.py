"""Socket.IO packets against an independent MessagePack library."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import packets
from signaling.packets import Kind, Malformed, Packet


def body(frame: bytes) -> dict[str, Any]:
    assert frame[0] == 0x82
    found: dict[str, Any] = msgpack.unpackb(frame[4 if frame[1] == 126 else 2 :])
    return found


def packet(**fields: Any) -> Packet:
    return packets.decode(msgpack.packb({"nsp": "/", **fields}))


def test_what_we_send() -> None:
    assert body(packets.encode_connected("abc")) == {"type": 0, "data": {"sid": "abc"}, "nsp": "/"}
    assert body(packets.encode_disconnect()) == {"type": 1, "nsp": "/"}
    assert body(packets.encode_event("signals", [{"a": packets.raw([1])}])) == {"type": 2, "data": ["signals", [{"a": [1]}]], "nsp": "/"}
    assert body(packets.encode_ack(7, {"ref": "x"})) == {"type": 3, "data": [{"ref": "x"}], "id": 7, "nsp": "/"}
    refused = body(packets.encode_connect_error("banned", "never"))
    assert refused == {"type": 4, "data": {"message": "banned", "data": {"code": "banned", "retry": "never"}}, "nsp": "/"}


def test_event_with_what_the_official_client_adds() -> None:
    found = packet(type=2, data=["command", {"v": 1}], id=5, options={"compress": True})
    name, argument, answer = packets.event(found)
    assert (found.type, name, msgpack.unpackb(bytes(argument)), answer) == (Kind.EVENT, "command", {"v": 1}, 5)


def test_undefined_is_absent() -> None:
    undefined = msgpack.ExtType(0, b"\0")
    assert packets.event(packet(type=2, data=["command", {}], id=undefined))[2] is None
    auth = packets.connecting(packet(type=0, data={"seat": "s", "tab": undefined, "resume": undefined}))
    assert (auth.seat, auth.tab, auth.resume) == ("s", None, None)
    with pytest.raises(Malformed):
        packets.connecting(packet(type=0, data=undefined))


def test_connect_with_resume() -> None:
    auth = packets.connecting(packet(type=0, data={"seat": "s", "tab": "t", "resume": {"epoch": "e", "seq": 3}, "view": "full", "more": 1}))
    assert auth == packets.Connecting(seat="s", tab="t", resume=packets.Resume("e", 3), view="full")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"seat": 1},
        {"seat": "x" * 65},
        {"seat": "s", "resume": {"epoch": "e"}},
        {"seat": "s", "resume": {"epoch": "e", "seq": -1}},
        {"seat": "s", "resume": {"epoch": "e", "seq": 2**60}},
        ["seat"],
        None,
    ],
)
def test_bad_connects(data: Any) -> None:
    with pytest.raises(Malformed):
        packets.connecting(packet(type=0, data=data))


@pytest.mark.parametrize("data", [None, [], ["command"], ["command", 1, 2], [1, 2], "command", {"0": "command"}])
def test_bad_events(data: Any) -> None:
    with pytest.raises(Malformed):
        packets.event(packet(type=2, data=data, id=1))


@pytest.mark.parametrize("answer", [-1, 2**53, 1.5, "1", [1], True])
def test_bad_acknowledgement_ids(answer: Any) -> None:
    with pytest.raises(Malformed):
        packets.event(packet(type=2, data=["command", {}], id=answer))


@given(st.binary(max_size=300))
def test_noise_is_a_packet_or_malformed(noise: bytes) -> None:
    try:
        found = packets.decode(noise)
    except Malformed:
        return
    assert isinstance(found.type, int)


@pytest.mark.parametrize("noise", [b"\x91" * 60_000, b"\x81\xa4type" * 9_000, b"\xdd\xff\xff\xff\xff", b"\xc1", b""])
def test_bombs_are_malformed(noise: bytes) -> None:
    with pytest.raises(Malformed):
        packets.decode(noise)
    with pytest.raises(Malformed):
        packets.decode(b"\x82\xa4type\x02\xa4data" + noise)
