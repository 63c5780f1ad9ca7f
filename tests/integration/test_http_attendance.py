"""The report over HTTP: a check asked on the wire is counted in it; who sees what; decisions; a node killed in the middle."""

import asyncio
import csv
import io
import os
import signal
import sqlite3
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from server import auth, keys
from server.attendance import BEAT_S, SILENT_S
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, Guest, House, house, spawned
from tests.support.member import Member


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000}) as home:
        yield home


async def report(home: House, guest: Guest, query: str = "") -> Any:
    answer = await home.call("GET", f"/classes/{guest.session}/attendance{query}", cookie=guest.cookie)
    assert answer.status == 200, answer
    return answer.body


def asked(member: Member) -> list[dict[str, Any]]:
    return [entry["event"] for entry in member.events if entry["event"]["type"] == "check_asked"]


async def test_a_check_is_asked_answered_by_one_and_counted_for_both(home: House) -> None:
    session = await home.create("Physics")
    trainer = await home.come_in(session, "t", Role.TRAINER, name="Wang Min")
    async with home.join(trainer) as boss, home.member(session, "a", name="Ann") as ann, home.member(session, "b", name="Bob") as bob:
        await boss.command("start_class")
        assert "error" not in await boss.command("start_check", window_s=30)
        await ann.until(lambda: bool(asked(ann)))
        await bob.until(lambda: bool(asked(bob)))
        mine, his = asked(ann)[0], asked(bob)[0]
        assert mine["nonce"] != his["nonce"]
        wrong = await ann.command("answer_check", check=mine["check"], nonce=his["nonce"])
        assert wrong["error"]["code"] == "wrong_nonce"
        assert "error" not in await ann.command("answer_check", check=mine["check"], nonce=mine["nonce"])
        await boss.until(lambda: "check_answered" in boss.types())
        assert "check_opened" not in ann.types()
        assert his["nonce"] not in str(ann.events) + str(boss.events)
        body = await report(home, trainer)
    assert (body["title"], body["staff"], body["policy"]) == ("Physics", ["Wang Min"], {"id": "standard", "version": 1})
    assert [(one["name"], one["checks_answered"], one["checks_asked"]) for one in body["people"]] == [("Ann", 1, 1), ("Bob", 0, 1)]
    assert [(check["asked"], check["answered"]) for check in body["checks"]] == [(2, 1)]
    assert len(body["curve"]) == 120


async def test_a_trainee_sees_the_own_record_alone(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    guests = [await home.come_in(session, sub) for sub in ("a", "b")]
    own = f"/classes/{session}/attendance/own"
    assert (await home.call("GET", own, cookie=guests[0].cookie)).body["attendance"] is None
    async with home.join(trainer) as boss, home.join(guests[0]), home.join(guests[1]):
        await boss.command("start_class")
        for guest in guests:
            answer = await home.call("GET", own, cookie=guest.cookie)
            assert answer.body["attendance"]["participant"] == guest.participant
            other = next(one for one in guests if one is not guest)
            assert other.participant not in str(answer.body)
            for path in ("", ".csv", ".xlsx"):
                assert (await home.call("GET", f"/classes/{session}/attendance{path}", cookie=guest.cookie)).status == 403
            denied = await home.call(
                "POST",
                f"/classes/{session}/attendance/{guest.participant}/override",
                {"status": "present", "reason": "me"},
                cookie=guest.cookie,
            )
            assert denied.status == 403


async def test_roles_and_routes(home: House) -> None:
    """Every caller at every route of attendance, the other class's staff included."""
    session, other = await home.create(), await home.create()
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    operator = (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]
    here = {role: await home.come_in(session, role, role) for role in Role}
    there = await home.come_in(other, "boss", Role.TRAINER)
    async with AsyncExitStack() as stack:
        members = {role: await stack.enter_async_context(home.join(guest)) for role, guest in here.items()}
        await members[Role.TRAINER].command("start_class")
        target = here[Role.TRAINEE].participant
        proofs: dict[str, dict[str, Any]] = {role.value: {"cookie": guest.cookie} for role, guest in here.items()}
        proofs |= {
            "stranger": {},
            "elsewhere": {"cookie": there.cookie},
            "service": {"headers": SERVICE},
            "operator": {"operator": operator},
        }
        allowed = {
            ("GET", ""): {"trainer", "assistant", "inspector", "operator"},
            ("GET", ".csv"): {"trainer", "assistant", "inspector", "operator"},
            ("GET", ".xlsx"): {"trainer", "assistant", "inspector", "operator"},
            ("GET", "/own"): {"trainer", "assistant", "inspector", "trainee"},
            ("POST", f"/{target}/override"): {"trainer", "assistant"},
        }
        for (method, path), able in allowed.items():
            for caller, proof in proofs.items():
                body = {"status": "excused", "reason": f"by {caller}"} if method == "POST" else None
                for query in ("", f"?seat={there.seat}") if caller == "elsewhere" else ("",):
                    answer = await home.call(method, f"/classes/{session}/attendance{path}{query}", body, **proof)
                    assert (answer.status in (200, 204)) == (caller in able), (method, path, caller, answer)
                    if caller not in able:
                        assert answer.status in (401, 403, 404)
                        assert target not in str(answer.body)


async def test_a_decision_is_journaled_once_shown_in_report_and_audit_and_outlives_the_class(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER, name="Wang Min")
    pupil = await home.come_in(session, "a", name="Ann")
    path = f"/classes/{session}/attendance/{pupil.participant}/override"
    async with home.join(trainer) as boss, home.join(pupil):
        early = await home.call("POST", path, {"status": "excused", "reason": "ill"}, cookie=trainer.cookie)
        assert early.code == "wrong_phase"
        await boss.command("start_class")
        await asyncio.sleep(0.05)  # a class of no length has nobody present
        await boss.command("end_class")
    body = {"status": "excused", "reason": "ill, letter shown", "minutes": 45, "op": "decision-1"}
    for _ in range(2):
        assert (await home.call("POST", path, body, cookie=trainer.cookie)).status == 204
    for bad in (
        {"reason": ""}, {"reason": "  "}, {"reason": "a\u0000b"}, {"reason": "line\nline"}, {"reason": "x" * 301}, {"status": "great"},
        {"minutes": -1}, {"minutes": 1e9}, {"op": "no good id!"}, {"by": "me"}, {"status": None, "minutes": 4},
    ):  # fmt: skip
        answer = await home.call("POST", path, body | {"op": "decision-2"} | bad, cookie=trainer.cookie)
        assert answer.code == "bad_message", bad
    stranger = path.replace(pupil.participant, "nobody")
    assert (await home.call("POST", stranger, body | {"op": "x1"}, cookie=trainer.cookie)).code == "no_such_participant"
    (ann,) = (await report(home, trainer))["people"]
    assert (ann["status"], ann["computed"], ann["minutes"], ann["hours"]) == ("excused", "present", 45, 1.0)
    assert (ann["override"]["by"], ann["override"]["reason"]) == ("Wang Min", "ill, letter shown")
    mine = await home.call("GET", f"/classes/{session}/attendance/own", cookie=pupil.cookie)
    assert mine.body["attendance"]["override"]["reason"] == "ill, letter shown"
    trail = await home.call("GET", f"/classes/{session}/audit", headers=SERVICE)
    acts = [entry for entry in trail.body["entries"] if entry["act"] == "attendance_overridden"]
    assert [(entry["by"], entry["target"]) for entry in acts] == [(trainer.participant, pupil.participant)]


async def test_sheets_open_in_both_languages_and_hold_no_formula(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    async with home.join(trainer) as boss, home.member(session, "a", name="=cmd|' /C calc'!A0"), home.member(session, "b", name="王伟"):
        await boss.command("start_class")
        sheet = await home.call("GET", f"/classes/{session}/attendance.csv?lang=zh-CN&offset=480", cookie=trainer.cookie)
        book = await home.call("GET", f"/classes/{session}/attendance.xlsx?lang=en", cookie=trainer.cookie)
    assert sheet.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert sheet.headers["Content-Disposition"] == f'attachment; filename="attendance-{session}.csv"'
    head, first, second = csv.reader(io.StringIO(sheet.body.decode("utf-8-sig"), newline=""))
    assert (head[0], first[0], second[0]) == ("姓名", "'=cmd|' /C calc'!A0", "王伟")
    names = zipfile.ZipFile(io.BytesIO(book.body)).read("xl/sharedStrings.xml").decode()
    assert "Study hours" in names
    assert "王伟" in names
    for query in ("lang=fr", "offset=9000", "policy=standard", "policy=../x.1", "more=1"):
        assert (await home.call("GET", f"/classes/{session}/attendance.csv?{query}", cookie=trainer.cookie)).code == "bad_message"


async def test_the_same_facts_are_judged_by_another_policy_on_request(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    async with home.join(trainer) as boss:
        await boss.command("start_class")
        body = await report(home, trainer, "?policy=continuing.1")
        assert (body["policy"]["id"], body["stamped"]["id"]) == ("continuing", "standard")
        unknown = await home.call("GET", f"/classes/{session}/attendance?policy=continuing.9", cookie=trainer.cookie)
        assert unknown.code == "not_found"


async def test_a_class_that_never_began_has_an_empty_report(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    body = await report(home, trainer)
    assert (body["started_at"], body["people"], body["curve"], body["countable_ms"]) == (None, [], [], 0)
    assert (await home.call("GET", "/classes/none/attendance", cookie=trainer.cookie)).status in (401, 404)


async def test_media_that_reaches_somebody_is_counted_in_windows(home: House) -> None:
    assert home.node is not None
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    pupil = await home.come_in(session, "a")
    async with home.join(trainer) as boss, home.join(pupil):
        await boss.command("start_class")
        home.node.app[keys.PLANE].delivered(session, pupil.participant)
        await home.node.app[keys.KEEPER].write()
        await asyncio.sleep(0.05)
        (one,) = (await report(home, trainer))["people"]
    assert 0 < one["delivered_ms"] <= one["connected_ms"] + 1_000


async def test_a_node_killed_in_class_leaves_intervals_right_within_fifteen_seconds(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        trainer = await home.come_in(session, "t", Role.TRAINER)
        pupil = await home.come_in(session, "a", name="Ann")
        async with AsyncExitStack() as stack:
            boss = await stack.enter_async_context(home.join(trainer))
            await stack.enter_async_context(home.join(pupil))
            await boss.command("start_class")
            begun = time.time()
            async with asyncio.timeout(3 * BEAT_S):
                while not await asyncio.to_thread(signed, tmp_path, session):  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.1)
            os.kill(home.pid, signal.SIGKILL)
            killed = time.time()
            await boss.closed.wait()
    async with spawned(tmp_path) as home:
        back = (await report(home, trainer))["people"]
        (segment,) = back[0]["segments"]
        assert segment["recovered"]
        assert abs(segment["start"] / 1_000 - begun) < 2
        assert killed - BEAT_S - 2 <= segment["end"] / 1_000 <= killed + SILENT_S
        async with home.join(pupil):
            (ann,) = (await report(home, trainer))["people"]
            assert [s["recovered"] for s in ann["segments"] if not s["bridged"]] == [True, False]
            assert ann["ratio"] > 0.5


def signed(var: Path, session: str) -> bool:
    """Whether the node has written life signs of the class."""
    with sqlite3.connect(var / "jiangtai.sqlite") as connection:
        return connection.execute("SELECT 1 FROM life_sign WHERE session = ?", (session,)).fetchone() is not None
