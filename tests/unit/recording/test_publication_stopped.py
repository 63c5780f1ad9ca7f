"""A node that stops at the very moment a version is published: the write is done all the same, and what is served has its files."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from recording import manifest, process, timeline
from recording.amendment import Words, captioned
from recording.catalog import Row
from recording.manifest import Made, Moment
from recording.packaging import Packaging
from recording.publication import MANIFEST, Published, Version
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from signaling.classroom.ids import Millis
from tests.support import taped

HELD = taped.hold("s1", seconds=130)
ROW = Row(session="s1", id=HELD.recording, started_at=1)


class Stopping(SqlitePublications):
    """The node stops while it waits for a publication to be written down."""

    stops = False

    async def publish(self, version: Version, at: Millis, size: int, instead_of: int | None = None) -> None:
        await super().publish(version, at, size, instead_of)
        if self.stops:
            raise asyncio.CancelledError


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "store.sqlite")
    await database.start()
    await SqliteRecordings(database).begin(ROW)
    yield database
    await database.close()


async def whole(published: Published) -> manifest.Manifest:
    """What is served, every file of it."""
    served = await published.store.served("s1", HELD.recording)
    assert served is not None
    folder = served.path(published.root)
    made = manifest.read((folder / MANIFEST).read_bytes())
    assert all((folder / name).is_file() for name in manifest.files(made))
    return made


async def test_something_added_keeps_the_files_it_was_published_with(database: Database, tmp_path: Path) -> None:
    store = Stopping(database)
    published = Published(store, tmp_path / "published")
    await taped.publish(HELD, published, title="T")
    store.stops = True
    with pytest.raises(asyncio.CancelledError):
        await captioned(published, "s1", HELD.recording, Words(b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", "en", None), lambda: 5)
    made = await whole(published)
    assert [caption.language for caption in made.captions] == ["en"]


async def test_a_replay_keeps_the_files_it_was_published_with(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object) -> bytes:
        return msgspec.json.encode(Made(duration_ms=130_000, tracks=[], mix=None))

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        return timeline.build(HELD.lesson.journal, row.id, duration_ms, moments)

    monkeypatch.setattr(process, "run", run)
    store = Stopping(database)
    published = Published(store, tmp_path / "published")
    store.stops = True
    packager = Packaging(SqliteJobs(database), published, tmp_path / "journal", told, lambda: 5)
    with pytest.raises(asyncio.CancelledError):
        await packager.make(ROW)
    await whole(published)
