"""Who may watch a replay, for every role and every setting: page, list, files, download, reports; and who may change that."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.roles import Role
from tests.integration.test_replay_api import recorded
from tests.support.house import SERVICE, Answer, House, house
from tests.support.taped import Taped

#: written out by hand: setting -> who watches. A service has no seat and never watches; a stranger is of another class
WATCHES: dict[ReplayAccess, set[str]] = {
    ReplayAccess.NOBODY: set(),
    ReplayAccess.TRAINERS: {"trainer", "assistant", "inspector", "operator"},
    ReplayAccess.PARTICIPANTS: {"trainer", "assistant", "inspector", "operator", "trainee"},
}
CHANGES = {"trainer", "service", "operator"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}) as home:
        yield home


async def callers(home: House, held: Taped) -> dict[str, dict[str, Any]]:
    """A proof for everybody who may ask."""
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    operator = (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]
    cast = {"trainer": ("tom", Role.TRAINER), "assistant": ("eve", Role.ASSISTANT), "inspector": ("ivy", Role.INSPECTOR)}
    cast |= {"trainee": ("ann", Role.TRAINEE), "never came": ("zed", Role.TRAINEE)}
    found: dict[str, dict[str, Any]] = {
        name: {"cookie": (await home.come_in(held.session, sub, role)).cookie} for name, (sub, role) in cast.items()
    }
    other = await home.create("other")
    found["stranger"] = {"cookie": (await home.come_in(other, "tom", Role.TRAINER)).cookie}
    return found | {"operator": {"operator": operator}, "service": {"headers": SERVICE}, "anybody": {}}


async def share(home: House, held: Taped, access: ReplayAccess, **proof: Any) -> Answer:
    return await home.call("PUT", f"/classes/{held.session}/replay", {"access": access.value}, **proof)


async def asked(home: House, held: Taped, base: str, proof: dict[str, Any]) -> dict[str, Answer]:
    """Every way to something of a recording."""
    path = f"/classes/{held.session}/recordings"
    report = {"op": f"op-{time.monotonic_ns()}", "stretches": [{"from_ms": 0, "to_ms": 5}]}
    return {
        "list": await home.call("GET", path, **proof),
        "page": await home.call("GET", f"{path}/{held.recording}", **proof),
        "media": await home.call("GET", base + "screen.webm", **proof),
        "sound": await home.call("GET", base + "mix.weba", **proof),
        "chapters": await home.call("GET", base + "chapters.vtt", **proof),
        "watched": await home.call("POST", f"{path}/{held.recording}/watched", report, **proof),
    }


@pytest.mark.parametrize("access", list(ReplayAccess))
async def test_every_caller_gets_what_the_setting_says_and_no_byte_more(home: House, access: ReplayAccess) -> None:
    held = await recorded(home)
    proofs = await callers(home, held)
    seen = await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", **proofs["trainer"])
    base = seen.body["base"].removeprefix("/api/v1")
    assert (await share(home, held, access, headers=SERVICE)).status == 204
    for caller, proof in proofs.items():
        for way, answer in (await asked(home, held, base, proof)).items():
            may = caller in WATCHES[access] and not (way == "watched" and caller == "operator")
            assert (answer.status in (200, 204)) == may, (caller, way, answer.status)
            if not may:
                assert answer.status in (401, 403, 404), (caller, way)
                assert held.recording not in str(answer.body)


async def test_an_operator_who_sits_in_class_oversees_without_the_chat(home: House) -> None:
    held = await recorded(home)
    proofs = await callers(home, held)
    both = {**proofs["operator"], **proofs["trainee"]}
    assert (await share(home, held, ReplayAccess.TRAINERS, headers=SERVICE)).status == 204
    answer = await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", **both)
    assert answer.status == 200
    chunk = answer.body["base"].removeprefix("/api/v1") + answer.body["content"]["timeline"]["chunks"][0]
    assert (await home.call("GET", chunk, **both)).status == 403
    assert (await share(home, held, ReplayAccess.NOBODY, headers=SERVICE)).status == 204
    assert (await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", **both)).code == "replay_closed"


async def test_only_the_trainer_and_who_runs_the_node_changes_it(home: House) -> None:
    held = await recorded(home)
    proofs = await callers(home, held)
    for caller, proof in proofs.items():
        for access in ReplayAccess:
            answer = await share(home, held, access, **proof)
            assert (answer.status == 204) == (caller in CHANGES), (caller, answer)
    assert (await home.call("GET", f"/classes/{held.session}", headers=SERVICE)).body["replay"] == "participants"
    stranger = await home.come_in(await home.create("third"), "boss", Role.TRAINER)
    path = f"/classes/{held.session}/replay?seat={stranger.seat}"
    assert (await home.call("PUT", path, {"access": "nobody"}, cookie=stranger.cookie)).code == "not_found"


async def test_a_page_of_another_origin_changes_nothing(home: House) -> None:
    held = await recorded(home)
    tom = await home.come_in(held.session, "tom", Role.TRAINER)
    for origin in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = await home.call("PUT", f"/classes/{held.session}/replay", {"access": "nobody"}, cookie=tom.cookie, headers=origin)
        assert answer.code == "bad_origin"


async def test_a_trainer_who_was_sent_out_says_nothing_any_more(home: House) -> None:
    held = await recorded(home)
    eve = await home.come_in(held.session, "eve", Role.ASSISTANT)
    async with home.member(held.session, "tom", Role.TRAINER) as tom, home.join(eve) as helper:
        await tom.command("remove", participant=eve.participant)
        await asyncio.wait_for(helper.closed.wait(), 2)
    assert (await share(home, held, ReplayAccess.NOBODY, cookie=eve.cookie)).status in (401, 403)


async def test_no_command_on_the_wire_opens_a_replay_or_writes_a_roster(home: House) -> None:
    session = await home.create()
    async with home.member(session, "t", Role.TRAINER) as boss:
        for command, fields in (
            ("set_replay_access", {"access": "nobody"}),
            ("change_expected", {"people": [{"participant": "x", "name": "X"}]}),
        ):
            assert (await boss.command(command, **fields))["error"]["code"] == "unknown_type"


async def test_closing_it_cuts_who_is_watching_within_two_seconds(home: House) -> None:
    held = await recorded(home)
    tom, ann = await home.come_in(held.session, "tom", Role.TRAINER), await home.come_in(held.session, "ann")
    seen = await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", cookie=ann.cookie)
    base = seen.body["base"].removeprefix("/api/v1")

    first = asyncio.Event()

    async def watch() -> float:
        while (await home.call("GET", base + "mix.weba", cookie=ann.cookie, headers={"Range": "bytes=0-99"})).status == 206:
            first.set()
        return time.monotonic()

    task = asyncio.create_task(watch())
    await asyncio.wait_for(first.wait(), 5)
    began = time.monotonic()
    assert (await share(home, held, ReplayAccess.NOBODY, cookie=tom.cookie)).status == 204
    assert await asyncio.wait_for(task, 2) - began < 2


async def test_twenty_changes_at_once_leave_one_setting_and_a_whole_log(home: House) -> None:
    held = await recorded(home)
    wanted = [list(ReplayAccess)[n % 3] for n in range(20)]
    answers = await asyncio.gather(*(share(home, held, access, headers=SERVICE) for access in wanted))
    assert {answer.status for answer in answers} == {204}
    info = (await home.call("GET", f"/classes/{held.session}", headers=SERVICE)).body
    trail = (await home.call("GET", f"/classes/{held.session}/audit?limit=500", headers=SERVICE)).body["entries"]
    assert [one["details"]["access"] for one in trail if one["act"] == "replay_access_changed"][-1] == info["replay"]
    assert (await home.call("GET", f"/classes/{held.session}/audit/verification", headers=SERVICE)).body["broken_at"] is None
