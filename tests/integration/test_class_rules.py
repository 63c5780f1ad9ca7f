"""What a class is held under: its policy of attendance and who may watch its recordings, from creation to report."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth, keys
from server.records import vocabulary as v
from signaling.classroom.policies import CONTINUING, STANDARD
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role
from signaling.messages import decode_event
from tests.integration.test_replay_api import about, app, fetch, recorded
from tests.support.house import SERVICE, Answer, House, house

OURS = {"id": "district-7", "version": 3, "late_s": 600, "absent_below": 0.5, "credits": [{"minutes": 30, "hours": 1}]}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000}) as home:
        yield home


async def make(home: House, **fields: Any) -> Answer:
    return await home.call("POST", "/classes", {"title": "T", **fields}, headers=SERVICE)


async def stamped(home: House, session: str) -> Any:
    """The first entry of a class's log, which it gets when it is first woken."""
    node = app(home)
    await node[keys.HUB].runner(session)
    records = [record async for record in node[keys.JOURNAL].read(session, 0, 1)]
    return decode_event(records[0].event)


async def test_a_class_is_stamped_with_the_policy_it_asked_for(home: House) -> None:
    plain, known, own = await make(home), await make(home, policy="continuing.1"), await make(home, policy=OURS)
    assert [one.body["policy"] for one in (plain, known, own)] == ["standard.1", "continuing.1", "district-7.3"]
    assert (await stamped(home, plain.body["session"])).policy == STANDARD
    assert (await stamped(home, known.body["session"])).policy == CONTINUING
    policy = (await stamped(home, own.body["session"])).policy
    assert (policy.id, policy.version, policy.late_s, policy.grace_s, policy.credits[0].hours) == ("district-7", 3, 600, 60, 1)
    again = await make(home, policy="district-7.3")
    assert (again.status, again.body["policy"]) == (201, "district-7.3")


async def test_a_policy_outlives_the_node_that_took_it_before_the_class_begins(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = (await make(home, policy=OURS, replay="trainers")).body["session"]
    async with house(tmp_path) as home:
        first = await stamped(home, session)
        assert (first.policy.id, first.replay) == ("district-7", ReplayAccess.TRAINERS)
        assert (await make(home, policy=OURS | {"late_s": 1})).code == "policy_differs"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("standard.2", "no_such_policy"),
        ("nobody.1", "no_such_policy"),
        ("standard", "bad_message"),
        ("standard.x", "bad_message"),
        ("../standard.1", "bad_message"),
        (OURS | {"absent_below": 1.5}, "bad_message"),
        (OURS | {"late_s": -1}, "bad_message"),
        (OURS | {"colour": "red"}, "bad_message"),
        (OURS | {"id": "no good id!"}, "bad_message"),
        (OURS | {"version": 0}, "bad_message"),
        (OURS | {"check_jitter": 1e308}, "bad_message"),
        (OURS | {"credits": [{"minutes": n, "hours": n} for n in range(51)]}, "bad_message"),
        (OURS | {"credits": [{"minutes": 30, "hours": 1}, {"minutes": 30, "hours": 2}]}, "bad_policy"),
        (OURS | {"credits": [{"minutes": 30, "hours": 2}, {"minutes": 60, "hours": 1}]}, "bad_policy"),
        (OURS | {"id": "standard", "version": 1}, "policy_differs"),
        (7, "bad_message"),
        ({}, "bad_message"),
    ],
)
async def test_a_policy_that_cannot_be_is_refused_with_a_code(home: House, policy: Any, code: str) -> None:
    answer = await make(home, policy=policy)
    assert answer.code == code
    assert (await home.call("GET", "/classes", headers=SERVICE)).body["classes"] == []


async def test_rules_never_change_under_their_name_and_version(home: House) -> None:
    assert (await make(home, policy=OURS, session="one")).status == 201
    assert (await make(home, policy=OURS, session="one")).status == 201
    assert (await make(home, policy=OURS | {"late_s": 601})).code == "policy_differs"
    assert (await make(home, policy=OURS | {"version": 4, "late_s": 601})).status == 201
    assert (await make(home, policy="standard.1", session="one")).code == "exists"


async def test_the_report_shows_the_policy_and_who_may_watch(home: House) -> None:
    session = (await make(home, policy=OURS, replay="nobody")).body["session"]
    trainer = await home.come_in(session, "t", Role.TRAINER)
    async with home.join(trainer) as boss:
        await boss.command("start_class")
        body = (await home.call("GET", f"/classes/{session}/attendance", cookie=trainer.cookie)).body
        assert body["policy"] == body["stamped"] == {"id": "district-7", "version": 3}
        assert body["stamped"] in body["policies"]
        assert (body["rules"]["late_s"], body["rules"]["credits"], body["replay"]) == (600, [{"minutes": 30, "hours": 1.0}], "nobody")
        for name, status in (("district-7.3", 200), ("standard.1", 200), ("district-7.4", 404)):
            assert (await home.call("GET", f"/classes/{session}/attendance?policy={name}", cookie=trainer.cookie)).status == status


async def share(home: House, session: str, access: Any, **proof: Any) -> Answer:
    return await home.call("PUT", f"/classes/{session}/replay", {"access": access}, **proof)


async def test_a_trainer_opens_and_closes_the_replay_at_once_and_the_audit_tells(home: House) -> None:
    held = await recorded(home)
    tom, ann = await home.come_in(held.session, "tom", Role.TRAINER), await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    listed = await home.call("GET", f"/classes/{held.session}/recordings", cookie=ann.cookie)
    assert listed.body["access"] == "participants"
    assert (await share(home, held.session, "trainers", cookie=tom.cookie)).status == 204
    watched = {"op": "w", "stretches": [{"from_ms": 0, "to_ms": 9}]}
    path = f"/classes/{held.session}/recordings/{held.recording}/watched"
    for answer in (
        await about(home, held, ann),
        await fetch(home, base, "mix.weba", ann),
        await home.call("GET", f"/classes/{held.session}/recordings", cookie=ann.cookie),
        await home.call("POST", path, watched, cookie=ann.cookie),
    ):
        assert (answer.status, answer.code) == (403, "replay_closed")
    assert (await fetch(home, base, "mix.weba", tom)).status == 200
    assert (await home.call("GET", f"/classes/{held.session}", headers=SERVICE)).body["replay"] == "trainers"
    assert (await share(home, held.session, "participants", headers=SERVICE)).status == 204
    assert (await fetch(home, base, "mix.weba", ann)).status == 200
    assert (await share(home, held.session, "participants", headers=SERVICE)).status == 204
    trail = (await home.call("GET", f"/classes/{held.session}/audit", headers=SERVICE)).body["entries"]
    changes = [(one["by"], one["details"]) for one in trail if one["act"] == "replay_access_changed"]
    assert changes == [(held.id("tom"), {"access": "trainers"}), (None, {"access": "participants"})]


async def test_who_watched_is_still_told_to_the_trainer_when_nobody_may(home: House) -> None:
    held = await recorded(home)
    tom = await home.come_in(held.session, "tom", Role.TRAINER)
    await share(home, held.session, "nobody", cookie=tom.cookie)
    assert (await about(home, held, tom)).code == "replay_closed"
    summary = await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}/watched", cookie=tom.cookie)
    assert summary.status == 200


async def test_the_setting_survives_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = (await make(home, session="kept")).body["session"]
        assert (await share(home, session, "nobody", headers=SERVICE)).status == 204
    async with house(tmp_path) as home:
        assert (await home.call("GET", "/classes/kept", headers=SERVICE)).body["replay"] == "nobody"
        assert (await make(home, session="kept")).body["replay"] == "nobody", "making it again changes nothing"
        assert (await stamped(home, "kept")).replay is ReplayAccess.PARTICIPANTS


@pytest.mark.parametrize("access", ["everybody", "", None, 1, ["nobody"], "NOBODY"])
async def test_no_other_setting_is_taken(home: House, access: Any) -> None:
    session = await home.create()
    assert (await share(home, session, access, headers=SERVICE)).code == "bad_message"
    assert (await make(home, replay=access)).code == "bad_message"


async def test_changes_are_told_to_no_records_store_and_to_nobody_in_class(tmp_path: Path) -> None:
    async with house(tmp_path, **{"records.feed": True, "records.site": "https://class.example"}) as home:
        session = await home.create()
        trainer = await home.come_in(session, "t", Role.TRAINER)
        async with home.join(trainer) as boss, home.member(session, "a") as ann:
            await boss.command("start_class")
            await share(home, session, "nobody", cookie=trainer.cookie)
            seq = (await boss.command("post_chat", text="hello"))["seq"]
            await ann.until(lambda: ann.last >= seq)
            assert "replay_access_changed" not in (*boss.types(), *ann.types())
        records = (await home.call("GET", "/records?limit=500", headers=SERVICE)).body["records"]
        assert {v.DISPLAY[one["statement"]["verb"]["id"]] for one in records} <= {"initialized", "joined", "left", "posted"}


async def test_an_operator_opens_it_too(home: House) -> None:
    session = await home.create()
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    operator = (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]
    assert (await share(home, session, "nobody", operator=operator)).status == 204
    assert (await share(home, "none", "nobody", operator=operator)).code == "not_found"
