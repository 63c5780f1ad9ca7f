"""Adding to a replay whose files are in another store, and sweeping beside who works: nothing is taken up by the wrong one, or lost."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from recording import copying, manifest, publication, timeline
from recording.amendment import Words, amend, captioned
from recording.catalog import Row
from recording.finishing import Finishing
from recording.manifest import Moment
from recording.objects import StoreAway
from recording.packaging import Packaging
from recording.publication import DEAD_MS, Published, Superseded, work_folder
from server.adapters.sqlite_packaging import SqliteJobs
from signaling.classroom.ids import ParticipantId
from tests.unit.recording.test_publication_elsewhere import KEY, Shelf
from tests.unit.recording.test_publication_elsewhere import shelf as shelf

WORDS = Words("WEBVTT\n\n00:01.000 --> 00:02.000\n大家好\n".encode(), "zh", None)


async def captions(published: Published) -> list[str]:
    served = await published.store.served(*KEY)
    assert served is not None
    return [caption.language for caption in (await copying.read(published, served)).captions]


def packager(shelf: Shelf) -> Packaging:
    async def told(row: Row, duration_ms: int | None, moments: Sequence[Moment]) -> timeline.Built:
        raise AssertionError("no worker comes so far")

    return Packaging(SqliteJobs(shelf.database), shelf.published, shelf.journals, told, lambda: 50)


async def test_captions_are_added_where_the_replay_is_and_nothing_stays_here(shelf: Shelf) -> None:
    await shelf.make()
    version = await captioned(shelf.published, *KEY, WORDS, lambda: 50)
    assert await captions(shelf.published) == ["zh"]
    assert (version.version, version.amends) == (2, 1)
    assert shelf.made_here == []
    assert {path.parent.name for path in shelf.elsewhere.all} == {"v1", "v2"}


async def test_while_the_store_is_away_nothing_can_be_added_and_what_was_begun_is_swept(shelf: Shelf) -> None:
    await shelf.make()

    # Reading needs the store as well: it goes away when one file is sent.
    real = shelf.elsewhere.put

    async def put(key: str, file: Path) -> None:
        shelf.elsewhere.left = 1 if shelf.elsewhere.left is None else shelf.elsewhere.left
        await real(key, file)

    shelf.elsewhere.put = put  # type: ignore[method-assign]
    with pytest.raises(StoreAway):
        await amend(shelf.published, *KEY, lambda made: made, {}, lambda: 50)
    shelf.elsewhere.left, shelf.elsewhere.put = None, real  # type: ignore[method-assign]
    assert await publication.unfinished(shelf.published, *KEY) is None
    await shelf.sweeping().once()
    assert {path.parent.name for path in shelf.elsewhere.all} == {"v1"}
    assert shelf.made_here == []


async def test_the_packager_takes_up_what_it_made_and_not_what_another_adds(shelf: Shelf) -> None:
    await shelf.make()
    made = await shelf.published.store.seal(await shelf.published.store.begin(*KEY, 20), shelf.elsewhere.place)
    added = await shelf.published.store.seal(await shelf.published.store.begin(*KEY, 30, 1), shelf.elsewhere.place)
    left = await publication.unfinished(shelf.published, *KEY)
    assert left is not None
    assert left.version == made.version
    assert await shelf.published.store.leftovers(1_000, 100) == [], "neither is overtaken by what may come to nothing"
    await shelf.published.store.publish(added, 40, 1, instead_of=1)
    assert await publication.unfinished(shelf.published, *KEY) is None, "it lacks what was added"
    assert made.version in [version.version for version in await shelf.published.store.leftovers(1_000, 100)]


async def test_who_was_quicker_is_not_undone_by_what_was_sent_later(shelf: Shelf) -> None:
    await shelf.make()
    first = await shelf.published.store.served(*KEY)
    assert first is not None
    content = await copying.read(shelf.published, first)
    again = await shelf.published.store.begin(*KEY, 20)
    again.path(shelf.here).mkdir(parents=True)
    await copying.copy(shelf.published, first, manifest.files(content), again.path(shelf.here))
    shelf.elsewhere.left = 2
    with pytest.raises(StoreAway):
        await publication.publish(shelf.published, again, content, 30, first)
    shelf.elsewhere.left = None
    left = await publication.unfinished(shelf.published, *KEY)
    assert left is not None
    await captioned(shelf.published, *KEY, WORDS, lambda: 50)
    with pytest.raises(Superseded):
        await publication.finish(shelf.published, left, 60, first)
    assert await captions(shelf.published) == ["zh"]


async def test_a_rebuild_waits_for_the_captions_of_before_and_makes_nothing_meanwhile(shelf: Shelf) -> None:
    await shelf.make()
    shelf.elsewhere.left = 0
    made = packager(shelf)
    with pytest.raises(StoreAway):
        await made.make(await shelf.row())
    assert (made.away, made.failed) == (1, 0)
    assert (await shelf.newest()).version == 1
    job = await SqliteJobs(shelf.database).get(KEY)
    assert job is not None
    assert (job.state, job.tries) == ("waiting", 0)


async def test_finishing_uses_up_no_try_while_the_store_is_away(shelf: Shelf) -> None:
    async def trainers(row: Row) -> Collection[ParticipantId]:
        return []

    await shelf.make()
    shelf.elsewhere.left = 0
    jobs = SqliteJobs(shelf.database, "finishing")
    finishing = Finishing(jobs, shelf.published, trainers, lambda: 50)
    with pytest.raises(StoreAway):
        await finishing.finish(await shelf.row())
    assert (finishing.away, finishing.failed) == (1, 0)
    job = await jobs.get(KEY)
    assert job is not None
    assert (job.state, job.tries) == ("waiting", 0)
    assert job.due_at > 50


async def test_only_work_that_nobody_is_at_is_swept(shelf: Shelf) -> None:
    version = await shelf.make()
    folders = [
        shelf.here / name for name in (".captions-a", ".timeline-b", f"{version.folder}/{work_folder(shelf.published, version).name}")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"x")
        os.utime(folder / "half", (100, 100))
        os.utime(folder, (50, 50))
    await publication.sweep(shelf.published, 100_000 + DEAD_MS, 100)
    assert all(folder.exists() for folder in folders)
    await publication.sweep(shelf.published, 100_001 + DEAD_MS, 100)
    assert not any(folder.exists() for folder in folders)
