"""Attacks on erasing: by whoever may not, of whoever is in class now, by weird names of people, many times over; and what the log tells.

JIANGTAI_LONG=1 erases a thousand people.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth
from server.adapters.sqlite_ledger import SqliteLedger
from server.erasure.work import Person
from signaling.classroom.roles import Role
from tests.support.erased import NAME, SUBJECT, a_class, bytes_left, erased, operator
from tests.support.house import SERVICE, House, house, spawned
from tests.support.lessons import ISSUER, Store
from tests.unit.server.erasure.test_erasing import eraser

ERASURES = 1_000 if os.environ.get("JIANGTAI_LONG") == "1" else 60
LIMITS: dict[str, Any] = {"limits.requests_per_minute": 100_000, "limits.service_requests_per_minute": 100_000}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **LIMITS) as home:
        yield home


async def test_only_an_operator_erases_and_only_with_the_subject_repeated(home: House, tmp_path: Path) -> None:
    _, me = await a_class(home, "Knots")
    wanted = {"issuer": "node", "subject": SUBJECT, "confirm": SUBJECT}
    trainer = await home.come_in(await home.create("another"), "trainer", Role.TRAINER)
    for proof in ({}, {"cookie": me.cookie}, {"cookie": trainer.cookie}, {"headers": SERVICE}, {"operator": "x" * 43}):
        assert (await home.call("POST", "/erasures", wanted, **proof)).status in (401, 403)  # type: ignore[arg-type]
        assert (await home.call("GET", "/erasures/anything", **proof)).status in (401, 403)  # type: ignore[arg-type]
    cookie = await operator(home)
    foreign = await home.call("POST", "/erasures", wanted, operator=cookie, headers={"Origin": "https://evil.example"})
    assert foreign.status == 403
    for confirm in ("", SUBJECT[:-1], SUBJECT + " ", SUBJECT.upper(), NAME):
        answer = await home.call("POST", "/erasures", {**wanted, "confirm": confirm}, operator=cookie)
        assert (answer.status, answer.code) == (400, "not_confirmed")
    assert (await home.call("GET", "/erasures/..%2f..", operator=cookie)).status in (400, 404)
    assert bytes_left(tmp_path, me.participant)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"issuer": "node"},
        {"issuer": "", "subject": "x"},
        {"issuer": "node", "subject": ""},
        {"issuer": "node", "subject": "x" * 4_097},
        {"issuer": 1, "subject": "x"},
        {"issuer": "node", "subject": ["x"]},
        {"issuer": "node", "subject": "x", "by": "somebody else"},
        {"issuer": "node", "subject": "x", "dry_run": "yes"},
    ],
)
async def test_a_malformed_request_changes_nothing(home: House, body: Any) -> None:
    cookie = await operator(home)
    answer = await home.call("POST", "/erasures", body, operator=cookie)
    assert (answer.status, answer.code) == (400, "bad_message")


@pytest.mark.parametrize(
    "subject",
    ["1", "47", "%", "_%", "' OR 1=1 --", '"', "\\", "a\nb", "𠮷" * 40, "e\u0301", "\u00e9", "\u202egnp.exe", "null", "x" * 255],
    ids=lambda subject: subject.encode("unicode_escape").decode()[:12],
)
async def test_weird_subjects_are_erased_like_any_other(tmp_path: Path, subject: str) -> None:
    async with Store(tmp_path) as store:
        ids = await store.hold("class-1", {subject: "Ann Archer", "bystander-4712": "Bob Baker", f"{subject}x": "Cat Cooper"})
        erasing = eraser(store, tmp_path)
        standing = await erasing.begin(Person(ISSUER, subject), "operator")
        assert await erasing.carry_out(standing.id)
        left = await erasing.store.places(Person(ISSUER, f"{subject}x"))
        assert left == [("class-1", ids[f"{subject}x"])]
        assert await erasing.store.places(Person(ISSUER, subject)) == []
    assert bytes_left(tmp_path, ids[subject]) == []
    assert bytes_left(tmp_path, ids["bystander-4712"])


async def test_another_name_for_the_same_letters_is_another_person(tmp_path: Path) -> None:
    """Subjects are compared as they are: no folding, no normalising, no wildcards."""
    async with Store(tmp_path) as store:
        await store.hold("class-1", {"Andr\u00e9": "A A", "Andre\u0301": "B B", "andr\u00e9": "C C", "Andr%": "D D"})
        erasing = eraser(store, tmp_path)
        standing = await erasing.begin(Person(ISSUER, "Andr\u00e9"), "operator")
        assert await erasing.carry_out(standing.id)
        for other in ("Andre\u0301", "andr\u00e9", "Andr%"):
            assert len(await erasing.store.places(Person(ISSUER, other))) == 1


async def test_erasure_upon_erasure_leaves_the_ledger_whole(tmp_path: Path) -> None:
    people = [f"employee-{number:04}" for number in range(ERASURES)]
    ids: list[str] = []
    async with Store(tmp_path) as store:
        for start in range(0, ERASURES, 50):  # a class takes 50
            some = {subject: f"Trainee {subject[-4:]}" for subject in people[start : start + 50]}
            ids += (await store.hold(f"class-{start}", some)).values()
        erasing = eraser(store, tmp_path)
        for subject in people:
            await erasing.begin(Person(ISSUER, subject), "operator")
        notes = 0
        while await erasing.carry_out() is not None:
            notes += 1
        assert notes == ERASURES
        assert (await SqliteLedger(store.database).verify()).flaw is None
    assert bytes_left(tmp_path, *ids[::50], *people[::50]) == []


async def test_many_ask_at_once_for_the_same_person_and_one_erasure_is_done(home: House) -> None:
    cookie = await operator(home)
    await a_class(home, "Knots")
    wanted = {"issuer": "node", "subject": SUBJECT, "confirm": SUBJECT}
    answers = await asyncio.gather(*(home.call("POST", "/erasures", wanted, operator=cookie) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    done = await erased(home, cookie)
    assert done["receipt"]["search"]["rows"] == 0


async def test_no_line_of_the_log_names_anybody(tmp_path: Path) -> None:
    """A class from the first token to the erasure, refusals and all, with the log at its most talkative."""
    settings = {"LOG_LEVEL": "debug", "LIMITS_REQUESTS_PER_MINUTE": "100000", "RECORDS_FEED": "true", "RECORDS_SITE": "https://c.example"}
    async with spawned(tmp_path, **settings) as home:
        cookie = await operator(home)
        session, me = await a_class(home, "Knots")
        await home.call("POST", "/seats", {"token": home.token(session, SUBJECT, name=NAME)})
        await home.call("POST", "/seats", {"token": home.token(session, SUBJECT, name=NAME, now=1.0)})
        foreign = {"audience": "other", "now": 1.0, "sub": SUBJECT, "room": session, "role": Role.TRAINEE, "name": NAME}
        await home.call("POST", "/seats", {"token": auth.issue(auth.Kind.JOIN, home.ring, **foreign)})
        await home.call("GET", f"/seats/{me.seat}")
        await erased(home, cookie)
    assert home.log
    for line in home.log:
        json.loads(line)
        for word in (SUBJECT, json.dumps(SUBJECT), NAME, me.participant, "10086", "my own words"):
            assert word not in line
