"""Attacks on encoders' and players' doors: tokens, roles, other people's sessions, giant and broken bodies, too many sessions."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from media.ring import CommandRing
from server import auth, keys, whip
from server.whip import MAX_PER_ADDRESS
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile
from signaling.classroom.state import Room
from signaling.messages import encode_room
from signaling.ports import Unavailable
from tests.support.bystanders import bystanders
from tests.support.house import SERVICE, Answer, House, house, spawned
from tests.support.whip import FRAGMENT, SDP, bearer, post

OFFERS = Path(__file__).parents[1] / "unit/media/offers"
SENDS = (OFFERS / "chromium-simulcast.sdp").read_text()
PLAYS = (OFFERS / "chromium-player.sdp").read_text()
BOTH = [("/whip", SENDS, Role.TRAINER), ("/whep", PLAYS, Role.TRAINEE)]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}) as home:
        yield home


def streams(home: House) -> int:
    assert home.node is not None
    return len(home.node.app[keys.STREAMS])


def connections(home: House, session: str) -> int:
    """Open connections of the whole class."""
    assert home.node is not None
    room = home.node.app[keys.HUB].room(session)
    return sum(len(person.connections) for person in room.participants.values()) if room is not None else 0


def room_of(home: House, session: str) -> Room:
    """The live state of a class that is awake."""
    assert home.node is not None
    room = home.node.app[keys.HUB].room(session)
    assert room is not None
    return room


async def seats(home: House, session: str) -> int:
    """Seats the store has for a class."""
    assert home.node is not None
    sql = "SELECT count(*) FROM seat WHERE session = ?"
    return int(await home.node.app[keys.DATABASE].read(lambda connection: connection.execute(sql, (session,)).fetchone()[0]))


async def opened(home: House, session: str, endpoint: str, offer: str, role: Role, sub: str = "s") -> tuple[str, str]:
    """(token, path of the session)."""
    token = home.token(session, sub, role)
    answer = await post(home, endpoint, offer, token)
    assert answer.status == 201, answer
    return token, str(answer.headers["Location"]).removeprefix("/api/v1")


@pytest.mark.parametrize(("endpoint", "offer", "role"), BOTH)
async def test_only_a_good_join_token_opens_a_stream(home: House, endpoint: str, offer: str, role: Role) -> None:
    session = await home.create()
    guest = await home.come_in(session, "seated", role)
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    good = home.token(session, "s", role)
    for token in ("", "x", "a.b.c", "x" * 8_000, good[:-3] + "AAA", login, home.token(session, "s", role, now=time.time() - 400), "é"):
        answer = await post(home, endpoint, offer, token)
        assert answer.status == 401, token
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await post(home, endpoint, offer, None)).code == "unauthenticated"
    assert (await home.call("POST", endpoint, data=offer.encode(), headers={**SDP, **SERVICE})).status == 401
    by_cookie = await home.call("POST", endpoint, data=offer.encode(), headers=SDP, cookie=guest.cookie)
    assert by_cookie.code == "unauthenticated", "a cookie is worth nothing here: any page may send it"
    assert (streams(home), connections(home, session)) == (0, 0)
    assert (await post(home, endpoint, offer, good)).status == 201, "none of this used the good one up"


@pytest.mark.parametrize(("endpoint", "offer", "role"), BOTH)
async def test_a_token_opens_one_stream_once(home: House, endpoint: str, offer: str, role: Role) -> None:
    session = await home.create()
    token = home.token(session, "s", role)
    answers = await asyncio.gather(*(post(home, endpoint, offer, token) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201, *[401] * 19]
    assert {answer.code for answer in answers} == {"", "token_used"}
    assert (streams(home), connections(home, session)) == (1, 1)
    seat = await home.call("POST", "/seats", {"token": token})
    assert seat.code == "token_used"


async def test_roles_that_may_not_publish_do_not(home: House) -> None:
    session = await home.create()
    token = home.token(session, "ivy", Role.INSPECTOR)
    assert (await post(home, "/whip", SENDS, token)).code == "not_allowed"
    assert (await post(home, "/whep", PLAYS, token)).status == 201, "the refusal used nothing up"
    assert (await post(home, "/whip", SENDS, home.token(session, "early"))).code == "wrong_phase"
    assert (streams(home), connections(home, session)) == (1, 1)


async def foreseen(home: House, session: str, code: str, endpoint: str, offer: str, token: str) -> None:
    """Refused with this code, and the class saw nothing of it."""
    before = encode_room(room_of(home, session))
    assert (await post(home, endpoint, offer, token)).code == code
    assert encode_room(room_of(home, session)) == before, code


async def test_what_is_wrong_with_offer_or_engine_uses_no_token_up(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER):
        for endpoint, offer, role in BOTH:
            token = home.token(session, "s", role)
            await foreseen(home, session, "bad_sdp", endpoint, offer.replace("/90000", "/9"), token)
            with monkeypatch.context() as patch:
                patch.setattr(CommandRing, "busy", True)
                await foreseen(home, session, "overloaded", endpoint, offer, token)
            assert (await post(home, endpoint, offer, token)).status == 201


@pytest.mark.parametrize(("endpoint", "offer", "role"), BOTH)
async def test_a_token_that_refusals_leave_unused_is_good_for_so_many_tries(tmp_path: Path, endpoint: str, offer: str, role: Role) -> None:
    async with house(tmp_path, **{"limits.requests_per_minute": 60}) as home:
        session = await home.create()
        token, broken = home.token(session, "s", role), offer.replace("/90000", "/9")
        codes = Counter([(await post(home, endpoint, broken, token)).code for _ in range(60)])
        assert set(codes) == {"bad_sdp", "rate_limited"}
        assert codes["rate_limited"] >= 30
        seat = await home.call("POST", "/seats", {"token": token})
        assert seat.code == "rate_limited", "wherever it is brought"
        async with home.member(session, "boss", Role.TRAINER):
            assert (await post(home, endpoint, offer, home.token(session, "s", role))).status == 201, "others are not concerned"


async def test_what_the_class_forbids_for_now_uses_no_token_up(home: House) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER) as boss:
        token = home.token(session, "new")
        await foreseen(home, session, "wrong_phase", "/whip", SENDS, token)
        await boss.command("start_class")
        forbidding = {"class_frozen": ("frozen", True), "camera_blocked": ("cameras", False), "class_locked": ("locked", True)}
        for code, (setting, value) in forbidding.items():
            await boss.command("change_settings", **{setting: value})
            await foreseen(home, session, code, "/whip", SENDS, token)
            await boss.command("change_settings", **{setting: not value})
        assert (await post(home, "/whip", SENDS, token)).status == 201


async def test_whom_the_class_knows_keeps_the_token_until_the_stream_may_come(home: House) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER) as boss, home.member(session, "pupil") as pupil:
        await boss.command("start_class")
        token, me = home.token(session, "pupil"), pupil.snapshot["me"]
        await boss.command("take_off_stage", participant=me)
        await foreseen(home, session, "not_on_stage", "/whip", SENDS, token)
        await boss.command("bring_on_stage", participant=me)
        assert (await post(home, "/whip", SENDS, token)).status == 201

        await boss.command("change_settings", waiting_room=True)
        guest = await home.come_in(session, "waiter")
        async with home.join(guest):
            token = home.token(session, "waiter")
            await foreseen(home, session, "not_admitted", "/whep", PLAYS, token)
            await boss.command("admit", participants=[guest.participant])
            assert (await post(home, "/whep", PLAYS, token)).status == 201


async def test_who_is_new_and_off_stage_knocks_so_that_staff_can_bring_them_on(home: House) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER) as boss:
        await boss.command("start_class")
        await boss.command("change_settings", auto_stage=False)
        token = home.token(session, "pupil")
        assert [(await post(home, "/whip", SENDS, token)).code for _ in range(2)] == ["not_on_stage"] * 2
        listed = next(person for person in room_of(home, session).participants.values() if person.name == "pupil")
        assert not listed.present
        assert "seq" in await boss.command("bring_on_stage", participant=listed.id)
        assert (await post(home, "/whip", SENDS, token)).code == "token_used", "knocking is what the token was for"
        assert (await post(home, "/whip", SENDS, home.token(session, "pupil"))).status == 201


async def test_who_must_wait_or_is_shut_out_gets_no_stream(home: House) -> None:
    session = await home.create()
    async with home.member(session, "boss", Role.TRAINER) as boss:
        await boss.command("start_class")
        await boss.command("change_settings", waiting_room=True)
        for endpoint, offer, _ in BOTH:
            assert (await post(home, endpoint, offer, home.token(session, "waiter"))).code == "not_admitted"
        waiter = (await home.come_in(session, "waiter")).participant
        await boss.command("decline", participant=waiter)
        assert (await post(home, "/whep", PLAYS, home.token(session, "waiter"))).code == "declined"
        await boss.command("change_settings", waiting_room=False, locked=True)
        assert (await post(home, "/whep", PLAYS, home.token(session, "late"))).code == "class_locked"
        await boss.command("change_settings", locked=False, frozen=True)
        assert (await post(home, "/whip", SENDS, home.token(session, "cold"))).code == "class_frozen"
        assert (streams(home), connections(home, session)) == (0, 1)
        await boss.command("end_class")
    assert (await post(home, "/whep", PLAYS, home.token(session, "late"))).code == "class_ended"
    assert (await post(home, "/whep", PLAYS, home.token("none", "x"))).code == "bad_token"


@pytest.mark.parametrize(("endpoint", "offer", "role"), BOTH)
async def test_nobody_else_ends_or_steers_a_stream(home: House, endpoint: str, offer: str, role: Role) -> None:
    session = await home.create()
    token, path = await opened(home, session, endpoint, offer, role)
    other, elsewhere = await opened(home, session, endpoint, offer, role, "other")
    swapped = path.replace("whip", "whep") if "whip" in path else path.replace("whep", "whip")
    fresh = b"a=ice-ufrag:evil\r\na=ice-pwd:0123456789012345678901\r\n"
    for method, data in (("DELETE", None), ("GET", None), ("PATCH", fresh)):
        headers = {**FRAGMENT, "If-Match": "*"} if data else {}

        async def ask(where: str, proof: dict[str, str]) -> Answer:
            return await home.call(method, where, data=data, headers={**headers, **proof})  # noqa: B023 - awaited at once

        assert (await ask(path, {})).status == 401
        for proof in (bearer(other), bearer("x"), bearer(home.token(session, "s", role)), SERVICE):
            assert (await ask(path, proof)).status == 404
        for where in (swapped, f"{endpoint}/nonsense", f"{endpoint}/..", f"{endpoint}/{'x' * 5_000}"):
            assert (await ask(where, bearer(token))).status in (404, 405)
    assert streams(home) == 2
    assert (await home.call("GET", path, headers=bearer(token))).status == 204
    assert (await home.call("DELETE", path, headers={**bearer(token), "If-Match": '"stale"'})).status == 200
    assert (await home.call("DELETE", path, headers=bearer(token))).status == 404
    assert (await home.call("GET", elsewhere, headers=bearer(other))).status == 204


BROKEN: dict[str, tuple[str | bytes, set[int]]] = {
    "empty": ("", {400}),
    "no description": ("hello", {400}),
    "not UTF-8": (b"\xff\xfe" * 50, {400}),
    "64 KiB and one": ("v=0\r\n" + "a" * 65_532, {400, 413}),
    "1 MB": ("v=0\r\n" + "a=x:y\r\n" * 140_000, {413}),
    "10,000 m-lines": ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n" + "m=a 1 x 0\r\n" * 5_000, {400}),
    "nul": ("v=0\0", {400}),
    "two cameras": (SENDS.replace("m=audio", "m=video"), {400}),
    "the other way": (PLAYS, {400}),
    "G14 data channel": (SENDS.replace("m=audio", "m=application"), {400}),
    "no codec": (SENDS.replace("/90000", "/9"), {400}),
    "four layers": (SENDS.replace("send q;h;f", "send q;h;f;x"), {400}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_offer_is_refused_and_leaves_nothing(home: House, name: str) -> None:
    session = await home.create()
    body, statuses = BROKEN[name]
    begun = time.monotonic()
    answer = await post(home, "/whip", body, home.token(session, "s", Role.TRAINER))
    assert answer.status in statuses, answer
    assert time.monotonic() - begun < 2
    assert (streams(home), connections(home, session)) == (0, 0)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/sdp2", ""])
async def test_offers_of_another_type_are_refused(home: House, kind: str) -> None:
    session = await home.create()
    headers = {**bearer(home.token(session, "s")), "Content-Type": kind}
    assert (await home.call("POST", "/whep", data=PLAYS.encode(), headers=headers)).code == "bad_message"


async def test_broken_ice_news_change_nothing(home: House) -> None:
    session = await home.create()
    token, path = await opened(home, session, "/whep", PLAYS, Role.TRAINEE)
    markup = b"a=ice-ufrag:<b>\r\na=ice-pwd:0123456789012345678901\r\n"
    for body in (b"", b"x", b"\xff", b"a=ice-ufrag:abcd\r\n", b"a=x:" + b"y" * 65_000, markup):
        answer = await home.call("PATCH", path, data=body, headers={**FRAGMENT, **bearer(token), "If-Match": "*"})
        assert answer.code in ("bad_sdp", "bad_message"), body[:30]
        assert "ETag" not in answer.headers
    oversized = await home.call("PATCH", path, data=b"a=x:y\r\n" * 10_000, headers={**FRAGMENT, **bearer(token), "If-Match": "*"})
    assert oversized.status == 413
    wrong = await home.call("PATCH", path, data=b"a=x:y", headers={**SDP, **bearer(token), "If-Match": "*"})
    assert wrong.code == "bad_message"
    assert (await home.call("GET", path, headers=bearer(token))).status == 204


async def test_a_thousand_streams_from_one_address_are_bounded_and_nobody_notices(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        sessions = [await home.create(f"Hall {n}", profile=Profile.LARGE) for n in range(4)]
        statuses: Counter[int] = Counter()
        async with bystanders(home):
            for begin in range(0, 1_000, 10):
                calls = (post(home, "/whep", PLAYS, home.token(sessions[n % 4], f"p{n}")) for n in range(begin, begin + 10))
                statuses.update([answer.status for answer in await asyncio.gather(*calls)])
        assert statuses == {201: MAX_PER_ADDRESS, 503: 1_000 - MAX_PER_ADDRESS}
        present = [(await home.call("GET", f"/classes/{session}", headers=SERVICE)).body["present"] for session in sessions]
        assert sum(present) == MAX_PER_ADDRESS


async def test_bounds_hold_for_those_who_come_at_once(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "MAX_PER_CLASS", 5)
    session = await home.create()
    answers = await asyncio.gather(*(post(home, "/whep", PLAYS, home.token(session, f"p{n}")) for n in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [503] * 15
    assert (streams(home), connections(home, session), await seats(home, session)) == (5, 5, 5)
    elsewhere = await home.create()
    assert (await post(home, "/whep", PLAYS, home.token(elsewhere, "p"))).status == 201


async def test_a_person_has_three_streams_at_most(home: House) -> None:
    session = await home.create()
    *_, (bearer_of_one, one) = [await opened(home, session, "/whep", PLAYS, Role.TRAINEE, "same") for _ in range(3)]
    token = home.token(session, "same")
    await foreseen(home, session, "too_many", "/whep", PLAYS, token)
    assert (streams(home), connections(home, session)) == (3, 3)
    assert (await home.call("DELETE", one, headers=bearer(bearer_of_one))).status == 200
    assert (await post(home, "/whep", PLAYS, token)).status == 201, "the refusal used nothing up"


async def test_a_stream_leaves_its_class_though_its_seat_cannot_be_released(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.node is not None
    session = await home.create()
    token, path = await opened(home, session, "/whip", SENDS, Role.TRAINER)
    room = room_of(home, session)
    assert (room.present, len(room.cameras)) == (1, 1)

    async def away(seat: str) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(home.node.app[keys.SEATS], "release", away)
    assert (await home.call("DELETE", path, headers=bearer(token))).status == 200
    assert (streams(home), connections(home, session)) == (0, 0)
    assert (room.present, room.cameras, room.microphones) == (0, [], [])


@pytest.mark.parametrize(("nth", "left_on"), [(0, 0), (1, 1)], ids=["closing the connection", "switching the microphone off"])
async def test_a_store_that_fails_once_stops_nothing_else(home: House, monkeypatch: pytest.MonkeyPatch, nth: int, left_on: int) -> None:
    assert home.node is not None
    journal = home.node.app[keys.JOURNAL]
    session = await home.create()
    async with home.member(session, "s", Role.TRAINER) as own_browser:
        token, path = await opened(home, session, "/whip", SENDS, Role.TRAINER)
        append, calls = journal.append, itertools.count()

        async def fail_once(*arguments: Any) -> None:
            if next(calls) == nth:
                raise Unavailable("away")
            await append(*arguments)

        monkeypatch.setattr(journal, "append", fail_once)
        assert (await home.call("DELETE", path, headers=bearer(token))).status == 200
        assert next(calls) > nth
        room = room_of(home, session)
        assert (len(room.cameras), len(room.microphones), connections(home, session)) == (0, left_on, 1)
        assert not own_browser.closed.is_set()


async def test_a_node_whose_store_refuses_everything_stops_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "_STOP_S", 0.1)

    async def full(*arguments: Any) -> None:
        raise Unavailable("the disk is full")

    async with asyncio.timeout(20):
        async with house(tmp_path) as home:
            assert home.node is not None
            session = await home.create()
            await opened(home, session, "/whip", SENDS, Role.TRAINER)
            monkeypatch.setattr(home.node.app[keys.JOURNAL], "append", full)
        async with house(tmp_path) as home, home.member(session, "boss", Role.TRAINER):
            assert (streams(home), connections(home, session)) == (0, 1), "nobody is there but who came now"


async def test_a_flood_of_calls_on_one_session_is_limited(tmp_path: Path) -> None:
    async with house(tmp_path, **{"limits.requests_per_minute": 60}) as home:
        session = await home.create()
        token, path = await opened(home, session, "/whep", PLAYS, Role.TRAINEE)
        answers = await asyncio.gather(*(home.call("GET", path, headers=bearer(token)) for _ in range(100)))
        assert sum(answer.status == 429 for answer in answers) >= 80


async def test_guessing_is_counted_against_the_address(tmp_path: Path) -> None:
    async with house(tmp_path, **{"limits.failures_per_second": 5}) as home:
        calls: list[Any] = [post(home, "/whip", SENDS, "x") for _ in range(30)]
        calls += [home.call("DELETE", "/whip/guess", headers=bearer("x")) for _ in range(30)]
        answers = await asyncio.gather(*calls)
        assert sum(answer.status == 429 for answer in answers) >= 40
        assert (await post(home, "/whep", PLAYS, home.token(await home.create(), "honest"))).status == 201
