"""Attacks on recordings: paths, signatures, ranges, and people who may not see them (reliability cases E07, E08, F02, F03, F07)."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from server import auth, keys, replays, sending
from signaling.classroom.roles import Role
from tests.integration.test_recording import until
from tests.integration.test_replay_api import about, app, fetch, recorded
from tests.support.house import House, house
from tests.support.taped import MIX, Taped

FILES = "/api/v1/classes/{session}/recordings/{recording}/files/{grant}/{version}/{file}"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, **{"limits.requests_per_minute": 100_000, "limits.failures_per_second": 100_000}) as home:
        yield home


async def raw(home: House, path: str, cookie: str, **headers: str) -> tuple[int, bytes]:
    """A request whose path is sent as it is written."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as http:
        sent = {"Cookie": f"{home.cookie_name}={cookie}", **headers}
        async with http.get(URL(home.url + path, encoded=True), headers=sent) as response:
            return response.status, await response.read()


async def test_who_may_see_a_recording(home: House) -> None:
    held, other = await recorded(home), await home.create("other")
    path = f"/classes/{held.session}/recordings"
    expected = {"tom": (Role.TRAINER, 200), "eve": (Role.ASSISTANT, 200), "ivy": (Role.INSPECTOR, 200), "ann": (Role.TRAINEE, 200)}
    expected |= {"never-came": (Role.TRAINEE, 403)}
    for sub, (role, status) in expected.items():
        guest = await home.come_in(held.session, sub, role)
        base = (await about(home, held, await home.come_in(held.session, "tom", Role.TRAINER))).body["base"]
        assert (await home.call("GET", path, cookie=guest.cookie)).status == status, sub
        assert (await about(home, held, guest)).status == status, sub
        assert (await fetch(home, base, "mix.weba", guest)).status == status, sub
        assert (await home.call("GET", f"{path}?seat={guest.seat}", cookie=guest.cookie)).status == status
    stranger = await home.come_in(other, "ann", Role.TRAINER)
    for proof in ({}, {"cookie": stranger.cookie}, {"headers": {"Authorization": "Bearer nonsense"}}):
        assert (await home.call("GET", path, **proof)).status == 401
        assert (await home.call("GET", base.removeprefix("/api/v1") + "mix.weba", **proof)).status == 401
    assert (await home.call("GET", f"{path}?seat={stranger.seat}", cookie=stranger.cookie)).status == 404
    tom = await home.come_in(held.session, "tom", Role.TRAINER)
    assert (await home.call("GET", f"{path}/r999", cookie=tom.cookie)).status == 404


async def test_the_operator_sees_pictures_and_no_chat(home: House) -> None:
    held = await recorded(home)
    login = auth.issue(auth.Kind.OPERATOR, home.ring, audience="jiangtai", now=time.time(), sub="o")
    operator = (await home.call("POST", "/operator", {"login": login})).cookies["jiangtai-operator"]
    answer = await home.call("GET", f"/classes/{held.session}/recordings/{held.recording}", operator=operator)
    base, content = answer.body["base"].removeprefix("/api/v1"), answer.body["content"]
    assert (await home.call("GET", base + "mix.weba", operator=operator)).status == 200
    for name in (*content["timeline"]["chunks"], *content["timeline"]["snapshots"]):
        assert (await home.call("GET", base + name, operator=operator)).status == 403
    assert (await home.call("GET", "/classes/none/recordings", operator=operator)).status == 404


async def test_e08_who_is_sent_out_loses_the_files_at_once(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    async with home.member(held.session, "tom", Role.TRAINER) as tom, home.join(ann) as seated:
        assert (await fetch(home, base, "mix.weba", ann)).status == 200
        began = time.monotonic()
        await tom.command("remove", participant=ann.participant)
        await asyncio.wait_for(seated.closed.wait(), 2)
        assert (await fetch(home, base, "mix.weba", ann)).status in (401, 403)
        assert (await about(home, held, ann)).status in (401, 403)
        assert time.monotonic() - began < 2


async def test_e03_who_waits_sees_no_recording(home: House) -> None:
    held = await recorded(home)
    async with home.member(held.session, "tom", Role.TRAINER) as tom:
        await tom.command("change_settings", waiting_room=True)
        zoe = await home.come_in(held.session, "zoe")
        async with home.join(zoe):
            assert (await about(home, held, zoe)).status == 403


async def test_f03_a_signature_is_good_for_its_version_and_time_only(home: House) -> None:
    held, other = await recorded(home), await recorded(home, "other")
    ann = await home.come_in(held.session, "ann")
    ann_too = await home.come_in(other.session, "ann", cookie=ann.cookie)
    base = (await about(home, held, ann)).body["base"]
    grant = base.split("/")[-3]
    end, mac = grant.split("-")
    version = await app(home)[keys.PUBLISHED].store.served(held.session, held.recording)

    async def status(grant: str, session: str = held.session, recording: str = held.recording, version: str = "1") -> int:
        path = FILES.format(session=session, recording=recording, grant=grant, version=version, file="mix.weba")
        return (await raw(home, path, ann.cookie))[0]

    assert await status(grant) == 200
    assert await status(grant, other.session, other.recording) == 403, "of another recording"
    assert ann_too.cookie == ann.cookie
    assert await status(f"{int(end) + 3600}-{mac}") == 403, "a later end"
    assert await status(f"0{end}-{mac}") in (200, 403)
    for bad in (
        mac,
        f"-{mac}",
        f"{end}-",
        f"{end}-{mac[:-1]}",
        f"{end}-{mac}0",
        f"{end}-{mac.upper()}",
        "x-y",
        "-1-0",
        "9" * 400,
        "%00",
        "%ff",
    ):
        assert await status(bad) in (403, 404), bad
    assert await status(grant, version="2") == 404
    assert await status(grant, version="01") == 404
    assert not replays.is_good(home.ring, version, grant, int(end))
    assert replays.is_good(home.ring, version, grant, int(end) - 1)


TRAVERSALS = (
    "..%2f..%2fmanifest.json", "%2e%2e%2f%2e%2e%2fkeys%2fnode.json", "..%5c..%5cjiangtai.sqlite", "%2fetc%2fpasswd", "mix.weba%00",
    "mix.weba%00.mp4",
    "....%2f%2f", ".", "%2e%2e", "manifest.json", "link.webm", "page.html", "mix.weba%2f", "MIX.WEBA", "mix.weba::$DATA", "~", "a" * 3_000,
)  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS, ids=lambda name: name[:24])
async def test_f02_no_name_leads_out_of_the_version(home: House, name: str) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    folder = next(app(home)[keys.PUBLISHED].root.rglob("mix.weba")).parent
    os.symlink("/etc/passwd", folder / "link.webm")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    status, body = await raw(home, base + name, ann.cookie)
    assert status in (400, 404), name
    assert b"root:" not in body
    assert b"alert" not in body


@pytest.mark.parametrize("id", ["..", "%2e%2e", "r1%00", "..%2f..%2f", "%5c..", "a" * 5_000, "r1%0d%0aSet-Cookie:x"])
async def test_f02_recording_ids_are_only_keys(home: House, id: str) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    status, _ = await raw(home, f"/api/v1/classes/{held.session}/recordings/{id}", ann.cookie)
    assert status in (400, 404)


async def test_f02_a_link_in_place_of_a_file_is_not_followed(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    path = next(app(home)[keys.PUBLISHED].root.rglob("screen.webm"))
    path.unlink()
    os.symlink("/etc/passwd", path)
    base = (await about(home, held, ann)).body["base"]
    assert (await fetch(home, base, "screen.webm", ann)).status == 404


RANGES = {
    "huge": "bytes=0-" + "9" * 4_000,
    "thousands": "bytes=" + ",".join(f"{n}-{n}" for n in range(1_000)),
    "overlapping": "bytes=" + ",".join(["0-"] * 1_000),
    "negative": "bytes=--5",
    "words": "bytes=a-b",
    "unit": "lines=0-5",
    "empty": "bytes=",
    "digits of elsewhere": "bytes=\u0661-\u0662",
    "minus zero": "bytes=-0",
}


@pytest.mark.parametrize("asked", RANGES.values(), ids=RANGES.keys())
async def test_hostile_ranges_cost_one_file_at_most(home: House, asked: str) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    try:
        got = await fetch(home, base, "mix.weba", ann, Range=asked)
    except (ValueError, OSError):
        return  # not sendable
    assert got.status in (200, 206, 400, 416), got.status
    assert len(got.body) <= max(len(MIX), 500)


async def test_many_files_do_not_use_up_the_calls_of_the_api(home: House, tmp_path: Path) -> None:
    async with house(tmp_path / "strict", **{"limits.requests_per_minute": 40}) as strict:
        held = await recorded(strict)
        ann = await strict.come_in(held.session, "ann")
        base = (await about(strict, held, ann)).body["base"]
        assert {(await fetch(strict, base, "t00000.json", ann)).status for _ in range(60)} == {200}


async def test_who_opens_many_files_and_takes_none_uses_up_only_what_is_theirs(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MAX_FILES_EACH", 3)
    held = await recorded(home)
    ann, tom = await home.come_in(held.session, "ann"), await home.come_in(held.session, "tom")
    base = (await about(home, held, ann)).body["base"]
    gate, send, sender = asyncio.Event(), web.FileResponse.prepare, app(home)[keys.SENDER]

    async def slow(file: web.FileResponse, request: web.BaseRequest) -> AbstractStreamWriter | None:
        await gate.wait()
        return await send(file, request)

    monkeypatch.setattr(web.FileResponse, "prepare", slow)
    opened = [asyncio.create_task(fetch(home, base, "mix.weba", ann)) for _ in range(3)]
    await until(lambda: sender.local_files == 3)
    refused = await fetch(home, base, "mix.weba", ann)
    assert (refused.status, refused.code) == (503, "overloaded")
    other = asyncio.create_task(fetch(home, base, "mix.weba", tom))
    gate.set()
    assert {answer.status for answer in await asyncio.gather(*opened, other)} == {200}
    assert (await fetch(home, base, "mix.weba", ann)).status == 200
    await until(lambda: sender.local_files == 0)
    assert sender.refused == 1


def texts(held: Taped) -> list[str]:
    return ["SECRET", held.lesson.room.id + "-op"]


async def test_e07_answers_and_private_words_are_in_no_byte_served(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    answer = await about(home, held, ann)
    content: dict[str, Any] = answer.body["content"]
    served = [str(answer.body)]
    for name in (*content["timeline"]["chunks"], *content["timeline"]["snapshots"], content["chapters"]):
        served.append(str((await fetch(home, answer.body["base"], name, ann)).body))
    told = "".join(served)
    assert not any(secret in told for secret in texts(held))
    assert "choices" not in told
    assert "folder" not in told
    assert next(app(home)[keys.PUBLISHED].root.iterdir()).name not in told, "the folder's name stays in the node"
