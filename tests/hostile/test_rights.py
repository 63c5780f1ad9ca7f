"""Attacks on what one may do: every route for every caller, and rights taken through ids, races, waiting rooms and names."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth
from server.api import Route
from server.app import ROUTES
from server.rights import RIGHTS, SEATED, Caller, Right, may
from signaling.classroom.roles import Capability, Role, can
from tests.support.bystanders import bystanders
from tests.support.house import SERVICE, Guest, House, house
from tests.support.member import Member


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}) as home:
        yield home


#: written out by hand, so that a change of the table is a change here
EXPECTED: dict[Right, set[str]] = {
    Right.COME_IN: {"anybody", "trainer", "assistant", "trainee", "inspector", "service", "operator"},
    Right.READ_API: {"anybody", "trainer", "assistant", "trainee", "inspector", "service", "operator"},
    Right.SEE_OWN_SEAT: {"trainer", "assistant", "trainee", "inspector"},
    Right.CHECK_NETWORK: {"trainer", "assistant", "trainee", "inspector"},
    Right.MANAGE_CLASSES: {"service", "operator"},
    Right.SET_ROSTER: {"service", "operator"},
    Right.ISSUE_TOKENS: {"service"},
    Right.SEE_PEOPLE: {"trainer", "assistant", "inspector", "service"},
    Right.SEE_RECORDINGS: {"trainer", "assistant", "trainee", "inspector", "operator"},
    Right.SHARE_REPLAY: {"trainer", "service", "operator"},
    Right.REPORT_WATCHED: {"trainer", "assistant", "trainee", "inspector"},
    Right.SEE_WATCHED: {"trainer", "assistant", "service"},
    Right.SEE_AUDIT: {"service", "operator"},
    Right.SEE_NODE: {"operator"},
    Right.SEE_RECORDS: {"service", "operator"},
    Right.MANAGE_RECORDS: {"service", "operator"},
    Right.SEE_LEDGER: {"trainer", "assistant", "trainee", "inspector", "service", "operator"},
    Right.STREAM: {"anybody", "trainer", "assistant", "trainee", "inspector", "service", "operator"},
    Right.SEE_ATTENDANCE: {"trainer", "assistant", "inspector", "operator"},
    Right.SEE_OWN_ATTENDANCE: {"trainer", "assistant", "trainee", "inspector"},
    Right.OVERRIDE_ATTENDANCE: {"trainer", "assistant"},
    Right.DELETE_RECORDINGS: {"service", "operator"},
    Right.SEE_RETENTION: {"operator"},
    Right.MANAGE_HOLDS: {"operator"},
    Right.ERASE_PEOPLE: {"operator"},
}
BODIES: dict[str, Any] = {
    "/seats": {"token": "x"},
    "/invitations": {"invite": "x", "name": "N"},
    "/operator": {"login": "x"},
    "/network-check": {"sdp": "v=0"},
    "/classes": {"title": "T"},
    "/records/dead": {"destination": "lrs"},
    "/holds": {"session": "none", "reason": "inquiry"},
    "/classes/{session}/records": {"told": True},
    "/erasures": {"issuer": "node", "subject": "nobody", "dry_run": True},
    "/classes/{session}/recordings/{recording}/watched": {"op": "o", "stretches": [{"from_ms": 0, "to_ms": 1}]},
    "/classes/{session}/replay": {"access": "trainers"},
    "/classes/{session}/roster": {"people": [{"subject": "u", "name": "N"}]},
    "/classes/{session}/tokens": {"sub": "u", "role": "trainee", "name": "N"},
    "/classes/{session}/attendance/{participant}/override": {"status": "present", "reason": "was here"},
}


def test_the_table_of_rights_is_as_written_here() -> None:
    assert {right: {caller.value for caller in callers} for right, callers in RIGHTS.items()} == EXPECTED
    assert set(RIGHTS) == set(Right)


def test_every_route_has_a_right_and_a_refusal_listed() -> None:
    for route in ROUTES:
        assert route.right in RIGHTS
        assert route.summary


async def ask(home: House, route: Route, caller: Caller, guests: dict[Caller, Guest], operator: str) -> int:
    guest = guests.get(caller, guests[Caller.TRAINEE])
    path = route.path.replace("{session}", guest.session).replace("{seat}", guest.seat).replace("{participant}", guest.participant)
    proof: dict[str, Any] = {}
    if caller in SEATED:
        proof = {"cookie": guest.cookie}
    elif caller is Caller.SERVICE:
        proof = {"headers": SERVICE}
    elif caller is Caller.OPERATOR:
        proof = {"operator": operator}
    return (await home.call(route.method, path, BODIES.get(route.path, {}) if route.method in ("POST", "PUT") else None, **proof)).status


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_e02_every_route_for_every_caller(home: House, route: Route) -> None:
    session = await home.create()
    guests = {Caller(role): await home.come_in(session, role, role) for role in Role}
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    operator = (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]
    for caller in Caller:
        status = await ask(home, route, caller, guests, operator)
        assert status < 500 or status == 503
        if may(caller, route.right):
            public = may(Caller.ANYBODY, route.right)  # there 401 is about the token in the body
            assert public or status not in (401,), (caller, status)
            inside = route.path.endswith(("/people", "/override")) or "/recordings" in route.path  # for those who are in class alone
            assert status != 403 or inside, (caller, status)
        else:
            assert status in (401, 403, 404), (caller, status)


async def test_e02_ids_of_other_classes_give_nothing(home: House) -> None:
    mine, other = await home.create("mine"), await home.create("other")
    trainer = await home.come_in(mine, "t", Role.TRAINER)
    for path in (f"/classes/{other}/people", f"/classes/{other}/audit", f"/classes/{other}", "/classes/none/people"):
        for query in ("", f"?seat={trainer.seat}"):
            answer = await home.call("GET", path + query, cookie=trainer.cookie)
            assert answer.status in (401, 403, 404), path
    assert (await home.call("POST", f"/classes/{mine}/end", {}, cookie=trainer.cookie)).status in (401, 403)


async def test_e01_nobody_acts_as_another_or_in_another_class(home: House) -> None:
    one, two = await home.create("one"), await home.create("two")
    boss_of_two = await home.come_in(two, "boss2", Role.TRAINER)
    async with home.member(one, "boss", Role.TRAINER) as boss, home.join(boss_of_two) as other, home.member(one, "u1") as pupil:
        await boss.command("start_class")
        started = (await other.command("start_class"))["seq"]
        await other.until(lambda: other.last >= started)
        before = (boss.last, other.last)
        for field in ("session", "room", "actor", "by", "participant_id", "connection"):
            for value in (two, boss_of_two.participant):
                answer = await pupil.command("post_chat", text="forged", **{field: value})
                assert answer["error"]["code"] == "bad_message"
        assert (await boss.command("mute", participant=boss_of_two.participant))["error"]["code"] == "no_such_participant"
        assert (await pupil.command("post_chat", text="honest"))["seq"] > before[0]
        await boss.until(lambda: any(entry["event"].get("text") == "honest" for entry in boss.events))
        assert other.last == before[1]
        honest = next(entry for entry in boss.events if entry["event"].get("text") == "honest")
        assert honest["by"] == pupil.snapshot["me"]


def says(member: Member) -> str:
    """Everything a member was ever told."""
    return repr((member.welcomes, member.events, member.signals))


async def test_e03_who_waits_learns_nothing_but_that(home: House) -> None:
    session = await home.create("Waiting")
    guest = await home.come_in(session, "waiter", name="Waiter")
    async with (
        bystanders(home),
        home.member(session, "boss", Role.TRAINER, name="Boss Name") as boss,
        home.member(session, "in", name="Insider"),
    ):
        await boss.command("change_settings", waiting_room=True)
        await boss.command("start_class")
        async with home.join(guest) as waiter:
            await boss.command("post_chat", text="for those inside")
            for command, fields in (
                ("post_chat", {"text": "let me in"}),
                ("raise_hand", {}),
                ("react", {"reaction": "clap"}),
                ("people", {}),
                ("media_subscribe", {"action": "offer", "tiles": 4}),
                ("media_publish", {"sdp": "v=0", "tracks": []}),
            ):
                answer = await waiter.command(command, **fields)
                assert answer["error"]["code"] in ("not_admitted", "not_allowed", "bad_sdp"), (command, answer)
            people = await home.call("GET", f"/classes/{session}/people", cookie=guest.cookie)
            assert people.status in (403, 409)
            await boss.command("post_chat", text="still only inside")
            await boss.until(lambda: "still only inside" in says(boss))
            told = says(waiter)
            for secret in ("for those inside", "still only inside", "Boss Name", "Insider"):
                assert secret not in told
            await boss.command("admit", participants=[guest.participant])
            await waiter.until(lambda: len(waiter.welcomes) > 1)
            assert "Insider" in says(waiter)


async def test_e04_locks_declines_and_second_tabs_let_nobody_slip_in(home: House) -> None:
    session = await home.create()
    early = await home.come_in(session, "early")
    async with home.member(session, "boss", Role.TRAINER) as boss:
        await boss.command("start_class")
        async with home.join(early):
            pass
        await boss.command("change_settings", locked=True)
        late = await home.come_in(session, "late")
        await refused(home, late, "class_locked")
        async with home.join(early) as back:
            assert back.snapshot["me"] == early.participant
        await boss.command("change_settings", locked=False, waiting_room=True)
        knocks = await home.come_in(session, "knocks")
        async with home.join(knocks, tab="a") as one, home.join(knocks, tab="b") as two:
            assert (await one.command("raise_hand"))["error"]["code"] == "not_admitted"
            assert (await two.command("raise_hand"))["error"]["code"] == "not_admitted"
            await boss.command("decline", participant=knocks.participant)
            await asyncio.wait_for(asyncio.gather(one.closed.wait(), two.closed.wait()), 2)
        await refused(home, knocks, "declined")
        again = await home.come_in(session, "knocks", now=time.time() + 1)
        await refused(home, again, "declined")


async def refused(home: House, guest: Guest, code: str) -> None:
    from tests.support.member import Refused

    with pytest.raises(Refused) as error:
        async with home.join(guest):
            pass
    assert error.value.args == (code,)


async def test_e08_a_kick_cuts_socket_and_http_within_two_seconds_and_nobody_else(home: House) -> None:
    session = await home.create()
    victims = [await home.come_in(session, f"v{n}") for n in range(10)]
    async with bystanders(home), home.member(session, "boss", Role.TRAINER) as boss:
        await boss.command("start_class")
        for victim in victims:
            async with home.join(victim, tab="a") as one, home.join(victim, tab="b") as two:
                started = time.monotonic()
                await boss.command("remove", participant=victim.participant)
                await asyncio.wait_for(asyncio.gather(one.closed.wait(), two.closed.wait()), 2)
                seat = await home.call("GET", f"/seats/{victim.seat}", cookie=victim.cookie)
                check = await home.call("POST", "/network-check", {"sdp": "v=0"}, cookie=victim.cookie)
                assert (seat.status, check.status) == (401, 401)
                assert time.monotonic() - started < 2


async def test_e09_no_role_can_be_taken_from_above(home: House) -> None:
    session = await home.create()
    owner = await home.come_in(session, "owner", Role.TRAINER)
    async with (
        home.join(owner) as boss,
        home.member(session, "assistant", Role.ASSISTANT) as assistant,
        home.member(session, "inspector", Role.INSPECTOR) as inspector,
        home.member(session, "pupil") as pupil,
    ):
        await boss.command("start_class")
        acts: list[tuple[str, dict[str, Any]]] = [
            ("remove", {"participant": owner.participant}),
            ("mute", {"participant": owner.participant}),
            ("set_permissions", {"participant": owner.participant, "chat": False}),
            ("take_off_stage", {"participant": owner.participant}),
            ("end_class", {}),
        ]
        for member, (command, fields) in itertools.product((assistant, inspector, pupil), acts):
            assert "error" in await member.command(command, **fields), (command, member.snapshot["me"])
        for command, fields in (
            ("post_chat", {"text": "x"}),
            ("raise_hand", {}),
            ("react", {"reaction": "clap"}),
            ("set_microphone", {"on": True}),
        ):
            assert "error" in await inspector.command(command, **fields), command
        assert not boss.closed.is_set()
        assert can(Role.TRAINER, Capability.END_CLASS)
        assert "seq" in await boss.command("end_class")


NAMES = {
    "cyrillic": "Тrаinеr Li",
    "bidi": "\u202eiL reniarT",
    "zero width": "Trainer\u200b Li",
    "spaces": "  Trainer \u00a0  Li ",
    "full width": "Ｔｒａｉｎｅｒ Ｌｉ",
    "case": "trainer li",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_e10_a_name_that_looks_like_the_trainers_is_marked(home: House, name: str) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER, name="Trainer Li") as boss, home.member(session, "fake", name=name) as fake:
        await boss.until(lambda: fake.snapshot["me"] in says(boss))
        me = next(person for person in fake.snapshot["participants"] if person["id"] == fake.snapshot["me"])
        assert "\u200b" not in me["name"]
        assert "\u202e" not in me["name"]
        assert me["imitates"] is True or name == NAMES["bidi"]
        assert me["role"] == "trainee"


@pytest.mark.parametrize(
    "name", ["x" * 900, "a" + "\u0301" * 500, "\u0000", "a\u0000b", "\ud83d\ude00" * 10, "\u200b", "\u3164", "<script>alert(1)</script>"]
)
async def test_e10_names_are_bounded_and_shown_as_text(home: House, name: str) -> None:
    session = await home.create()
    answer = await home.call(
        "POST", "/seats", {"token": home.token(session, "u", name=name.encode("utf-16", "surrogatepass").decode("utf-16"))}
    )
    assert answer.status in (201, 400)
    if answer.status == 201:
        shown = answer.body["name"]
        assert 1 <= len(shown) <= 64
        assert shown.isprintable()
    else:
        assert answer.code == "bad_message"
