"""Rows of recordings: made by the class's events, measured by files, made good after a crash."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.plane import JournalNews
from recording import catalog, deletion
from recording.catalog import Catalog, Row
from recording.publication import Published
from server.adapters.sqlite import Database
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from server.packaging import ended
from signaling.classroom.recording import StartRecording, StopRecording
from signaling.classroom.session import EndClass
from signaling.entries import entry_of
from signaling.messages import encode_event
from signaling.ports import Record, Unavailable
from tests.support.classroom import Lesson, live
from tests.support.journal import MemoryJournal


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
        self.journal = MemoryJournal()
        self.store = store
        self.catalog = Catalog(store, root, self._give_up, self._ended)

    async def _give_up(self, session: str) -> None:
        self.given_up.append(session)

    async def _ended(self, row: Row) -> tuple[int, str] | None:
        return await ended(self.journal)(row)

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


class MoodyRecordings(SqliteRecordings):
    """Refuses so many writes."""

    refusing = 0

    async def begin(self, row: Row) -> None:
        self._refuse()
        await super().begin(row)

    async def end(self, session: str, id: str, at: int, reason: str) -> None:
        self._refuse()
        await super().end(session, id, at, reason)

    def _refuse(self) -> None:
        if self.refusing:
            self.refusing -= 1
            raise Unavailable("no")


@pytest.fixture
async def moody(store: SqliteRecordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(catalog, "_AGAIN_S", 0.001)
    house = House(MoodyRecordings(store._database), tmp_path / "journal")
    await house.catalog.start()
    yield house
    await house.catalog.stop()


async def log_of(house: House) -> MemoryJournal:
    """The class's log, as its store has it."""
    records = [
        Record(seq=seq, at=origin.at, by=origin.by, op=origin.op, event=encode_event(event)) for seq, origin, event in house.lesson.journal
    ]
    journal = MemoryJournal()
    await journal.append(house.lesson.room.id, 0, records)
    return journal


@pytest.mark.parametrize("refusals", [1, 40])
async def test_what_the_store_refused_is_written_down_when_it_is_back_in_order(moody: House, refusals: int) -> None:
    assert isinstance(moody.store, MoodyRecordings)
    moody.store.refusing = refusals
    moody.do("tom", StartRecording())
    began = moody.lesson.now
    moody.lesson.pass_seconds(60)
    moody.do("tom", StopRecording())
    [row] = await moody.rows()
    assert (row.state, row.started_at, row.started_by, row.ended_at) == ("ended", began, "tom", moody.lesson.now)
    assert moody.catalog.missed == 0


async def test_a_store_that_stays_away_does_not_keep_the_node_from_stopping(moody: House) -> None:
    assert isinstance(moody.store, MoodyRecordings)
    moody.do("tom", StartRecording())
    await moody.rows()
    moody.store.refusing = 10**9
    moody.do("tom", StopRecording())
    await asyncio.wait_for(moody.catalog.stop(), 10)
    assert moody.catalog.missed == 1


async def test_an_end_that_was_never_written_down_is_found_in_the_log_though_the_class_is_over(
    house: House, store: SqliteRecordings, tmp_path: Path
) -> None:
    house.do("tom", StartRecording())
    await house.catalog.stop()
    house.lesson.pass_seconds(60)
    house.lesson.do("tom", EndClass())  # nobody watches, and nothing is ever heard of it again
    after = House(store, tmp_path / "journal")
    after.journal = await log_of(house)
    await after.catalog.start()
    [row] = await after.rows()
    assert (row.state, row.reason, row.ended_at) == ("ended", "ended", house.lesson.now)
    await after.catalog.stop()


async def test_a_recording_that_is_on_is_not_taken_for_ended_when_the_node_starts(
    house: House, store: SqliteRecordings, tmp_path: Path
) -> None:
    house.do("tom", StartRecording())
    house.do("tom", StopRecording())
    house.lesson.pass_seconds(1)
    house.do("tom", StartRecording())
    await house.catalog.stop()
    after = House(store, tmp_path / "journal")
    after.lesson, after.journal = house.lesson, await log_of(house)
    await after.catalog.start()
    assert [row.state for row in await after.rows()] == ["ended", "recording"]
    after.do("tom", StopRecording())
    assert [row.state for row in await after.rows()] == ["ended", "ended"]
    await after.catalog.stop()


async def test_a_class_that_cannot_be_woken_holds_up_no_row(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(session: str) -> None:
        raise Unavailable("another node began the class")

    monkeypatch.setattr(house.catalog, "_give_up", refuse)
    house.catalog.heard(JournalNews(session="s1", recording="r1", state="failed", file=0, bytes=0, records=0, lost=0))
    house.do("tom", StartRecording())
    assert len(await house.rows()) == 1


async def test_journals_may_lie_on_a_disk_of_their_own(store: SqliteRecordings, tmp_path: Path) -> None:
    (tmp_path / "journal" / "lost+found").mkdir(parents=True)
    (tmp_path / "journal" / "s1").mkdir()
    house = House(store, tmp_path / "journal")
    await house.catalog.start()
    await house.catalog.stop()
