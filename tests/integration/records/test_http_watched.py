"""What a page reports of watching reaches the feed of records, as a video and not as attendance, and respects a class's wish."""

from pathlib import Path
from typing import Any

from server import keys
from server.records import vocabulary as v
from server.records.viewed import IDLE_MS
from signaling.classroom.roles import Role
from tests.integration.test_replay_api import app, recorded
from tests.support.house import SERVICE, House, house
from tests.support.taped import Taped

SETTINGS = {"records.feed": True, "records.site": "https://class.example"}


async def told(home: House) -> list[dict[str, Any]]:
    """Statements about watching, in order."""
    records = (await home.call("GET", "/records?limit=500", headers=SERVICE)).body["records"]
    found = [one["statement"] for one in records]
    return [one for one in found if one["context"]["contextActivities"]["category"][0]["id"] == v.VIDEO_PROFILE]


async def report(home: House, held: Taped, cookie: str, op: str, *stretches: tuple[int, int]) -> int:
    path = f"/classes/{held.session}/recordings/{held.recording}/watched"
    body = {"op": op, "stretches": [{"from_ms": start, "to_ms": end} for start, end in stretches]}
    return (await home.call("POST", path, body, cookie=cookie)).status


async def settle(home: House) -> None:
    node = app(home)
    await node[keys.RECORDS].settle_viewings(node[keys.CLOCK]() + 2 * IDLE_MS)


async def test_watching_is_told_as_a_video_of_the_person_behind_the_seat(tmp_path: Path) -> None:
    async with house(tmp_path, **SETTINGS) as home:
        held = await recorded(home)
        ann = await home.come_in(held.session, "ann")
        for op, stretch in (("w1", (0, 15_000)), ("w1", (0, 15_000)), ("w2", (15_000, 38_000))):
            assert await report(home, held, ann.cookie, op, stretch) == 204
        assert [v.DISPLAY[one["verb"]["id"]] for one in await told(home)] == ["initialized"]
        await settle(home)
        begun, completed, ended = await told(home)
        assert {one["actor"]["account"]["name"] for one in (begun, completed, ended)} == {"ann"}
        assert [one["verb"]["id"] for one in (begun, completed, ended)] == [v.INITIALIZED, v.COMPLETED, v.TERMINATED]
        assert ended["result"]["extensions"][v.VIDEO_SEGMENTS] == "0[.]38"
        assert ended["object"]["definition"]["type"] == v.VIDEO
        await settle(home)
        assert len(await told(home)) == 3
        trainer = await home.come_in(held.session, "tom", Role.TRAINER)
        body = (await home.call("GET", f"/classes/{held.session}/attendance", cookie=trainer.cookie)).body
        before = {one["name"]: one["minutes"] for one in body["people"]}
        await report(home, held, ann.cookie, "w3", (0, 40_000))
        after = (await home.call("GET", f"/classes/{held.session}/attendance", cookie=trainer.cookie)).body
        assert {one["name"]: one["minutes"] for one in after["people"]} == before


async def test_an_opted_out_class_tells_nothing_of_who_watches_it(tmp_path: Path) -> None:
    async with house(tmp_path, **SETTINGS) as home:
        held = await recorded(home)
        ann = await home.come_in(held.session, "ann")
        assert (await home.call("PUT", f"/classes/{held.session}/records", {"told": False}, headers=SERVICE)).status == 204
        assert await report(home, held, ann.cookie, "w1", (0, 15_000)) == 204
        await settle(home)
        assert await told(home) == []


async def test_without_records_watching_is_kept_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        held = await recorded(home)
        ann = await home.come_in(held.session, "ann")
        assert await report(home, held, ann.cookie, "w1", (0, 15_000)) == 204
        assert await app(home)[keys.RECORDS].settle_viewings(1 << 46) == 0
