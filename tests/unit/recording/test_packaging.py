"""The packager's jobs: who has one, when it is tried again, when it is given up. On a real store; the worker is a real process."""

import asyncio
import errno
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from recording import finishing, packaging, process, timeline
from recording.catalog import Row
from recording.finishing import Finishing
from recording.jobs import FULL_MS, LEASE_MS, MAX_TRIES, give_back
from recording.manifest import Moment
from recording.packaging import Packaging
from recording.process import Failed
from recording.publication import Published
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings

KEY = ("s1", "r5")
ROW = Row(session="s1", id="r5", started_at=1_000)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "jiangtai.sqlite")
    await database.start()
    yield database
    await database.close()


async def ended(database: Database) -> None:
    """A recording that has ended and has files."""
    store = SqliteRecordings(database)
    await store.begin(ROW)
    await store.end(*KEY, 9_000, "asked")
    await store.measure([Row(session="s1", id="r5", started_at=1_000, first_file=1, last_file=1, files=1, bytes=10)])


async def test_one_works_on_a_recording_until_its_lease_is_over(database: Database) -> None:
    jobs = SqliteJobs(database)
    first = await jobs.take(KEY, 0, LEASE_MS)
    assert first is not None
    assert (first.state, first.tries) == ("working", 1)
    assert await jobs.take(KEY, LEASE_MS - 1, 2 * LEASE_MS) is None
    await jobs.renew(KEY, 3 * LEASE_MS)
    assert await jobs.take(KEY, 2 * LEASE_MS, 4 * LEASE_MS) is None
    again = await jobs.take(KEY, 3 * LEASE_MS, 4 * LEASE_MS)
    assert again is not None
    assert again.tries == 2


async def test_what_is_unfinished_is_what_ended_and_is_due(database: Database) -> None:
    jobs = SqliteJobs(database)
    assert await jobs.unfinished(10_000) == []
    await ended(database)
    assert [row.id for row in await jobs.unfinished(10_000)] == ["r5"]
    await jobs.take(KEY, 10_000, 20_000)
    assert await jobs.unfinished(19_999) == []
    assert [row.id for row in await jobs.unfinished(20_000)] == ["r5"], "who worked on it died"
    await jobs.settle(KEY, "waiting", 20_000, 30_000, "no disk")
    assert await jobs.unfinished(29_999) == []
    assert [row.id for row in await jobs.unfinished(30_000)] == ["r5"]
    await jobs.settle(KEY, "failed", 30_000, 0, "no disk")
    assert await jobs.unfinished(99_000) == []
    await jobs.settle(KEY, "published", 30_000, 0, None)
    assert await jobs.unfinished(99_000) == []


async def test_a_node_that_stops_used_up_no_try(database: Database) -> None:
    jobs = SqliteJobs(database)
    await jobs.take(KEY, 0, 10)
    await jobs.put_back(KEY, 5, 5, "the node stopped")
    job = await jobs.take(KEY, 5, 10)
    assert job is not None
    assert job.tries == 1


async def test_a_recording_that_cannot_be_made_is_tried_again_later_and_given_up_in_the_end(database: Database, tmp_path: Path) -> None:
    await ended(database)
    jobs, publications = SqliteJobs(database), SqlitePublications(database)
    now = 10_000

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    (tmp_path / "journal").write_text("not a folder")
    packager = Packaging(jobs, Published(publications, tmp_path / "published"), tmp_path / "journal", told, lambda: now)
    waits = []
    for _ in range(MAX_TRIES):
        with pytest.raises(Failed, match=r"."):
            await packager.make(ROW)
        job = await jobs.get(KEY)
        assert job is not None
        waits.append(job.due_at - now)
        now += 1_000_000_000
    assert waits == sorted(waits)
    assert (job.state, packager.failed, packager.made) == ("failed", MAX_TRIES, 0)
    assert job.error
    assert await publications.served(*KEY) is None
    assert not [path for path in (tmp_path / "published").rglob("*") if path.is_file()]


async def test_a_worker_that_comes_to_no_end_is_ended(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    monkeypatch.setattr(packaging, "_END_S", 0.0)
    packager = Packaging(SqliteJobs(database), Published(SqlitePublications(database), tmp_path), tmp_path, told, lambda: 1_000)
    with pytest.raises(Failed, match="no end"):
        await asyncio.wait_for(packager.make(ROW), 20)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), OSError("No space left on device (os error 28)")])
async def test_a_disk_that_is_full_uses_up_no_try(database: Database, error: OSError) -> None:
    jobs = SqliteJobs(database)
    for now in range(MAX_TRIES + 2):
        job = await jobs.take(KEY, now, now + 1)
        assert job is not None
        await give_back(jobs, KEY, job, now, error)
    left = await jobs.get(KEY)
    assert left is not None
    assert (left.state, left.tries, left.due_at) == ("waiting", 0, MAX_TRIES + 1 + FULL_MS)


def test_a_worker_says_that_the_disk_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken() -> int:
        raise OSError(errno.EIO, "Input/output error")

    assert process.work(lambda: 0) == 0
    assert process.work(full) not in (0, 1, 2)
    assert "No space left" in capsys.readouterr().err
    with pytest.raises(OSError, match="Input/output"):
        process.work(broken)


async def test_a_worker_that_met_a_full_disk_is_told_from_one_that_cannot_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "import errno, sys",
        "from recording import process",
        "def main():",
        "    raise OSError(errno.ENOSPC, 'full')",
        "sys.exit(process.work(main))",
    )
    (tmp_path / "fills.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(process.__file__).parents[1]}")
    with pytest.raises(OSError, match=r".") as caught:
        await process.run("fills", b"{}", process.over(), lambda: 20.0)
    assert process.no_room(caught.value)


async def test_what_waits_to_be_packaged_keeps_nobody_from_being_followed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteRecordings(database)
    for number in range(packaging.MAX_FOLLOWED + 1):
        row = Row(session=f"old{number}", id="r5", started_at=1_000, first_file=1, last_file=1, files=1, bytes=10)
        await store.measure([row])
        await store.end(row.session, row.id, 2_000, "ended")

    async def run(module: str, order: bytes, over: asyncio.Event, limit_s: object) -> bytes:
        if msgspec.json.decode(order)["session"] == "s1":
            followed.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    followed = asyncio.Event()
    monkeypatch.setattr(process, "run", run)
    packager = Packaging(SqliteJobs(database), Published(SqlitePublications(database), tmp_path), tmp_path, told, lambda: 10_000)
    await packager.take_up()
    await store.begin(ROW)
    packager.began(ROW)
    await asyncio.wait_for(followed.wait(), 10)
    await packager.stop()


@pytest.mark.parametrize("of", ["packaging", "finishing"])
async def test_what_nobody_thought_of_does_not_end_the_looking(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: Literal["packaging", "finishing"]
) -> None:
    again = asyncio.Event()

    class Odd(SqliteJobs):
        asked = 0

        async def unfinished(self, now: int) -> Sequence[Row]:
            self.asked += 1
            if self.asked > 1:
                again.set()
            raise KeyError("a row that nobody thought of")

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    async def trainers(row: Row) -> set[str]:
        return set()

    published, jobs = Published(SqlitePublications(database), tmp_path), Odd(database, of)
    monkeypatch.setattr(packaging, "_LOOK_S", 0.001)
    monkeypatch.setattr(finishing, "_LOOK_S", 0.001)
    looking = (
        Packaging(jobs, published, tmp_path, told, lambda: 1) if of == "packaging" else Finishing(jobs, published, trainers, lambda: 1)
    )
    await looking.start()
    await asyncio.wait_for(again.wait(), 10)
    await looking.stop()
