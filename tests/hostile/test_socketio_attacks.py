"""B07 to B10 and B13 to B15 of the hostile cases: packets and event names that no honest client sends, and readers that do not read."""

import asyncio
import itertools
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.hostile.conftest import Bystanders
from tests.support.member import Member
from tests.support.node import cookie
from tests.support.process import NodeProcess
from tests.support.raw import Raw, command, connect, frame, packet

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = itertools.count()
ORIGIN = {"Origin": "http://node"}


async def figures(node: NodeProcess) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/figures") as answer:
        found: dict[str, Any] = await answer.json()
        return found


def binary(value: Any) -> bytes:
    return frame(2, msgspec.msgpack.encode(value))


def event(name: Any, *arguments: Any, id: Any = 1) -> bytes:
    return packet(type=2, data=[name, *arguments], id=id)


async def told(raw: Raw) -> dict[str, Any] | None:
    """The bye before the end, if any."""
    bye = None
    try:
        async with asyncio.timeout(5):
            while True:
                found = await raw.packet()
                if found["type"] == 2 and found["data"][0] == "bye":
                    bye = found["data"][1]
    except (ConnectionError, asyncio.IncompleteReadError):
        return bye


@pytest.mark.parametrize(
    "attack",
    [
        *(
            pytest.param(event(name, {"v": 1, "ref": "r", "type": "raise_hand"}), id=f"B07 {name}")
            for name in (
                "connect",
                "disconnect",
                "connect_error",
                "__proto__",
                "__class__",
                "on_command",
                "events",
                "welcome",
                "Command",
                "",
            )
        ),
        pytest.param(event({"a": 1}, {}), id="B09 name is a map"),
        pytest.param(event("command"), id="B09 no argument"),
        pytest.param(event("command", {}, {}), id="B09 two arguments"),
        pytest.param(packet(type=2, data=["command", {"v": 1, "ref": "r", "type": "raise_hand"}]), id="B09 no ack id"),
        pytest.param(event("command", {"v": 1, "ref": "r", "type": "raise_hand"}, id=-1), id="B09 negative ack id"),
        pytest.param(event("command", {"v": 1, "ref": "r", "type": "raise_hand"}, id="1"), id="B09 ack id is text"),
        pytest.param(event("command", {"v": 1, "ref": "r", "type": "raise_hand"}, id=2**60), id="B09 huge ack id"),
        pytest.param(packet(type=9), id="B09 unknown packet type"),
        pytest.param(packet(type="2", data=[]), id="B09 type is text"),
        pytest.param(packet(type=2, data="command"), id="B09 data is no list"),
        pytest.param(binary([1, 2]), id="B09 packet is a list"),
        pytest.param(frame(2, b"\xc1"), id="B09 not MessagePack"),
        pytest.param(packet(type=3, data=[{}], id=1), id="B14 answer to nothing"),
        pytest.param(packet(type=4, data="no"), id="B09 connect error from a client"),
        pytest.param(packet(type=0, data={"seat": "eve"}), id="B10 CONNECT twice"),
        pytest.param(packet(type=0, nsp="/admin", data={"seat": "eve"}), id="B10 another namespace"),
    ],
)
async def test_third_error_ends_the_connection_and_none_runs_anything(node: NodeProcess, bystanders: Bystanders, attack: bytes) -> None:
    watcher, eve = bystanders.members[0], f"eve{next(NUMBERS)}"
    async with connect(node) as raw:
        await raw.join("c1", eve)
        before = (await figures(node))["protocol_errors"]
        await raw.send(attack, attack)
        await raw.send(command(5, type="raise_hand"))
        assert "seq" in await raw.ack(5)
        await raw.send(attack)
        assert await told(raw) == {"code": "bad_message", "retry": "never"}
        assert (await figures(node))["protocol_errors"] == before + 3

    def done() -> list[str]:
        return [e["event"]["type"] for e in watcher.events if e.get("by") == eve]

    await watcher.until(lambda: "connection_closed" in done())
    assert done() == ["participant_joined", "connection_opened", "hand_raised", "connection_closed"]


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(packet(type=5, data=["command", {"_placeholder": True, "num": 0}], attachments=999_999_999), id="B08 event"),
        pytest.param(packet(type=6, data=[{"_placeholder": True, "num": -1}], id=1, attachments=1), id="B08 answer"),
    ],
)
async def test_binary_attachments_end_the_connection_at_once(node: NodeProcess, bystanders: Bystanders, attack: bytes) -> None:
    async with connect(node) as raw:
        await raw.join("c1", "eve")
        await raw.send(attack, *(frame(2, bytes(60_000)) for _ in range(50)))
        assert await raw.close_code(within=3) == 1000


async def test_placeholders_are_plain_unknown_fields(node: NodeProcess, bystanders: Bystanders) -> None:
    """B08."""
    async with connect(node) as raw:
        await raw.join("c1", "eve")
        for n, number in enumerate((-1, "a", 2**40, {"num": {"num": 0}})):
            await raw.send(command(n, type="post_chat", text={"_placeholder": True, "num": number}))
            assert (await raw.ack(n))["error"]["code"] == "bad_message"


@pytest.mark.parametrize(
    ("packets", "code"),
    [
        pytest.param([command(1, type="raise_hand")] * 3, None, id="B09 command before CONNECT"),
        pytest.param([packet(type=0, nsp=f"/{n}", data={}) for n in range(3)], None, id="B10 namespaces"),
        pytest.param([packet(type=0)] * 3, None, id="CONNECT without auth"),
        pytest.param([packet(type=0, data={"seat": "somebody-else"})], "unauthenticated", id="B15 another's seat"),
        pytest.param([packet(type=0, data={"seat": "x" * 65})] * 3, None, id="long seat"),
    ],
)
async def test_nobody_comes_in_without_the_right_connect(
    node: NodeProcess, bystanders: Bystanders, packets: list[bytes], code: str | None
) -> None:
    async with connect(node) as raw:
        await raw.handshake({**ORIGIN, **cookie("c1", "eve")})
        await raw.send(*packets)
        if code is None:
            assert await raw.close_code(within=3) == 1000
        else:
            refusal = await raw.packet()
            assert (refusal["type"], refusal["data"]["data"]["code"]) == (4, code)
            assert await raw.close_code(within=3) == 1000


async def test_ten_thousand_namespaces_cost_nothing(node: NodeProcess, bystanders: Bystanders) -> None:
    """B10."""
    async with connect(node) as raw:
        await raw.join("c1", "eve")
        await raw.send(*(packet(type=0, nsp=f"/{n}") for n in range(10_000)))
        assert await raw.close_code(within=3) in (1000, None)


async def test_sixth_chat_message_in_a_moment_waits(node: NodeProcess, bystanders: Bystanders) -> None:
    async with connect(node) as raw:
        await raw.join("c1", "chatty")
        for n in range(6):
            await raw.send(command(n, type="post_chat", text=f"{n}"))
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < 6:
            answers |= await raw.acks_until(next(n for n in range(6) if n not in answers))
    assert {n: "error" in answer for n, answer in answers.items()} == {0: False, 1: False, 2: False, 3: False, 4: False, 5: True}
    assert answers[5] == {"ref": "raw-5", "error": {"code": "rate_limited", "retry": "later"}}


async def test_command_flood_is_answered_slowly_and_in_order(node: NodeProcess, bystanders: Bystanders) -> None:
    """B14: a hundred commands at once; what is over the limit is refused, what is accepted happens in order."""
    async with connect(node) as raw:
        await raw.join("c1", "hasty")
        await raw.send(*(command(n, type="lower_hand" if n % 2 else "raise_hand") for n in range(100)))
        answers: dict[int, dict[str, Any]] = {}
        async with asyncio.timeout(10):
            while len(answers) < 100:
                found = await raw.packet()
                if found["type"] == 3:
                    answers[found["id"]] = found["data"][0]
        done = [answers[n]["seq"] for n in sorted(answers) if "seq" in answers[n]]
        assert done == sorted(done)
        assert 55 <= len(done) <= 70
        assert {a["error"]["code"] for a in answers.values() if "error" in a} <= {"rate_limited", "overloaded"}


async def test_reader_that_never_reads_costs_the_others_nothing(node: NodeProcess, bystanders: Bystanders) -> None:
    """B13: a hundred messages a second, one reader gone deaf; bounded and dropped."""
    async with connect(node, receive_buffer=4_096) as deaf:
        await deaf.join("c1", "deaf")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = await figures(node)
        talkers = [asyncio.create_task(_talk(member)) for member in bystanders.members]
        try:
            async with asyncio.timeout(40):
                while True:
                    now = await figures(node)
                    assert now["resident"] - before["resident"] < 8_000_000
                    if now["dropped_stalled"] + now["dropped_behind"] > before["dropped_stalled"] + before["dropped_behind"]:
                        break
                    await asyncio.sleep(0.2)
        finally:
            for talker in talkers:
                talker.cancel()


async def _talk(member: Member) -> None:
    while True:
        await member.command("post_chat", text="x" * 2_000)
        await asyncio.sleep(1.05)


async def test_many_connections_of_one_person_are_bounded(node: NodeProcess, bystanders: Bystanders) -> None:
    """B15."""
    raws = [connect(node) for _ in range(10)]
    opened = [await context.__aenter__() for context in raws]
    outcomes = []
    for raw in opened:
        await raw.handshake({**ORIGIN, **cookie("c1", "many")})
        await raw.send(packet(type=0, data={"seat": "many"}))
        found = await raw.packet()
        outcomes.append(found["data"]["data"]["code"] if found["type"] == 4 else "in")
    for context in raws:
        await context.__aexit__(None, None, None)
    assert outcomes == ["in"] * 8 + ["too_many"] * 2
