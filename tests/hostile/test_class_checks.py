"""Attacks on presence checks over the wire: for another, with a guessed or stolen nonce, twice, from outside, from two devices at once."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from signaling.classroom.roles import Role
from tests.hostile.conftest import Bystanders
from tests.support.member import Member, join
from tests.support.process import NodeProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


def asked(member: Member) -> dict[str, Any]:
    """The newest check this member was asked."""
    found: dict[str, Any] = next(e["event"] for e in reversed(member.events) if e["event"]["type"] == "check_asked")
    return found


def code(answer: dict[str, Any]) -> str:
    return str(answer["error"]["code"]) if "error" in answer else ""


async def test_e13_nobody_answers_for_another_twice_late_or_from_outside(node: NodeProcess, bystanders: Bystanders) -> None:
    await node.create("checked")
    async with AsyncExitStack() as stack:
        boss, eve, spy, ann, phone, bob = [
            await stack.enter_async_context(join(node, "checked", who, role))
            for who, role in [
                ("boss", Role.TRAINER),
                ("eve", Role.ASSISTANT),
                ("spy", Role.INSPECTOR),
                ("ann", Role.TRAINEE),
                ("ann", Role.TRAINEE),
                ("bob", Role.TRAINEE),
            ]
        ]
        await boss.command("start_class")
        await boss.command("change_settings", waiting_room=True)
        out = await stack.enter_async_context(join(node, "checked", "out"))
        assert code(await ann.command("start_check")) == "not_allowed"
        assert code(await spy.command("start_check")) == "not_allowed"
        assert code(await out.command("start_check")) == "not_admitted"
        assert code(await boss.command("start_check", window_s=10_000)) == "bad_message"
        await boss.command("start_check", window_s=10)
        for member in (ann, phone, bob):
            await member.until(lambda member=member: "check_asked" in member.types())  # type: ignore[misc]
        mine, his = asked(ann), asked(bob)
        fields = {"check": mine["check"], "nonce": mine["nonce"]}
        for thief, refused in (
            (bob, "wrong_nonce"),
            (out, "not_admitted"),
            (boss, "not_allowed"),
            (eve, "not_allowed"),
            (spy, "not_allowed"),
        ):
            assert code(await thief.command("answer_check", **fields)) == refused
        for forged in ({"participant": "bob"}, {"by": "bob"}, {"actor": "bob"}):
            assert code(await ann.command("answer_check", check=his["check"], nonce=his["nonce"], **forged)) == "bad_message"
        for guess in ("", "x" * 65, 7, None, ["a"], {"$ne": ""}):
            assert code(await ann.command("answer_check", check=mine["check"], nonce=guess)) == "bad_message"
        assert code(await ann.command("answer_check", check=mine["check"], nonce="0" * 24)) == "wrong_nonce"
        both = await asyncio.gather(ann.command("answer_check", **fields), phone.command("answer_check", **fields))
        assert sorted(map(code, both)) == ["", "already_answered"]
        await boss.until(lambda: "check_answered" in boss.types())
        for member in (boss, eve, spy, phone, bob, out):
            told = str(member.events) + str(member.welcomes)
            for nonce, owner in ((mine["nonce"], phone), (his["nonce"], bob)):
                assert nonce not in told or member is owner
        assert "check_opened" not in bob.types() + out.types()
        async with asyncio.timeout(20):
            while code(await boss.command("start_check")) == "check_running":  # noqa: ASYNC110 - time passing is what is waited for
                await asyncio.sleep(0.5)
        assert code(await bob.command("answer_check", check=his["check"], nonce=his["nonce"])) == "no_such_check"
        assert code(await boss.command("schedule_checks", on=True)) == ""
        assert all(event["event"]["type"] != "checks_scheduled" for event in bob.events + spy.events)
