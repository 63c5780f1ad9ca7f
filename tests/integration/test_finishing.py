"""A replay is finished by itself: a film to download in step with its sound, thumbnails, captions; and after a crash."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest

from recording.manifest import Track
from recording.publication import GRACE_MS
from server import keys, replays
from signaling.classroom.roles import Role
from tests.integration.test_packaging import ready
from tests.integration.test_recording import jiangtai, rows, teaching, until, written
from tests.integration.test_replay_api import about, app, fetch
from tests.support import film, taped
from tests.support.house import Guest, House, house, spawned
from tests.support.taped import Media, Taped

SECONDS = 12
TITLE = '问题链: "Q&A" <3>/..\\:*?\u202e'


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


def lesson(folder: Path, held: Taped) -> Media:
    """A VP8 screen with a gap, the trainer's camera in H.264, sound."""
    screen = [film.vp8(folder, "t1-0.webm", 1_000, 4), film.vp8(folder, "t1-1.webm", 8_000, 3)]
    camera = [film.h264(folder, "t2-0.mp4", 0, SECONDS)]
    tracks = [
        Track(id="t1", participant=held.id("tom"), source="screen", spans=screen),
        Track(id="t2", participant=held.id("tom"), source="camera", spans=camera),
    ]
    return Media(tracks, film.mix(folder, SECONDS))


async def published(home: House) -> Taped:
    held, node = taped.hold("lesson", seconds=SECONDS), app(home)
    await taped.store(held, node[keys.JOURNAL], node[keys.DIRECTORY], node[keys.RECORDINGS], title=TITLE)
    await taped.publish(held, node[keys.PUBLISHED], title=TITLE, media=lesson)
    return held


async def finished(home: House, held: Taped, guest: Guest, limit: float = 60) -> Any:
    """What the replay is told of the recording, once there is a film."""
    end = time.monotonic() + limit
    while "download" not in (body := (await about(home, held, guest)).body)["content"]:
        assert time.monotonic() < end, body
        await asyncio.sleep(0.2)
    return body


async def test_a_replay_gets_its_film_and_thumbnails_while_it_is_watched(home: House, tmp_path: Path) -> None:
    held = await published(home)
    ann = await home.come_in(held.session, "ann")
    before = (await about(home, held, ann)).body
    told = await finished(home, held, ann)
    content = told["content"]
    [screen, camera] = content["tracks"]
    assert [span["file"] for span in screen["spans"]] == ["t1-0-h264.mp4", "t1-1-h264.mp4"]
    assert [span["file"] for span in camera["spans"]] == ["t2-0.mp4"]
    got = await fetch(home, told["base"], content["download"]["file"], ann)
    assert (got.status, got.headers["Content-Type"]) == (200, "video/mp4")
    assert len(got.body) == content["download"]["bytes"]
    (tmp_path / "film.mp4").write_bytes(got.body)
    skews = film.skews(tmp_path / "film.mp4")
    print("skew of the film, ms:", [round(skew, 1) for skew in skews])
    assert [round(at / 1000) for at in film.flashes(tmp_path / "film.mp4")] == [1, 2, 3, 4, 8, 9, 10]
    assert len(skews) == 7
    assert max(map(abs, skews)) <= 40
    cues = (await fetch(home, told["base"], content["thumbnails"], ann)).body
    assert "thumbnails-000.jpg#xywh=" in str(cues)
    [sheet] = content["sheets"]
    got = await fetch(home, told["base"], sheet, ann)
    assert (got.status, got.headers["Content-Type"], got.body[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert (await fetch(home, before["base"], "t1-0.webm", ann)).status == 200, "who watches the version before goes on"
    metrics = app(home)[keys.FINISHING]
    await until(lambda: metrics.working == 0)
    assert (metrics.made, metrics.failed, metrics.transcodes, metrics.missing) == (1, 0, 2, 0)


async def test_the_film_is_saved_under_the_title_of_the_class(home: House) -> None:
    held = await published(home)
    ann = await home.come_in(held.session, "ann")
    told = await finished(home, held, ann)
    base = told["base"].removeprefix("/api/v1")
    saved = (await home.call("GET", base + told["content"]["download"]["file"], cookie=ann.cookie)).headers["Content-Disposition"]
    assert saved == "attachment; filename=\"Q A 3.mp4\"; filename*=UTF-8''%E9%97%AE%E9%A2%98%E9%93%BE%20Q%20A%203.mp4"
    assert "Content-Disposition" not in (await fetch(home, told["base"], "mix.mp4", ann)).headers


async def test_captions_are_added_to_a_published_recording(home: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = await published(home)
    ann = await home.come_in(held.session, "ann")
    await finished(home, held, ann)
    good, bad = tmp_path / "good.vtt", tmp_path / "bad.vtt"
    good.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n大家好\n")
    bad.write_text("WEBVTT\n\n00:01 --> 00:02\nx\n")
    assert await jiangtai(tmp_path, "captions", held.session, held.recording, str(good), "--lang", "zh") == 0
    told = (await about(home, held, ann)).body
    [caption] = told["content"]["captions"]
    assert (caption["language"], caption["label"]) == ("zh", "中文")
    assert told["content"]["download"]
    got = await fetch(home, told["base"], caption["file"], ann)
    assert (got.status, got.headers["Content-Type"]) == (200, "text/vtt")
    capsys.readouterr()
    for asked, why in (
        ((held.session, held.recording, str(bad), "--lang", "zh"), "line 3: times look like"),
        ((held.session, held.recording, str(good), "--lang", "../zh"), "is no language"),
        ((held.session, "r999", str(good), "--lang", "zh"), "no such recording"),
        ((held.session, held.recording, str(tmp_path / "none.vtt"), "--lang", "zh"), "none.vtt"),
    ):
        assert await jiangtai(tmp_path, "captions", *asked) != 0
        assert why in capsys.readouterr().err
    assert (await about(home, held, ann)).body["content"]["captions"] == [caption]


async def test_a_node_that_was_killed_finishes_when_it_is_back(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            await asyncio.sleep(2)  # what is recorded
            await trainer.command("end_class")
        [row] = await rows(tmp_path)
        await ready(home, guest, session, row.id)
        await until(lambda: list((tmp_path / "published").glob("*/work-*")))
        os.kill(home.pid, signal.SIGKILL)
    async with spawned(tmp_path) as home:
        told = await _film(home, session, row.id, guest)
    film_file = max((tmp_path / "published").glob("*/v*")) / told["content"]["download"]["file"]
    with av.open(str(film_file)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert sum(1 for _ in container.decode(video=0)) > 20
    assert not list((tmp_path / "published").glob("*/work-*"))


async def _film(home: House, session: str, recording: str, guest: Guest) -> Any:
    end = time.monotonic() + 90
    while True:
        body = (await home.call("GET", f"/classes/{session}/recordings/{recording}", cookie=guest.cookie)).body
        if "download" in (body.get("content") or {}):
            return body
        assert time.monotonic() < end, body
        await asyncio.sleep(0.2)


def test_no_signed_path_outlives_the_files_of_its_version() -> None:
    assert (replays.LIFE_S + replays.STEP_S) * 1000 < GRACE_MS


async def test_metrics_tell_how_the_packager_is_doing(home: House) -> None:
    held = await published(home)
    await finished(home, held, await home.come_in(held.session, "ann"))
    await until(lambda: app(home)[keys.FINISHING].working == 0)
    async with home.http.get(f"{home.private_url}/metrics") as response:
        told = await response.text()
    for line in ("jiangtai_packager_working 0.0", "jiangtai_packager_finished_total 1.0", "jiangtai_packager_transcodes_total 2.0"):
        assert line in told, [each for each in told.splitlines() if "packager" in each]
