"""The door and the class behind it, over real sockets: who sees what, who is shown out and why, and what a command's answer means."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Leave
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import Remove
from signaling.classroom.session import EndClass
from signaling.classroom.settings import Profile
from signaling.entries import Entry
from signaling.ports import Fields, Record
from signaling.runner import Runner
from tests.support.member import Member, Refused, join
from tests.support.node import Node, serve


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with serve(tmp_path / "node.db", window_s=0.01) as node:
        await node.create("c1")
        yield node


@pytest.fixture
async def tina(node: Node) -> AsyncIterator[Member]:
    """A trainer in a running class."""
    async with join(node, "c1", "tina", Role.TRAINER) as tina:
        await tina.command("start_class")
        yield tina


def said(member: Member) -> list[str]:
    return [e["event"]["text"] for e in member.events if e["event"]["type"] == "chat_posted"]


async def test_everybody_hears_what_they_may_and_nothing_else(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann, join(node, "c1", "ben") as ben, join(node, "c1", "ines", Role.INSPECTOR) as ines:
        await ann.command("post_chat", text="to all")
        await ann.command("post_chat", text="to staff", channel="staff")
        await tina.command("post_chat", text="to ann", channel="private", to="ann")
        last = (await ann.command("raise_hand"))["seq"]
        for member in (tina, ann, ben, ines):
            await member.until(lambda m=member: m.last >= last)  # type: ignore[misc]
        assert said(tina) == said(ann) == ["to all", "to staff", "to ann"]
        assert said(ben) == said(ines) == ["to all"]
        assert not any("op" in entry or "ref" in entry for entry in tina.events)


async def test_waiting_person_sees_only_the_own_seat_until_admitted(node: Node, tina: Member) -> None:
    await tina.command("change_settings", waiting_room=True)
    async with join(node, "c1", "ann") as ann:
        assert [person["seat"] for person in ann.snapshot["participants"]] == ["waiting"]
        await tina.command("post_chat", text="before you")
        assert (await ann.command("post_chat", text="let me in"))["error"]["code"] == "not_admitted"
        assert ann.events == []
        await tina.until(lambda: any(s.get("waiting") == 1 for s in tina.signals if s["type"] == "present"))
        await tina.command("admit", participants=[])
        await ann.until(lambda: len(ann.welcomes) == 2)
        assert {person["id"] for person in ann.snapshot["participants"]} == {"tina", "ann"}
        await tina.command("post_chat", text="welcome")
        await ann.until(lambda: said(ann) == ["welcome"])


@pytest.mark.parametrize(
    ("command", "fields", "code"),
    [("decline", {}, "declined"), ("remove", {"ban": True}, "banned"), ("remove", {"ban": False}, "not_admitted")],
)
async def test_sent_away_means_out_on_every_device_with_a_reason(
    node: Node, tina: Member, command: str, fields: dict[str, Any], code: str
) -> None:
    if command == "decline":
        await tina.command("change_settings", waiting_room=True)
    async with join(node, "c1", "ann") as phone, join(node, "c1", "ann") as laptop:
        assert "seq" in await tina.command(command, participant="ann", **fields)
        for device in (phone, laptop):
            await asyncio.wait_for(device.closed.wait(), 2)
            assert [bye["code"] for bye in device.byes] == [code]
    assert set(node.media.dropped) >= {phone.sid, laptop.sid}
    if code != "not_admitted":
        with pytest.raises(Refused, match=code):
            async with join(node, "c1", "ann"):
                pass


async def test_leaving_ends_all_own_connections(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as phone, join(node, "c1", "ann") as laptop:
        assert "seq" in await phone.command("leave")
        for device in (phone, laptop):
            await asyncio.wait_for(device.closed.wait(), 2)
            assert device.disconnected
        await tina.until(lambda: "participant_left" in tina.types())


async def test_end_of_class_shows_everybody_out_after_they_heard_of_it(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        assert "seq" in await tina.command("end_class")
        await asyncio.wait_for(ann.closed.wait(), 3)
        assert ann.types()[-1] == "class_ended"
        assert ann.byes == [{"code": "class_ended", "retry": "never"}]
    with pytest.raises(Refused, match="class_ended"):
        async with join(node, "c1", "ann"):
            pass
    assert [c["ended_at"] is not None for c in await node.hub._directory.list(ended=True, after=None, limit=9)] == [True]


async def test_seat_taken_away_ends_the_connection_and_bars_the_next(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        node.seats.away.add(("c1", "ann"))
        node.gateway.revoke("c1", "ann")
        await asyncio.wait_for(ann.closed.wait(), 2)
        assert ann.byes == [{"code": "unauthenticated", "retry": "now"}]
    with pytest.raises(Refused, match="unauthenticated"):
        async with join(node, "c1", "ann"):
            pass


async def test_role_of_the_newest_seat_counts_and_nothing_a_client_says(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        assert (await ann.command("end_class"))["error"]["code"] == "not_allowed"
        async with join(node, "c1", "ann", Role.ASSISTANT) as promoted:
            await ann.until(lambda: len(ann.welcomes) == 2)
            assert "admit" in ann.snapshot["capabilities"]
            assert "admit" in promoted.snapshot["capabilities"]


async def test_commands_of_one_socket_happen_in_order_and_are_answered_once(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        answers = [await ann.begin("lower_hand" if n % 2 else "raise_hand", ref=f"step-{n}") for n in range(30)]
        numbers = [(await answer)["seq"] for answer in answers]
        assert numbers == sorted(set(numbers))
        again = await ann.command("raise_hand", ref="step-0")
        assert again == {"ref": "step-0", "seq": numbers[0]}


async def test_refusals_say_what_to_do(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        assert (await ann.command("post_chat", text="forbidden"))["error"] == {"code": "text_refused", "retry": "now"}
        assert (await ann.command("fly"))["error"] == {"code": "unknown_type", "retry": "never"}
        assert (await ann.command("post_chat"))["error"] == {"code": "bad_message", "retry": "never"}
        await tina.command("change_settings", chat="off")
        assert (await ann.command("post_chat", text="hello?"))["error"] == {"code": "chat_off", "retry": "later"}
        assert not ann.closed.is_set()


async def test_media_requests_carry_the_seat_and_bypass_the_journal(node: Node, tina: Member) -> None:
    top = await node.journal.last_seq("c1")
    answer = await tina.command("media_publish", ref="m1", sdp="offer", tracks=[{"mid": "0", "source": "camera"}])
    assert answer == {"ref": "m1", "sdp": "answer for tina: offer"}
    assert (await tina.command("media_subscribe", action="offer", tiles=4))["action"] == "offer"
    assert await node.journal.last_seq("c1") == top
    async with join(node, "c1", "ann") as ann:
        await tina.leave()
        await ann.until(lambda: "connection_closed" in ann.types())
    assert node.media.dropped[0] == tina.sid


async def test_media_that_fails_or_hangs_is_answered_and_blocks_nobody(node: Node, tina: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.client.MEDIA_S", 0.2)

    async def publish(session: str, participant: str, connection: str, request: Fields) -> Fields:
        if request["sdp"] == "bad":
            raise Rejected("bad_sdp")
        if request["sdp"] == "defect":
            raise RuntimeError("defect")
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(node.media, "publish", publish)
    async with join(node, "c1", "ann") as ann:
        hung = await ann.begin("media_publish", sdp="hang", tracks=[])
        assert "seq" in await tina.command("post_chat", text="meanwhile")
        assert (await asyncio.wait_for(hung, 3))["error"]["code"] == "media_unavailable"
        assert (await ann.command("media_publish", sdp="bad", tracks=[]))["error"]["code"] == "bad_sdp"
        assert (await ann.command("media_publish", sdp="defect", tracks=[]))["error"]["code"] == "internal"
        assert "seq" in await ann.command("raise_hand")


async def test_typing_and_reactions_are_signals(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann:
        top = await node.journal.last_seq("c1")
        assert await ann.command("typing", ref="t") == {"ref": "t"}
        await tina.until(lambda: {"type": "typing", "participants": ["ann"]} in tina.signals)
        assert await node.journal.last_seq("c1") == top
        for _ in range(3):
            await ann.command("react", reaction="clap")
        await tina.until(lambda: sum(s["counts"].get("clap", 0) for s in tina.signals if s["type"] == "reactions") == 3)
        assert "reacted" not in tina.types()


async def test_running_tally_is_for_staff_until_revealed(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann, join(node, "c1", "ines", Role.INSPECTOR) as ines:
        await tina.command("create_poll", question="?", options=["a", "b"], multiple=False, anonymous=True, open=True)
        await ann.until(lambda: "poll_opened" in ann.types())
        poll = next(e["event"]["poll"] for e in ann.events if e["event"]["type"] == "poll_opened")
        await ann.command("answer_poll", poll=poll, choices=[1])
        for overseer in (tina, ines):
            await overseer.until(lambda m=overseer: {"type": "tally", "poll": poll, "tally": [0, 1], "voters": 1} in m.signals)  # type: ignore[misc]
        assert not any(s["type"] == "tally" for s in ann.signals)
        assert "poll_answered" in ann.types()
        assert "poll_answered" not in tina.types()


async def test_people_list_is_paged(node: Node, tina: Member) -> None:
    async with AsyncExitStack() as stack:
        for n in range(5):
            await stack.enter_async_context(join(node, "c1", f"p{n}"))
        first = await tina.command("people", limit=4)
        second = await tina.command("people", limit=4, after=first["next"])
        assert [person["id"] for person in first["people"] + second["people"]] == ["p0", "p1", "p2", "p3", "p4", "tina"]
        assert second["next"] is None


async def test_signals_port_reaches_whom_it_should(node: Node, tina: Member) -> None:
    async with join(node, "c1", "ann") as ann, join(node, "c1", "ann") as phone:
        node.gateway.to_all("c1", {"type": "speakers", "speakers": []})
        node.gateway.to_staff("c1", {"type": "quality", "participant": "ann", "score": 4, "rtt": 1.0, "loss": 0.0})
        node.gateway.to_participant("c1", "ann", {"type": "quality", "participant": "ann", "score": 4, "rtt": 1.0, "loss": 0.0})
        node.gateway.to_connection("c1", ann.sid, {"type": "media", "state": "connected", "side": "publish"})
        node.gateway.to_connection("another", ann.sid, {"type": "media", "state": "closed", "side": "publish"})
        node.gateway.to_all("nowhere", {"type": "speakers", "speakers": []})
        await tina.until(lambda: {"speakers", "quality"} <= {s["type"] for s in tina.signals})
        await ann.until(lambda: {"speakers", "quality", "media"} <= {s["type"] for s in ann.signals})
        await phone.until(lambda: {"speakers", "quality"} <= {s["type"] for s in phone.signals})
        assert not any(s["type"] == "media" for s in (*phone.signals, *tina.signals))
        assert [s["state"] for s in ann.signals if s["type"] == "media"] == ["connected"]
    async with join(node, "c1", "late") as late:
        await late.until(lambda: {"present", "speakers"} <= {s["type"] for s in late.signals})


async def test_large_class_is_not_told_of_each_who_comes(node: Node) -> None:
    await node.create("big", Profile.LARGE)
    async with join(node, "big", "tina", Role.TRAINER) as tina, join(node, "big", "ann") as ann:
        await tina.until(lambda: "participant_joined" in tina.types())
        async with join(node, "big", "ben") as ben:
            assert {p["id"] for p in ben.snapshot["participants"]} == {"tina", "ben"}
            await ann.until(lambda: any(s["type"] == "present" and s["present"] == 3 for s in ann.signals))
            await tina.until(lambda: tina.types().count("participant_joined") == 2)
        assert ann.types() == [] or set(ann.types()) <= {"participant_joined", "connection_opened"}
        assert not any(e["event"].get("participant") == "ben" for e in ann.events)


async def test_two_classes_never_mix(node: Node, tina: Member) -> None:
    await node.create("c2")
    async with join(node, "c2", "ann", Role.TRAINER) as ann:
        await ann.command("start_class")
        await ann.command("post_chat", text="in the other class")
        node.gateway.to_all("c2", {"type": "speakers", "speakers": [{"participant": "ann", "level": 1}]})
        await ann.until(lambda: any(s["type"] == "speakers" for s in ann.signals))
    await tina.command("post_chat", text="here")
    await tina.until(lambda: said(tina) == ["here"])
    assert not any(s["type"] == "speakers" for s in tina.signals)
    assert [p["id"] for p in tina.snapshot["participants"]] == ["tina"]


async def test_drain_tells_everybody_and_saves_the_class(tmp_path: Path) -> None:
    async with serve(tmp_path / "node.db") as node:
        await node.create("c1")
        async with join(node, "c1", "tina", Role.TRAINER) as tina:
            await node.hub.drain()
            await asyncio.wait_for(tina.closed.wait(), 3)
            assert tina.byes == [{"code": "draining", "retry": "later"}]
            with pytest.raises(Refused, match="draining"):
                async with join(node, "c1", "ann"):
                    pass
        saved = await node.journal.load_snapshot("c1")
        assert saved is not None
        assert saved[0] == await node.journal.last_seq("c1")
        assert (await node.journal.verify("c1")).broken_at is None


async def test_seat_lookup_that_is_down_refuses_with_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(cookies: Any, headers: Any, seat_id: str) -> None:
        from signaling.ports import Unavailable

        raise Unavailable("down")

    monkeypatch.setattr(node.seats, "open", down)
    with pytest.raises(Refused, match="journal_unavailable"):
        async with join(node, "c1", "ann"):
            pass


async def test_an_error_nobody_thought_of_at_the_door_is_told(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(cookies: Any, headers: Any, seat_id: str) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(node.seats, "open", broken)
    with pytest.raises(Refused, match="internal"):
        async with join(node, "c1", "ann"):
            pass


@pytest.mark.parametrize(
    ("actor", "command", "code"),
    [(None, EndClass(), "class_ended"), (None, Remove(participant="ann", ban=True), "banned"), ("ann", Leave(), "not_admitted")],
    ids=["the end", "a ban", "leaving elsewhere"],
)
async def test_who_is_out_again_in_the_turn_in_which_they_came_in_is_told_so(
    node: Node, tina: Member, monkeypatch: pytest.MonkeyPatch, actor: str | None, command: Command, code: str
) -> None:
    runner = await node.hub.runner("c1")
    append, asked, gate = runner._journal.append, asyncio.Event(), asyncio.Event()

    async def slow(session: str, expected_seq: int, records: Sequence[Record]) -> None:
        asked.set()
        await gate.wait()
        await append(session, expected_seq, records)

    async def come() -> None:
        async with join(node, "c1", "ann"):
            pass

    async def waiting(count: int) -> None:
        async with asyncio.timeout(10):
            while runner.waiting < count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    monkeypatch.setattr(runner._journal, "append", slow)
    await tina.begin("post_chat", text="under way")
    await asked.wait()
    coming = asyncio.create_task(come())
    await waiting(1)
    ended = asyncio.create_task(node.hub.dispatch("c1", actor, command))
    await waiting(2)
    gate.set()
    with pytest.raises(Refused, match=code):
        await coming
    assert (await ended).error is None
    await node.hub.dispatch("c1", "tina", Leave())  # after whatever the door still had to say
    assert runner.room.participants["ann"].connections == []


async def test_after_news_that_could_not_be_told_everybody_is_where_the_class_says(
    node: Node, tina: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(runner: Runner, entries: Sequence[Entry]) -> None:
        raise RuntimeError("defect")

    await tina.command("change_settings", waiting_room=True)
    async with join(node, "c1", "ann") as ann, join(node, "c1", "ben") as ben:
        monkeypatch.setattr(node.gateway, "published", fail)
        assert "seq" in await tina.command("decline", participant="ann")
        await asyncio.wait_for(ann.closed.wait(), 2)
        assert [bye["code"] for bye in ann.byes] == ["declined"]
        assert "seq" in await tina.command("admit", participants=[])
        monkeypatch.undo()
        await ben.until(lambda: "ben" in {person["id"] for person in ben.snapshot["participants"] if person["seat"] == "admitted"})
        await tina.command("post_chat", text="welcome")
        await ben.until(lambda: said(ben) == ["welcome"])
