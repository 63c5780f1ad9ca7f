"""Attacks on who one is: forged, stolen, replayed and edited tokens, cookies and roles, against a whole node.

Every way a single token can be malformed is in tests/unit/server/test_auth.py; here is what only a running node shows.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey

from server import auth, keyring, keys
from signaling.classroom.roles import Role
from tests.support.house import Answer, Guest, House, house
from tests.support.member import Member, Refused
from tests.unit.server.test_auth import d01

LMS = OKPKey.generate_key("Ed25519")


def public(kid: str, **more: object) -> dict[str, object]:
    return {**LMS.as_dict(private=False), "kid": kid, "alg": "EdDSA", "iss": "https://lms.example", **more}


def from_lms(session: str, sub: str = "u1", *, kid: str = "lms", role: Role = Role.TRAINEE, **more: object) -> str:
    now = int(time.time())
    claims = {"iss": "https://lms.example", "aud": "jiangtai", "iat": now, "exp": now + 300, "jti": f"{sub}-{time.time_ns()}"}
    claims |= {"sub": sub, "room": session, "role": role.value, "name": "N", **more}
    key = keyring.parse(json.dumps({"keys": [{**LMS.as_dict(private=True), "kid": kid, "alg": "EdDSA", "iss": "node"}]}), own=True)[kid]
    return auth.sign(auth._decode_claims(json.dumps(claims)), key)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    file = tmp_path / "lms.json"
    file.write_text(json.dumps({"keys": [public("lms")]}))
    async with house(tmp_path / "var", **{"tokens.keys_file": str(file)}) as home:
        yield home


async def nothing_opened(home: House) -> bool:
    assert home.node is not None
    count = await home.node.app[keys.DATABASE].read(lambda connection: connection.execute("SELECT count(*) FROM seat").fetchone())
    return int(count[0]) == 0


@pytest.mark.parametrize(("name", "token"), d01().items())
async def test_d01_no_forged_algorithm_opens_a_seat(home: House, name: str, token: str) -> None:
    answer = await home.call("POST", "/seats", {"token": token})
    assert (answer.status, answer.code) == (401, "bad_token")
    assert not answer.cookies
    assert await nothing_opened(home)


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_d02_no_key_is_fetched_from_where_a_token_says(home: House, name: str) -> None:
    asked = asyncio.Event()
    server = await asyncio.start_server(lambda reader, writer: asked.set(), "127.0.0.1", 0)
    where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    head = base64.urlsafe_b64encode(json.dumps({"alg": "EdDSA", "kid": "lms", name: where}).encode()).rstrip(b"=").decode()
    good = from_lms(await home.create())
    answer = await home.call("POST", "/seats", {"token": f"{head}.{good.partition('.')[2]}"})
    assert answer.code == "bad_token"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asked.wait(), 0.3)
    server.close()


async def test_d03_a_token_of_another_time_audience_or_class_opens_nothing(home: House) -> None:
    session, now = await home.create(), int(time.time())
    for more in (
        {"exp": now - 1, "iat": now - 200},
        {"nbf": now + 100},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"room": "other"},
    ):
        answer = await home.call("POST", "/seats", {"token": from_lms(session, **more)})
        assert answer.status == 401, more
    assert await nothing_opened(home)
    assert (await home.call("POST", "/seats", {"token": from_lms(session)})).status == 201


async def test_d04_a_huge_token_costs_nothing(home: House) -> None:
    await home.call("GET", "/openapi.json")
    for size in (10_000, 60_000):
        started = time.perf_counter()
        answer = await home.call("POST", "/seats", {"token": "a" * size})
        assert answer.status in (400, 401, 413)
        assert time.perf_counter() - started < 0.05


async def test_d05_a_token_is_used_once_whatever_the_browser(home: House) -> None:
    token = from_lms(await home.create())
    outcomes = await asyncio.gather(*(home.call("POST", "/seats", {"token": token}) for _ in range(20)))
    assert sorted(answer.status for answer in outcomes) == [201] + [401] * 19
    assert {answer.code for answer in outcomes if answer.status == 401} <= {"token_used", "rate_limited"}


async def test_d05_a_token_is_void_after_removal_and_after_the_end(home: House) -> None:
    session = await home.create()
    unused, late = from_lms(session, "u1"), from_lms(session, "u2")
    taken = await home.call("POST", "/seats", {"token": from_lms(session, "u1")})
    async with home.member(session, "boss", Role.TRAINER) as boss:
        victim = taken.body["participant"]
        async with home.join(_guest(taken, session)):
            await boss.command("remove", participant=victim)
        assert (await home.call("POST", "/seats", {"token": unused})).code == "bad_token"
        await boss.command("end_class")
    assert (await home.call("POST", "/seats", {"token": late})).code == "class_ended"


async def test_d05_a_stolen_seat_id_is_nothing(home: House) -> None:
    session = await home.create()
    victim, thief = await home.come_in(session, "victim"), await home.come_in(session, "thief")
    stolen = type(victim)(**{**vars(victim), "cookie": thief.cookie})
    with pytest.raises(Refused) as refused:
        async with home.join(stolen):
            pass
    assert refused.value.args == ("unauthenticated",)
    assert (await home.call("DELETE", f"/seats/{victim.seat}", cookie=thief.cookie)).status == 401
    async with home.join(victim):
        pass


async def test_d06_rotated_keys_overlap_and_retire_without_a_restart(home: House, tmp_path: Path) -> None:
    session, file, now = await home.create(), tmp_path / "lms.json", int(time.time())
    assert home.node is not None

    async def status(kid: str) -> int:
        return (await home.call("POST", "/seats", {"token": from_lms(session, kid=kid)})).status

    file.write_text(json.dumps({"keys": [public("lms", exp=now + 3600), public("next")]}))
    assert await status("next") == 401
    home.node.app[keys.RING].reload()
    assert (await status("lms"), await status("next")) == (201, 201)
    file.write_text(json.dumps({"keys": [public("lms", exp=now - 1), public("next")]}))
    home.node.app[keys.RING].reload()
    assert (await status("lms"), await status("next")) == (401, 201)
    file.write_text(json.dumps({"keys": [public("next")]}))
    home.node.app[keys.RING].reload()
    assert (await status("lms"), await status("next")) == (401, 201)


async def test_d07_a_role_is_raised_neither_by_edit_nor_by_rest_nor_by_the_socket(home: House) -> None:
    session = await home.create()
    token = from_lms(session)
    head, body, signature = token.split(".")
    raw = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    edited = base64.urlsafe_b64encode(json.dumps(raw | {"role": "trainer"}).encode()).rstrip(b"=").decode()
    assert (await home.call("POST", "/seats", {"token": f"{head}.{edited}.{signature}"})).code == "bad_token"
    for extra in ({"role": "trainer"}, {"session": "other"}, {"participant": "other"}):
        answer = await home.call("POST", "/seats", {"token": token, **extra})
        assert (answer.status, answer.code) == (400, "bad_message")
    taken = await home.call("POST", "/seats", {"token": token})
    guest = _guest(taken, session)
    async with home.join(guest) as member:
        for more in ({"role": "trainer"}, {"actor": "boss"}, {"by": "boss"}):
            answer = await member.command("lower_hand", **more)
            assert answer["error"]["code"] == "bad_message"
        assert (await member.command("start_class"))["error"]["code"] == "not_allowed"
        assert (await member.command("connect", connection="x", name="T", role="trainer"))["error"]["code"] == "unknown_type"
    async with home.socket(home.proof(guest)) as ws:
        crafted = Member(ws)
        await crafted.connect({"seat": guest.seat, "role": "trainer", "participant": "boss", "name": "Boss"})
        me = next(person for person in crafted.snapshot["participants"] if person["id"] == crafted.snapshot["me"])
        assert (me["id"], me["role"], me["name"]) == (guest.participant, "trainee", "N")
        assert "end_class" not in crafted.snapshot["capabilities"]
        await crafted.leave()
    assert (await home.call("GET", f"/seats/{guest.seat}?role=trainer", cookie=guest.cookie)).status in (200, 400)
    assert (await home.call("GET", f"/seats/{guest.seat}", cookie=guest.cookie)).body["role"] == "trainee"


async def test_a_join_token_opens_neither_api_nor_operator_page_and_the_other_way_round(home: House) -> None:
    session = await home.create()
    now = time.time()
    tokens = {
        kind: auth.issue(kind, home.ring, audience="jiangtai", now=now, sub="s", room=session, role=Role.TRAINER, name="N")
        for kind in auth.Kind
    }
    for kind, token in tokens.items():
        seat = await home.call("POST", "/seats", {"token": token})
        assert (seat.status == 201) is (kind is auth.Kind.JOIN)
        login = await home.call("POST", "/operator", {"login": token})
        assert (login.status == 204) is (kind is auth.Kind.OPERATOR)
        listed = await home.call("GET", "/classes", headers={"Authorization": f"Bearer {token}"})
        assert (listed.status == 200) is (kind is auth.Kind.API)


@pytest.mark.parametrize(
    "bearer", ["", "Bearer", "Bearer ", "Bearer x", "Basic bG1zOng=", "Bearer a.b.c", "Bearer " + "x" * 9000, "Bearer é", "bearer\tx"]
)
async def test_a_wrong_bearer_is_nobody(home: House, bearer: str) -> None:
    answer = await home.call("GET", "/classes", headers={"Authorization": bearer} if bearer else {})
    assert answer.status in (400, 401)


async def test_a_service_token_of_another_issuers_key_needs_that_use(tmp_path: Path) -> None:
    keys_text = json.dumps({"keys": [public("lms")]})
    async with house(tmp_path, **{"tokens.keys": keys_text}) as home:
        token = from_lms("", aud="jiangtai/api", role=Role.TRAINEE)
        assert (await home.call("GET", "/classes", headers={"Authorization": f"Bearer {token}"})).status == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://127.0.0.1", "file://", ""])
async def test_b01_foreign_pages_can_neither_change_nor_connect(home: House, origin: str) -> None:
    session = await home.create()
    guest = await home.come_in(session, "u1")
    headers = {"Origin": origin}
    for method, path in (("DELETE", f"/seats/{guest.seat}"), ("GET", f"/seats/{guest.seat}")):
        answer = await home.call(method, path, cookie=guest.cookie, headers=headers)
        assert (answer.status, answer.code) == (403, "bad_origin")
    url = f"{home.url}/rt/?EIO=4&transport=websocket"
    cookie = {"Cookie": f"jiangtai={guest.cookie}"}
    for sent in ({**headers, **cookie}, cookie):
        async with home.http.get(url, headers={**sent, **UPGRADE}) as response:
            assert response.status == 403
    async with home.join(guest) as member:
        assert not member.closed.is_set()


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


async def test_b01_a_change_by_cookie_without_an_origin_is_refused(home: House) -> None:
    guest = await home.come_in(await home.create(), "u1")
    sent = {"Cookie": f"jiangtai={guest.cookie}"}
    async with home.http.delete(f"{home.url}/api/v1/seats/{guest.seat}", headers=sent) as response:
        assert response.status == 403
    async with home.http.get(f"{home.url}/api/v1/seats/{guest.seat}", headers=sent) as response:
        assert response.status == 200


async def test_a_configured_origin_may_connect(tmp_path: Path) -> None:
    async with house(tmp_path, origins=("https://school.example",)) as home:
        guest = await home.come_in(await home.create(), "u1")
        headers = {**home.proof(guest), "Origin": "https://school.example"}
        async with home.http.get(f"{home.url}/api/v1/seats/{guest.seat}", headers=headers) as response:
            assert response.status == 200
        async with home.socket(headers):
            pass


def _guest(taken: Answer, session: str) -> Guest:
    assert taken.status == 201, taken
    return Guest(seat=taken.body["seat"], participant=taken.body["participant"], session=session, cookie=taken.cookies["jiangtai"], sub="")
