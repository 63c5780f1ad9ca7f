"""A person is erased from a whole node: nothing of that person is in any byte below var, and everybody else's class is what it was."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import keys
from server.adapters.sqlite import Database
from server.adapters.sqlite_ledger import SqliteLedger
from server.erasure import receipt
from server.erasure.commands import open_erasing
from server.erasure.work import Person
from signaling.classroom.roles import Role
from tests.support.erased import NAME, NAMESAKE, SUBJECT, a_class, bytes_left, erased, operator
from tests.support.house import SERVICE, House, house

SETTINGS: dict[str, Any] = {"limits.requests_per_minute": 100_000, "records.feed": True, "records.site": "https://class.example"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **SETTINGS) as home:
        yield home


async def report(home: House, session: str, cookie: str) -> Any:
    answer = await home.call("GET", f"/classes/{session}/attendance", operator=cookie)
    assert answer.status == 200, answer
    return answer.body


async def audit(home: House, session: str) -> Any:
    return (await home.call("GET", f"/classes/{session}/audit?limit=500", headers=SERVICE)).body["entries"]


async def test_nothing_of_the_person_is_left_in_any_byte(home: House, tmp_path: Path) -> None:
    cookie = await operator(home)
    one, me = await a_class(home, "Knots")
    two, me_too = await a_class(home, "Ropes")
    ids = (me.participant, me_too.participant)
    assert bytes_left(tmp_path, SUBJECT, *ids)
    before = {session: await report(home, session, cookie) for session in (one, two)}

    dry = await home.call("POST", "/erasures", {"issuer": "node", "subject": SUBJECT, "dry_run": True}, operator=cookie)
    assert {one_["session"] for one_ in dry.body["foreseen"]} == {one, two}
    assert all(one_["code"] is None and one_["kinds"]["records"] > 20 for one_ in dry.body["foreseen"])
    assert bytes_left(tmp_path, SUBJECT)

    done = await erased(home, cookie)
    told = receipt.opened(done["note"], home.node.app[keys.LEDGER].verifier)  # type: ignore[union-attr]
    assert told.complete, told.search
    assert told.is_about(Person("node", SUBJECT))
    assert not told.is_about(Person("node", NAMESAKE))
    assert told.search.mentions >= 2  # the trainer's words
    assert told.search.namesakes >= 2
    assert all(word not in done["note"] for word in (SUBJECT, NAME, *ids))
    assert told.counts["statements"] > 10
    assert bytes_left(tmp_path, SUBJECT, *ids, "my own words", "back again", "said to be ill") == []

    for session in (one, two):
        after = await report(home, session, cookie)
        names = [person["name"] for person in after["people"]]
        assert sorted(names) == sorted([NAME, "—"])
        minutes = {(p["name"], p["connected_ms"], p["checks_answered"]) for p in after["people"] if p["name"] == NAME}
        assert minutes <= {(p["name"], p["connected_ms"], p["checks_answered"]) for p in before[session]["people"]}
        assert {p["connected_ms"] for p in after["people"]} == {p["connected_ms"] for p in before[session]["people"]}
        verdict = (await home.call("GET", f"/classes/{session}/audit/verification", headers=SERVICE)).body
        assert verdict["broken_at"] is None
        assert verdict["erased"] == next(c.records for c in told.classes if c.session == session)
        trail = await audit(home, session)
        assert trail[-1]["act"] == "participant_erased"
        assert not any(id in json.dumps(trail) for id in ids)
    whole = await SqliteLedger(home.node.app[keys.DATABASE]).verify()  # type: ignore[union-attr]
    assert whole.flaw is None
    assert whole.erased == sum(c.records for c in told.classes)


async def test_a_second_request_says_what_was_done(home: House) -> None:
    cookie = await operator(home)
    await a_class(home, "Knots")
    first = await erased(home, cookie)
    again = await home.call("POST", "/erasures", {"issuer": "node", "subject": SUBJECT, "confirm": SUBJECT}, operator=cookie)
    assert (again.body["already"], again.body["id"], again.body["note"]) == (True, first["id"], first["note"])
    gone = await home.call("POST", "/erasures", {"issuer": "node", "subject": SUBJECT, "dry_run": True}, operator=cookie)
    assert gone.code == "no_such_person"


async def test_a_class_that_is_not_over_is_refused_and_done_later(home: House, tmp_path: Path) -> None:
    cookie = await operator(home)
    over, _ = await a_class(home, "Knots")
    running, me = await a_class(home, "Ropes", end=False)
    done = await erased(home, cookie)
    assert {c["session"]: (c["outcome"], c["code"]) for c in done["receipt"]["classes"]} == {
        over: ("erased", None),
        running: ("refused", "class_not_over"),
    }
    assert done["receipt"]["search"]["kept"] > 0
    assert done["receipt"]["search"]["rows"] == done["receipt"]["search"]["files"] == 0
    async with home.join(me) as still:
        assert still.snapshot["me"] == me.participant
    await home.call("POST", f"/classes/{running}/end", {}, headers=SERVICE)
    later = await erased(home, cookie)
    assert [c["session"] for c in later["receipt"]["classes"]] == [running]
    assert bytes_left(tmp_path, SUBJECT, me.participant) == []


async def test_who_still_sits_in_the_ended_class_comes_back_to_what_the_store_says(home: House, tmp_path: Path) -> None:
    """The class is awake, people are connected: nothing of the former state is written again, by nobody."""
    cookie = await operator(home)
    session, me = await a_class(home, "Knots", end=False)
    trainer = await home.come_in(session, "trainer", Role.TRAINER, name="Wang Min")
    async with home.join(trainer) as boss, home.join(me) as person:
        await boss.command("end_class")
        await person.until(lambda: "class_ended" in person.types())
        done = await erased(home, cookie)
        assert done["receipt"]["search"]["rows"] == 0
        await person.closed.wait()
        await boss.closed.wait()
    assert (await home.call("GET", f"/seats/{me.seat}", cookie=me.cookie)).status in (401, 403, 404)
    after = await report(home, session, cookie)
    assert me.participant not in json.dumps(after)
    assert bytes_left(tmp_path, SUBJECT, me.participant) == []


async def test_a_node_that_remembers_the_class_as_it_was_is_fenced_off(home: House, tmp_path: Path) -> None:
    """Erased by somebody else, and the node writes before it has looked."""
    assert home.node is not None
    session, me = await a_class(home, "Knots", end=False)
    trainer = await home.come_in(session, "trainer", Role.TRAINER, name="Wang Min")
    async with home.join(trainer) as boss:
        await boss.command("end_class")
        database = Database(tmp_path / "jiangtai.sqlite")
        await database.start()
        other = open_erasing(home.node.app[keys.CONFIG], database, home.node.app[keys.CLOCK])
        try:
            standing = await other.begin(Person("node", SUBJECT), "cli")
            note = await other.carry_out(standing.id)
        finally:
            await database.close()
        decision = {"status": "present", "reason": "remembered by this name"}
        path = f"/classes/{session}/attendance/{me.participant}/override"
        answers = [await home.call("POST", path, decision, cookie=trainer.cookie) for _ in range(3)]
        assert all(answer.status >= 400 for answer in answers), answers
    assert note is not None
    verdict = (await home.call("GET", f"/classes/{session}/audit/verification", headers=SERVICE)).body
    assert verdict["broken_at"] is None
    await home.node.app[keys.HUB].let_go(session)
    await home.node.app[keys.DATABASE].scrub()
    assert bytes_left(tmp_path, me.participant, SUBJECT) == []


async def test_statements_are_not_made_anew(home: House) -> None:
    cookie = await operator(home)
    session, me = await a_class(home, "Knots")
    await erased(home, cookie)
    handoff = home.node.app[keys.RECORDS]  # type: ignore[union-attr]
    assert handoff.projection is not None
    await handoff.outbox.backfill(handoff.projection, session)
    feed = await home.call("GET", "/records?limit=500", headers=SERVICE)
    assert SUBJECT not in json.dumps(feed.body, ensure_ascii=False)
    assert me.participant not in json.dumps(feed.body)
    nobody = await home.node.app[keys.ERASING].store.nobodies(session)  # type: ignore[union-attr]
    assert not any(one in json.dumps(feed.body) for one in nobody)
    assert NAMESAKE in json.dumps(feed.body)


async def test_the_command_line_erases_beside_a_running_node(home: House, tmp_path: Path) -> None:
    session, me = await a_class(home, "Knots")
    file = tmp_path.parent / f"{tmp_path.name}-receipt.txt"
    log = tmp_path.parent / f"{tmp_path.name}.log"
    log.write_text("nothing here\n", "utf-8")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "server.cli", "erase", *words, "--var", str(tmp_path)], capture_output=True, text=True, timeout=60
        )

    dry = await asyncio.to_thread(run, "person", "node", SUBJECT, "--dry-run")
    assert (dry.returncode, session in dry.stdout) == (0, True), dry
    done = await asyncio.to_thread(run, "person", "node", SUBJECT, "--yes", "--receipt", str(file), "--logs", str(log))
    assert done.returncode == 0, done
    assert "0 of 1 log lines" in done.stdout
    checked = await asyncio.to_thread(run, "verify", str(file), "--issuer", "node", "--subject", SUBJECT)
    assert (checked.returncode, "good" in checked.stdout, "keeps the hashes" in checked.stdout) == (0, True, True), checked
    another = await asyncio.to_thread(run, "verify", str(file), "--issuer", "node", "--subject", NAMESAKE)
    assert another.returncode == 1
    file.write_text(file.read_text("utf-8").replace('"counts"', '"Counts"'), "utf-8")
    assert (await asyncio.to_thread(run, "verify", str(file))).returncode == 1
    async with asyncio.timeout(10):  # the node has looked by then
        while (await home.call("GET", f"/seats/{me.seat}", cookie=me.cookie)).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    nobody = await asyncio.to_thread(run, "person", "node", "nobody at all", "--yes")
    assert nobody.returncode == 1
    assert bytes_left(tmp_path, SUBJECT, me.participant) == []
