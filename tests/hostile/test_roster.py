"""Attacks through a roster: bombs, formulas, floods, and people who may not give one."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import keys
from server.roster import MAX_BYTES
from signaling.classroom.roles import Role
from tests.support.bystanders import bystanders
from tests.support.house import SERVICE, Answer, House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.service_requests_per_minute": 100_000}) as home:
        yield home


async def send(home: House, session: str, body: bytes, kind: str = "text/csv", **more: Any) -> Answer:
    headers = {**SERVICE, "Content-Type": kind}
    return await home.call("PUT", f"/classes/{session}/roster", data=io.BytesIO(body), headers=headers, **more)


BAD: dict[str, tuple[bytes, str]] = {
    "not text": (b"subject,name\n\xff\xfe,x\n", "text/csv"),
    "nul": (b"subject,name\nu\x00,x\n", "text/csv"),
    "open quote": (b'subject,name\n"' + b"x" * 100_000, "text/csv"),
    "a header of commas": (b"," * 100_000, "text/csv"),
    "a line of cells": (b"subject,name\n" + b"x," * 50_000, "text/csv"),
    "only blank lines": (b"\n" * 100_000, "text/csv"),
    "another type": (b"subject,name\n", "text/html"),
    "a form": (b"people=1", "application/x-www-form-urlencoded"),
    "json nested": (b'{"people":' * 5_000, "application/json"),
    "json of numbers": (b'{"people":[1,2,3]}', "application/json"),
    "json with more": (b'{"people":[{"subject":"u","name":"n","role":"trainer"}]}', "application/json"),
    "json surrogate": (b'{"people":[{"subject":"u","name":"\\ud800"}]}', "application/json"),
    "json twice": (b'{"people":[{"subject":"u","name":"a"},{"subject":"u","name":"b"}]}', "application/json"),
}


@pytest.mark.parametrize(("body", "kind"), BAD.values(), ids=BAD.keys())
async def test_what_is_no_roster_is_refused_with_a_code_and_changes_nothing(home: House, body: bytes, kind: str) -> None:
    session = await home.create()
    answer = await send(home, session, body, kind)
    assert (answer.status, answer.code) in ((400, "bad_message"), (400, "bad_roster")), answer
    assert len(answer.body.get("lines", [])) <= 100
    assert home.node is not None
    assert await home.node.app[keys.ROSTER].subjects(session) == {}


async def test_a_body_without_a_length_is_bounded_too(home: House) -> None:
    session = await home.create()

    async def endless() -> AsyncIterator[bytes]:
        yield b"subject,name\n"
        for n in range(MAX_BYTES // 1_000 + 100):
            yield b"u%d,%s\n" % (n, b"x" * 1_000)

    headers = {**SERVICE, "Content-Type": "text/csv"}
    async with home.http.put(f"{home.url}/api/v1/classes/{session}/roster", data=endless(), headers=headers) as response:
        assert response.status == 413


async def test_a_roster_of_thousands_leaves_other_classes_alone(home: House) -> None:
    sessions = [await home.create(profile="large") for _ in range(3)]
    people = "subject,name\n" + "".join(f"u{n},Person {n}\n" for n in range(5_000))
    async with bystanders(home):
        began = time.monotonic()
        answers = await asyncio.gather(*(send(home, session, people.encode()) for session in sessions))
        print(f"\n3 rosters of 5,000: {time.monotonic() - began:.1f} s")
    assert [answer.body["added"] for answer in answers] == [5_000] * 3


async def test_names_are_cleaned_and_cells_are_no_formulas(home: House) -> None:
    session = await home.create()
    evil = "subject,name\n=1+1,\u202e=cmd|'/C calc'!A0\n@SUM(A1),+1\n"
    assert (await send(home, session, evil.encode())).status == 200
    trainer = await home.come_in(session, "t", Role.TRAINER)
    async with home.join(trainer) as boss:
        await boss.command("start_class")
        sheet = await home.call("GET", f"/classes/{session}/attendance.csv?lang=en", cookie=trainer.cookie)
        told = sheet.body.decode("utf-8-sig")
        assert "\u202e" not in told
        for line in told.splitlines()[1:]:
            assert not line.startswith(("=", "+", "@", '"=')), line
        snapshot = str((boss.welcomes, boss.events))
        assert "cmd|" not in snapshot, "nobody in class is told who is expected"


async def test_nobody_in_class_gives_or_reads_a_roster(home: House) -> None:
    session = await home.create()
    for role in Role:
        guest = await home.come_in(session, role, role)
        answer = await home.call("PUT", f"/classes/{session}/roster", {"people": []}, cookie=guest.cookie)
        assert answer.status in (401, 403)
        assert (await home.call("GET", f"/classes/{session}/roster", cookie=guest.cookie)).status in (404, 405)


async def test_who_is_only_listed_is_not_taken_for_somebody_in_class(home: House) -> None:
    """A listed id is no target of staff's commands."""
    session = await home.create()
    await send(home, session, b"subject,name\nu1,Ann\n")
    async with home.member(session, "t", Role.TRAINER) as boss:
        await boss.command("start_class")
        assert home.node is not None
        (absent,) = (await home.node.app[keys.ROSTER].subjects(session)).keys() - {boss.snapshot["me"]}
        for command in ("mute", "remove", "bring_on_stage"):
            assert (await boss.command(command, participant=absent))["error"]["code"] == "no_such_participant"
