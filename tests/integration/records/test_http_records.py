"""Records of a node over its door: the feed, dead letters, opting a class out, signed webhooks, metrics, the commands."""

import asyncio
import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server import cli, keys
from server.records import vocabulary as v
from server.records.validate import validate_statement
from signaling.classroom.roles import Role
from tests.support.faulty_store import MemoryStore, serve
from tests.support.house import SERVICE, House, house

SITE = "https://class.example"
SECRET = "a secret of the receiver's"


def verbs(records: list[dict[str, Any]]) -> list[str]:
    return [v.DISPLAY[record["statement"]["verb"]["id"]] for record in records]


#: statements of the class below: its course, and the attendance of its trainee, which is told a moment after the end
TOLD = 10


async def hold_a_class(home: House, session: str) -> None:
    tina = await home.come_in(session, "tina", Role.TRAINER)
    ann = await home.come_in(session, "ann")
    async with home.join(tina) as trainer, home.join(ann) as trainee:
        await trainer.command("start_class")
        await trainee.command("post_chat", text="good morning")
        await trainee.command("raise_hand")
        await trainer.command("end_class")


async def test_a_class_is_told_by_the_feed_from_any_cursor(tmp_path: Path) -> None:
    async with house(tmp_path, **{"records.feed": True, "records.site": SITE}) as home:
        await hold_a_class(home, await home.create("Physics"))
        async with asyncio.timeout(20):
            count = 0
            while count < TOLD:
                await asyncio.sleep(0.05)
                count = len((await home.call("GET", "/records", headers=SERVICE)).body["records"])
        first = (await home.call("GET", "/records?limit=3", headers=SERVICE)).body
        rest = (await home.call("GET", f"/records?after={first['next']}", headers=SERVICE)).body
        told = first["records"] + rest["records"]
        assert sorted(verbs(told)) == sorted(
            ["initialized", "joined", "joined", "posted", "reacted", "unreacted", "left", "left", "terminated", "attended"]
        )
        assert all(validate_statement(record["statement"]) == [] for record in told)
        assert {record["statement"]["actor"]["account"]["name"] for record in told} == {"tina", "ann"}
        assert "good morning" not in json.dumps(told)
        again = (await home.call("GET", f"/records?after={rest['next']}", headers=SERVICE)).body
        assert again == {"records": [], "next": rest["next"]}
        assert (await home.call("GET", "/records")).code == "unauthenticated"


async def test_a_node_that_tells_nobody_makes_no_statements(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await hold_a_class(home, await home.create("Physics"))
        assert (await home.call("GET", "/records", headers=SERVICE)).body == {"records": [], "next": 0}


async def test_a_class_can_be_opted_out(tmp_path: Path) -> None:
    async with house(tmp_path, **{"records.feed": True, "records.site": SITE}) as home:
        session = await home.create("Physics")
        assert (await home.call("PUT", f"/classes/{session}/records", {"told": False}, headers=SERVICE)).status == 204
        assert (await home.call("PUT", "/classes/none/records", {"told": False}, headers=SERVICE)).code == "not_found"
        await hold_a_class(home, session)
        assert (await home.call("GET", "/records", headers=SERVICE)).body["records"] == []


async def test_a_running_node_hands_a_class_over_and_webhooks_are_signed(tmp_path: Path) -> None:
    store, hook = MemoryStore(), MemoryStore()
    got: list[dict[str, Any]] = []

    async def receive(body: bytes) -> tuple[int, bytes]:
        got.extend(json.loads(body)["statements"])
        return 202, b""

    hook.post = receive  # type: ignore[method-assign]
    async with serve(store) as lrs, serve(hook) as receiver:
        tables = f'[lrs]\nurl = "{lrs.url}"\nprivate = true\n[hook]\nkind = "webhook"\nurl = "{receiver.url}/statements"\n'
        tables += f'private = true\nsecret = "{SECRET}"\n'
        async with house(tmp_path, **{"records.destinations": tables, "records.site": SITE}) as home:
            await hold_a_class(home, await home.create("Physics"))
            assert home.node is not None
            records = home.node.app[keys.RECORDS]
            async with asyncio.timeout(20):
                while await records.outbox.delivered() != {"lrs": TOLD, "hook": TOLD}:
                    for server in (lrs, receiver):
                        server.served.clear()
                    await asyncio.wait([asyncio.ensure_future(s.served.wait()) for s in (lrs, receiver)], timeout=0.2)
            await records.service.look()
            async with aiohttp.ClientSession() as http, http.get(f"{home.private_url}/metrics") as answer:
                metrics = await answer.text()
        assert "jiangtai_records_due 0.0" in metrics
        assert "jiangtai_records_acked_total 20.0" in metrics
        assert "jiangtai_records_oldest_unacked_seconds 0.0" in metrics
        assert {one["id"] for one in got} == set(store.held)
        head, body = receiver.headers[-1], receiver.bodies[-1]
        signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert head["webhook-signature"] == f"v1,{mac}"


async def test_a_store_that_is_away_leaves_classes_alone(tmp_path: Path) -> None:
    tables = '[lrs]\nurl = "http://127.0.0.1:9/xAPI"\nprivate = true\n'
    async with house(tmp_path, **{"records.destinations": tables, "records.site": SITE}) as home:
        await hold_a_class(home, await home.create("Physics"))
        assert home.node is not None
        service = home.node.app[keys.RECORDS].service
        async with asyncio.timeout(20):
            while service.figures()["due"] < TOLD:
                await service.look()
                await asyncio.sleep(0.05)
        assert (service.figures()["due"], service.figures()["dead"]) == (TOLD, 0)
        async with aiohttp.ClientSession() as http, http.get(f"{home.private_url}/metrics") as answer:
            assert 'jiangtai_records_destination_due{destination="lrs"} 10.0' in await answer.text()


async def test_refused_statements_are_listed_and_sent_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    good = store.post

    async def refuse(body: bytes) -> tuple[int, bytes]:
        return (400, b"no hands here") if b"/reacted" in body else await good(body)

    store.post = refuse  # type: ignore[method-assign]
    async with serve(store) as lrs:
        tables = f'[lrs]\nurl = "{lrs.url}"\nprivate = true\n'
        settings = {"records.destinations": tables, "records.site": SITE}
        async with house(tmp_path, **settings) as home:
            session = await home.create("Physics")
            await hold_a_class(home, session)
            async with asyncio.timeout(20):
                while not (letters := (await home.call("GET", "/records/dead", headers=SERVICE)).body["letters"]):
                    lrs.served.clear()
                    await asyncio.wait([asyncio.ensure_future(lrs.served.wait())], timeout=0.2)
            assert [(one["state"], one["status"], one["answer"]) for one in letters] == [("dead", 400, "no hands here")]
            lrs._forward = good
            answer = await home.call("POST", "/records/dead", {"destination": "lrs"}, headers=SERVICE)
            assert answer.body == {"count": 1}
            async with asyncio.timeout(20):
                while len(store.held) < TOLD:
                    lrs.served.clear()
                    await asyncio.wait([asyncio.ensure_future(lrs.served.wait())], timeout=0.2)
        lost = store.held.pop(letters[0]["id"])
        config = tmp_path / "node.toml"
        config.write_text(f'var = "{tmp_path}"\n[records]\nsite = "{SITE}"\ndestinations = """{tables}"""\n')

        def run(*words: str) -> tuple[int, str]:
            status = cli.main(["records", *words, "--config", str(config)])
            return status, capsys.readouterr().out

        assert (await asyncio.to_thread(run, "reconcile", "lrs", session)) == (
            0,
            "asked 10, held 9, missing 1 (due again), different 0\n",
        )
        _, out = await asyncio.to_thread(run, "status")
        assert out.split()[:10] == ["lrs", "due", "1", "acked", "9", "dead", "0", "conflicts", "0", "oldest"]
        assert (await asyncio.to_thread(run, "resend", "lrs", "--class", session))[
            1
        ] == "10 due again at lrs, 0 of them made from the log\n"
        assert (await asyncio.to_thread(run, "dead"))[1] == ""
        async with house(tmp_path, **settings):
            async with asyncio.timeout(20):
                while lost["id"] not in store.held:
                    lrs.served.clear()
                    await asyncio.wait([asyncio.ensure_future(lrs.served.wait())], timeout=0.2)
