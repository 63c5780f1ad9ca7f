"""Publishing to a store that is not the folder versions are made in: sealed first, resumed, never served by half, nothing left over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from recording import copying, deletion, manifest, publication, timeline
from recording.catalog import Row
from recording.local_files import LocalFiles
from recording.manifest import Moment
from recording.objects import Object, StoreAway, StoreRefuses
from recording.packaging import Packaging
from recording.process import Failed
from recording.publication import Deleted, Published, Version
from recording.redaction import Redaction
from recording.sweeping import Sweeping
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from tests.support import taped

HELD = taped.hold("s1", seconds=130)
KEY = ("s1", HELD.recording)


class Elsewhere:
    """Files of another folder, which can be away, or go away after so many files."""

    place = "s3://far/away"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = LocalFiles(root)
        self.left: int | None = None
        self.lying = False
        self.put_keys: list[str] = []

    def _reach(self) -> None:
        if self.left is not None and self.left <= 0:
            raise StoreAway("away")

    async def check(self) -> None:
        self._reach()

    async def put(self, key: str, file: Path) -> None:
        self._reach()
        self.left = None if self.left is None else self.left - 1
        await self.files.put(key, file)
        self.put_keys.append(key)

    async def list(self, prefix: str) -> Sequence[Object]:
        self._reach()
        return [] if self.lying else await self.files.list(prefix)

    async def read(self, key: str, start: int, stop: int) -> memoryview:
        self._reach()
        return await self.files.read(key, start, stop)

    async def remove(self, prefix: str) -> int:
        self._reach()
        return await self.files.remove(prefix)

    def path(self, key: str) -> Path | None:
        return None

    async def url(self, key: str, seconds: int) -> str | None:
        return None

    @property
    def all(self) -> Sequence[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]


class Shelf:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.recordings = SqliteRecordings(database)
        self.elsewhere = Elsewhere(folder / "far")
        self.here = folder / "published"
        self.published = Published(SqlitePublications(database), self.here, self.elsewhere)
        self.journals = folder / "journal"

    async def make(self) -> Version:
        return await taped.publish(HELD, self.published, title="T")

    async def row(self) -> Row:
        [row] = await self.recordings.rows()
        return row

    async def newest(self) -> Version:
        return (await self.published.store.versions(*KEY))[-1]

    @property
    def made_here(self) -> list[Path]:
        return [path for path in self.here.rglob("*") if path.is_file()]

    def sweeping(self) -> Sweeping:
        return Sweeping(self.recordings, self.journals, self.published, lambda: 20_000)


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    database = Database(tmp_path / "store.sqlite")
    await database.start()
    shelf = Shelf(database, tmp_path)
    await shelf.recordings.begin(Row(session="s1", id=HELD.recording, started_at=1))
    await shelf.recordings.end("s1", HELD.recording, 2, "asked")
    yield shelf
    await database.close()


async def test_what_is_published_lies_there_and_no_longer_here(shelf: Shelf) -> None:
    made = await shelf.make()
    served = await shelf.published.store.served(*KEY)
    assert served is not None
    assert (served.place, served.bytes) == ("s3://far/away", sum(path.stat().st_size for path in shelf.elsewhere.all))
    assert shelf.elsewhere.put_keys[-1] == f"{made.prefix}/manifest.json" or f"{made.prefix}/manifest.json" in shelf.elsewhere.put_keys
    assert shelf.made_here == []
    assert served.swept_at is not None


@pytest.mark.parametrize("files", [0, 1, 4])
async def test_a_store_that_goes_away_gets_the_rest_later_and_nothing_is_served_before(shelf: Shelf, files: int) -> None:
    shelf.elsewhere.left = files
    with pytest.raises(StoreAway):
        await shelf.make()
    assert await shelf.published.store.served(*KEY) is None
    assert publication.state(await shelf.row(), [await shelf.newest()]) == "processing"
    left = await publication.unfinished(shelf.published, *KEY)
    assert left is not None
    shelf.elsewhere.left = None
    before, shelf.elsewhere.put_keys = set(shelf.elsewhere.put_keys), []
    await publication.finish(shelf.published, left, 9)
    assert not before & set(shelf.elsewhere.put_keys), "only what was missing"
    served = await shelf.published.store.served(*KEY)
    assert served is not None
    assert (served.version, served.published_at) == (1, 9)
    assert await publication.unfinished(shelf.published, *KEY) is None
    assert shelf.made_here == []


async def test_a_file_that_arrived_by_half_is_sent_again(shelf: Shelf) -> None:
    shelf.elsewhere.left = 3
    with pytest.raises(StoreAway):
        await shelf.make()
    half = next(path for path in shelf.elsewhere.all if path.name == "mix.weba")
    half.write_bytes(half.read_bytes()[:7])
    shelf.elsewhere.left = None
    left = await publication.unfinished(shelf.published, *KEY)
    assert left is not None
    await publication.finish(shelf.published, left, 9)
    assert half.read_bytes() == taped.MIX


async def test_a_store_that_does_not_list_what_it_took_publishes_nothing(shelf: Shelf) -> None:
    shelf.elsewhere.lying = True
    with pytest.raises(StoreAway, match="does not list"):
        await shelf.make()
    assert await shelf.published.store.served(*KEY) is None
    assert shelf.made_here


async def test_deleting_while_it_is_on_its_way_leaves_nothing(shelf: Shelf) -> None:
    shelf.elsewhere.left = 2
    with pytest.raises(StoreAway):
        await shelf.make()
    shelf.elsewhere.left = None
    left = await publication.unfinished(shelf.published, *KEY)
    assert left is not None
    await shelf.recordings.mark(*KEY, "deleted", 3, "test", "{}")
    with pytest.raises(Deleted):
        await publication.finish(shelf.published, left, 9)
    assert shelf.elsewhere.all == shelf.made_here == []


async def test_a_deletion_waits_for_the_store_and_its_row_says_so(shelf: Shelf) -> None:
    await shelf.make()
    shelf.elsewhere.left = 0
    with pytest.raises(StoreAway):
        await deletion.delete(shelf.recordings, shelf.journals, await shelf.row(), now=5, by="test", published=shelf.published)
    assert (await shelf.row()).state == "deleted"
    assert await shelf.published.store.served(*KEY) is None, "gone for everybody at once"
    sweeping = shelf.sweeping()
    await sweeping.once()
    assert (sweeping.reached, sweeping.unpurged) == (False, 1)
    shelf.elsewhere.left = None
    await sweeping.once()
    assert (sweeping.reached, sweeping.unpurged) == (True, 0)
    assert (await shelf.row()).state == "purged"
    assert shelf.elsewhere.all == []


async def test_leftovers_of_failed_and_overtaken_versions_go_and_the_served_one_stays(shelf: Shelf) -> None:
    shelf.elsewhere.left = 2
    with pytest.raises(StoreAway):
        await shelf.make()
    shelf.elsewhere.left = None
    await shelf.published.store.fail(await shelf.newest(), 4, "broken")
    shelf.elsewhere.left = 2
    with pytest.raises(StoreAway):
        await shelf.make()
    shelf.elsewhere.left = None
    served = await shelf.make()
    sweeping = shelf.sweeping()
    await sweeping.once()
    assert sweeping.unswept == 0
    assert {path.parent.name for path in shelf.elsewhere.all} == {f"v{served.version}"} == {"v3"}
    assert shelf.made_here == []
    assert await shelf.published.store.leftovers(1_000, 100) == []


async def test_what_somebody_works_on_is_not_swept(shelf: Shelf) -> None:
    await shelf.published.store.fail(await shelf.published.store.begin(*KEY, 1), 4, "broken")
    await SqliteJobs(shelf.database).take(KEY, 900, 1_500)
    assert await shelf.published.store.leftovers(1_000, 100) == []
    assert len(await shelf.published.store.leftovers(1_500, 100)) == 1


async def test_a_crash_after_the_pointer_moved_leaves_no_second_copy(shelf: Shelf) -> None:
    made = await shelf.make()
    there = made.path(shelf.here)
    there.mkdir(parents=True)
    (there / "mix.weba").write_bytes(b"left")
    await shelf.database.write(lambda connection: connection.execute("UPDATE publication SET swept_at = NULL"))
    await shelf.sweeping().once()
    assert shelf.made_here == []
    assert shelf.elsewhere.all


async def test_recordings_stay_where_they_were_published_when_the_store_is_another(shelf: Shelf) -> None:
    local = Published(shelf.published.store, shelf.here)
    old = await taped.publish(HELD, local, title="T")
    await shelf.sweeping().once()
    served = await shelf.published.store.served(*KEY)
    assert served is not None
    assert await shelf.published.keeper(served.place).list(old.prefix), "kept here, though a store is configured now"
    new = await shelf.make()
    assert {path.parent.name for path in shelf.made_here} == {"v1"}
    with pytest.raises(StoreRefuses, match="not configured"):
        local.keeper((await shelf.newest()).place)
    assert await publication.prune(shelf.published, *KEY, 9) == 1
    assert shelf.made_here == []
    await deletion.delete(shelf.recordings, shelf.journals, await shelf.row(), now=5, by="test", published=shelf.published)
    assert shelf.elsewhere.all == []
    assert new.version == 2


async def test_one_store_that_is_away_does_not_keep_others_from_being_swept(shelf: Shelf) -> None:
    first = await shelf.published.store.begin(*KEY, 1)
    await shelf.published.store.seal(first, "s3://gone/for-ever")
    await shelf.published.store.fail(first, 2, "broken")
    await shelf.published.store.fail(await shelf.published.store.begin(*KEY, 3), 4, "broken")
    sweeping = shelf.sweeping()
    await sweeping.once()
    assert sweeping.unswept == 1
    assert [version.version for version in await shelf.published.store.leftovers(1_000, 100)] == [1]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_files_of_a_version_can_be_had_in_a_folder_wherever_they_are(shelf: Shelf, elsewhere: bool, tmp_path: Path) -> None:
    published = shelf.published if elsewhere else Published(shelf.published.store, shelf.here)
    await taped.publish(HELD, published, title="T")
    served = await published.store.served(*KEY)
    assert served is not None
    made = await copying.read(published, served)
    folder = tmp_path / "work"
    folder.mkdir()
    await copying.copy(published, served, manifest.files(made), folder)
    assert {path.name for path in folder.iterdir()} == set(manifest.files(made))
    assert (folder / "mix.weba").read_bytes() == taped.MIX
    for name, error in (("none.webm", FileNotFoundError), ("../x", ValueError)):
        with pytest.raises(error):
            await copying.copy(published, served, [name], folder)
    shelf.elsewhere.left = 0
    if elsewhere:
        with pytest.raises(StoreAway):
            await copying.copy(published, served, ["mix.weba"], folder)


async def left_to_send(shelf: Shelf, tmp_path: Path) -> Packaging:
    """A packager whose worker can make nothing, and a version that only waits for its store."""

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    shelf.elsewhere.left = 2
    with pytest.raises(StoreAway):
        await shelf.make()
    shelf.elsewhere.left = None
    (tmp_path / "no-journal").write_text("not a folder")
    await shelf.database.write(lambda connection: connection.execute("UPDATE recording SET files = 1"))
    return Packaging(SqliteJobs(shelf.database), shelf.published, tmp_path / "no-journal", told, lambda: 10_000)


async def test_the_packager_sends_what_was_made_before(shelf: Shelf, tmp_path: Path) -> None:
    packager = await left_to_send(shelf, tmp_path)
    await packager.start()
    async with asyncio.timeout(10):
        while not packager.made:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.01)
    await packager.stop()
    served = await shelf.published.store.served(*KEY)
    assert served is not None
    assert served.version == 1


async def test_a_rebuild_makes_anew_and_never_publishes_what_was_made_before(shelf: Shelf, tmp_path: Path) -> None:
    packager = await left_to_send(shelf, tmp_path)
    with pytest.raises(Failed):
        await packager.make(await shelf.row())
    assert await shelf.published.store.served(*KEY) is None
    await shelf.sweeping().once()
    assert shelf.elsewhere.all == []


async def test_a_replay_kept_elsewhere_is_told_anew_and_the_one_before_goes(shelf: Shelf) -> None:
    await shelf.make()

    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        return timeline.build(HELD.lesson.journal, row.id, duration_ms, moments)

    packager = Packaging(SqliteJobs(shelf.database), shelf.published, shelf.journals, told, lambda: 50)
    redaction = Redaction(shelf.recordings, packager, shelf.published, shelf.journals, told, lambda: 50, "test")
    done = await redaction.redact("s1", "nobody")
    assert (done.recordings, done.deleted) == (1, [])
    served = await shelf.published.store.served(*KEY)
    assert served is not None
    assert {path.parent.name for path in shelf.elsewhere.all} == {f"v{served.version}"} == {"v2"}
    assert shelf.made_here == []
