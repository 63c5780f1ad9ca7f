"""Coming back: from memory, after a crash from the journal, or with a snapshot; never a gap, never half."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.classroom.roles import Role
from signaling.classroom.tracks import SetMicrophone
from signaling.entries import RING
from tests.support.member import Member, join
from tests.support.node import Node, serve
from tests.support.process import spawn


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serve(tmp_path / "node.db", window_s=0.01) as node:
        await node.create("c1")
        yield node


def mark(member: Member) -> dict[str, Any]:
    return {"epoch": member.epoch, "seq": member.last}


def texts(member: Member) -> list[str]:
    return [entry["event"]["text"] for entry in member.events if entry["event"]["type"] == "chat_posted"]


async def test_resume_brings_what_was_missed_and_nothing_else(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("start_class")
        async with join(node, "c1", "ben") as ben:
            await tina.command("post_chat", text="heard live")
            await ben.until(lambda: texts(ben) == ["heard live"])
            left = mark(ben)
        await tina.command("post_chat", text="missed")
        await tina.command("post_chat", channel="staff", text="not for trainees")
        newest = await tina.command("post_chat", channel="private", to="ben", text="missed too")
        async with join(node, "c1", "ben", resume=left) as ben:
            await ben.until(lambda: ben.last >= newest["seq"])
            assert [welcome.get("resumed") for welcome in ben.welcomes] == [True]
            assert texts(ben) == ["missed", "missed too"]


async def test_resume_and_live_events_join_without_a_gap_under_load(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("start_class")

        async def toggle(times: int) -> None:
            for n in range(times):
                await node.hub.dispatch("c1", "tina", SetMicrophone(on=n % 2 == 0))

        seen: list[int] = []
        resume: dict[str, Any] = {}
        busy = asyncio.create_task(toggle(400))
        while not busy.done():
            async with join(node, "c1", "ben", **resume) as ben:
                seen = seen if resume else [ben.snapshot["seq"]]
                await ben.until(lambda: bool(ben.events))
                seen += [entry["seq"] for entry in ben.events]
                resume = {"resume": mark(ben)}
        await busy
        async with join(node, "c1", "ben", **resume) as ben:
            await ben.until(lambda: ben.last >= ben.events[-1]["seq"] if ben.events else True)
    stored = [r.seq async for r in node.journal.read("c1", seen[0], 10_000) if b"microphone_changed" in r.event]
    assert seen == sorted(set(seen))
    assert [seq for seq in stored if seq <= seen[-1]] == [seq for seq in seen[1:] if seq in stored]


async def test_snapshot_when_more_was_missed_than_memory_holds(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("start_class")
        async with join(node, "c1", "ben") as ben:
            left = mark(ben)
        for n in range(RING + 10):
            await node.hub.dispatch("c1", "tina", SetMicrophone(on=n % 2 == 0))
        async with join(node, "c1", "ben", resume=left) as ben:
            assert "resumed" not in ben.welcomes[0]
            assert ben.snapshot["seq"] == ben.last > left["seq"] + RING
            assert ben.events == []


@pytest.mark.parametrize("wrong", [{"epoch": "another", "seq": 3}, {"seq": 10**9}, {"seq": 0}])
async def test_snapshot_when_the_mark_cannot_be_continued(node: Node, wrong: dict[str, Any]) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        epoch = tina.epoch
        async with join(node, "c1", "ben"):
            pass
    async with join(node, "c1", "ben", resume={"epoch": epoch, **wrong}) as ben:
        assert ben.snapshot["me"] == "ben"
        assert ben.events == []


async def test_snapshot_when_the_view_has_changed_meanwhile(node: Node) -> None:
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("change_settings", waiting_room=True)
        async with join(node, "c1", "ben") as ben:
            assert ben.snapshot["participants"][0]["seat"] == "waiting"
            left = mark(ben)
        await tina.command("admit", participants=["ben"])
        async with join(node, "c1", "ben", resume=left) as ben:
            assert {person["id"] for person in ben.snapshot["participants"]} == {"tina", "ben"}


async def test_resume_across_a_crash_replays_from_the_journal(tmp_path: Path) -> None:
    async with spawn(tmp_path / "node.db") as node:
        await node.create("c1")
        async with join(node, "c1", "tina", Role.TRAINER) as tina, join(node, "c1", "ben") as ben:
            await tina.command("start_class")
            await ben.until(lambda: ben.types() == ["class_started"])
            left = mark(ben)
            answer = await tina.command("post_chat", ref="last-words", text="stored")
            await node.end(signal.SIGKILL)
            await tina.closed.wait()
        await node.start()
        async with join(node, "c1", "ben", resume=left) as ben, join(node, "c1", "tina", Role.TRAINER) as tina:
            await ben.until(lambda: texts(ben) == ["stored"])
            assert [welcome.get("resumed") for welcome in ben.welcomes] == [True]
            closed = [e["event"] for e in ben.events if e["event"]["type"] == "connection_closed"]
            assert {event["reason"] for event in closed} == {"recovered"}
            assert {event["participant"] for event in closed} == {"tina", "ben"}
            assert await tina.command("post_chat", ref="last-words", text="stored") == answer
            assert [message["text"] for message in tina.snapshot["chat"]] == ["stored"]


async def test_resume_across_a_restart_needs_no_snapshot_if_nothing_was_missed(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db") as node:
        await node.create("c1")
        async with join(node, "c1", "tina", Role.TRAINER) as tina:
            first = await tina.command("start_class", ref="the-start")
    async with serve(tmp_path / "node.db") as node:
        top = await node.journal.last_seq("c1")
        async with join(node, "c1", "tina", Role.TRAINER, resume={"epoch": tina.epoch, "seq": top}) as tina:
            assert tina.welcomes[0].get("resumed")
            assert await tina.command("start_class", ref="the-start") == first


async def test_another_connection_of_the_same_tab_replaces_the_first(node: Node) -> None:
    async with (
        join(node, "c1", "tina", Role.TRAINER) as tina,
        join(node, "c1", "ben", tab="one") as old,
        join(node, "c1", "ben", tab="one"),
        join(node, "c1", "ben", tab="two") as other,
    ):
        await old.closed.wait()
        assert old.byes == [{"code": "replaced", "retry": "never"}]
        assert old.disconnected
        await tina.until(lambda: "replaced" in [e["event"].get("reason") for e in tina.events])
        assert not other.closed.is_set()
