"""Recordings over HTTP: who may list and watch them, what their states are, files whole and in ranges, versions, deletion, reports."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recording import deletion, manifest
from recording.publication import purge
from server import keys
from server.adapters.sqlite_packaging import SqliteJobs
from server.recordings import journal_root
from signaling.classroom.roles import Role
from tests.support import taped
from tests.support.house import Answer, Guest, House, house
from tests.support.taped import MIX, Taped

TITLE = "问题链"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


def app(home: House) -> Any:
    assert home.node is not None
    return home.node.app


async def recorded(home: House, session: str = "lesson", *, ready: bool = True) -> Taped:
    held = taped.hold(session, seconds=40)
    node = app(home)
    await taped.store(held, node[keys.JOURNAL], node[keys.DIRECTORY], node[keys.RECORDINGS], title=TITLE)
    if ready:
        await taped.publish(held, node[keys.PUBLISHED], title=TITLE)
    return held


async def about(home: House, held: Taped, guest: Guest) -> Answer:
    return await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", cookie=guest.cookie)


async def fetch(home: House, base: str, name: str, guest: Guest, **headers: str) -> Answer:
    return await home.call("GET", base.removeprefix("/api/v1") + name, cookie=guest.cookie, headers=headers)


async def test_a_trainee_finds_the_recording_and_its_files(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    listed = await home.call("GET", f"/classes/{held.session}/recordings", cookie=ann.cookie)
    assert listed.body["title"] == TITLE
    assert [(each["recording"], each["state"], each["duration_ms"]) for each in listed.body["recordings"]] == [
        (held.recording, "ready", 40_000)
    ]
    answer = await about(home, held, ann)
    assert answer.status == 200, answer
    content = manifest.read(json.dumps(answer.body["content"]).encode())
    for name in manifest.files(content):
        got = await fetch(home, answer.body["base"], name, ann)
        assert got.status == 200, (name, got)
        assert "immutable" in got.headers["Cache-Control"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert "SECRET" not in str(got.body)
    kinds = {
        name: (await fetch(home, answer.body["base"], name, ann)).headers["Content-Type"]
        for name in ("mix.weba", "screen.webm", "chapters.vtt")
    }
    assert kinds == {"mix.weba": "audio/webm", "screen.webm": "video/webm", "chapters.vtt": "text/vtt"}


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=0-9", 206, MIX[:10]),
        ("bytes=102390-", 206, MIX[102390:]),
        ("bytes=-5", 206, MIX[-5:]),
        ("bytes=0-99999999999999999999", 206, MIX),
        ("bytes=102400-", 416, b""),
        ("bytes=9-3", 416, b""),
    ],
)
async def test_ranges_are_served(home: House, asked: str, status: int, body: bytes) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    got = await fetch(home, base, "mix.weba", ann, Range=asked)
    assert got.status == status, asked
    if status == 206:
        assert got.body == body
        assert got.headers["Content-Range"].endswith(f"/{len(MIX)}")


async def test_an_unchanged_file_is_not_sent_again(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    first = await fetch(home, base, "mix.weba", ann)
    again = await fetch(home, base, "mix.weba", ann, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    stale = await fetch(home, base, "mix.weba", ann, Range="bytes=0-1", **{"If-Range": '"other"'})
    assert stale.status in (200, 206)


async def test_viewers_share_one_path(home: House) -> None:
    held = await recorded(home)
    ann, tom = await home.come_in(held.session, "ann"), await home.come_in(held.session, "tom", Role.TRAINER)
    assert (await about(home, held, ann)).body["base"] == (await about(home, held, tom)).body["base"]


async def test_states_of_a_recording(home: House) -> None:
    held = await recorded(home, ready=False)
    ann = await home.come_in(held.session, "ann")
    store = app(home)[keys.PUBLISHED].store

    async def state() -> str:
        answer = await about(home, held, ann)
        assert answer.body.get("content") is None
        return str(answer.body["state"])

    assert await state() == "processing"
    first = await store.begin(held.session, held.recording, 5)
    assert await state() == "processing"
    await store.fail(first, 6, "no key frame")
    assert await state() == "failed"
    jobs, key = SqliteJobs(app(home)[keys.DATABASE]), (held.session, held.recording)
    await jobs.take(key, 6, 2**60)
    assert await state() == "processing"
    await jobs.settle(key, "waiting", 6, 2**60, "no key frame")
    assert await state() == "processing", "between tries"
    listed = await home.call("GET", f"/classes/{held.session}/recordings", cookie=ann.cookie)
    assert [each["state"] for each in listed.body["recordings"]] == ["processing"]
    await jobs.settle(key, "failed", 6, 0, "no key frame")
    assert await state() == "failed", "given up"
    await taped.publish(held, app(home)[keys.PUBLISHED], title=TITLE)
    assert (await about(home, held, ann)).body["state"] == "ready"


@pytest.mark.parametrize("look", ["served", "versions"])
async def test_what_becomes_ready_while_it_is_asked_for_has_its_files_or_is_not_ready(
    home: House, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    held = await recorded(home, ready=False)
    ann = await home.come_in(held.session, "ann")
    published = app(home)[keys.PUBLISHED]
    asked = getattr(published.store, look)

    async def overtaken(*about: Any) -> Any:
        found = await asked(*about)
        monkeypatch.undo()
        await taped.publish(held, published, title=TITLE)
        return found

    monkeypatch.setattr(published.store, look, overtaken)
    during = (await about(home, held, ann)).body
    assert (during["state"] == "ready") == (during["content"] is not None)
    after = (await about(home, held, ann)).body
    assert after["state"] == "ready"
    assert after["content"]["title"] == TITLE


async def test_a_rebuild_moves_on_and_leaves_who_is_watching(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    before = (await about(home, held, ann)).body["base"]
    version = await taped.publish(held, app(home)[keys.PUBLISHED], title=TITLE)
    assert version.version == 2
    after = (await about(home, held, ann)).body["base"]
    assert after != before
    assert [(await fetch(home, base, "mix.weba", ann)).status for base in (before, after)] == [200, 200]


async def test_a_deleted_recording_is_gone_at_once_and_its_files_with_it(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    node = app(home)
    published = node[keys.PUBLISHED]
    [row] = await node[keys.RECORDINGS].rows(held.session)
    await node[keys.RECORDINGS].mark(held.session, held.recording, "deleted", 7, "test", "{}")
    got = await fetch(home, base, "mix.weba", ann)
    assert (got.status, got.code) == (410, "recording_deleted")
    assert (await about(home, held, ann)).code == "recording_deleted"
    [listed] = (await home.call("GET", f"/classes/{held.session}/recordings", cookie=ann.cookie)).body["recordings"]
    assert listed["state"] == "deleted"
    assert any(published.root.rglob("*.webm"))
    await deletion.delete(node[keys.RECORDINGS], journal_root(node[keys.CONFIG]), row, now=8, by="test", published=published)
    assert not any(published.root.rglob("*.*"))
    assert await purge(published, held.session, held.recording) == 0


async def test_the_admitted_of_an_ended_class_still_watch(home: House) -> None:
    held = await recorded(home)
    ann, zoe = await home.come_in(held.session, "ann"), await home.come_in(held.session, "zoe")
    ended = await home.call(
        "POST", f"/classes/{held.session}/end", {}, headers={"Authorization": "Bearer test-key-of-the-learning-platform"}
    )
    assert ended.status in (200, 204), ended
    assert (await about(home, held, ann)).status == 200
    assert (await about(home, held, zoe)).status == 403


async def test_what_was_watched_counts_once(home: House) -> None:
    held = await recorded(home)
    ann, tom = await home.come_in(held.session, "ann"), await home.come_in(held.session, "tom", Role.TRAINER)
    path = f"/classes/{held.session}/recordings/{held.recording}/watched"
    first = {"op": "w1", "stretches": [{"from_ms": 0, "to_ms": 10_000, "rate": 1.5}, {"from_ms": 20_000, "to_ms": 25_000}]}
    for _ in range(2):
        assert (await home.call("POST", path, first, cookie=ann.cookie)).status == 204
    assert (
        await home.call("POST", path, {"op": "w2", "stretches": [{"from_ms": 5_000, "to_ms": 999_000}]}, cookie=ann.cookie)
    ).status == 204
    assert (await home.call("GET", path, cookie=ann.cookie)).status == 403
    told = (await home.call("GET", path, cookie=tom.cookie)).body
    [person] = told["people"]
    assert (person["participant"], person["ms"], person["intervals"]) == (held.id("ann"), 40_000, [[0, 40_000]])
    for bad in (
        {"op": "w3", "stretches": []},
        {"op": "w3", "stretches": [{"from_ms": 5, "to_ms": 5}]},
        {"op": "w3", "stretches": [{"from_ms": -1, "to_ms": 5}]},
        {"op": "w3", "stretches": [{"from_ms": 0, "to_ms": 5, "rate": 100}]},
        {"op": "w3", "stretches": [{"from_ms": 0, "to_ms": 5}] * 51},
        {"stretches": [{"from_ms": 0, "to_ms": 5}]},
    ):
        assert (await home.call("POST", path, bad, cookie=ann.cookie)).code == "bad_message", bad


async def test_files_survive_a_missing_folder_as_not_found(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    for path in app(home)[keys.PUBLISHED].root.rglob("manifest.json"):
        os.unlink(path)
    assert (await about(home, held, ann)).code == "not_found"
