"""A class that rests while it is recorded and goes on: all of its recording becomes a replay. On a real store; the worker is played."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from media.plane import JournalNews
from recording import packaging, process, timeline
from recording.catalog import Row
from recording.jobs import MAX_TRIES, Job, Key
from recording.manifest import Made, Moment
from recording.packaging import Packaging
from recording.publication import Published, Version
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from server.packaging import heard
from signaling.classroom.ids import Millis
from signaling.classroom.recording import StartRecording
from signaling.classroom.settings import Phase
from signaling.ports import Unavailable
from tests.support.classroom import live

KEY: Key = ("s1", "r5")
ROW = Row(session="s1", id="r5", started_at=1_000)


class MoodyJobs(SqliteJobs):
    """Refuses when it is told to."""

    refusing = False

    async def take(self, key: Key, now: Millis, lease_until: Millis) -> Job | None:
        if self.refusing:
            raise Unavailable("no")
        return await super().take(key, now, lease_until)


class House(NamedTuple):
    packager: Packaging
    jobs: MoodyJobs
    recordings: SqliteRecordings
    publications: SqlitePublications
    #: set: workers come to their end
    gate: asyncio.Event
    #: what each worker that came to its end found: how many journals had been whole then
    found: list[int]
    whole: list[str]
    #: a worker has begun
    at_it: asyncio.Event

    def news(self, state: str) -> None:
        """The engine tells of a journal."""
        if state == "closed":
            self.whole.append(state)
        room = live().room
        heard(self.packager, room, JournalNews(session="s1", recording="r5", state=state, file=1, bytes=0, records=0, lost=0))
        if state == "opened":
            self.packager.began(ROW)

    async def done(self) -> None:
        """Every job under way has ended."""
        await asyncio.wait_for(asyncio.gather(*self.packager._tasks), 10)

    async def over(self) -> None:
        """The recording ends in class."""
        await self.recordings.end(*KEY, 9_000, "asked")

    async def served(self) -> Version:
        version = await self.publications.served(*KEY)
        assert version is not None
        return version


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    database = Database(tmp_path / "jiangtai.sqlite")
    await database.start()
    gate, at_it, found, whole = asyncio.Event(), asyncio.Event(), list[int](), list[str]()

    async def run(module: str, order: bytes, over: asyncio.Event, limit_s: Callable[[], float]) -> bytes:
        at_it.set()
        await over.wait()
        seen = len(whole)
        await gate.wait()
        found.append(seen)
        return msgspec.json.encode(Made(duration_ms=1_000, tracks=[], mix=None))

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        scene = timeline.SceneShown(phase=Phase.LIVE)
        return timeline.Built(row.started_at, "x", [], timeline.State(scene=scene, people={}, polls={}, chat=[]))

    monkeypatch.setattr(process, "run", run)
    jobs, recordings, publications = MoodyJobs(database), SqliteRecordings(database), SqlitePublications(database)
    await recordings.begin(ROW)
    await recordings.measure([msgspec.structs.replace(ROW, first_file=1, last_file=1, files=1, bytes=10)])
    packager = Packaging(jobs, Published(publications, tmp_path / "published"), tmp_path / "journal", told, lambda: 10_000)
    yield House(packager, jobs, recordings, publications, gate, found, whole, at_it)
    await packager.stop()
    await database.close()


async def worked_on(house: House) -> None:
    """A worker is at it."""
    await asyncio.wait_for(house.at_it.wait(), 10)
    house.at_it.clear()


async def test_what_is_recorded_after_a_rest_is_followed_into_a_replay_of_all_of_it(house: House) -> None:
    house.gate.set()
    for _ in range(MAX_TRIES + 1):
        house.news("opened")
        await worked_on(house)
        house.news("closed")
        await house.done()
    assert house.found == list(range(1, MAX_TRIES + 2))
    assert (await house.served()).version == MAX_TRIES + 1
    await house.over()
    assert await house.jobs.unfinished(99_000) == [], "all of it is published"


async def test_a_class_that_wakes_while_what_was_recorded_before_is_being_made_is_made_again_once_it_ended(house: House) -> None:
    house.news("opened")
    await worked_on(house)
    house.news("closed")
    await asyncio.sleep(0)
    house.news("opened")
    await house.packager.take_up()
    house.gate.set()
    await house.done()
    await house.over()
    await house.packager.take_up()
    assert not house.packager.working, "what is not whole is not taken for all there is"
    house.news("closed")
    await house.packager.take_up()
    await house.done()
    assert house.found == [1, 2]
    assert (await house.served()).version == 2
    assert await house.jobs.unfinished(99_000) == []


async def test_a_last_try_that_fails_while_the_class_goes_on_is_not_the_last(house: House) -> None:
    for _ in range(MAX_TRIES - 1):
        assert await house.jobs.take(KEY, 0, 1)
        await house.jobs.settle(KEY, "waiting", 0, 0, "no disk")
    assert await house.jobs.take(KEY, 0, 1)
    await house.jobs.anew(KEY)
    await house.jobs.settle(KEY, "failed", 0, 0, "no disk")
    await house.over()
    assert [row.id for row in await house.jobs.unfinished(0)] == ["r5"]


async def test_the_late_end_of_a_journal_does_not_end_the_one_that_was_opened_meanwhile(house: House) -> None:
    house.gate.set()
    house.news("opened")
    await worked_on(house)
    house.news("opened")
    house.news("closed")
    await asyncio.sleep(0)
    assert house.packager.working == 1
    house.news("closed")
    await house.done()
    assert house.found == [2]


async def test_what_goes_on_with_nobody_free_to_follow_is_packaged_once_it_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.gate.set()
    house.news("opened")
    await worked_on(house)
    house.news("closed")
    await house.done()
    monkeypatch.setattr(packaging, "MAX_FOLLOWED", 0)
    house.news("opened")
    await house.packager.take_up()
    house.news("closed")
    await house.over()
    await house.packager.take_up()
    await house.done()
    assert house.found == [1, 2]


async def test_what_goes_on_while_the_store_refuses_is_packaged_once_it_ended(house: House) -> None:
    house.gate.set()
    house.news("opened")
    await worked_on(house)
    house.news("closed")
    await house.done()
    house.jobs.refusing = True
    house.news("opened")
    await house.done()
    house.jobs.refusing = False
    house.news("closed")
    await house.over()
    await house.packager.take_up()
    await house.done()
    assert house.found == [1, 2]


async def test_a_journal_that_the_engine_gave_up_is_made_as_far_as_it_came(house: House) -> None:
    house.gate.set()
    house.news("opened")
    await worked_on(house)
    house.news("failed")
    await house.done()
    assert (await house.served()).version == 1


async def test_what_is_to_be_made_anew_says_so_to_who_takes_it(house: House) -> None:
    assert (job := await house.jobs.take(KEY, 0, 1)) is not None
    assert job.due_at == 0
    await house.jobs.anew(KEY)
    await house.jobs.put_back(KEY, 0, 20_000, "the store is away")
    assert (job := await house.jobs.take(KEY, 1, 2)) is not None
    assert job.due_at < 0
    await house.jobs.put_back(KEY, 1, 20_000, "the store is away")
    assert (job := await house.jobs.get(KEY)) is not None
    assert job.due_at == 20_000


def test_an_opened_journal_of_a_recording_that_is_on_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = live()
    lesson.do("tom", StartRecording())
    on = lesson.room.recording
    assert on is not None
    began: list[Row] = []

    class Packager:
        def opened(self, session: str, recording: str) -> None: ...

        def began(self, row: Row) -> None:
            began.append(row)

    news = JournalNews(session="s1", recording=on.id, state="opened", file=1, bytes=0, records=0, lost=0)
    heard(Packager(), lesson.room, news)  # type: ignore[arg-type]
    heard(Packager(), None, news)  # type: ignore[arg-type]
    assert [(row.id, row.started_at) for row in began] == [(on.id, on.since)]


async def test_what_ended_before_the_lease_of_who_died_did_is_made_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "RENEW_S", 0.001)
    assert await house.jobs.take(KEY, 0, 10_001), "by a node that was killed"
    house.news("opened")
    house.news("closed")
    await house.done()
    await house.packager.take_up()
    assert (job := await house.jobs.get(KEY)) is not None
    assert job.due_at < 0
