"""Recordings published to S3: a real server, a whole node, its crash in the middle of sending, a store that is away or refuses."""

import asyncio
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recording import jobs, publication
from recording import packaging as packaging_module
from recording.publication import Published
from server import keys
from server.adapters import s3_objects
from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.roles import Role
from tests.integration.test_packaging import ready
from tests.integration.test_recording import jiangtai, rows, teaching, until, written
from tests.integration.test_replay_api import about, app, fetch, recorded
from tests.support import taped
from tests.support.house import House, house, spawned
from tests.support.relay import Relay, relay
from tests.support.s3_server import SECRET, S3Server, credentials
from tests.support.taped import MIX, Taped

MIB = 1 << 20


@pytest.fixture
def place(s3_server: S3Server) -> str:
    return s3_server.place()


@pytest.fixture
async def home(tmp_path: Path, s3_server: S3Server, place: str) -> AsyncIterator[House]:
    async with house(tmp_path, **s3_server.settings(place)) as home:
        yield home


@pytest.fixture
async def far(s3_server: S3Server) -> AsyncIterator[Relay]:
    async with relay(s3_server.port) as far:
        yield far


def files_of(var: Path) -> list[Path]:
    """Files of versions here; a finisher's work folder is no version."""
    found = (path for path in (var / "published").rglob("*") if path.is_file())
    return [path for path in found if not path.relative_to(var / "published").parts[1].startswith("work-")]


async def metrics(home: House) -> dict[str, float]:
    async with home.http.get(f"{home.private_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in lines if line.startswith("jiangtai_recording_")}


async def test_a_recorded_class_is_published_watched_and_deleted(tmp_path: Path, s3_server: S3Server, place: str) -> None:
    async with house(tmp_path, **s3_server.settings(place)) as home:
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            await trainer.command("end_class")
            ended = time.monotonic()
        [row] = await rows(tmp_path)
        told = await ready(home, guest, session, row.id)
        print(f"ready after {time.monotonic() - ended:.1f} s")
        names = [span["file"] for track in told["content"]["tracks"] for span in track["spans"]] + [told["content"]["mix"]["file"]]
        kept = {key.rpartition("/")[2]: size for key, size in s3_server.keys(place).items()}
        assert files_of(tmp_path) == []
        for name in names:
            got = await fetch(home, told["base"], name, guest)
            assert (got.status, len(got.body)) == (200, kept[name])
            part = await fetch(home, told["base"], name, guest, Range="bytes=100-199")
            assert (part.status, part.body) == (206, got.body[100:200])
    assert await jiangtai(tmp_path, "delete", session, row.id, "--yes", *options(s3_server, place, tmp_path)) == 0
    assert s3_server.keys(place) == {}
    [row] = await rows(tmp_path)
    assert row.state == "purged"


def options(server: S3Server, place: str, folder: Path) -> list[str]:
    """Words that make a command use the store."""
    file = folder / "node.toml"
    lines = [f'{name.partition(".")[2]} = "{value}"' for name, value in server.settings(place).items()]
    file.write_text("\n".join(["[recordings]", *lines]) + "\n")
    return ["--config", str(file)]


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
async def test_ranges_are_served_through_the_node(home: House, asked: str, status: int, body: bytes) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    got = await fetch(home, base, "mix.weba", ann, Range=asked)
    assert (got.status, got.body) == (status, body)
    assert got.headers["Content-Range"].endswith(f"/{len(MIX)}")
    assert got.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unchanged_file_is_not_sent_again_and_a_range_of_another_is_whole(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    first = await fetch(home, base, "mix.weba", ann)
    assert (first.status, first.body, first.headers["Accept-Ranges"]) == (200, MIX, "bytes")
    tag = first.headers["ETag"]
    again = await fetch(home, base, "mix.weba", ann, **{"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    same = await fetch(home, base, "mix.weba", ann, Range="bytes=0-1", **{"If-Range": tag})
    assert (same.status, same.body) == (206, MIX[:2])
    stale = await fetch(home, base, "mix.weba", ann, Range="bytes=0-1", **{"If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, MIX)


async def test_a_range_asks_the_store_once(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    objects = app(home)[keys.PUBLISHED].objects
    before = objects.reads
    for _ in range(10):
        assert (await fetch(home, base, "mix.weba", ann, Range="bytes=5-1004")).status == 206
    assert objects.reads == before + 10


async def test_files_gone_from_the_store_are_not_found(home: House) -> None:
    held = await recorded(home)
    ann = await home.come_in(held.session, "ann")
    base = (await about(home, held, ann)).body["base"]
    node = app(home)
    await publication.purge(node[keys.PUBLISHED], held.session, held.recording)
    assert (await fetch(home, base, "mix.weba", ann)).status == 404


async def prepare(var: Path, server: S3Server, place: str, files: int, size: int) -> Taped:
    """A recording whose version is whole and sealed, as a node leaves it that is killed before it sends anything."""
    held = taped.hold("lesson", seconds=40)
    database = Database(var / "jiangtai.sqlite")
    await database.start()
    store = SqlitePublications(database)
    await taped.store(held, SqliteJournal(database), SqliteDirectory(database), SqliteRecordings(database), title="T")
    await database.write(lambda connection: connection.execute("UPDATE recording SET files = 1"))

    def media(folder: Path, held: Taped) -> taped.Media:
        made = taped.few_bytes(folder, held)
        (folder / "screen.webm").unlink()
        for number in range(files):
            (folder / f"screen-{number}.webm").write_bytes(os.urandom(size))
        spans = [taped.Span(from_ms=0, to_ms=40_000, file=f"screen-{n}.webm", type="video/webm", bytes=size) for n in range(files)]
        return made._replace(tracks=[taped.Track(id="1", participant=held.id("tom"), source="screen", spans=spans)])

    class Killed(Exception):
        pass

    class Nowhere(s3_objects.S3Objects):
        async def list(self, prefix: str) -> Any:
            raise Killed

    nowhere = Nowhere(place, endpoint=server.url, credentials_file=str(server.credentials_file))
    with pytest.raises(Killed):
        await taped.publish(held, Published(store, var / "published", nowhere), title="T", media=media)
    await SqliteJobs(database).take((held.session, held.recording), 0, 1)
    await database.close()
    return held


async def test_a_node_killed_while_sending_publishes_once_and_never_by_half(
    tmp_path: Path, s3_server: S3Server, place: str, far: Relay
) -> None:
    held = await prepare(tmp_path, s3_server, place, files=12, size=2 * MIB)
    sizes = {path.name: path.stat().st_size for path in files_of(tmp_path)}
    far.bytes_per_s = 3 * MIB
    environ = s3_server.environ(place, far.url)
    for kill in range(2):
        async with spawned(tmp_path, **environ) as home:
            ann = await home.come_in(held.session, "ann")
            reached = (kill + 1) * 4 * MIB
            await until(lambda reached=reached: far.carried > reached, 40)  # type: ignore[misc]
            assert (await about(home, held, ann)).body["state"] == "processing"
            os.kill(home.pid, signal.SIGKILL)
        assert len(s3_server.keys(place)) < len(sizes)
        # Nobody need wait until the dead node's lease is over.
        with sqlite3.connect(tmp_path / "jiangtai.sqlite") as connection:
            connection.execute("UPDATE packaging SET lease_until = 0")
        connection.close()
    far.bytes_per_s = None
    async with spawned(tmp_path, **environ) as home:
        ann = await home.come_in(held.session, "ann")
        told = await ready(home, ann, held.session, held.recording)
        got = await fetch(home, told["base"], "screen-11.webm", ann)
        assert (got.status, len(got.body)) == (200, 2 * MIB)
        await until(lambda: files_of(tmp_path) == [])
    kept = s3_server.keys(place)
    assert {key.rpartition("/")[2]: size for key, size in kept.items()} == sizes
    assert {key.split("/")[1] for key in kept} == {"v1"}, "published once"
    print(f"carried {far.carried / MIB:.0f} MiB for {sum(sizes.values()) / MIB:.0f} MiB with two kills")


async def test_while_the_store_is_away_classes_go_on_and_afterwards_it_gets_everything(
    tmp_path: Path, s3_server: S3Server, place: str, far: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AWAY_MS", 300)
    monkeypatch.setattr(packaging_module, "_LOOK_S", 0.2)
    await far.go()
    async with house(tmp_path, **s3_server.settings(place, far.url)) as home:
        node = app(home)
        session = await home.create()
        guest = await home.come_in(session, "tom", Role.TRAINER)
        async with teaching(home, guest) as trainer, home.member(session, "ann") as ann:
            await trainer.command("start_recording")
            await until(lambda: written(tmp_path, session) > 20_000)
            await trainer.command("stop_recording")
            await until(lambda: node[keys.PACKAGER].away >= 6, 60)
            began = time.monotonic()
            await trainer.command("post_chat", text="still here", channel="everyone")
            await ann.until(lambda: "chat_posted" in ann.types())
            assert time.monotonic() - began < 2
            [row] = await rows(tmp_path)
            assert (await home.call("GET", f"/classes/{session}/recordings/{row.id}", cookie=guest.cookie)).body["state"] == "processing"
            assert files_of(tmp_path)
            figures = await metrics(home)
            assert figures["jiangtai_recording_store_reached"] == 0
            assert figures["jiangtai_recording_store_away_total"] >= 6
            await far.come()
            told = await ready(home, guest, session, row.id)
            assert told["content"]["tracks"]
            await until(lambda: files_of(tmp_path) == [])
            job = await SqliteJobs(node[keys.DATABASE]).get((session, row.id))
            assert job is not None
            assert job.tries == 1, "a store that is away uses up no try"
            await node[keys.SWEEPING].once()
            assert (await metrics(home))["jiangtai_recording_store_reached"] == 1


async def test_a_replay_says_that_the_store_is_away_and_a_deletion_waits(
    tmp_path: Path, s3_server: S3Server, place: str, far: Relay
) -> None:
    async with house(tmp_path, **s3_server.settings(place, far.url)) as home:
        held = await recorded(home)
        ann = await home.come_in(held.session, "ann")
        base = (await about(home, held, ann)).body["base"]
        node = app(home)
        await far.go()
        got = await fetch(home, base, "mix.weba", ann)
        assert (got.status, got.code) == (503, "recordings_unavailable")
        await node[keys.RECORDINGS].mark(held.session, held.recording, "deleted", 5, "test", "{}")
        assert (await fetch(home, base, "mix.weba", ann)).code == "recording_deleted"
        await node[keys.SWEEPING].once()
        assert (await metrics(home))["jiangtai_recording_unpurged"] == 1
        assert s3_server.keys(place)
        await far.come()
        await node[keys.SWEEPING].once()
        assert (await metrics(home))["jiangtai_recording_unpurged"] == 0
        assert s3_server.keys(place) == {}
        [row] = await node[keys.RECORDINGS].rows(held.session)
        assert row.state == "purged"


async def test_wrong_credentials_are_told_without_the_secret_and_lose_nothing(
    tmp_path: Path, s3_server: S3Server, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    ears = logging.Handler()
    monkeypatch.setattr(ears, "emit", lambda record: lines.append(f"{record.getMessage()} {record.__dict__.get('why')}"))
    logger = logging.getLogger("jiangtai.recording")
    monkeypatch.setattr(logger, "handlers", [ears])
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "disabled", False)  # import-linter switches off what it finds
    monkeypatch.setattr(s3_objects, "_CREDENTIALS_S", 0)
    file = tmp_path / "credentials"
    file.write_text(credentials("WRONG-" + SECRET))
    async with house(tmp_path / "var", **s3_server.settings(place, credentials_file=file)) as home:
        node = app(home)
        await until(lambda: not node[keys.SWEEPING].reached)
        held = await recorded(home, ready=False)
        with pytest.raises(publication.StoreRefuses, match="SignatureDoesNotMatch"):
            await taped.publish(held, node[keys.PUBLISHED], title="T")
        left = await publication.unfinished(node[keys.PUBLISHED], held.session, held.recording)
        assert left is not None
        file.write_text(credentials(SECRET))
        await publication.finish(node[keys.PUBLISHED], left, 9)
        ann = await home.come_in(held.session, "ann")
        assert (await about(home, held, ann)).body["state"] == "ready"
    assert any("refuses our credentials (SignatureDoesNotMatch)" in line for line in lines), lines
    assert not any(SECRET in line for line in lines)


async def test_a_bucket_that_is_not_there_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    store = s3_server.objects("s3://no-such-bucket/x")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(publication.StoreRefuses, match="NoSuchBucket"):
        await store.put("aa/v1/x.json", tmp_path / "file")


async def test_without_credentials_it_says_what_is_missing(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(publication.StoreRefuses, match="no credentials"):
        await s3_objects.S3Objects(s3_server.place(), endpoint=s3_server.url, region="us-east-1").check()


async def test_a_process_that_used_the_store_ends_as_it_should(s3_server: S3Server, place: str) -> None:
    program = (
        "import asyncio, contextlib, sys; from server.adapters.s3_objects import S3Objects;"
        "store = S3Objects(sys.argv[1], endpoint=sys.argv[2], region='us-east-1', credentials_file=sys.argv[3])\n"
        "with contextlib.suppress(OSError): asyncio.run(store.check())"
    )
    for endpoint in (s3_server.url, "http://127.0.0.1:9"):
        words = [sys.executable, "-c", program, place, endpoint, str(s3_server.credentials_file)]
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(*words)
            assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_two_tries_at_once_end_in_one_version(home: House, s3_server: S3Server, place: str) -> None:
    held = await recorded(home)
    published = app(home)[keys.PUBLISHED]
    version = await published.store.served(held.session, held.recording)
    assert version is not None
    await asyncio.gather(*(taped.publish(held, published, title="T") for _ in range(2)))
    assert {key.split("/")[1] for key in s3_server.keys(place)} == {"v1", "v2", "v3"}
