"""The class API: make, list, end, people, audit; and what the node tells about itself."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server import auth, keys
from server.seats import hash_cookie, new_cookie
from signaling.classroom import room
from signaling.classroom.roles import Role
from signaling.classroom.session import ClassEnded
from signaling.classroom.settings import Profile
from signaling.messages import encode_event
from signaling.ports import Record
from tests.support.house import SERVICE, House, house

#: what a browser offered, with audio first
OFFER = Path(__file__).parents[1] / "unit" / "media" / "offers" / "firefox.sdp"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


async def operator(home: House) -> str:
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    answer = await home.call("POST", "/operator", {"login": login})
    assert answer.status == 204
    assert (await home.call("POST", "/operator", {"login": login})).code == "token_used"
    return answer.cookies["jiangtai-operator"]


async def test_a_class_made_twice_with_an_id_is_one_class(home: House) -> None:
    body = {"title": "A", "session": "course-1", "starts_at": 1_800_000_000_000}
    first = await home.call("POST", "/classes", body, headers=SERVICE)
    again = await home.call("POST", "/classes", body, headers=SERVICE)
    other = await home.call("POST", "/classes", body | {"title": "B"}, headers=SERVICE)
    assert (first.status, again.status, first.body) == (201, 201, again.body)
    assert (other.status, other.code) == (409, "exists")


async def test_classes_are_listed_page_by_page(home: House) -> None:
    made = sorted([await home.create(f"C{n}") for n in range(7)])
    await home.call("POST", f"/classes/{made[3]}/end", headers=SERVICE)
    found, after = [], ""
    while True:
        page = (await home.call("GET", f"/classes?limit=2{after}", headers=SERVICE)).body
        found += [one["session"] for one in page["classes"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == made[:3] + made[4:]
    everything = (await home.call("GET", "/classes?ended=true", headers=SERVICE)).body["classes"]
    assert [one["session"] for one in everything] == made


async def test_ending_a_class_shows_everybody_out_and_is_final(home: House) -> None:
    session = await home.create()
    async with home.member(session, "t", Role.TRAINER) as member:
        ended = await home.call("POST", f"/classes/{session}/end", headers=SERVICE)
        assert (ended.status, ended.body["phase"]) == (200, "ended")
        await member.until(lambda: "class_ended" in member.types())
    again = await home.call("POST", f"/classes/{session}/end", headers=SERVICE)
    assert (again.status, again.body["phase"]) == (200, "ended")
    assert (
        await home.call("POST", f"/classes/{session}/tokens", {"sub": "u", "role": "trainee", "name": "N"}, headers=SERVICE)
    ).code == "class_ended"


async def test_a_service_issues_tokens_for_its_own_people(home: House) -> None:
    session = await home.create()
    issued = await home.call("POST", f"/classes/{session}/tokens", {"sub": "u", "role": "trainer", "name": "何老师"}, headers=SERVICE)
    assert issued.status == 201
    assert issued.body["link"] == f"/join#token={issued.body['token']}"
    seat = await home.call("POST", "/seats", {"token": issued.body["token"]})
    assert (seat.status, seat.body["role"], seat.body["name"]) == (201, "trainer", "何老师")
    mine = auth.participant_id(session, "node", "lms:u")
    assert seat.body["participant"] == mine


async def test_people_are_listed_for_those_who_may_see_them(home: House) -> None:
    session = await home.create(profile="large")
    trainer, trainee = await home.come_in(session, "t", Role.TRAINER), await home.come_in(session, "u1")
    waiting = await home.come_in(session, "u2")
    async with home.join(trainer) as boss, home.join(trainee):
        await boss.command("change_settings", waiting_room=True)
        async with home.join(waiting):
            for query, proof in (("", {"headers": SERVICE}), (f"?seat={trainer.seat}", {"cookie": trainer.cookie})):
                found = await home.call("GET", f"/classes/{session}/people{query}", **proof)
                assert {person["participant"] for person in found.body["people"]} == {trainer.participant, trainee.participant}
            refused = await home.call("GET", f"/classes/{session}/people?seat={trainee.seat}", cookie=trainee.cookie)
            assert (refused.status, refused.code) == (403, "not_allowed")
            shut_out = await home.call("GET", f"/classes/{session}/people?seat={waiting.seat}", cookie=waiting.cookie)
            assert shut_out.status in (403, 409)
    other = await home.create()
    crossed = await home.call("GET", f"/classes/{other}/people?seat={trainer.seat}", cookie=trainer.cookie)
    assert (crossed.status, crossed.code) == (404, "not_found")


async def test_the_audit_tells_who_did_what_to_whom_and_never_what_was_said(home: House) -> None:
    session = await home.create()
    trainer, trainee = await home.come_in(session, "t", Role.TRAINER), await home.come_in(session, "u1")
    async with home.member(session, "i", Role.INSPECTOR), home.join(trainer) as boss, home.join(trainee) as pupil:
        await boss.command("start_class")
        await pupil.command("post_chat", text="a private thought")
        await pupil.command("set_microphone", on=True)
        await boss.command("mute", participant=trainee.participant)
        await boss.command("remove", participant=trainee.participant, ban=True)
    found = (await home.call("GET", f"/classes/{session}/audit", headers=SERVICE)).body["entries"]
    acts = [(entry["act"], entry["by"], entry["target"]) for entry in found]
    assert ("microphone_changed", trainer.participant, trainee.participant) in acts
    assert ("microphone_changed", trainee.participant, trainee.participant) not in acts
    assert ("participant_removed", trainer.participant, trainee.participant) in acts
    joined = [entry["details"] for entry in found if entry["act"] == "participant_joined"]
    assert "inspector" in {detail["role"] for detail in joined}
    assert "a private thought" not in json.dumps(found)
    verdict = (await home.call("GET", f"/classes/{session}/audit/verification", headers=SERVICE)).body
    assert verdict["broken_at"] is None
    assert verdict["records"] >= len(found)


async def test_the_audit_is_paged(home: House) -> None:
    session = await home.create()
    async with home.member(session, "t", Role.TRAINER) as boss:
        for locked in (True, False) * 5:
            await boss.command("change_settings", locked=locked)
    found, after = [], 0
    while after is not None:
        page = (await home.call("GET", f"/classes/{session}/audit?limit=3&after={after}", headers=SERVICE)).body
        found += [entry["seq"] for entry in page["entries"]]
        after = page["next"]
    assert found == sorted(set(found))
    assert len(found) >= 11


async def test_a_forged_record_is_found(home: House) -> None:
    session = await home.create()
    async with home.member(session, "t", Role.TRAINER) as boss:
        for locked in (True, False) * 3:
            await boss.command("change_settings", locked=locked)
    assert home.node is not None

    def forge(connection: object) -> None:
        connection.execute("DROP TRIGGER record_is_never_changed")  # type: ignore[attr-defined]
        connection.execute("UPDATE record SET at = at + 1 WHERE session = ? AND seq = 3", (session,))  # type: ignore[attr-defined]

    await home.node.app[keys.DATABASE].write(forge)
    verdict = (await home.call("GET", f"/classes/{session}/audit/verification", headers=SERVICE)).body
    assert verdict["broken_at"] == 3


async def test_the_operator_sees_the_node_and_no_people(home: House) -> None:
    cookie = await operator(home)
    session = await home.create("Physics")
    async with home.member(session, "t", Role.TRAINER, name="Visible Name"):
        assert home.node is not None
        pulse = home.node.app[keys.PULSE]
        pulse.take(int(time.time() * 1000), time.monotonic())
        seen = await home.call("GET", "/operator/overview", operator=cookie)
        assert seen.status == 200
        assert seen.body["classes"][0]["title"] == "Physics"
        assert seen.body["rows"][-1]["people"] == 1
        assert "Visible Name" not in json.dumps(seen.body)
        newer = await home.call("GET", f"/operator/overview?since={seen.body['rows'][-1]['at']}", operator=cookie)
        assert all(row["at"] > seen.body["rows"][-1]["at"] for row in newer.body["rows"])
        people = await home.call("GET", f"/classes/{session}/people", operator=cookie)
        assert (people.status, people.code) == (401, "unauthenticated")
    assert (await home.call("DELETE", "/operator", operator=cookie)).status == 204
    assert (await home.call("GET", "/operator/overview", operator=cookie)).status == 401


async def test_an_operator_login_of_a_day_is_for_demo_nodes_only(home: House) -> None:
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), life_s=86_400, sub="o")
    assert (await home.call("POST", "/operator", {"login": login})).code == "bad_token"


async def test_an_operator_cookie_is_no_seat_and_a_seat_no_operator(home: House) -> None:
    cookie = await operator(home)
    guest = await home.come_in(await home.create(), "u")
    assert (await home.call("GET", f"/seats/{guest.seat}", operator=cookie)).status == 401
    assert (await home.call("GET", "/operator/overview", operator=guest.cookie)).status == 401
    assert home.node is not None
    assert not await home.node.app[keys.SEATS].is_operator(hash_cookie(new_cookie()), 0)


async def test_metrics_are_on_the_private_listener_alone_and_name_nobody(home: House) -> None:
    session = await home.create("Secret title")
    async with home.member(session, "t", Role.TRAINER, name="Visible Name") as boss:
        await boss.command("start_class")
        async with home.http.get(f"{home.private_url}/metrics") as response:
            text = await response.text()
    for name in ("jiangtai_connections 1.0", "jiangtai_people 1.0", "jiangtai_runners 1.0", "jiangtai_joins_total 1.0"):
        assert name in text
    for name in ("jiangtai_media_packets_in_total", "jiangtai_media_dtls_failures_total", "jiangtai_media_nack_in_total"):
        assert name in text
    for name in (
        "loop_late_seconds_bucket",
        "journal_seconds_bucket",
        "ack_seconds_bucket",
        "join_seconds_count 1.0",
        "store_commit_seconds_bucket",
    ):
        assert f"jiangtai_{name}" in text
    for secret in ("Secret title", "Visible Name", session):
        assert secret not in text
    for path in ("/metrics", "/api/v1/metrics", "/debug", "/admin", "/.env", "/jiangtai.sqlite"):
        async with home.http.get(f"{home.url}{path}") as response:
            assert response.status == 404


async def test_health_is_told_in_short_outside_and_in_parts_inside(home: House) -> None:
    async with home.http.get(f"{home.url}/healthz") as response:
        assert (response.status, await response.json()) == (200, {"ok": True})
    async with home.http.get(f"{home.private_url}/healthz") as response:
        assert set(await response.json()) == {"ok", "store", "media", "recordings", "draining"}
    assert home.node is not None
    home.node.app[keys.HUB].refuse_new()
    async with home.http.get(f"{home.url}/healthz") as response:
        assert response.status == 503


async def test_a_draining_node_takes_no_new_class(home: House) -> None:
    session = await home.create()
    async with home.member(session, "t", Role.TRAINER) as boss:
        assert home.node is not None
        home.node.app[keys.HUB].refuse_new()
        refused = await home.call("POST", "/classes", {"title": "New"}, headers=SERVICE)
        assert (refused.status, refused.code) == (503, "draining")
        assert "seq" in await boss.command("start_class")
        async with home.member(session, "u"):
            pass


async def test_the_network_check_answers_over_the_media_path(home: House) -> None:
    guest = await home.come_in(await home.create(), "u")
    assert (await home.call("POST", "/network-check", {"sdp": "v=0"})).status == 401
    bad = await home.call("POST", "/network-check", {"sdp": "v=0"}, cookie=guest.cookie)
    assert (bad.status, bad.code) == (400, "bad_sdp")
    offer = OFFER.read_text().replace("\r\n", "\n").partition("\nm=video")[0].replace("BUNDLE 0 1 2 3", "BUNDLE 0") + "\n"
    for path in ("/network-check", f"/network-check?seat={guest.seat}"):
        good = await home.call("POST", path, {"sdp": offer}, cookie=guest.cookie)
        assert good.status == 200
        assert "a=candidate:" in good.body["sdp"]


async def test_a_class_whose_end_is_stored_is_over_though_the_node_did_no_more(home: House) -> None:
    """As after a crash right behind the commit: the class is never woken again."""
    assert home.node is not None
    session = await home.create()
    events = (room.create(session, "Lesson", Profile.SMALL), ClassEnded())
    records = [Record(seq=seq, at=seq, by=None, op=None, event=encode_event(event)) for seq, event in enumerate(events, 1)]
    await home.node.app[keys.JOURNAL].append(session, 0, records)
    found = (await home.call("GET", f"/classes/{session}", headers=SERVICE)).body
    assert (found["phase"], found["ended_at"]) == ("ended", 2)
