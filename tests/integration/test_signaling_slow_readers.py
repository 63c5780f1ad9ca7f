"""Readers that are slow, stop, or take everything in tiny pieces: order holds, memory is bounded, nobody else notices."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from signaling.classroom.chat import PostChat
from signaling.classroom.roles import Role
from signaling.classroom.session import StartClass
from signaling.classroom.settings import Profile
from signaling.outbound import QUEUE_BYTES, QUEUE_FRAMES
from signaling.ports import SendMany
from signaling.transport import Limits
from tests.support.member import join
from tests.support.node import Node, native, python_send_many, serve
from tests.support.raw import Raw, connect

TINY = Limits(send_buffer=2_048)


async def read_texts(raw: Raw, count: int, welcome: dict[str, Any]) -> list[str]:
    """Texts of so many messages, by the numbering rules: nothing twice, no gap."""
    seen: list[str] = []
    last = welcome["snapshot"]["seq"]
    while len(seen) < count:
        found = await raw.packet()
        if found["type"] == 2 and found["data"][0] == "events":
            batch = found["data"][1]
            assert batch["after"] <= last
            seen += [e["event"]["text"] for e in batch["events"] if e["event"]["type"] == "chat_posted" and e["seq"] > last]
            last = max(last, batch["upto"])
    return seen


WAYS = {"python": python_send_many, "transport": None} | ({"native": native} if native is not None else {})


@pytest.fixture(params=WAYS)
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    send_many: SendMany | None = WAYS[request.param]
    async with serve(tmp_path / "node.db", send_many=send_many, limits=TINY, window_s=0.005, stalled_s=3.0, behind_s=10.0) as node:
        await node.create("c1", Profile.LARGE)
        yield node


async def say(node: Node, number: int, size: int) -> None:
    """A message from the trainer, past the rate limits."""
    reply = await node.hub.dispatch("c1", "tina", PostChat(text=f"{number:06}" + "x" * size))
    assert reply.error is None


def numbers(texts: list[str]) -> list[int]:
    return [int(text[:6]) for text in texts]


async def test_nothing_is_lost_or_reordered_when_every_send_is_short(node: Node) -> None:
    async with AsyncExitStack() as stack:
        tina = await stack.enter_async_context(join(node, "c1", "tina", Role.TRAINER))
        await tina.command("start_class")
        members = [await stack.enter_async_context(join(node, "c1", f"m{n}")) for n in range(8)]
        for number in range(120):
            await say(node, number, 1_500)
            if number % 10 == 0:
                assert "error" not in await members[0].command("raise_hand" if number % 20 else "lower_hand")
        for member in members:
            await member.until(lambda m=member: m.types().count("chat_posted") == 120)  # type: ignore[misc]
            texts = [e["event"]["text"] for e in member.events if e["event"]["type"] == "chat_posted"]
            assert numbers(texts) == list(range(120))
    if node.gateway._send_many is not None:
        assert node.hub.counters.partial_sends > 0


async def test_reader_that_pauses_gets_everything_in_order(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina, connect(node, receive_buffer=4_096) as slow:
        await tina.command("start_class")
        welcome = await slow.join("c1", "slow")
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(60):
            await say(node, number, 1_000)
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert numbers(await read_texts(slow, 60, welcome)) == list(range(60))


async def test_reader_that_fell_behind_is_brought_up_to_date_in_one_piece(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina, connect(node, receive_buffer=4_096) as slow:
        await tina.command("start_class")
        welcome = await slow.join("c1", "slow")
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        number = 0
        while not node.hub.counters.behind:
            await say(node, number, 2_000 - 6)
            number += 1
            assert number * 2_000 < QUEUE_BYTES * 3
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert numbers(await read_texts(slow, number, welcome)) == list(range(number))
    assert node.hub.counters.replayed > 0


async def test_reader_that_never_reads_is_dropped_and_holds_little_meanwhile(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina, connect(node, receive_buffer=4_096) as deaf:
        await tina.command("start_class")
        await deaf.join("c1", "deaf")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        (viewer,) = node.gateway.viewers("c1", "deaf")
        begun = time.monotonic()
        held = []
        number = 0
        while node.gateway.viewers("c1", "deaf"):
            await say(node, number, 1_000)
            number += 1
            held.append(viewer.out._queued_bytes + viewer.out.transport.get_write_buffer_size())
            assert len(viewer.out._queue) <= QUEUE_FRAMES
            await asyncio.sleep(0.002)
        assert time.monotonic() - begun < 8
        assert max(held) < QUEUE_BYTES + 100_000
        await tina.until(lambda: tina.types().count("chat_posted") == number)
    assert node.hub.counters.dropped_stalled == 1


async def test_asker_who_never_reads_the_answers_is_dropped(node: Node) -> None:
    async with connect(node, receive_buffer=4_096) as deaf:
        await deaf.join("c1", "deaf")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await node.hub.dispatch("c1", None, StartClass())
        async with asyncio.timeout(12):
            while node.gateway.viewers("c1", "deaf"):
                for viewer in node.gateway.viewers("c1", "deaf"):
                    viewer.out.send(b"\x82\x7e\x04\x00" + bytes(1_024))  # an answer
                await asyncio.sleep(0.005)
