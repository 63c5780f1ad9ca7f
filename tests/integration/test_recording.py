"""A class recorded by a whole node: real tokens, real SRTP from an aiortc peer, files that are proved, a node that is killed."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack  # noqa: TID251 - tests may

from media import journals
from media.peer import Peer
from recording.catalog import Row
from server import cli
from server.adapters.sqlite import Database
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.roles import Role
from tests.support.house import Guest, House, house, spawned
from tests.support.member import Member


async def until(truth: Callable[[], Any], limit: float = 15) -> None:
    end = time.monotonic() + limit
    while not truth():
        assert time.monotonic() < end, "never true"
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def teaching(home: House, guest: Guest) -> AsyncIterator[Member]:
    """A trainer in class who sends a picture and sound."""
    async with home.join(guest) as trainer:

        async def call(type: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
            answer = await trainer.command(type, **fields)
            assert "error" not in answer, answer
            return answer

        peer = Peer(call)
        try:
            await peer.publish({"microphone": AudioStreamTrack(), "camera": VideoStreamTrack()})
            for command in ("set_microphone", "set_camera"):
                await trainer.command(command, on=True)
            yield trainer
        finally:
            await peer.close()


async def rows(var: Path) -> list[Row]:
    database = Database(var / "jiangtai.sqlite")
    await database.start()
    try:
        return list(await SqliteRecordings(database).rows())
    finally:
        await database.close()


def written(var: Path, session: str) -> int:
    """Bytes of a class's journal so far."""
    return sum(path.stat().st_size for path in (var / "journal" / session).glob("*.rj"))


async def jiangtai(var: Path, *words: str) -> int:
    return await asyncio.to_thread(cli.main, ["recording", *words, "--var", str(var)])


async def test_a_class_is_recorded_proved_exported_and_deleted(tmp_path: Path, capsys: Any) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer, home.member(session, "ann") as trainee:
            assert trainee.snapshot["session"]["recorded_since"] is None
            assert (await trainee.command("start_recording"))["error"]["code"] == "not_allowed"
            assert "error" not in await trainer.command("start_recording")
            await trainee.until(lambda: "recording_started" in trainee.types())
            await until(lambda: written(tmp_path, session) > 20_000)
            async with home.member(session, "bob") as late:
                assert late.snapshot["session"]["recorded_since"] > 0
            await trainer.command("stop_recording")
            await trainee.until(lambda: "recording_stopped" in trainee.types())
            await until(lambda: [file.sealed for file in journals.files(tmp_path / "journal", session)] == [True])
    [row] = await rows(tmp_path)
    assert (row.state, row.reason, row.files, row.lost) == ("ended", "asked", 1, 0)
    assert row.started_by == guest.participant
    [file] = journals.files(tmp_path / "journal", session)
    verdict = journals.verify(file.path)
    assert verdict is not None
    assert verdict.whole
    packets = {track: figures[0] for track, figures in verdict.tracks.items()}
    assert len(packets) == 2
    assert all(count > 10 for count in packets.values())
    assert sum(figures[2] for figures in verdict.tracks.values()) >= 1, "it begins with a key frame"

    assert await jiangtai(tmp_path, "list") == 0
    assert session in capsys.readouterr().out
    assert await jiangtai(tmp_path, "verify", session) == 0
    assert "whole" in capsys.readouterr().out
    capture = tmp_path / "class.pcapng"
    assert await jiangtai(tmp_path, "export", session, row.id, "--out", str(capture)) == 0
    assert capture.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    assert capture.stat().st_size > file.bytes / 2
    content = bytearray(file.path.read_bytes())
    content[len(content) // 2] ^= 1
    file.path.write_bytes(content)
    assert await jiangtai(tmp_path, "verify", session) == 1
    assert "BROKEN" in capsys.readouterr().out
    assert await jiangtai(tmp_path, "delete", session, row.id, "--yes") == 0
    assert await jiangtai(tmp_path, "delete", session, "nothing", "--yes") == 1
    assert written(tmp_path, session) == 0
    [row] = await rows(tmp_path)
    assert row.state == "purged"


async def test_a_killed_node_comes_back_and_goes_on_recording_by_itself(tmp_path: Path) -> None:
    async with spawned(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            os.kill(home.pid, signal.SIGKILL)
            before = written(tmp_path, session)
            await trainer.closed.wait()
    assert [file.sealed for file in journals.files(tmp_path / "journal", session)] == [False]
    async with spawned(tmp_path) as home:
        [first] = journals.files(tmp_path / "journal", session)
        assert first.sealed, "made whole before the node served"
        assert first.records > 20
        async with teaching(home, guest) as trainer:
            assert trainer.snapshot["session"]["recorded_since"] is not None
            await until(lambda: written(tmp_path, session) > before + 20_000)
            await trainer.command("stop_recording")
            await until(lambda: all(file.sealed for file in journals.files(tmp_path / "journal", session)))
            files = journals.files(tmp_path / "journal", session)
            assert len(files) == 2
            assert {file.recording for file in files} == {first.recording}
            assert files[1].previous == files[0].digest
    [row] = await rows(tmp_path)
    assert (row.id, row.state, row.files) == (first.recording, "ended", 2)
    assert await jiangtai(tmp_path, "verify", session) == 0


async def test_the_end_of_a_class_ends_its_recording(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 5_000)
            await trainer.command("end_class")
            await until(lambda: [file.sealed for file in journals.files(tmp_path / "journal", session)] == [True])
    [row] = await rows(tmp_path)
    assert (row.state, row.reason) == ("ended", "ended")
