"""The roster over HTTP: absent people in report and sheets, namesakes apart, the same again nothing, kept by log, ledger and restarts."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth, keys
from server.adapters.sqlite_ledger import SqliteLedger
from server.roster import MAX_BYTES
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, Answer, Guest, House, house

PEOPLE = [{"subject": "u1", "name": "王伟"}, {"subject": "u2", "name": "王伟"}, {"subject": "u3", "name": "=Ann()"}]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000}) as home:
        yield home


def app(home: House) -> Any:
    assert home.node is not None
    return home.node.app


async def put(home: House, session: str, people: Any = PEOPLE, query: str = "") -> Answer:
    return await home.call("PUT", f"/classes/{session}/roster{query}", {"people": people}, headers=SERVICE)


async def put_csv(home: House, session: str, text: str) -> Answer:
    headers = {**SERVICE, "Content-Type": "text/csv; charset=utf-8"}
    return await home.call("PUT", f"/classes/{session}/roster", data=io.BytesIO(text.encode()), headers=headers)


async def comes_as(home: House, session: str, subject: str, name: str) -> Guest:
    """Somebody with a token this node issued for the platform."""
    wanted = {"sub": subject, "role": "trainee", "name": name}
    token = (await home.call("POST", f"/classes/{session}/tokens", wanted, headers=SERVICE)).body["token"]
    taken = await home.call("POST", "/seats", {"token": token})
    return Guest(
        seat=taken.body["seat"], participant=taken.body["participant"], session=session, cookie=taken.cookies["jiangtai"], sub=subject
    )


async def held(home: House, session: str) -> Guest:
    """A class with one 王伟 in it, over; returns the trainer."""
    trainer = await home.come_in(session, "t", Role.TRAINER)
    one = await comes_as(home, session, "u1", "王伟")
    async with home.join(trainer) as boss, home.join(one):
        await boss.command("start_class")
        await asyncio.sleep(0.05)  # a class of no length has nobody present
        await boss.command("end_class")
    return trainer


async def test_the_report_names_who_never_came_and_tells_namesakes_apart(home: House) -> None:
    session = await home.create("Physics")
    answer = await put(home, session)
    assert (answer.status, answer.body) == (200, {"people": 3, "added": 3, "renamed": 0, "removed": 0})
    trainer = await held(home, session)
    body = (await home.call("GET", f"/classes/{session}/attendance", cookie=trainer.cookie)).body
    assert body["expected"] == 3
    told = {one["subject"]: (one["name"], one["status"], one["minutes"], one["came"], one["expected"]) for one in body["people"]}
    assert told == {
        "lms:u1": ("王伟", "present", 0, True, True),
        "lms:u2": ("王伟", "absent", 0, False, True),
        "lms:u3": ("=Ann()", "absent", 0, False, True),
    }
    sheet = await home.call("GET", f"/classes/{session}/attendance.csv?lang=en", cookie=trainer.cookie)
    rows = list(csv.DictReader(io.StringIO(sheet.body.decode("utf-8-sig"), newline="")))
    assert {(row["Account"], row["Name"], row["Status"], row["On the roster"]) for row in rows} == {
        ("lms:u1", "王伟", "Present", "yes"),
        ("lms:u2", "王伟", "Absent", "yes"),
        ("lms:u3", "'=Ann()", "Absent", "yes"),
    }
    book = await home.call("GET", f"/classes/{session}/attendance.xlsx?lang=en", cookie=trainer.cookie)
    assert book.status == 200
    own = await home.call("GET", f"/classes/{session}/attendance/own", cookie=trainer.cookie)
    assert "lms:" not in str(own.body)


async def test_the_same_roster_again_changes_nothing_and_another_replaces_it(home: House) -> None:
    session = await home.create()
    await put(home, session)
    seq = await app(home)[keys.JOURNAL].last_seq(session)
    assert (await put(home, session)).body == {"people": 3, "added": 0, "renamed": 0, "removed": 0}
    assert await app(home)[keys.JOURNAL].last_seq(session) == seq
    changed = await put_csv(home, session, "姓名,学号\n王小伟,u1\n李华,u4\n")
    assert changed.body == {"people": 2, "added": 1, "renamed": 1, "removed": 2}
    subjects = await app(home)[keys.ROSTER].subjects(session)
    assert sorted(subjects.values()) == ["lms:u1", "lms:u4"], "who is struck and never came is not kept"


async def test_it_survives_a_restart_and_is_in_audit_and_ledger(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        await put(home, session)
    async with house(tmp_path) as home:
        assert (await put(home, session)).body["added"] == 0
        audit = (await home.call("GET", f"/classes/{session}/audit", headers=SERVICE)).body
        listed = [(entry["act"], entry["by"], entry["details"]["name"]) for entry in audit["entries"] if entry["act"] == "person_expected"]
        assert listed == [("person_expected", None, name) for name in ("王伟", "王伟", "=Ann()")]
        assert (await home.call("GET", f"/classes/{session}/audit/verification", headers=SERVICE)).body["broken_at"] is None
        ledger = SqliteLedger(app(home)[keys.DATABASE])
        assert await ledger.grow() >= 4
        assert (await ledger.verify()).flaw is None


async def test_tokens_of_the_platform_s_own_issuer_match_too(home: House) -> None:
    session = await home.create()
    issuer = home.ring.own.issuer
    assert (await put(home, session, [{"subject": "direct", "name": "D"}], f"?issuer={issuer}")).status == 200
    subjects = await app(home)[keys.ROSTER].subjects(session)
    assert subjects == {auth.participant_id(session, issuer, "direct"): "direct"}
    refused = await put(home, session, [{"subject": "x", "name": "X"}], "?issuer=https://nobody.example")
    assert (refused.status, refused.code) == (400, "unknown_issuer")


async def test_bad_lines_are_named_and_nothing_is_changed(home: House) -> None:
    session = await home.create()
    bad = await put(home, session, [{"subject": "u1", "name": "Ann"}, {"subject": "", "name": "B"}, {"subject": "u1", "name": "C"}])
    assert (bad.status, bad.code) == (400, "bad_roster")
    assert bad.body["lines"] == [{"line": 2, "code": "bad_subject"}, {"line": 3, "code": "repeated"}]
    table = await put_csv(home, session, "subject,name\nu1,\u200b\nu2\n")
    assert table.body["lines"] == [{"line": 2, "code": "bad_name"}, {"line": 3, "code": "bad_line"}]
    assert (await put_csv(home, session, "who\n")).body["lines"] == [{"line": 1, "code": "bad_header"}]
    assert await app(home)[keys.ROSTER].subjects(session) == {}
    assert (await put(home, "none")).code == "not_found"


async def test_a_roster_of_five_thousand_is_taken_and_one_more_is_not(home: House) -> None:
    session = await home.create(profile="large")
    many = [{"subject": f"user-{n}", "name": f"Person number {n}"} for n in range(5_000)]
    answer = await put(home, session, many)
    assert (answer.status, answer.body["added"]) == (200, 5_000)
    assert (await put(home, session, [*many, {"subject": "x", "name": "X"}])).code == "bad_message"
    text = "subject,name\n" + "".join(f"u{n},P{n}\n" for n in range(5_001))
    assert (await put_csv(home, session, text)).body["lines"] == [{"line": 5_002, "code": "too_many"}]
    assert (await put_csv(home, session, "subject,name\n" + "x" * MAX_BYTES)).code == "too_large"


async def test_what_staff_says_of_who_never_came_counts(home: House) -> None:
    session = await home.create()
    await put(home, session)
    trainer = await held(home, session)
    absent = auth.participant_id(session, home.ring.own.issuer, "lms:u2")
    path = f"/classes/{session}/attendance/{absent}/override"
    assert (await home.call("POST", path, {"status": "excused", "reason": "ill"}, cookie=trainer.cookie)).status == 204
    body = (await home.call("GET", f"/classes/{session}/attendance", cookie=trainer.cookie)).body
    assert [one["status"] for one in body["people"] if one["participant"] == absent] == ["excused"]
    stranger = auth.participant_id(session, home.ring.own.issuer, "lms:nobody")
    path = f"/classes/{session}/attendance/{stranger}/override"
    assert (await home.call("POST", path, {"status": "excused", "reason": "ill"}, cookie=trainer.cookie)).code == "no_such_participant"


async def test_a_roster_opens_no_door(home: House) -> None:
    """Being listed gives no seat, no recording and no record."""
    session = await home.create()
    await put(home, session)
    other = await home.create("other")
    stranger = await home.come_in(other, "u2")
    for path in ("/attendance", "/attendance/own", "/recordings"):
        assert (await home.call("GET", f"/classes/{session}{path}", cookie=stranger.cookie)).status in (401, 403, 404)
