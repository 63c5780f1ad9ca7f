"""The same people, names and ranges get the same answers whether files lie on this machine or in a bucket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import ClientSession
from yarl import URL

from server import keys, sending
from signaling.classroom.roles import Role
from tests.hostile.test_replay import RANGES, TRAVERSALS, raw
from tests.integration.test_recording import until
from tests.integration.test_replay_api import about, app, fetch, recorded
from tests.support.house import Guest, House, house
from tests.support.s3_server import S3Server
from tests.support.taped import MIX, Taped


class Side(NamedTuple):
    """A node, its recording, the path of its files, and people by name."""

    home: House
    held: Taped
    base: str
    people: dict[str, Guest]


async def side(home: House) -> Side:
    held, other = await recorded(home), await home.create("other")
    people = {
        "ann": await home.come_in(held.session, "ann"),
        "tom": await home.come_in(held.session, "tom", Role.TRAINER),
        "never-came": await home.come_in(held.session, "zoe"),
        "of another class": await home.come_in(other, "tom", Role.TRAINER),
        "nobody": Guest(seat="", participant="", session="", cookie="", sub=""),
        "a liar": Guest(seat="", participant="", session="", cookie="x" * 43, sub=""),
    }
    return Side(home, held, (await about(home, held, people["tom"])).body["base"], people)


@pytest.fixture
async def sides(tmp_path: Path, s3_server: S3Server) -> AsyncIterator[list[Side]]:
    more = {"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}
    bucket = s3_server.settings(s3_server.place())
    async with house(tmp_path / "local", **more) as local, house(tmp_path / "s3", **bucket, **more) as far:
        yield [await side(local), await side(far)]


async def test_people_get_the_same_answers(sides: list[Side]) -> None:
    for who in sides[0].people:
        answers = []
        for home, held, base, people in sides:
            grant = base.split("/")[-3]
            later = base.replace(grant, "9" + grant)
            told = [
                await fetch(home, path, name, people[who]) for path in (base, later) for name in ("mix.weba", "t00000.json", "none.webm")
            ]
            told.append(await about(home, held, people[who]))
            answers.append([(answer.status, answer.code) for answer in told])
        assert answers[0] == answers[1], who


async def test_a_deleted_recording_is_gone_in_both(sides: list[Side]) -> None:
    for home, held, base, people in sides:
        await app(home)[keys.RECORDINGS].mark(held.session, held.recording, "deleted", 7, "test", "{}")
        got = await fetch(home, base, "mix.weba", people["ann"])
        assert (got.status, got.code) == (410, "recording_deleted")


async def test_no_name_leads_out_of_the_version(sides: list[Side]) -> None:
    for name in TRAVERSALS:
        answers = [await raw(each.home, each.base + name, each.people["ann"].cookie) for each in sides]
        assert {status for status, _ in answers} <= {400, 404}, name
        assert answers[0][0] == answers[1][0], name


async def test_hostile_ranges_cost_one_file_at_most(sides: list[Side]) -> None:
    [_, far] = sides
    for name, asked in RANGES.items():
        try:
            got = await fetch(far.home, far.base, "mix.weba", far.people["ann"], Range=asked)
        except (ValueError, OSError):
            continue  # not sendable
        assert got.status in (200, 206, 400, 416), name
        assert len(got.body) <= max(len(MIX), 500)
    assert app(far.home)[keys.SENDER].bytes <= len(MIX) * len(RANGES)


async def test_who_opens_many_and_reads_none_uses_up_only_what_is_theirs(sides: list[Side], monkeypatch: pytest.MonkeyPatch) -> None:
    [_, far] = sides
    monkeypatch.setattr(sending, "MAX_STREAMS_EACH", 5)
    store = app(far.home)[keys.REPLAYS]
    version = await app(far.home)[keys.PUBLISHED].store.served(far.held.session, far.held.recording)
    assert version is not None
    objects = (await store.open(version)).store
    gate, read = asyncio.Event(), objects.read

    async def slow(key: str, start: int, stop: int) -> memoryview:
        await gate.wait()
        return await read(key, start, stop)

    monkeypatch.setattr(objects, "read", slow)
    sender = app(far.home)[keys.SENDER]
    ann, tom = far.people["ann"], far.people["tom"]
    held = [asyncio.create_task(fetch(far.home, far.base, "mix.weba", ann)) for _ in range(5)]
    await until(lambda: sender.streams == 5)
    refused = await fetch(far.home, far.base, "mix.weba", ann)
    assert (refused.status, refused.code) == (503, "overloaded")
    other = asyncio.create_task(fetch(far.home, far.base, "mix.weba", tom))
    gate.set()
    assert {answer.status for answer in await asyncio.gather(*held, other)} == {200}
    assert (sender.streams, sender.refused) == (0, 1)


async def test_who_goes_away_in_the_middle_leaves_nothing_open(sides: list[Side]) -> None:
    [_, far] = sides
    sender = app(far.home)[keys.SENDER]
    async with ClientSession() as http:
        answer = await http.get(far.home.url + far.base + "mix.weba", headers=far.home.proof(far.people["ann"]))
        assert answer.status == 200
        answer.close()
    await until(lambda: not sender.streams)


async def test_nobody_is_led_to_the_store_who_may_not_have_the_file(tmp_path: Path, s3_server: S3Server) -> None:
    bucket = {**s3_server.settings(s3_server.place()), "recordings.serve": "presigned"}
    async with house(tmp_path, **bucket) as home:
        far = await side(home)

        async def led(who: str, name: str, base: str = far.base) -> tuple[int, str]:
            proof = home.proof(far.people[who])
            async with home.http.get(home.url + base + name, headers=proof, allow_redirects=False) as answer:
                return answer.status, answer.headers.get("Location", "")

        status, address = await led("ann", "mix.weba")
        assert status == 302
        assert address.startswith(f"{s3_server.url}/")
        assert "X-Amz-Expires=3600" in address
        async with ClientSession() as http, http.get(URL(address, encoded=True), headers={"Range": "bytes=0-9"}) as answer:
            assert (answer.status, await answer.read()) == (206, MIX[:10])
        assert (await led("ann", "t00000.json")) == (200, ""), "what pages read by script comes through the node"
        grant = far.base.split("/")[-3]
        for who, name, base in (
            ("never-came", "mix.weba", far.base),
            ("of another class", "mix.weba", far.base),
            ("nobody", "mix.weba", far.base),
            ("a liar", "mix.weba", far.base),
            ("ann", "none.weba", far.base),
            ("ann", "mix.weba", far.base.replace(grant, "9" + grant)),
        ):
            status, address = await led(who, name, base)
            assert status in (401, 403, 404), who
            assert address == ""
        async with home.member(far.held.session, "tom", Role.TRAINER) as tom, home.join(far.people["ann"]):
            await tom.command("remove", participant=far.people["ann"].participant)
            status, address = await led("ann", "mix.weba")
            assert status in (401, 403)
            assert address == ""
