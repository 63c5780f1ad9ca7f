"""Retention and holds in a whole node, time as an argument: owners, held by every way, a viewer when a replay goes, pages afterwards."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import auth, cli, keys
from server.retention.due import DAY_MS, Kind
from signaling.classroom.roles import Role
from tests.support import aged, taped
from tests.support.house import SERVICE, Answer, Guest, House, house, spawned
from tests.support.taped import Taped

RULES = {"retention.replay_days": 30, "retention.log_days": 90, "retention.tenants": "[lms]\nlog_days = 100\n"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **RULES) as home:
        yield home


def app(home: House) -> Any:
    assert home.node is not None
    return home.node.app


async def operator(home: House) -> str:
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    return (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]


async def lesson(home: House, session: str = "lesson") -> tuple[Taped, Guest, Guest, int]:
    """A recorded class that is over, a trainer and a trainee of it, and when it ended."""
    held = taped.hold(session, seconds=40)
    node = app(home)
    await taped.store(held, node[keys.JOURNAL], node[keys.DIRECTORY], node[keys.RECORDINGS], title="Lesson")
    await taped.publish(held, node[keys.PUBLISHED], title="Lesson")
    folder = node[keys.SWEEP]._removal.journals / session
    folder.mkdir(parents=True)
    (folder / "000001.rj").write_bytes(aged.head(session, held.recording, 1))
    [row] = await node[keys.RECORDINGS].rows(session)
    await node[keys.RECORDINGS].measure(
        [taped.Row(session=session, id=row.id, started_at=row.started_at, first_file=1, last_file=1, files=1)]
    )
    tom, ann = await home.come_in(session, "tom", Role.TRAINER), await home.come_in(session, "ann")
    assert (await home.call("POST", f"/classes/{session}/end", {}, headers=SERVICE)).status == 200
    described = await node[keys.DIRECTORY].get(session)
    ended_at = max(described["ended_at"], held.lesson.now)
    await node[keys.DATABASE].write(lambda c: c.execute("UPDATE class SET ended_at = ? WHERE session = ?", (ended_at, session)).rowcount)
    return held, tom, ann, ended_at


async def sweep(home: House, at: int) -> bool:
    return bool(await app(home)[keys.SWEEP].sweep(lambda: at, pause_s=0))


async def rest(home: House, session: str) -> None:
    """Put the class to rest, as the hub does after two minutes."""
    await app(home)[keys.HUB]._retire(session)


async def test_a_class_belongs_to_who_made_it_and_the_operator_sees_whose(home: House) -> None:
    theirs = await home.create("theirs")
    boss = await operator(home)
    ours = (await home.call("POST", "/classes", {"title": "ours"}, operator=boss)).body["session"]
    token = auth.issue(auth.Kind.API, home.ring, audience="jiangtai", now=time.time(), sub="cli")
    by_cli = (await home.call("POST", "/classes", {"title": "cli"}, headers={"Authorization": f"Bearer {token}"})).body["session"]
    await home.call("POST", "/classes", {"title": "theirs", "session": theirs}, operator=boss)  # made again: the first word counts
    listed = (await home.call("GET", "/classes", operator=boss)).body["classes"]
    assert {each["session"]: (each["tenant"], each["held"]) for each in listed} == {
        theirs: ("lms", False),
        ours: ("", False),
        by_cli: ("", False),
    }
    assert (await home.call("GET", f"/classes/{theirs}", operator=boss)).body["tenant"] == "lms"
    assert (await home.call("GET", f"/classes/{theirs}", headers=SERVICE)).body["tenant"] is None
    assert {each["tenant"] for each in (await home.call("GET", "/classes", headers=SERVICE)).body["classes"]} == {None}


async def test_a_held_class_is_deleted_by_nobody_and_everybody_is_told_why(home: House, tmp_path: Path, capsys: Any) -> None:
    held, tom, ann, ended_at = await lesson(home)
    boss, path = await operator(home), f"/classes/{held.session}/recordings/{held.recording}"
    made = await home.call("POST", "/holds", {"session": held.session, "reason": " 法院 order 7 "}, operator=boss)
    assert (made.status, made.body["reason"], made.body["by"]) == (201, "法院 order 7", "operator")
    for proof in ({"operator": boss}, {"headers": SERVICE}):
        answer = await home.call("DELETE", path, **proof)  # type: ignore[arg-type]
        assert (answer.status, answer.code) == (409, "legal_hold")
    assert (await home.call("DELETE", path, cookie=tom.cookie)).status == 403
    assert await asyncio.to_thread(cli.main, ["recording", "delete", held.session, held.recording, "--yes", "--var", str(tmp_path)]) == 1
    assert "legal hold" in capsys.readouterr().err
    words = ["recording", "redact", held.session, held.recording, held.id("ann"), "--yes", "--var", str(tmp_path)]
    assert await asyncio.to_thread(cli.main, words) == 1
    assert "legal hold" in capsys.readouterr().err
    assert await sweep(home, ended_at + 500 * DAY_MS)
    assert (await home.call("GET", path, cookie=ann.cookie)).body["state"] == "ready"
    assert (await home.call("GET", f"/classes/{held.session}/attendance", cookie=tom.cookie)).body["hold"] == "法院 order 7"
    about = (await home.call("GET", f"/classes/{held.session}/retention", operator=boss)).body
    assert {thing["why"] for thing in about["things"]} == {"held"}
    assert [each["held"] for each in (await home.call("GET", "/classes?ended=true", operator=boss)).body["classes"]] == [True]

    assert (await home.call("POST", f"/holds/{made.body['number']}/lift", {}, operator=boss)).body["lifted_by"] == "operator"
    again = await home.call("POST", f"/holds/{made.body['number']}/lift", {}, operator=boss)
    assert again.status == 200
    assert (await home.call("GET", "/holds", operator=boss)).body["holds"] == []
    assert len((await home.call("GET", "/holds?lifted=true", operator=boss)).body["holds"]) == 1
    assert (await home.call("DELETE", path, operator=boss)).status == 204
    assert (await home.call("DELETE", path, operator=boss)).code == "recording_deleted"


async def test_a_persons_hold_covers_the_classes_they_were_in_then_and_later(home: House) -> None:
    held, *_, ended_at = await lesson(home)
    boss, other = await operator(home), await home.create()
    body = {"issuer": "node", "subject": "ann", "reason": "inquiry"}
    assert (await home.call("POST", "/holds", body, operator=boss)).status == 201
    holds = app(home)[keys.HOLDS]
    assert (await holds.held(held.session), await holds.held(other)) == (True, False)
    await home.come_in(other, "ann")
    assert await holds.held(other)
    assert await sweep(home, ended_at + 500 * DAY_MS)
    assert await app(home)[keys.RETENTION].acts(after=0, limit=9) == []


async def test_bad_holds_are_refused(home: House) -> None:
    session, boss = await home.create(), await operator(home)
    for body, code in (
        ({"session": session}, "bad_message"),
        ({"reason": "x"}, "bad_message"),
        ({"session": session, "reason": "   "}, "bad_message"),
        ({"session": session, "reason": "a\u0000b"}, "bad_message"),
        ({"session": session, "reason": "x" * 501}, "bad_message"),
        ({"session": session, "issuer": "a", "subject": "b", "reason": "x"}, "bad_message"),
        ({"issuer": "a", "reason": "x"}, "bad_message"),
        ({"subject": "b", "reason": "x"}, "bad_message"),
        ({"session": "no-such", "reason": "x"}, "not_found"),
        ({"session": session, "reason": "x", "by": "me"}, "bad_message"),
    ):
        assert (await home.call("POST", "/holds", body, operator=boss)).code == code, body
    for number in ("0", "99", "x", "-1", "9" * 30, "٣"):
        assert (await home.call("POST", f"/holds/{number}/lift", {}, operator=boss)).status == 404
    assert (await home.call("GET", "/holds?limit=1000", operator=boss)).code == "bad_message"


async def test_a_viewer_ends_cleanly_when_the_replay_goes(home: House) -> None:
    held, _, ann, ended_at = await lesson(home)
    path = f"/classes/{held.session}/recordings/{held.recording}"
    base = (await home.call("GET", path, cookie=ann.cookie)).body["base"].removeprefix("/api/v1")
    assert await sweep(home, ended_at)

    async def watch() -> list[Answer]:
        found = []
        while not found or found[-1].status == 206:
            found.append(await home.call("GET", base + "mix.weba", cookie=ann.cookie, headers={"Range": "bytes=0-999"}))
        return found

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    assert await sweep(home, ended_at + 31 * DAY_MS)
    async with asyncio.timeout(10):
        *whole, last = await watching
    assert all(len(answer.body) == 1000 for answer in whole)
    assert (last.status, last.code) == (410, "recording_deleted")
    assert (await home.call("GET", path, cookie=ann.cookie)).code == "recording_deleted"
    assert (
        await home.call("POST", f"{path}/watched", {"op": "o", "stretches": [{"from_ms": 0, "to_ms": 9}]}, cookie=ann.cookie)
    ).status == 410


async def test_a_class_whose_log_is_gone_says_so_everywhere(home: House, tmp_path: Path, capsys: Any) -> None:
    held, tom, ann, ended_at = await lesson(home)
    boss, session = await operator(home), held.session
    await home.call("GET", f"/classes/{session}/attendance", cookie=tom.cookie)  # wakes it
    assert await sweep(home, ended_at)
    assert await sweep(home, ended_at + 91 * DAY_MS)
    assert (await home.call("GET", f"/classes/{session}/attendance", cookie=tom.cookie)).status == 200, "somebody was just there"
    await rest(home, session)
    assert await sweep(home, ended_at + 91 * DAY_MS)
    for guest, path in (
        (tom, f"/classes/{session}/attendance"),
        (tom, f"/classes/{session}/attendance.csv"),
        (ann, f"/classes/{session}/attendance/own"),
        (tom, f"/classes/{session}/people"),
        (ann, f"/classes/{session}/recordings"),
        (ann, f"/classes/{session}/recordings/{held.recording}"),
        (ann, f"/seats/{ann.seat}"),
    ):
        answer = await home.call("GET", path, cookie=guest.cookie)
        assert (answer.status, answer.code) == (410, "no_longer_kept"), path
    for path in (f"/classes/{session}/audit", f"/classes/{session}/audit/verification", f"/classes/{session}/recordings"):
        assert (await home.call("GET", path, operator=boss)).code == "no_longer_kept", path
    late = await home.call("POST", "/seats", {"token": home.token(session, "eve")})
    assert (late.status, late.code) == (410, "no_longer_kept")
    [listed] = (await home.call("GET", "/classes?ended=true", operator=boss)).body["classes"]
    assert listed["expired_at"] == ended_at + 91 * DAY_MS
    acts = (await home.call("GET", f"/retention/acts?session={session}", operator=boss)).body["acts"]
    assert [(act["kind"], act["policy"]) for act in acts] == [
        ("replay", "replay_days=30 tenant=house"),
        ("log", "log_days=90 tenant=house"),
    ]
    verdict = await app(home)[keys.LEDGER]._store.verify()
    assert (verdict.flaw, verdict.erased) == (None, acts[-1]["count"])
    assert await asyncio.to_thread(cli.main, ["audit", "verify", session, "--var", str(tmp_path)]) == 1
    assert "no longer kept" in capsys.readouterr().err
    assert await asyncio.to_thread(cli.main, ["ledger", "verify", "--var", str(tmp_path)]) == 0
    assert f"({acts[-1]['count']} erased" in capsys.readouterr().out
    private = await home.http.get(home.private_url + "/metrics")
    assert 'jiangtai_retention_expired_total{kind="log"} 1.0' in await private.text()


async def test_a_class_that_goes_on_is_told_of_and_keeps_everything(home: House, tmp_path: Path, capsys: Any) -> None:
    session = await home.create()
    await home.come_in(session, "tom", Role.TRAINER)
    about = (await home.call("GET", f"/classes/{session}/retention", operator=await operator(home))).body
    assert about["tenant"] == "lms"
    assert [(thing["kind"], thing["why"]) for thing in about["things"]] == [("log", "class_not_ended")]
    assert await asyncio.to_thread(cli.main, ["retention", "due", session, "--var", str(tmp_path)]) == 0
    assert "class_not_ended" in capsys.readouterr().out


async def test_the_operator_sees_rules_figures_and_failures(home: House) -> None:
    held, *_, ended_at = await lesson(home)
    [version] = await app(home)[keys.PUBLISHED].store.versions(held.session)
    (version.path(app(home)[keys.PUBLISHED].root) / "mix.weba").unlink()
    assert not await sweep(home, ended_at + 8 * DAY_MS)
    told = (await home.call("GET", "/retention", operator=await operator(home))).body
    assert (told["house"]["journal_days"], told["tenants"]["lms"]["log_days"]) == (7, 100)
    assert told["kinds"]["journal"]["failures"] >= 1
    assert held.session in told["kinds"]["journal"]["last_failure"]


async def test_commands_show_what_is_due_hold_and_remove(home: House, tmp_path: Path, capsys: Any) -> None:
    held, *_, ended_at = await lesson(home)
    assert await sweep(home, ended_at)
    await app(home)[keys.DATABASE].write(
        lambda c: (
            c.execute("UPDATE class SET ended_at = 1 WHERE session = ?", (held.session,)).rowcount
            + c.execute("UPDATE publication SET published_at = 1").rowcount
            + c.execute("UPDATE publication_verified SET at = 1").rowcount
        )
    )

    async def run(*words: str) -> tuple[int, str]:
        file = tmp_path / "rules.toml"
        file.write_text("[retention]\nreplay_days = 30\n")
        status = await asyncio.to_thread(cli.main, [*words, "--var", str(tmp_path), "--config", str(file)])
        return status, "".join(capsys.readouterr())

    status, text = await run("retention", "show")
    assert (status, "house: journal 7 days  replay 30 days  log for ever" in text, "nothing was removed yet" in text) == (0, True, True)
    status, text = await run("hold", "add", "--class", held.session, "--reason", "court")
    assert (status, text.startswith(f"1  class {held.session}")) == (0, True)
    assert "held" in (await run("retention", "due", held.session))[1]
    assert (await run("retention", "run"))[0] == 0
    assert (await run("recording", "delete", held.session, held.recording, "--yes"))[0] == 1
    assert (await run("hold", "lift", "1"))[0] == 0
    assert (await run("hold", "list"))[1] == ""
    assert "lifted" in (await run("hold", "list", "--all"))[1]
    status, text = await run("retention", "run", "--dry-run")
    assert (status, "journal" in text, "replay" in text) == (0, True, True)
    assert len(await app(home)[keys.RETENTION].acts(after=0, limit=9)) == 0
    assert (await run("retention", "run"))[1].startswith("replay: 1 removed")
    assert "replay_days=30" in (await run("retention", "show"))[1]
    for words in (
        ("hold", "lift", "99"),
        ("hold", "add", "--class", "none", "--reason", "x"),
        ("hold", "add", "--reason", "x"),
        ("retention", "due", "none"),
    ):
        assert (await run(*words))[0] == 1, words


async def test_rebuilding_without_raw_media_says_why(home: House, tmp_path: Path, capsys: Any) -> None:
    held, *_, ended_at = await lesson(home)
    assert await sweep(home, ended_at)
    assert await sweep(home, ended_at + 8 * DAY_MS)
    assert await asyncio.to_thread(cli.main, ["recording", "rebuild", held.session, held.recording, "--var", str(tmp_path)]) == 1
    assert "raw media is no longer kept" in capsys.readouterr().err


async def test_a_node_that_is_killed_sweeps_on_when_it_comes_back(tmp_path: Path) -> None:
    async with aged.shelf(tmp_path) as found:
        for number in range(40):
            await found.hold_class(f"s{number:02}", records=400)
    rules = {"RETENTION_LOG_DAYS": "1"}
    for _ in range(2):
        async with spawned(tmp_path, **rules) as home:
            os.kill(home.pid, signal.SIGKILL)
    async with spawned(tmp_path, **rules) as home:
        await home.logged("retention swept")
    async with aged.shelf(tmp_path) as found:
        assert [await found.records(f"s{number:02}") for number in range(40)] == [0] * 40
        assert [await found.acts(f"s{number:02}") for number in range(40)] == [[("log", 400, True)]] * 40
        verdict = await found.ledger.verify()
        assert (verdict.flaw, verdict.erased) == (None, 16_000)


async def test_what_a_class_asked_for_shortens_its_days(home: House) -> None:
    held, *_, ended_at = await lesson(home)
    await app(home)[keys.RETENTION].wish(held.session, {Kind.REPLAY: 5})
    assert await sweep(home, ended_at)
    assert await sweep(home, ended_at + 6 * DAY_MS)
    [act] = await app(home)[keys.RETENTION].acts(after=0, limit=9)
    assert act.policy == "replay_days=5 asked by the class tenant=house"
