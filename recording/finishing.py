"""What takes longer is added to a published recording afterwards: pictures as H.264, the download, thumbnails.

Rows like the packager's own (recording.jobs). A replay is watched meanwhile; each step publishes the next version of it. What must be
encoded is encoded for one recording at a time, so that the classes that are on keep the machine; recordings that need none go past it. A
node that stops loses at most the file that is being made. Files of the versions before are removed when nobody can be watching them any
more.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from recording import process
from recording.amendment import NotPublished, amend
from recording.catalog import Row
from recording.copying import copy, read
from recording.jobs import LEASE_MS, Jobs, Key, give_back, renewed, stopped
from recording.manifest import Manifest, Span
from recording.objects import StoreAway
from recording.orders import Added, FinishOrder, to_do
from recording.process import Failed
from recording.publication import GRACE_MS, WORK, Deleted, Published, Superseded, Version, prune, work_folder
from signaling.classroom.ids import Millis, ParticipantId
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.finishing")

#: recordings looked after at a time, of which one is encoded and one is not
MAX_TASKS: Final = 64
#: a step has this long, and this much per second of picture to encode
_STEP_S: Final = 900.0
_PER_SECOND: Final = 3.0
_LOOK_S: Final = 5.0
#: below a work folder
_BROUGHT: Final = "media"

#: who teaches in a recording's class
Trainers: TypeAlias = Callable[[Row], Awaitable[Collection[ParticipantId]]]


class Finishing:
    """The jobs of a running node."""

    def __init__(self, jobs: Jobs, published: Published, trainers: Trainers, clock: Callable[[], Millis]) -> None:
        self._jobs = jobs
        self._published = published
        self._trainers = trainers
        self._clock = clock
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._encoding = asyncio.Semaphore(1)
        self._quick = asyncio.Semaphore(1)
        self._look: asyncio.Task[None] | None = None
        self.made = 0
        self.failed = 0
        #: tries that ended since the store for what is published was away
        self.away = 0
        #: files that became H.264, and things that could not be made
        self.transcodes = 0
        self.missing = 0

    @property
    def working(self) -> int:
        """Recordings waiting for their turn or being worked on."""
        return len(self._tasks)

    async def start(self) -> None:
        """Take up what is left, and what is published from now on."""
        self._look = asyncio.create_task(self._again(), name="finishing")

    async def stop(self) -> None:
        """End the worker; rows are taken up again at the next start (idempotent)."""
        await stopped([*([self._look] if self._look else []), *self._tasks.values()])
        self._look = None

    async def _again(self) -> None:
        while True:
            try:
                for row in await self._jobs.unfinished(self._clock()):
                    self._begin(row)
                await self.tidy()
            except StoreAway:
                pass  # told by recording.sweeping; what lies there waits
            except OSError as error:
                log.error("files of a version before cannot be removed", extra={"why": str(error)})
            except Unavailable:
                log.warning("the store cannot say what is to be finished")
            except Exception:
                log.exception("nothing was taken up to be finished")
            await asyncio.sleep(_LOOK_S)

    async def tidy(self) -> int:
        """Remove the files of versions that nobody can be watching any more; how many versions. Raises OSError, Unavailable."""
        found = await self._published.store.outdated(self._clock() - GRACE_MS)
        return sum([await prune(self._published, session, recording, self._clock()) for session, recording in found])

    def _begin(self, row: Row) -> None:
        key = (row.session, row.id)
        if key not in self._tasks and len(self._tasks) < MAX_TASKS:
            task = self._tasks[key] = asyncio.create_task(self._run(row), name=f"finish {row.session}/{row.id}")
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _run(self, row: Row) -> None:
        told = {"session": row.session, "recording": row.id}
        try:
            await self.finish(row)
        except StoreAway as error:
            log.warning("a replay waits for its store", extra={**told, "why": str(error)})
        except (Failed, OSError, Unavailable, NotPublished, Superseded) as error:
            log.error("a recording was not finished", extra={**told, "why": str(error)})
        except Deleted:
            log.info("a recording was deleted while it was being finished", extra=told)
        except Exception:
            log.exception("a recording was not finished", extra=told)

    async def finish(self, row: Row) -> bool:
        """Add what is missing; False if somebody else does. Raises Failed, NotPublished, Superseded, Deleted, OSError, Unavailable."""
        key = (row.session, row.id)
        async with self._encoding if await self._encodes(row) else self._quick:
            now = self._clock()
            job = await self._jobs.take(key, now, now + LEASE_MS)
            if job is None:
                return False
            async with renewed(self._jobs, key, self._clock):
                try:
                    trainers = sorted(await self._trainers(row))
                    _, made = await self._served(key)
                    for main in (True, False):
                        made = await self._step(key, made, trainers, main=main)
                except BaseException as error:
                    self.away += isinstance(error, StoreAway)
                    self.failed += not isinstance(error, StoreAway | asyncio.CancelledError)
                    with contextlib.suppress(Unavailable):
                        await give_back(self._jobs, key, job, self._clock(), error)
                    raise
            await self._jobs.settle(key, "published", self._clock(), 0, None)
        self.made += 1
        return True

    async def _encodes(self, row: Row) -> bool:
        """Whether it must wait until nothing is encoded; what cannot be told now is told by the work itself."""
        try:
            _, made = await self._served((row.session, row.id))
        except (NotPublished, OSError, ValueError):
            return False
        return bool(to_do(made.tracks, (), main=True) or to_do(made.tracks, (), main=False))

    async def _step(self, key: Key, before: Manifest, trainers: list[ParticipantId], *, main: bool) -> Manifest:
        """One process: the main picture with what is made of it, or all other pictures. What is served then."""
        version, made = await self._served(key)
        with_added(made, Added(pictures={}), before)
        spans = to_do(made.tracks, trainers, main=main)
        if not spans and not (main and made.download is None):
            return made
        work = work_folder(self._published, version)
        await asyncio.to_thread(_prepare, work)
        folder = await self._at_hand(version, work, _media(made) if main else [span.file for span in spans])
        order = FinishOrder(
            folder=str(folder),
            work=str(work),
            tracks=made.tracks,
            mix=made.mix,
            trainers=trainers,
            duration_ms=made.duration_ms,
            main=main,
        )
        seconds = sum(span.to_ms - span.from_ms for span in spans) / 1000
        out = await process.run("recording.finisher", msgspec.json.encode(order), process.over(), lambda: _STEP_S + _PER_SECOND * seconds)
        try:
            added = msgspec.json.decode(out, type=Added)
        except msgspec.DecodeError as error:
            raise Failed(f"the worker said something else: {error}") from error
        self.transcodes += len(added.pictures)
        self.missing += len(added.failed)
        for name, why in added.failed.items():
            log.warning("not made", extra={"session": key[0], "recording": key[1], "file": name, "why": why})
        whole = with_added(made, added, made)
        if whole != made:
            new = {path.name: path for path in work.iterdir() if path.is_file()}
            await amend(self._published, *key, lambda served: with_added(served, added, made), new, self._clock)
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return whole

    async def _at_hand(self, version: Version, work: Path, names: Sequence[str]) -> Path:
        """A folder with these files of a version: its own, or one that they were brought to, by an earlier try, too."""
        if not version.place:
            return version.path(self._published.root)
        folder = work / _BROUGHT
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        await copy(self._published, version, [name for name in names if not (folder / name).exists()], folder)
        return folder

    async def _served(self, key: Key) -> tuple[Version, Manifest]:
        version = await self._published.store.served(*key)
        if version is None:
            raise NotPublished(key[1])
        return version, await read(self._published, version)


def with_added(manifest: Manifest, added: Added, of: Manifest) -> Manifest:
    """A manifest with what was made of the media of another. Raises Superseded if it has other media."""
    if (manifest.tracks, manifest.mix) != (of.tracks, of.mix):
        raise Superseded(manifest.recording)

    def better(span: Span) -> Span:
        return added.pictures.get(span.file, span)

    tracks = [msgspec.structs.replace(track, spans=[better(span) for span in track.spans]) for track in manifest.tracks]
    return msgspec.structs.replace(
        manifest,
        tracks=tracks,
        download=added.download or manifest.download,
        thumbnails=added.thumbnails or manifest.thumbnails,
        sheets=added.sheets or manifest.sheets,
    )


def _media(made: Manifest) -> Sequence[str]:
    return [*(span.file for track in made.tracks for span in track.spans), *([made.mix.file] if made.mix else [])]


def _prepare(work: Path) -> None:
    """A folder to work in; those of versions before go."""
    for other in work.parent.glob(f"{WORK}*"):
        if other != work:
            shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
