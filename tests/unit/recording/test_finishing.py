"""The jobs that finish a replay: the next version, in a process of its own, taken up again, given up. On a real store and disk."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from recording import finishing, manifest, process
from recording.amendment import Words, amend, captioned, read, replace
from recording.captions import BadCaptions
from recording.catalog import Row
from recording.finishing import Finishing, with_added
from recording.jobs import MAX_TRIES
from recording.manifest import Manifest, Span, Timeline, Track
from recording.orders import Added
from recording.process import Failed
from recording.publication import GRACE_MS, Deleted, Published, Superseded, publish, purge, retire, work_folder
from server.adapters.sqlite import Database
from server.adapters.sqlite_packaging import SqliteJobs
from server.adapters.sqlite_publications import SqlitePublications
from server.adapters.sqlite_recordings import SqliteRecordings
from tests.support import film

KEY = ("s1", "r5")
ROW = Row(session="s1", id="r5", started_at=1_000)
WORDS = Words(b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", "en", None)


class Place:
    """A store with one published recording."""

    def __init__(self, database: Database, root: Path) -> None:
        self.now = 10_000
        self.database = database
        self.jobs = SqliteJobs(database, "finishing")
        self.published = Published(SqlitePublications(database), root)
        self.finishing = Finishing(self.jobs, self.published, self._trainers, self.clock)

    def clock(self) -> int:
        return self.now

    async def _trainers(self, row: Row) -> set[str]:
        return {"tom"}

    async def publish(self, kind: str = "vp8", seconds: float = 3) -> None:
        store = SqliteRecordings(self.database)
        await store.begin(ROW)
        await store.end(*KEY, 9_000, "asked")
        version = await self.published.store.begin(*KEY, self.now)
        folder = version.path(self.published.root)
        folder.mkdir(parents=True)
        camera = film.vp8(folder, "t1-0.webm", 0, seconds) if kind == "vp8" else film.h264(folder, "t1-0.mp4", 0, seconds)
        other = film.vp8(folder, "t2-0.webm", 0, 1)
        tracks = [Track(id="t1", participant="tom", source="camera", spans=[camera])]
        if kind == "vp8":
            tracks.append(Track(id="t2", participant="ann", source="camera", spans=[other]))
        await publish(self.published, version, made(tracks, film.mix(folder, seconds)), self.now)

    async def served(self) -> tuple[int, Manifest]:
        version = await self.published.store.served(*KEY)
        assert version is not None
        content = await read(self.published, version)
        for name in manifest.files(content):
            assert (version.path(self.published.root) / name).is_file(), name
        return version.version, content


def made(tracks: list[Track], mix: Span) -> Manifest:
    return Manifest(
        session="s1", recording="r5", title="T", started_at=1, duration_ms=mix.to_ms, tracks=tracks, mix=mix,
        timeline=Timeline(chunks=[], snapshots=[]),
    )  # fmt: skip


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = Database(tmp_path / "jiangtai.sqlite")
    await database.start()
    root = tmp_path / "published"
    root.mkdir()
    yield Place(database, root)
    await database.close()


async def test_the_main_picture_comes_first_and_then_the_others(place: Place) -> None:
    await place.publish()
    assert [row.id for row in await place.jobs.unfinished(place.now)] == ["r5"]
    assert await place.finishing.finish(ROW)
    number, content = await place.served()
    assert number == 3, "a version with the download, another with the rest"
    assert [span.file for track in content.tracks for span in track.spans] == ["t1-0-h264.mp4", "t2-0-h264.mp4"]
    assert content.download is not None
    assert content.thumbnails
    assert content.sheets
    assert (place.finishing.made, place.finishing.failed, place.finishing.transcodes, place.finishing.missing) == (1, 0, 2, 0)
    assert await place.jobs.unfinished(place.now) == []
    versions = await place.published.store.versions(*KEY)
    assert [version.published_at is not None for version in versions] == [True, True, True]
    first, last = (version.path(place.published.root) for version in (versions[0], versions[-1]))
    assert (first / "t1-0.webm").exists(), "who watches goes on"
    assert (first / "mix.mp4").samefile(last / "mix.mp4"), "what is the same is there once"
    assert not list(place.published.root.glob("*/work-*"))


async def test_h264_needs_one_version_more(place: Place) -> None:
    await place.publish("h264")
    await place.finishing.finish(ROW)
    number, content = await place.served()
    assert (number, content.download is not None, place.finishing.transcodes) == (2, True, 0)


async def test_two_do_not_work_on_one_recording(place: Place) -> None:
    await place.publish("h264")
    await place.jobs.take(KEY, place.now, place.now + 1_000)
    assert not await place.finishing.finish(ROW)
    assert (await place.served())[0] == 1


async def test_captions_that_came_meanwhile_stay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.publish("h264")
    run = process.run

    async def slow(*asked: object) -> bytes:
        await captioned(place.published, *KEY, WORDS, place.clock)
        return await run(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "run", slow)
    await place.finishing.finish(ROW)
    number, content = await place.served()
    assert number == 3
    assert [caption.language for caption in content.captions] == ["en"]
    assert content.download is not None


async def test_a_rebuild_meanwhile_wins_and_is_finished_in_its_turn(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.publish("h264")
    run = process.run

    async def slow(*asked: object) -> bytes:
        version = await place.published.store.begin(*KEY, place.now)
        folder = version.path(place.published.root)
        folder.mkdir(parents=True)
        track = Track(id="t1", participant="tom", source="camera", spans=[film.h264(folder, "new.mp4", 0, 2)])
        out = await run(*asked)  # type: ignore[arg-type]
        await replace(place.published, version, made([track], film.mix(folder, 2)), place.now)
        return out

    monkeypatch.setattr(process, "run", slow)
    with pytest.raises(Superseded):
        await place.finishing.finish(ROW)
    monkeypatch.setattr(process, "run", run)
    place.now += 1_000_000
    await place.finishing.finish(ROW)
    _, content = await place.served()
    assert [span.file for track in content.tracks for span in track.spans] == ["new.mp4"]
    assert content.download is not None
    assert content.download.to_ms == 2_000


async def test_a_rebuild_keeps_captions_and_is_finished_anew(place: Place) -> None:
    await place.publish("h264")
    version = await place.published.store.begin(*KEY, place.now)
    folder = version.path(place.published.root)
    folder.mkdir(parents=True)
    track = Track(id="t1", participant="tom", source="camera", spans=[film.h264(folder, "new.mp4", 0, 2)])
    await captioned(place.published, *KEY, WORDS, place.clock)
    await place.finishing.finish(ROW)
    await place.jobs.anew(KEY)
    published = await replace(place.published, version, made([track], film.mix(folder, 2)), place.now)
    number, content = await place.served()
    assert published.version == number == 5, "begun as 2, published after 3 and 4"
    assert [caption.language for caption in content.captions] == ["en"]
    assert content.download is None
    assert [row.id for row in await place.jobs.unfinished(place.now)] == ["r5"]


async def test_what_is_made_anew_while_somebody_works_is_done_again_after_them(place: Place) -> None:
    await place.publish("h264")
    assert await place.jobs.take(KEY, place.now, place.now + 1_000) is not None
    await place.jobs.anew(KEY)
    assert await place.jobs.unfinished(place.now) == [], "somebody is at it"
    await place.jobs.settle(KEY, "published", place.now, 0, None)
    assert [row.id for row in await place.jobs.unfinished(place.now)] == ["r5"]
    job = await place.jobs.take(KEY, place.now, place.now + 1_000)
    assert job is not None
    assert job.tries == 1
    await place.jobs.settle(KEY, "published", place.now, 0, None)
    assert await place.jobs.unfinished(place.now) == []


async def test_who_is_taken_out_is_in_no_film_no_thumbnail_and_no_caption(place: Place) -> None:
    await place.publish("h264")
    await place.finishing.finish(ROW)
    await captioned(place.published, *KEY, WORDS, place.clock)
    before = await place.published.store.served(*KEY)
    assert before is not None
    unfinished = work_folder(place.published, before)
    unfinished.mkdir()
    (unfinished / "download.part").write_bytes(b"half a film")
    place.now += 1
    version = await place.published.store.begin(*KEY, place.now)
    folder = version.path(place.published.root)
    folder.mkdir(parents=True)
    place.now += 1
    await replace(place.published, version, made([], film.mix(folder, 2)), place.now, captions=False)
    assert await retire(place.published, *KEY, place.now) > 5
    number, content = await place.served()
    assert (content.download, content.thumbnails, content.sheets, content.captions) == (None, None, [], [])
    assert [path.name for path in place.published.root.glob("*/*")] == [f"v{number}"]
    with pytest.raises(Superseded):
        with_added(content, Added(pictures={}), made([], Span(from_ms=0, to_ms=1, file="mix.mp4", type=film.AAC, bytes=1)))


async def test_a_deleted_recording_is_left_alone(place: Place) -> None:
    await place.publish("h264")
    await SqliteRecordings(place.database).mark(*KEY, "deleted", 7, "test", "{}")
    assert await place.jobs.unfinished(place.now) == []
    with pytest.raises(Deleted):
        await place.published.store.begin(*KEY, place.now)
    assert await purge(place.published, *KEY) > 0
    assert not list(place.published.root.rglob("*.*"))


async def test_what_cannot_be_finished_is_tried_later_and_given_up_in_the_end(place: Place) -> None:
    await place.publish("h264")
    for path in place.published.root.rglob("manifest.json"):
        path.unlink()
    waits = []
    for _ in range(MAX_TRIES):
        with pytest.raises(FileNotFoundError):
            await place.finishing.finish(ROW)
        job = await place.jobs.get(KEY)
        assert job is not None
        waits.append(job.due_at - place.now)
        place.now += 1_000_000_000
    assert (job.state, place.finishing.failed) == ("failed", MAX_TRIES)
    assert waits == sorted(waits)
    assert await place.jobs.unfinished(place.now) == []


async def test_a_node_that_stops_takes_its_process_along_and_uses_up_no_try(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.publish(seconds=60)
    begun = asyncio.Event()
    spawn = asyncio.create_subprocess_exec
    workers: list[asyncio.subprocess.Process] = []

    async def spawned(*words: str, **pipes: int) -> asyncio.subprocess.Process:
        workers.append(await spawn(*words, **pipes))
        begun.set()
        return workers[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawned)
    task = asyncio.create_task(place.finishing.finish(ROW))
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert workers[0].returncode is not None
    job = await place.jobs.get(KEY)
    assert job is not None
    assert (job.state, job.tries) == ("waiting", 0)


async def test_versions_before_go_when_nobody_can_be_watching_them(place: Place) -> None:
    await place.publish()
    await place.finishing.finish(ROW)
    place.now += GRACE_MS
    assert await place.finishing.tidy() == 0, "not yet"
    place.now += 1
    assert await place.finishing.tidy() == 2
    number, content = await place.served()
    assert number == 3
    assert content.download is not None
    assert [path.name for path in place.published.root.glob("*/*")] == ["v3"]
    assert not list(place.published.root.rglob("*.webm"))
    assert await place.published.store.outdated(place.now) == []


async def test_a_process_that_comes_to_no_end_is_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.publish(seconds=20)
    monkeypatch.setattr(finishing, "_STEP_S", 0.0)
    monkeypatch.setattr(finishing, "_PER_SECOND", 0.0)
    with pytest.raises(Failed, match="no end"):
        await place.finishing.finish(ROW)
    assert (await place.served())[0] == 1
    job = await place.jobs.get(KEY)
    assert job is not None
    assert (job.state, job.tries) == ("waiting", 1)


async def test_captions_replace_those_of_their_language_and_are_counted(place: Place) -> None:
    await place.publish("h264")
    await captioned(place.published, *KEY, WORDS, place.clock)
    await captioned(place.published, *KEY, WORDS._replace(language="zh-cn"), place.clock)
    await captioned(place.published, *KEY, WORDS._replace(label="English (fixed)"), place.clock)
    number, content = await place.served()
    assert number == 4
    assert [(caption.language, caption.label) for caption in content.captions] == [("en", "English (fixed)"), ("zh-CN", "中文")]
    with pytest.raises(BadCaptions, match="after the end"):
        await captioned(place.published, *KEY, WORDS._replace(data=b"WEBVTT\n\n01:00.000 --> 02:00.000\nx\n"), place.clock)
    assert (await place.served())[0] == 4
    for n in range(18):
        await captioned(place.published, *KEY, WORDS._replace(language=f"a{chr(97 + n)}"), place.clock)
    with pytest.raises(BadCaptions, match="20 languages"):
        await captioned(place.published, *KEY, WORDS._replace(language="zz"), place.clock)
    assert not list(place.published.root.glob(".captions-*"))


async def test_two_who_add_at_once_lose_neither(place: Place) -> None:
    await place.publish("h264")
    tags = ["de", "en", "fr", "zh"]
    await asyncio.gather(*(captioned(place.published, *KEY, WORDS._replace(language=tag), place.clock) for tag in tags))
    _, content = await place.served()
    assert [caption.language for caption in content.captions] == tags


def leads_elsewhere(served: Manifest) -> Manifest:
    return msgspec.structs.replace(served, sheets=["../../x.jpg"])


async def test_a_name_that_leads_elsewhere_is_not_published(place: Place) -> None:
    await place.publish("h264")
    with pytest.raises(ValueError, match="lead elsewhere"):
        await amend(place.published, *KEY, leads_elsewhere, {"../../x.jpg": Path("/etc/passwd")}, place.clock)
    assert (await place.served())[0] == 1
    assert not (place.published.root / "x.jpg").exists()
