"""B03, B05, B06, B12 and A04, A06 of the hostile cases: frames that break RFC 6455, floods, and what an upgrade must not carry."""

import asyncio
import os
from typing import Any

import aiohttp
import pytest

from tests.hostile.conftest import Bystanders
from tests.support.node import cookie
from tests.support.process import NodeProcess
from tests.support.raw import KEY, connect, frame, packet

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORIGIN = {"Origin": "http://node"}


async def figures(node: NodeProcess) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/figures") as answer:
        found: dict[str, Any] = await answer.json()
        return found


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        pytest.param(frame(1, b"3", masked=False), 1002, id="B05 unmasked"),
        pytest.param(frame(1, b"3", reserved=0x40), 1002, id="B05 reserved bit 1"),
        pytest.param(frame(2, b"3", reserved=0x10), 1002, id="B05 reserved bit 3"),
        pytest.param(frame(3, b""), 1002, id="B05 opcode 3"),
        pytest.param(frame(11, b""), 1002, id="B05 opcode 11"),
        pytest.param(frame(9, bytes(126)), 1002, id="B05 long ping"),
        pytest.param(frame(8, b"\x03\xed"), 1002, id="B05 close code 1005"),
        pytest.param(frame(1, b"\xff"), 1007, id="C03 text not UTF-8"),
        pytest.param(frame(2, b"", size=2**63), 1009, id="B03 length 2^63"),
        pytest.param(frame(2, b"", size=65_537), 1009, id="B03 one byte over"),
        pytest.param(frame(2, b"x", final=False) + frame(0, b"", final=False) * 300, 1009, id="B03 endless fragments"),
        pytest.param(frame(2, bytes(60_000), final=False) + frame(0, bytes(6_000), final=False), 1009, id="B03 long in parts"),
        pytest.param(frame(2, b"") * 3, 1008, id="B06 empty message"),
        pytest.param(frame(1, b"hello"), 1003, id="text is not spoken"),
        pytest.param(frame(1, b"2probe"), 1003, id="no upgrade inside"),
        pytest.param(frame(1, b"3"), 1003, id="B12 pong before ping"),
    ],
)
async def test_breach_is_closed_with_its_code(node: NodeProcess, bystanders: Bystanders, attack: bytes, code: int) -> None:
    async with connect(node) as raw:
        await raw.join("c1", "eve")
        await raw.send(attack)
        assert await raw.close_code(within=3) == code


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(frame(9, b"x") * 2_000, id="B06 pings"),
        pytest.param(frame(10, b"x") * 2_000, id="B12 pongs"),
        pytest.param(packet(type=3, id=1, data=[]) * 2_000, id="B14 acknowledgements"),
    ],
)
async def test_flood_is_cut_within_a_second(node: NodeProcess, bystanders: Bystanders, flood: bytes) -> None:
    async with connect(node) as raw:
        await raw.join("c1", "eve")
        begun = asyncio.get_running_loop().time()
        sending = asyncio.create_task(_pour(raw, flood, 50))
        code = await raw.close_code(within=5)
        sending.cancel()
        assert asyncio.get_running_loop().time() - begun < 2.5
        assert code in (1000, 1008)


async def _pour(raw: Any, flood: bytes, times: int) -> None:
    for _ in range(times):
        await raw.send(flood)
        await asyncio.sleep(0)


async def test_hostile_frames_do_not_grow_the_node(node: NodeProcess, bystanders: Bystanders) -> None:
    """B03: memory, over many connections that each hold as much as they may."""
    async with connect(node) as raw:
        await raw.join("c1", "eve")
    before = (await figures(node))["resident"]
    for _ in range(30):
        async with connect(node) as raw:
            await raw.handshake({**ORIGIN, **cookie("c1", "eve")})
            await raw.send(frame(2, os.urandom(30_000), final=False), frame(0, os.urandom(30_000), final=False), frame(0, b"", size=2**40))
            assert await raw.close_code() == 1009
    assert (await figures(node))["resident"] - before < 4_000_000


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        pytest.param({}, "/rt/?EIO=4&transport=polling", 400, id="B11 polling"),
        pytest.param({}, "/rt/?EIO=3&transport=websocket", 400, id="old protocol"),
        pytest.param({}, "/rt/?EIO=4&transport=websocket&sid=abcdefghijklmnop", 400, id="B15 somebody's sid"),
        pytest.param({"Sec-WebSocket-Version": "8"}, "/rt/?EIO=4&transport=websocket", 426, id="old WebSocket"),
        pytest.param({"Sec-WebSocket-Key": "short"}, "/rt/?EIO=4&transport=websocket", 400, id="bad key"),
        pytest.param({"Upgrade": ""}, "/rt/?EIO=4&transport=websocket", 400, id="no upgrade"),
        pytest.param({"Origin": "http://evil.example"}, "/rt/?EIO=4&transport=websocket", 403, id="B01 foreign origin"),
        pytest.param({"Origin": "null"}, "/rt/?EIO=4&transport=websocket", 403, id="B01 null origin"),
        pytest.param({"Origin": ""}, "/rt/?EIO=4&transport=websocket", 403, id="B01 no origin, cookie"),
        pytest.param({"Origin": "http://node.evil.example"}, "/rt/?EIO=4&transport=websocket", 403, id="B01 longer name"),
        pytest.param({"Origin": "http://allowed.example"}, "/rt/?EIO=4&transport=websocket", 101, id="B01 listed origin"),
        pytest.param({"Origin": "", "Authorization": "Bearer x"}, "/rt/?EIO=4&transport=websocket", 101, id="B01 bearer"),
    ],
)
async def test_who_may_open_a_connection(node: NodeProcess, headers: dict[str, str], path: str, status: int) -> None:
    async with connect(node) as raw:
        assert (await raw.handshake({**ORIGIN, **cookie("c1", "eve"), **headers}, path))[0] == status


async def test_compression_is_never_negotiated(node: NodeProcess) -> None:
    """B04: no bomb without a fuse."""
    async with connect(node) as raw:
        status, head = await raw.handshake({**ORIGIN, **cookie("c1", "eve"), "Sec-WebSocket-Extensions": "permessage-deflate"})
        assert status == 101
        assert "extensions" not in head.lower()
        await raw.send(frame(2, bytes(100), reserved=0x40))
        assert await raw.close_code() == 1002


async def test_bytes_behind_the_upgrade_are_frames_not_requests(node: NodeProcess) -> None:
    """A03: nothing smuggled through the upgrade is read as HTTP."""
    async with connect(node) as raw:
        head = (
            f"GET /rt/?EIO=4&transport=websocket HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://node\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nContent-Length: 0\r\n\r\n"
        )
        await raw.send(head.encode() + b"POST /classes/smuggled/small HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n\r\n")
        assert b"101" in await raw.reader.readuntil(b"\r\n\r\n")
        assert await raw.close_code() == 1002


async def test_connection_that_never_says_connect_is_closed(node: NodeProcess, bystanders: Bystanders) -> None:
    """B10: a hundred of them, answering nothing."""
    raws = []
    before = (await figures(node))["late_connects"]
    for _ in range(100):
        context = connect(node)
        raw = await context.__aenter__()
        assert (await raw.handshake({**ORIGIN, **cookie("c1", "eve")}))[0] == 101
        raws.append((context, raw))
    assert await asyncio.gather(*(raw.close_code(within=8) for _, raw in raws)) == [1000] * 100
    for context, _ in raws:
        await context.__aexit__(None, None, None)
    assert (await figures(node))["late_connects"] == before + 100
