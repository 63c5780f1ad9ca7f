"""Rows of recordings: made by the class's events, measured by files, made good after a crash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.plane import JournalNews
from recording import deletion
from recording.catalog import Catalog, Row
from recording.publication import Published
from server.adapters.sqlite import Database
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.recording import StartRecording, StopRecording
from signaling.classroom.session import EndClass
from signaling.entries import entry_of
from tests.support.classroom import Lesson, live


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteRecordings]:
    database = Database(tmp_path / "store.sqlite")
    await database.start()
    yield SqliteRecordings(database)
    await database.close()


class House:
    def __init__(self, store: SqliteRecordings, root: Path) -> None:
        self.lesson: Lesson = live()
        self.given_up: list[str] = []
        self.store = store
        self.catalog = Catalog(store, root, self._give_up)

    async def _give_up(self, session: str) -> None:
        self.given_up.append(session)

    def do(self, who: str | None, command: StartRecording | StopRecording | EndClass) -> None:
        before = len(self.lesson.journal)
        self.lesson.do(who, command)
        self.tell(before)

    def tell(self, after: int) -> None:
        room = self.lesson.room
        entries = [entry_of(room, seq, origin, event) for seq, origin, event in self.lesson.journal[after:]]
        self.catalog.watch(room.id, room, entries)

    async def rows(self) -> list[Row]:
        await self.catalog._waiting.join()
        return list(await self.store.rows())


@pytest.fixture
async def house(store: SqliteRecordings, tmp_path: Path) -> AsyncIterator[House]:
    house = House(store, tmp_path / "journal")
    await house.catalog.start()
    yield house
    await house.catalog.stop()


async def test_a_row_begins_and_ends_with_its_recording(house: House) -> None:
    house.do("tom", StartRecording())
    [row] = await house.rows()
    assert (row.state, row.started_by, row.started_at) == ("recording", "tom", house.lesson.now)
    house.lesson.pass_seconds(60)
    house.do("eve", StopRecording())
    [row] = await house.rows()
    assert (row.state, row.reason, row.ended_at) == ("ended", "asked", house.lesson.now)


async def test_an_end_that_a_crash_kept_from_its_row_is_made_good(house: House, store: SqliteRecordings, tmp_path: Path) -> None:
    house.do("tom", StartRecording())
    await house.catalog.stop()
    house.lesson.do("tom", StopRecording())  # nobody watches
    after = House(store, tmp_path / "journal")
    after.lesson = house.lesson
    await after.catalog.start()
    before = len(after.lesson.journal)
    after.lesson.join("cat")
    after.tell(before)
    [row] = await after.rows()
    assert row.state == "ended"
    await after.catalog.stop()


async def test_a_recording_the_engine_cannot_begin_is_given_up(house: House) -> None:
    house.do("tom", StartRecording())
    news = JournalNews(session="s1", recording="r1", state="disk_low", file=0, bytes=0, records=0, lost=0)
    house.catalog.heard(news)
    await house.rows()
    assert house.given_up == ["s1"]


async def test_what_is_being_recorded_is_not_deleted_and_what_is_deleted_stays_a_row(house: House, tmp_path: Path) -> None:
    root = tmp_path / "journal"
    published = Published(SqlitePublications(house.store._database), tmp_path / "published")
    house.do("tom", StartRecording())
    [row] = await house.rows()
    with pytest.raises(deletion.NotEnded):
        await deletion.delete(house.store, root, row, now=5, by="cli", published=published)
    house.do("tom", StopRecording())
    [row] = await house.rows()
    await house.store.mark(row.session, row.id, "deleted", 5, "cli", "{}")
    assert await deletion.finish(house.store, root, now=6, published=published) == 1, "a crash came between tombstone and purge"
    [row] = await house.rows()
    assert (row.state, row.deleted_at, row.purged_at) == ("purged", 5, 6)
    assert await deletion.finish(house.store, root, now=7, published=published) == 0
