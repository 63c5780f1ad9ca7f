"""The official JavaScript client with its MessagePack parser, as the product's own web client uses it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from signaling.classroom.roles import Role
from signaling.classroom.room import Room
from signaling.entries import Entry
from tests.support.member import join
from tests.support.node import Node, serve

ROOT = Path(__file__).parents[2]
CUT_AFTER = {f"toggle-{n}" for n in range(3, 60, 6)}
MODULES = ROOT / "web" / "node_modules"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    assert (MODULES / "socket.io-client").is_dir(), "the web client's packages are not installed: make setup"
    async with serve(tmp_path / "node.db") as node:
        await node.create("c1")
        yield node


class Browser:
    """One run of client.cjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, node: Node, participant: str, role: Role, scenario: str) -> "Browser":
        script = Path(__file__).with_name("client.cjs")
        arguments = [str(script), str(MODULES), node.url, "c1", participant, role.value, scenario]
        return cls(await asyncio.create_subprocess_exec("node", *arguments, stdout=asyncio.subprocess.PIPE))

    async def seen(self) -> dict[str, Any]:
        """What it saw in the end."""
        out, _ = await asyncio.wait_for(self._process.communicate(), 55)
        found: dict[str, Any] = json.loads(out)
        return found


async def test_it_connects_commands_and_hears(node: Node) -> None:
    async with join(node, "c1", "ann") as ann:
        seen = await (await Browser.start(node, "tina", Role.TRAINER, "talk")).seen()
        await ann.until(lambda: "chat_posted" in ann.types())
    assert seen["welcomes"][0]["phase"] == "scheduled"
    assert seen["acks"]["start"]["ref"] == "one"
    assert seen["acks"]["again"] == seen["acks"]["start"]
    assert seen["acks"]["chat"]["seq"] == seen["acks"]["start"]["seq"] + 1
    assert seen["acks"]["bad"]["error"] == {"code": "bad_message", "retry": "never"}
    assert seen["acks"]["unknown"]["error"] == {"code": "unknown_type", "retry": "never"}
    assert [kind for _, kind in seen["events"]] == ["class_started", "chat_posted"]
    assert next(e for e in ann.events if e["event"]["type"] == "chat_posted")["event"]["text"] == "你好 👋"
    assert seen["gaps"] == 0
    assert seen["errors"] == []


async def test_everything_comes_once_and_in_order_over_forced_disconnects(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("start_class")
        cuts = 0

        def cut(session: str, room: Room, entries: Sequence[Entry]) -> None:
            """Every sixth toggle is stored but its answer never leaves."""
            nonlocal cuts
            if any(entry.origin.op in CUT_AFTER for entry in entries):
                cuts += 1
                for viewer in node.gateway.viewers("c1", "ben"):
                    viewer.out.transport.abort()

        node.hub.watch(cut)
        seen = await (await Browser.start(node, "ben", Role.TRAINEE, "toggle")).seen()
        await tina.until(lambda: sum(kind.startswith("hand_") for kind in tina.types()) >= 60)
    stored = [record async for record in node.journal.read("c1", 0, 10_000)]
    toggles = [record for record in stored if record.op is not None and record.op.startswith("toggle-")]
    assert [record.op for record in toggles] == [f"toggle-{n}" for n in range(60)]
    assert {n: reply["seq"] for n, reply in seen["acks"].items()} == {str(n): record.seq for n, record in enumerate(toggles)}
    assert cuts == len(CUT_AFTER)
    assert seen["connects"] == cuts + 1
    assert any(welcome["resumed"] for welcome in seen["welcomes"])
    assert seen["gaps"] == 0
    numbers = [seq for seq, _ in seen["events"]]
    assert numbers == sorted(set(numbers))
    assert [seq for seq, kind in seen["events"] if kind.startswith("hand_")] == [
        record.seq for record in stored if b"hand_" in record.event
    ]


async def test_it_is_told_why_it_is_sent_away_and_stays_away(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        browser = await Browser.start(node, "ben", Role.TRAINEE, "listen")
        await tina.until(lambda: "participant_joined" in tina.types())
        await tina.command("remove", participant="ben", ban=True)
        seen = await browser.seen()
    assert seen["bye"] == {"code": "banned", "retry": "never"}
    assert seen["disconnects"] == ["io server disconnect"]
    assert seen["connects"] == 1


async def test_it_is_told_why_it_is_refused(node: Node) -> None:
    node.seats.away.add(("c1", "ben"))
    seen = await (await Browser.start(node, "ben", Role.TRAINEE, "refused")).seen()
    assert seen["errors"][0] == {"message": "unauthenticated", "data": {"code": "unauthenticated", "retry": "now"}}
    assert seen["welcomes"] == []
