"""Versions of a recording: begun, published, failed, superseded, purged; and what was watched as a union."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from recording import manifest, publication, timeline
from recording.catalog import Row
from recording.publication import Deleted, Published, Version
from recording.watched import Report, Stretch, summed, union
from server.adapters.sqlite import Database
from server.adapters.sqlite_publications import SqlitePublications, SqliteWatches
from server.adapters.sqlite_recordings import SqliteRecordings
from tests.support import taped

HELD = taped.hold("s1", seconds=130)


class Shelf:
    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.recordings = SqliteRecordings(database)
        self.published = Published(SqlitePublications(database), root)

    async def make(self) -> Version:
        return await taped.publish(HELD, self.published, title="T")


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    database = Database(tmp_path / "store.sqlite")
    await database.start()
    shelf = Shelf(database, tmp_path / "published")
    await shelf.recordings.begin(Row(session="s1", id=HELD.recording, started_at=1))
    yield shelf
    await database.close()


async def test_a_version_is_served_once_it_is_whole(shelf: Shelf) -> None:
    store = shelf.published.store
    assert await store.served("s1", HELD.recording) is None
    made = await shelf.make()
    served = await store.served("s1", HELD.recording)
    assert served is not None
    assert (served.version, served.folder, served.published_at) == (1, made.folder, 2)
    assert served.bytes > 2 * len(taped.MIX)
    read = manifest.read((served.path(shelf.published.root) / "manifest.json").read_bytes())
    assert len(read.timeline.chunks) == 5
    assert len(read.timeline.snapshots) == 2
    assert all((served.path(shelf.published.root) / name).is_file() for name in manifest.files(read))
    assert len(made.folder) == 32


async def test_a_rebuild_keeps_the_folder_and_the_files_before_until_pruned(shelf: Shelf) -> None:
    first, second = await shelf.make(), await shelf.make()
    assert (second.version, second.folder) == (2, first.folder)
    assert first.path(shelf.published.root).exists()
    assert await publication.prune(shelf.published, "s1", HELD.recording, 9) == 1
    assert not first.path(shelf.published.root).exists()
    assert second.path(shelf.published.root).exists()


async def test_all_files_but_those_served_can_be_removed_whatever_became_of_them(shelf: Shelf) -> None:
    store, root = shelf.published.store, shelf.published.root
    assert await publication.retire(shelf.published, "s1", HELD.recording, 9) == 0
    first = await shelf.make()
    begun = await store.begin("s1", HELD.recording, 1)
    failed = await store.begin("s1", HELD.recording, 1)
    await store.fail(failed, 2, "why")
    for version in (begun, failed):
        version.path(root).mkdir()
        (version.path(root) / "mix.mp4").write_bytes(b"left behind")
    served = await shelf.make()
    later = await store.begin("s1", HELD.recording, 3)
    later.path(root).mkdir()
    assert await publication.retire(shelf.published, "s1", HELD.recording, 9) > 2
    assert [version.path(root).exists() for version in (first, begun, failed, served, later)] == [False, False, False, True, True]
    assert [version.withdrawn_at for version in await store.versions("s1")] == [9, 9, 9, None, None]
    assert await publication.retire(shelf.published, "s1", HELD.recording, 10) == 0
    assert [version.withdrawn_at for version in await store.versions("s1")] == [9, 9, 9, None, None]


async def test_a_failed_version_leaves_the_pointer(shelf: Shelf) -> None:
    await shelf.make()
    third = await shelf.published.store.begin("s1", HELD.recording, 5)
    await shelf.published.store.fail(third, 6, "x" * 9_000)
    served = await shelf.published.store.served("s1", HELD.recording)
    assert served is not None
    assert served.version == 1
    versions = await shelf.published.store.versions("s1")
    assert len(versions[-1].why or "") == 500
    assert publication.state(Row(session="s1", id="r", started_at=1, ended_at=2), versions) == "ready"


async def test_a_deleted_recording_is_never_published_and_leaves_no_files(shelf: Shelf) -> None:
    version = await shelf.published.store.begin("s1", HELD.recording, 1)
    folder = version.path(shelf.published.root)
    folder.mkdir(parents=True)
    built = timeline.build(HELD.lesson.journal, HELD.recording)
    named, chapters = publication.write_timeline(folder, built, 1_000)
    made = manifest.Manifest(
        session="s1", recording=HELD.recording, title="T", started_at=1, duration_ms=1_000, tracks=[], timeline=named, chapters=chapters
    )
    await shelf.recordings.mark("s1", HELD.recording, "deleted", 3, "test", "{}")
    with pytest.raises(Deleted):
        await publication.publish(shelf.published, version, made, 4)
    assert not folder.exists()
    with pytest.raises(Deleted):
        await shelf.published.store.begin("s1", HELD.recording, 5)


async def test_a_manifest_that_names_a_missing_file_or_another_place_is_not_published(shelf: Shelf) -> None:
    version = await shelf.published.store.begin("s1", HELD.recording, 1)
    version.path(shelf.published.root).mkdir(parents=True)
    for name, error in (("missing.vtt", FileNotFoundError), ("../keys", ValueError), (".hidden", ValueError)):
        made = manifest.Manifest(
            session="s1", recording="r", title="T", started_at=1, duration_ms=1, tracks=[],
            timeline=manifest.Timeline(chunks=[], snapshots=[]), chapters=name,
        )  # fmt: skip
        with pytest.raises(error):
            await publication.publish(shelf.published, version, made, 4)
    assert await shelf.published.store.served("s1", HELD.recording) is None


def test_states() -> None:
    def row(**more: int) -> Row:
        return msgspec.convert({"session": "s", "id": "r", "started_at": 1, **more}, Row)

    begun = Version(session="s", recording="r", version=1, folder="f", begun_at=1)
    failed = msgspec.structs.replace(begun, failed_at=2)
    done = msgspec.structs.replace(begun, published_at=2)
    assert publication.state(row(), []) == "recording"
    assert publication.state(row(ended_at=2), []) == "processing"
    assert publication.state(row(ended_at=2), [begun]) == "processing"
    assert publication.state(row(ended_at=2), [failed]) == "failed"
    assert publication.state(row(ended_at=2), [failed, begun]) == "processing"
    assert publication.state(row(ended_at=2), [done, failed]) == "ready"
    assert publication.state(row(ended_at=2, deleted_at=3), [done]) == "deleted"


def test_a_recording_that_never_began_is_not_waited_for() -> None:
    never = Row(session="s", id="r", started_at=1, ended_at=2, reason="failed")
    begun = Version(session="s", recording="r", version=1, folder="f", begun_at=1)
    assert publication.state(never, []) == "failed"
    assert publication.state(msgspec.structs.replace(never, ended_at=None), []) == "recording"
    assert publication.state(msgspec.structs.replace(never, deleted_at=3), []) == "deleted"
    # What was written before is packaged; so may be a class whose files were not measured yet.
    assert publication.state(msgspec.structs.replace(never, files=1), []) == "processing"
    assert publication.state(msgspec.structs.replace(never, reason="ended"), []) == "processing"
    assert publication.state(never, [begun]) == "processing"


def stretch(start: int, end: int) -> Stretch:
    return Stretch(from_ms=start, to_ms=end)


def test_what_was_watched_twice_counts_once_and_nothing_beyond_the_end() -> None:
    assert union([stretch(50, 90), stretch(0, 10), stretch(10, 20), stretch(60, 70)], 80) == [(0, 20), (50, 80)]
    assert union([stretch(90, 100)], 80) == []
    [seen] = summed([("ann", 5, stretch(0, 10)), ("ann", 9, stretch(5, 20))], 100)
    assert (seen.participant, seen.ms, seen.intervals, seen.last_at) == ("ann", 20, [(0, 20)], 9)


async def test_reports_are_kept_once_and_are_bounded(shelf: Shelf) -> None:
    store = SqliteWatches(shelf.database)
    report = Report("s1", "r", "ann", "op-1", 5, [stretch(0, 10), stretch(20, 30)])
    assert await store.add(report, 3)
    assert await store.add(report, 3)
    assert len(await store.stretches("s1", "r")) == 2
    assert not await store.add(report._replace(op="op-2"), 3)
    assert await store.add(report._replace(op="op-2", participant="bob"), 3)
    assert {who for who, _, _ in await store.stretches("s1", "r")} == {"ann", "bob"}
