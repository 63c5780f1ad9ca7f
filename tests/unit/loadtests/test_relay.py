"""The relay on real sockets: who hears whom, and that the line's conditions hold on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadtests import relay as module
from loadtests.link import OVERHEAD, conditions, schedule
from loadtests.relay import Relay, obey, relay_process


class Socket(asyncio.DatagramProtocol):
    """Keeps what comes in, with the time; the echoing kind sends it back in capitals."""

    def __init__(self, *, echo: bool = False) -> None:
        self.got: asyncio.Queue[tuple[bytes, tuple[str, int], float]] = asyncio.Queue()
        self._echo = echo

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.wire = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.put_nowait((data, addr, asyncio.get_running_loop().time()))
        if self._echo:
            self.wire.sendto(data.upper(), addr)

    async def next(self) -> bytes:
        data, _, _ = await asyncio.wait_for(self.got.get(), 5)
        return data


@asynccontextmanager
async def opened(*, echo: bool = False, to: tuple[str, int] | None = None) -> AsyncIterator[Socket]:
    kind = {"remote_addr": to} if to else {"local_addr": ("127.0.0.1", 0)}
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Socket(echo=echo), **kind)  # type: ignore[arg-type]
    try:
        yield protocol
    finally:
        transport.close()


async def test_each_client_has_a_socket_of_its_own_and_hears_its_own_answers() -> None:
    async with (
        opened(echo=True) as server,
        Relay(("127.0.0.1", 0), server.address) as relay,
        opened(to=relay.address) as ann,
        opened(to=relay.address) as ben,
    ):
        ann.wire.sendto(b"ann")
        ben.wire.sendto(b"ben")
        ann.wire.sendto(b"ann again")
        assert [await ann.next(), await ann.next()] == [b"ANN", b"ANN AGAIN"]
        assert await ben.next() == b"BEN"
        seen = {data: address for data, address, _ in [server.got.get_nowait() for _ in range(3)]}
        assert seen[b"ann"] == seen[b"ann again"] != seen[b"ben"]
        assert relay.figures()["clients"] == 2


async def test_directions_have_conditions_of_their_own() -> None:
    async with (
        opened(echo=True) as server,
        Relay(("127.0.0.1", 0), server.address, down=schedule("loss=100%")) as relay,
        opened(to=relay.address) as client,
    ):
        for _ in range(5):
            client.wire.sendto(b"hello")
        for _ in range(5):
            assert await server.next() == b"hello"
        assert client.got.empty()
        relay.change("down", conditions("loss=0%", relay.conditions("down")))
        client.wire.sendto(b"now")
        assert await client.next() == b"NOW"
        (up,), (down,) = relay.figures()["up"], relay.figures()["down"]
        assert (up["forwarded"], down["dropped_loss"], down["forwarded"]) == (6, 5, 1)


async def test_a_burst_leaves_at_the_rate_of_the_line() -> None:
    async with (
        opened() as server,
        Relay(("127.0.0.1", 0), server.address, up=schedule("3000kbit queue=1000ms")) as relay,
        opened(to=relay.address) as client,
    ):
        for _ in range(50):
            client.wire.sendto(bytes(1_200))
        arrived = [(await asyncio.wait_for(server.got.get(), 5))[2] for _ in range(50)]
        assert arrived[-1] - arrived[0] >= 49 * (1_200 + OVERHEAD) * 8 / 3e6 - 0.005
        (up,) = relay.figures()["up"]
        assert up["queue_ms_p100"] == pytest.approx(50 * (1_200 + OVERHEAD) * 8 / 3e3, rel=0.1)


async def test_a_schedule_changes_the_line_by_itself() -> None:
    began = asyncio.get_running_loop().time()
    async with (
        opened() as server,
        Relay(("127.0.0.1", 0), server.address, up=schedule("0:loss=100%,0.1:loss=0% delay=30ms")) as relay,
        opened(to=relay.address) as client,
    ):
        while server.got.empty():
            client.wire.sendto(b"tick")
            await asyncio.sleep(0.01)
        _, _, arrived = server.got.get_nowait()
        assert arrived - began >= 0.13


async def test_clients_share_a_line_unless_told_otherwise() -> None:
    for per_client, lines in ((False, 1), (True, 2)):
        async with (
            opened(echo=True) as server,
            Relay(("127.0.0.1", 0), server.address, per_client=per_client) as relay,
            opened(to=relay.address) as ann,
            opened(to=relay.address) as ben,
        ):
            for client in (ann, ben):
                client.wire.sendto(b"x")
                await client.next()
            assert len(relay.figures()["up"]) == len(relay.figures()["down"]) == lines


async def test_no_more_clients_than_places_until_one_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 1)
    async with (
        opened(echo=True) as server,
        Relay(("127.0.0.1", 0), server.address) as relay,
        opened(to=relay.address) as ann,
        opened(to=relay.address) as ben,
    ):
        ann.wire.sendto(b"ann")
        await ann.next()
        ben.wire.sendto(b"ben")
        ann.wire.sendto(b"ann")
        await ann.next()
        assert relay.figures()["refused_clients"] == 1
        monkeypatch.setattr(module, "IDLE_S", 0.0)
        ben.wire.sendto(b"ben")
        assert await ben.next() == b"BEN"


async def test_an_address_in_use_is_told() -> None:
    async with opened() as taken:
        with pytest.raises(OSError, match="in use"):
            async with Relay(taken.address, ("127.0.0.1", 9)):
                pass


async def test_orders_that_make_no_sense_are_told_and_change_nothing() -> None:
    async with Relay(("127.0.0.1", 0), ("127.0.0.1", 9), up=schedule("loss=1%")) as relay:
        assert obey(relay, "sideways loss=2%") == {"error": "no such command: 'sideways'"}
        assert obey(relay, "up loss=a") == {"error": "no such setting: 'loss=a'"}
        assert relay.conditions("up").loss == 0.01
        assert obey(relay, "up loss=2%") is None
        assert relay.conditions("up").loss == 0.02


async def test_the_command_relays_obeys_and_tells() -> None:
    async with opened(echo=True) as server, relay_process(("127.0.0.1", 0), server.address, down="delay=5ms") as relay:
        async with opened(to=relay.address) as client:
            client.wire.sendto(b"hello")
            assert await client.next() == b"HELLO"
            relay.change("up", "loss=100%")
            told = await relay.figures(reset=True)
            assert (told["clients"], told["up"][0]["forwarded"]) == (1, 1)
            client.wire.sendto(b"lost")
            while not (told := await relay.figures())["up"][0]["offered"]:
                pass
            assert (told["up"][0]["forwarded"], told["up"][0]["dropped_loss"]) == (0, 1)
        with pytest.raises(ValueError, match="no such setting"):
            relay.change("up", "nonsense")


async def test_a_relay_process_that_cannot_listen_is_an_error() -> None:
    async with opened() as taken:
        with pytest.raises(OSError, match="the relay ended with 1"):
            async with relay_process(taken.address, ("127.0.0.1", 9)):
                pass
