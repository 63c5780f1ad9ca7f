"""A recorded class becomes a replay by itself: seconds after its end, after a crash, and what cannot be made is told."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import av

from media import journals
from recording import timeline
from recording.moments import Moments
from recording.timeline import MessageShown
from signaling.classroom.roles import Role
from tests.integration.test_recording import jiangtai, rows, teaching, until, written
from tests.integration.test_replay_api import fetch
from tests.support.house import Guest, House, house, spawned


async def ready(home: House, guest: Guest, session: str, recording: str, limit: float = 40) -> Any:
    """What the replay is told of a recording, once it is ready."""
    end = time.monotonic() + limit
    while True:
        answer = await home.call("GET", f"/classes/{session}/recordings/{recording}", cookie=guest.cookie)
        if answer.body["state"] == "ready":
            return answer.body
        assert time.monotonic() < end, answer.body
        await asyncio.sleep(0.2)


def seconds(path: Path) -> tuple[float, float, int]:
    """(first, last presentation time, frames) of a file's only stream, decoded."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(container.streams[0]) if frame.time is not None]
    return times[0], times[-1], len(times)


async def test_a_recorded_class_can_be_watched_seconds_after_its_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            await trainer.command("post_chat", text="to be seen again", channel="everyone")
            await asyncio.sleep(3)
            await trainer.command("end_class")
            ended = time.monotonic()
        [row] = await rows(tmp_path)
        told = await ready(home, guest, session, row.id)
        took = time.monotonic() - ended
        content = told["content"]
        assert content["title"]
        assert {(track["source"], len(track["spans"])) for track in content["tracks"]} == {("camera", 1), ("microphone", 1)}
        [version] = (tmp_path / "published").glob(f"*/v{told['base'].split('/')[-2]}")
        length = content["duration_ms"] / 1000
        assert length > 3
        for track in content["tracks"]:
            [span] = track["spans"]
            first, last, frames = seconds(version / span["file"])
            assert first < 0.1
            assert abs(last - (span["to_ms"] - span["from_ms"]) / 1000) < 0.3
            assert frames > 30
        first, last, _ = seconds(version / content["mix"]["file"])
        assert abs(last - length) < 0.1
        for track in content["tracks"]:
            name = track["spans"][0]["file"]
            got = await fetch(home, told["base"], name, guest)
            assert (got.status, got.body) == (200, (version / name).read_bytes())
        changes = [change for name in content["timeline"]["chunks"] for change in timeline.read_chunk((version / name).read_bytes())]
        [message] = [change for change in changes if isinstance(change.what, MessageShown)]
        assert isinstance(message.what, MessageShown)
        assert message.what.text == "to be seen again"
        noted = Moments(tmp_path / "journal", session, row.id, row.started_at)
        noted.advance()
        assert any(abs(ms - message.at) < 500 for _, ms in noted.found), "the engine notes when it was said"
        assert "moments" not in content, "no clock was set"
        print(f"ready after {took:.1f} s")
        assert took < 20
    before = {path.name for path in (tmp_path / "published").glob("*/v*")}
    assert await jiangtai(tmp_path, "rebuild", session, told["recording"]) == 0
    assert {path.name for path in (tmp_path / "published").glob("*/v*")} - before == {f"v{len(before) + 1}"}


async def test_a_node_that_was_killed_while_recording_publishes_when_it_is_back(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            os.kill(home.pid, signal.SIGKILL)
            await trainer.closed.wait()
    async with spawned(tmp_path) as home:
        async with teaching(home, guest) as trainer:
            before = written(tmp_path, session)
            await until(lambda: written(tmp_path, session) > before + 20_000)
            await trainer.command("stop_recording")
            await until(lambda: all(file.sealed for file in journals.files(tmp_path / "journal", session)))
        [row] = await rows(tmp_path)
        told = await ready(home, guest, session, row.id)
    sources = sorted(track["source"] for track in told["content"]["tracks"])
    assert sources == ["camera", "camera", "microphone", "microphone"], "before the crash and after it"
    assert all(track["spans"] for track in told["content"]["tracks"])
    first, second = sorted(
        (track["spans"] for track in told["content"]["tracks"] if track["source"] == "camera"), key=lambda spans: spans[0]["from_ms"]
    )
    assert first[-1]["to_ms"] <= second[0]["from_ms"], "what was seen before the crash does not stay on the screen"
