"""Engine.IO over WebSocket on one connection, and the heartbeat wheel."""

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request

from signaling.metrics import Counters
from signaling.outbound import Laggards
from signaling.transport import PING, Connection, Limits, Refused, Wheel, check_upgrade
from tests.support.raw import KEY, frame
from tests.support.wire import transport

LIMITS = Limits(message=1_000, frames_per_s=10, frames_burst=20)


class Owner:
    """transport.Receiver that remembers."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.breaches: list[str] = []
        self.ends = 0

    def received(self, payload: bytes) -> None:
        self.messages.append(payload)

    def breached(self, reason: str) -> None:
        self.breaches.append(reason)

    def ended(self) -> None:
        self.ends += 1


def opened() -> tuple[Connection, Owner]:
    connection, owner = Connection(transport(), Laggards(Counters()), LIMITS), Owner()
    connection.owner = owner
    return connection, owner


def sent(connection: Connection) -> bytes:
    received: bytes = connection.transport.received  # type: ignore[attr-defined]
    return received


async def test_binary_messages_reach_the_owner() -> None:
    connection, owner = opened()
    assert connection.feed_data(frame(2, b"one") + frame(2, b"tw", final=False)) == (False, b"")
    connection.feed_data(frame(0, b"o"))
    assert owner.messages == [b"one", b"two"]


async def test_pings_are_answered_and_a_close_is_returned() -> None:
    connection, owner = opened()
    connection.feed_data(frame(9, b"hi") + frame(8, b"\x03\xe8bye") + frame(2, b"after the end"))
    assert sent(connection) == b"\x8a\x02hi\x88\x02\x03\xe8"
    assert owner.messages == []
    assert connection.transport.ended  # type: ignore[attr-defined]


async def test_engine_close_ends_the_connection() -> None:
    connection, owner = opened()
    connection.feed_data(frame(1, b"1"))
    assert sent(connection) == b"\x88\x02\x03\xe8"
    assert owner.breaches == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(1, b"42[]"), 1003, id="text"),
        pytest.param(frame(1, b"3"), 1003, id="pong without ping"),
        pytest.param(frame(2, b""), 1008, id="empty"),
        pytest.param(frame(2, bytes(1_001)), 1009, id="long"),
        pytest.param(frame(10, b"") * 21, 1008, id="flood"),
        pytest.param(frame(2, b"x", masked=False), 1002, id="unmasked"),
    ],
)
async def test_breach_is_told_and_closed_and_reading_stops(data: bytes, code: int) -> None:
    connection, owner = opened()
    connection.feed_data(data)
    assert sent(connection)[-2:] == code.to_bytes(2, "big")
    assert len(owner.breaches) == 1
    assert connection.transport.paused  # type: ignore[attr-defined]
    connection.feed_data(frame(2, b"more"))
    assert owner.messages == []


async def test_flood_allowance_refills_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, owner = opened()
    now = connection._loop.time()
    connection.feed_data(frame(2, b"x") * 20)
    monkeypatch.setattr(connection, "_loop", type("Later", (), {"time": staticmethod(lambda: now + 1.5)}))
    connection.feed_data(frame(2, b"x") * 10)
    assert len(owner.messages) == 30
    assert owner.breaches == []
    connection.feed_data(frame(2, b"x") * 40)
    assert len(owner.breaches) == 1


async def test_end_of_the_socket_is_told_once() -> None:
    connection, owner = opened()
    connection.feed_eof()
    connection.feed_eof()
    assert owner.ends == 1
    assert connection.ended.done()


async def test_wheel_pings_everybody_once_a_turn_and_drops_the_silent() -> None:
    written: list[int] = []
    wheel = Wheel(lambda alive, data: written.append(len(alive)) if data == PING else None, interval_s=0.25)
    talking, _ = opened()
    silent, _ = opened()
    wheel.add(talking)
    wheel.add(silent)

    def turn() -> None:
        for _ in range(Wheel.SLOTS):
            wheel._tick()
            wheel.stop()

    turn()
    assert sum(written) == 2
    talking.feed_data(frame(1, b"3"))
    turn()
    assert sum(written) == 3
    assert silent.transport.aborted  # type: ignore[attr-defined]
    assert not talking.transport.aborted  # type: ignore[attr-defined]
    wheel.discard(silent)
    wheel.discard(silent)
    assert len(wheel) == 1


async def test_wheel_ticks_by_itself() -> None:
    pinged = asyncio.Event()
    wheel = Wheel(lambda alive, data: pinged.set() if alive else None, interval_s=0.05)
    connection, _ = opened()
    wheel.add(connection)
    wheel.start()
    await asyncio.wait_for(pinged.wait(), 2)
    wheel.stop()


GOOD = {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}


def test_good_upgrade_is_accepted() -> None:
    request = make_mocked_request("GET", "/rt/?EIO=4&transport=websocket", headers=GOOD)
    assert check_upgrade(request) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Upgrade": "h2c"}, ""),
        ({"Connection": "close"}, ""),
        ({"Sec-WebSocket-Version": "12"}, ""),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, ""),
        ({}, "&sid=1"),
    ],
)
def test_other_upgrades_are_refused(headers: dict[str, str], query: str) -> None:
    request = make_mocked_request("GET", f"/rt/?EIO=4&transport=websocket{query}", headers=GOOD | headers)
    with pytest.raises(Refused):
        check_upgrade(request)


async def test_a_wheel_that_forgives_drops_only_after_as_many_pings_and_marks_the_silence() -> None:
    wheel = Wheel(lambda alive, data: None, interval_s=0.25, missed=3)
    slow, _ = opened()
    wheel.add(slow)

    def turn() -> None:
        for _ in range(Wheel.SLOTS):
            wheel._tick()
            wheel.stop()

    for _ in range(3):
        turn()
    for _ in range(3):
        slow.feed_data(frame(1, b"3"))  # the answers come late, all at once
    assert slow.closing_until is None
    for _ in range(3):
        turn()
    assert not slow.silent
    heard_at = slow.heard_at
    turn()
    assert slow.silent
    assert slow.transport.aborted  # type: ignore[attr-defined]
    assert slow.heard_at == heard_at


async def test_wheel_waits_for_a_slow_reader_whose_ping_is_still_under_way() -> None:
    wheel = Wheel(lambda alive, data: None, interval_s=0.25, missed=3)
    slow, _ = opened()
    wheel.add(slow)
    for lagging, alive in ((True, 10), (False, 3)):
        slow.lagging = lagging
        for _ in range(alive * Wheel.SLOTS):
            wheel._tick()
            wheel.stop()
        assert not slow.silent
    for _ in range(Wheel.SLOTS):
        wheel._tick()
        wheel.stop()
    assert slow.silent, "once it has read all of it"
