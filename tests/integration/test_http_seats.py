"""Coming in over HTTP: a token becomes a seat once, the cookie proves it, and whoever is sent out loses it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server import auth, keys
from signaling.classroom.roles import Role
from tests.support.house import House, house
from tests.support.member import Refused


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


async def test_a_token_opens_a_seat_and_the_seat_a_place_in_class(home: House) -> None:
    session = await home.create("Physics")
    guest = await home.come_in(session, "u1", Role.TRAINER, name="何老师")
    shown = await home.call("GET", f"/seats/{guest.seat}", cookie=guest.cookie)
    assert shown.status == 200
    assert shown.body == {
        "seat": guest.seat,
        "session": session,
        "participant": guest.participant,
        "title": "Physics",
        "profile": "small",
        "phase": "scheduled",
        "name": "何老师",
        "role": "trainer",
        "recorded": False,
    }
    async with home.join(guest) as member:
        assert member.snapshot["me"] == guest.participant
        await member.command("start_class")
    assert (await home.call("GET", f"/seats/{guest.seat}", cookie=guest.cookie)).body["phase"] == "live"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(home: House) -> None:
    session = await home.create()
    answer = await home.call("POST", "/seats", {"token": home.token(session, "u1")})
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="):
        assert part in cookie
    assert "Domain" not in cookie


async def test_under_tls_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    async with house(tmp_path, tls="self-signed") as home:
        assert home.url.startswith("https://")
        guest = await home.come_in(await home.create(), "u1", Role.TRAINER)
        answer = await home.call("GET", f"/seats/{guest.seat}", cookie=guest.cookie)
        assert answer.status == 200
        async with home.join(guest) as member:
            assert "seq" in await member.command("start_class")
            await member.until(lambda: "class_started" in member.types())


async def test_a_seat_is_nothing_without_its_cookie(home: House) -> None:
    session = await home.create()
    mine, other = await home.come_in(session, "u1"), await home.come_in(session, "u2")
    for cookie in ("", other.cookie, "x" * 43):
        answer = await home.call("GET", f"/seats/{mine.seat}", cookie=cookie)
        assert (answer.status, answer.code) == (401, "unauthenticated")
        with pytest.raises((Refused, ConnectionError)):
            async with home.join(type(mine)(**{**vars(mine), "cookie": cookie or "y" * 43})):
                pass


async def test_one_browser_may_hold_two_seats(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    trainee = await home.come_in(session, "u", cookie=trainer.cookie)
    assert trainee.cookie == trainer.cookie
    async with home.join(trainer) as one, home.join(trainee) as two:
        assert one.snapshot["me"] != two.snapshot["me"]


async def test_a_seat_given_up_is_gone(home: House) -> None:
    guest = await home.come_in(await home.create(), "u1")
    async with home.join(guest) as member:
        assert (await home.call("DELETE", f"/seats/{guest.seat}", cookie=guest.cookie)).status == 204
        await asyncio.wait_for(member.closed.wait(), 2)
    assert (await home.call("GET", f"/seats/{guest.seat}", cookie=guest.cookie)).status == 401


async def test_a_seat_given_up_on_one_device_leaves_the_other_in_class(home: House) -> None:
    session = await home.create()
    one, two = await home.come_in(session, "u1"), await home.come_in(session, "u1")
    async with home.join(one) as leaves, home.join(two) as stays:
        assert (await home.call("DELETE", f"/seats/{one.seat}", cookie=one.cookie)).status == 204
        await asyncio.wait_for(leaves.closed.wait(), 2)
        assert "error" not in await stays.command("typing")


async def test_a_class_that_is_not_there_or_over_takes_nobody(home: House) -> None:
    assert (await home.call("POST", "/seats", {"token": home.token("nowhere", "u1")})).code == "bad_token"
    session = await home.create()
    guest = await home.come_in(session, "t", Role.TRAINER)
    async with home.join(guest) as member:
        await member.command("end_class")
    answer = await home.call("POST", "/seats", {"token": home.token(session, "u1")})
    assert (answer.status, answer.code) == (409, "class_ended")


async def test_names_are_cleaned_at_the_door_or_refused(home: House) -> None:
    session = await home.create()
    answer = await home.call("POST", "/seats", {"token": home.token(session, "u1", name="  Li\u200b  Hua \u202e ")})
    assert answer.body["name"] == "Li Hua"
    for name in ("\u200b", "😀😀", "..."):
        refused = await home.call("POST", "/seats", {"token": home.token(session, "u2", name=name)})
        assert (refused.status, refused.code) == (400, "bad_message")


async def test_removal_cuts_socket_http_and_unused_tokens_but_not_others(home: House) -> None:
    session = await home.create()
    trainer = await home.come_in(session, "t", Role.TRAINER)
    victim, bystander = await home.come_in(session, "u1"), await home.come_in(session, "u2")
    unused = home.token(session, "u1")
    async with home.join(trainer) as boss, home.join(victim) as out, home.join(bystander) as stays:
        await boss.command("start_class")
        started = time.monotonic()
        assert "seq" in await boss.command("remove", participant=victim.participant)
        await asyncio.wait_for(out.closed.wait(), 2)
        assert (await home.call("GET", f"/seats/{victim.seat}", cookie=victim.cookie)).status == 401
        assert time.monotonic() - started < 2
        assert (await home.call("POST", "/seats", {"token": unused})).code == "bad_token"
        with pytest.raises((Refused, ConnectionError)):
            async with home.join(victim):
                pass
        assert "seq" in await stays.command("raise_hand")
        assert (await home.call("GET", f"/seats/{bystander.seat}", cookie=bystander.cookie)).status == 200


async def test_a_removed_person_may_knock_again_with_a_later_token(home: House) -> None:
    session = await home.create()
    trainer, victim = await home.come_in(session, "t", Role.TRAINER), await home.come_in(session, "u1")
    async with home.join(trainer) as boss, home.join(victim):
        await boss.command("start_class")
        await boss.command("remove", participant=victim.participant)
        later = await home.come_in(session, "u1", now=time.time() + 2)
        async with home.join(later) as again:
            assert again.snapshot["me"] == victim.participant
            assert again.snapshot["participants"] == [] or again.snapshot["participants"][0]["seat"] == "waiting"


async def test_a_ban_holds_for_a_new_browser_and_a_new_token_until_lifted(home: House) -> None:
    session = await home.create()
    trainer, victim = await home.come_in(session, "t", Role.TRAINER), await home.come_in(session, "u1")
    async with home.join(trainer) as boss, home.join(victim) as out:
        await boss.command("remove", participant=victim.participant, ban=True)
        await asyncio.wait_for(out.closed.wait(), 2)
        await _stored(home)
        answer = await home.call("POST", "/seats", {"token": home.token(session, "u1", now=time.time() + 2)})
        assert (answer.status, answer.code) == (403, "banned")
        await boss.command("unban", participant=victim.participant)
        await _stored(home)
        assert await home.come_in(session, "u1", now=time.time() + 3)


async def _stored(home: House) -> None:
    """Everything decided at the door so far is stored."""
    assert home.node is not None
    await home.node.app[keys.BOUNCER].settle()


async def test_a_seat_survives_a_restart_and_so_does_a_revocation(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        trainer = await home.come_in(session, "t", Role.TRAINER)
        stays, goes = await home.come_in(session, "u1"), await home.come_in(session, "u2")
        async with home.join(trainer) as boss, home.join(goes):
            await boss.command("remove", participant=goes.participant)
    async with house(tmp_path) as home:
        assert (await home.call("GET", f"/seats/{stays.seat}", cookie=stays.cookie)).status == 200
        assert (await home.call("GET", f"/seats/{goes.seat}", cookie=goes.cookie)).status == 401


async def test_a_removal_whose_revocation_was_lost_in_a_crash_is_made_good(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        trainer, goes = await home.come_in(session, "t", Role.TRAINER), await home.come_in(session, "u2")
        async with home.join(trainer) as boss, home.join(goes):
            await boss.command("remove", participant=goes.participant)
        await _stored(home)
        assert home.node is not None
        await home.node.app[keys.DATABASE].write(lambda connection: connection.execute("DELETE FROM revocation").rowcount)
    async with house(tmp_path) as home, home.join(trainer):
        await _stored(home)
        assert (await home.call("GET", f"/seats/{goes.seat}", cookie=goes.cookie)).status == 401


async def test_invitations_work_on_demo_nodes_only(home: House, tmp_path: Path) -> None:
    session = await home.create()
    invite = auth.issue(auth.Kind.INVITE, home.ring, audience="jiangtai", now=time.time(), room=session, role=Role.TRAINEE)
    answer = await home.call("POST", "/invitations", {"invite": invite, "name": "A"})
    assert (answer.status, answer.code) == (404, "not_found")
    assert (await home.call("GET", "/demo")).status == 404
    async with house(tmp_path / "demo", demo=True) as demo:
        found = (await demo.call("GET", "/demo")).body
        assert set(found["links"]) == {"trainer", "assistant", "trainee", "inspector", "operator"}
        people = []
        for name in ("A", "B"):
            link = found["links"]["trainee"].removeprefix("/join#invite=")
            token = (await demo.call("POST", "/invitations", {"invite": link, "name": name})).body["token"]
            taken = await demo.call("POST", "/seats", {"token": token})
            assert (taken.status, taken.body["role"], taken.body["name"]) == (201, "trainee", name)
            people.append(taken.body["participant"])
        assert len(set(people)) == 2
        login = found["links"]["operator"].removeprefix("/operator#login=")
        entered = await demo.call("POST", "/operator", {"login": login})
        assert entered.status == 204
        overview = await demo.call("GET", "/operator/overview", operator=entered.cookies["jiangtai-operator"])
        assert overview.status == 200


async def test_a_demo_keeps_its_class_and_its_links_over_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, demo=True) as demo:
        first = (await demo.call("GET", "/demo")).body
    async with house(tmp_path, demo=True) as demo:
        assert (await demo.call("GET", "/demo")).body["session"] == first["session"]
        link = first["links"]["trainer"].removeprefix("/join#invite=")
        assert (await demo.call("POST", "/invitations", {"invite": link, "name": "T"})).status == 201


async def test_errors_have_one_shape(home: House) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", "/seats"), ("GET", "/seats/none"), ("POST", "/seats")):
        answer = await home.call(method, path)
        assert set(answer.body) == {"error"}
        assert set(answer.body["error"]) == {"code", "retry", "message"}
        assert json.dumps(answer.body).isascii()
