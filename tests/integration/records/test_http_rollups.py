"""Attendance of a running node reaches the records: told at the end, replaced after a decision, made good after a crash."""

import asyncio
import json
from pathlib import Path
from typing import Any

from server.records import vocabulary as v
from signaling.classroom.roles import Role
from tests.support.house import SERVICE, House, house

SITE = "https://class.example"
SETTINGS = {"records.feed": True, "records.site": SITE}


async def told(home: House, *verbs: str, count: int) -> list[dict[str, Any]]:
    """Statements with these verbs, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            records = (await home.call("GET", "/records?limit=500", headers=SERVICE)).body["records"]
            found = [one["statement"] for one in records if one["statement"]["verb"]["id"] in verbs]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)  # another task of the node makes them


async def test_attendance_is_told_at_the_end_and_replaced_after_a_decision(tmp_path: Path) -> None:
    async with house(tmp_path, **SETTINGS) as home:
        session = await home.create("Physics")
        tina = await home.come_in(session, "tina", Role.TRAINER)
        ann = await home.come_in(session, "ann")
        async with home.join(tina) as boss, home.join(ann) as trainee:
            await boss.command("start_class")
            await boss.command("start_check", window_s=30)
            await trainee.until(lambda: "check_asked" in trainee.types())
            asked = next(entry["event"] for entry in trainee.events if entry["event"]["type"] == "check_asked")
            await trainee.command("answer_check", check=asked["check"], nonce=asked["nonce"])
            await boss.command("end_class")
        (first,) = await told(home, v.ATTENDED, count=1)
        assert first["actor"]["account"]["name"] == "ann"
        assert first["result"]["extensions"][f"{SITE}/xapi/extensions/checks"] == {"asked": 1, "answered": 1}
        answered = await told(home, v.ASKED, v.ANSWERED, count=2)
        assert [one["object"]["definition"]["interactionType"] for one in answered] == ["other", "other"]
        assert "nonce" not in json.dumps(answered)
        answer = await home.call(
            "POST",
            f"/classes/{session}/attendance/{ann.participant}/override",
            {"status": "excused", "reason": "the network was down", "minutes": 45},
            cookie=tina.cookie,
        )
        assert answer.status in (200, 204), answer
        void, second = (await told(home, v.ATTENDED, v.VOIDED, count=3))[1:]
        assert void["object"] == {"objectType": "StatementRef", "id": first["id"]}
        assert second["result"]["duration"] == "PT2700S"
        assert second["result"]["extensions"][f"{SITE}/xapi/extensions/attendance"]["status"] == "excused"
        assert "network was down" not in json.dumps([void, second])


async def test_what_a_crash_left_untold_is_told_after_the_next_start(tmp_path: Path) -> None:
    """As if the node had died between the end and the evaluation: nothing told, the class over."""
    async with house(tmp_path) as home:
        session = await home.create("Physics")
        tina = await home.come_in(session, "tina", Role.TRAINER)
        ann = await home.come_in(session, "ann")
        async with home.join(tina) as boss, home.join(ann):
            await boss.command("start_class")
            await boss.command("end_class")
    async with house(tmp_path, **SETTINGS) as home:
        (one,) = await told(home, v.ATTENDED, count=1)
        assert one["actor"]["account"]["name"] == "ann"
