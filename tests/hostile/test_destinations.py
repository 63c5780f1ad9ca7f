"""A destination of records is no way into the node's own network (reliability case F06): addresses in every spelling, names that change."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from server.records import reach
from server.records.answers import Verdict, judge
from server.records.destinations import Destination
from server.records.outbox import Row
from server.records.stores import store_for
from tests.support.faulty_store import MemoryStore, serve

ROW = Row(number=1, id="fd41c918-b88b-4b20-a0a5-a4c32391aaa0", session="c", at=0, body=b"{}")
INSIDE = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.2.1",
    "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:c0a8:101::1", "fc00::1", "fd12:3456::1", "fe80::1", "ff02::1",
    "2001:db8::1", "::127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1",
)  # fmt: skip
OUTSIDE = ("1.1.1.1", "172.15.0.1", "172.32.0.1", "223.5.5.5", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "2606:4700::1111")


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_a_network_of_ones_own_is_not_public(address: str) -> None:
    assert not reach.is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_anybody_may_have_is_public(address: str) -> None:
    assert reach.is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0"]
)
async def test_nothing_is_sent_to_this_machine_however_it_is_spelt(host: str) -> None:
    async with serve(MemoryStore()) as server:
        url = server.url.replace("127.0.0.1", host)
        async with reach.session(private=False) as http:
            answer = await store_for(Destination(name="lrs", url=url), http, lambda: 0.0).post([ROW])
        assert server.bodies == []
    assert judge(answer.status) is Verdict.PAUSE
    assert "private = true" in answer.text or answer.text == "the address is malformed"


async def test_a_name_that_means_another_address_when_it_is_used_is_judged_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def resolve(real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            if host not in ("rebind.example", b"rebind.example"):
                return real(host, port, *rest, **more)
            asked.append(host)
            # Whoever looked it up before would have been told a public one.
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) > 1 else "203.0.114.9", port))]

        return answer

    monkeypatch.setattr(socket, "getaddrinfo", resolve(socket.getaddrinfo))
    async with serve(MemoryStore()) as server:
        url = server.url.replace("127.0.0.1", "rebind.example")
        assert socket.getaddrinfo("rebind.example", 443)[0][4][0] == "203.0.114.9"
        async with reach.session(private=False) as http:
            answer = await store_for(Destination(name="lrs", url=url), http, lambda: 0.0).post([ROW])
        assert server.bodies == []
    assert len(asked) > 1
    assert judge(answer.status) is Verdict.PAUSE


async def test_a_destination_that_is_said_to_be_private_is_served() -> None:
    async with serve(MemoryStore()) as server, reach.session(private=True) as http:
        answer = await store_for(Destination(name="lrs", url=server.url, private=True), http, lambda: 0.0).post([ROW])
        assert len(server.bodies) == 1
    assert judge(answer.status) is not Verdict.PAUSE
