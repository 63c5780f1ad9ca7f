"""Turns recordings into replays: a job for each, in a process of its own, resumed after a crash, given up after a few failures.

A recording is followed from its beginning, so that its replay is there seconds after its end; where that could not be (the node was down,
too many at once, its class woke while what had been recorded before it rested was being made), it is packaged afterwards. Whatever a job
leaves behind when it fails or when the node goes lies in a folder nobody knows; the next try begins in another. One track that cannot be
made does not keep the rest from being published: the manifest says why it is missing.

A class that rests ends a journal and not its recording: what there is becomes a replay, and once the class has gone on another one is made
of all of it.

What is made and only waits for its store (publication: sealed) is kept: such a try does not count, and the next one sends the rest.

A worker that does not come to an end in time is ended. Rows, leases and tries: recording.jobs.
"""

import asyncio
import contextlib
import logging
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from recording import process, timeline
from recording.amendment import replace
from recording.catalog import Row
from recording.jobs import LEASE_MS, RENEW_S, Job, Jobs, Key, give_back, renewed, stopped
from recording.manifest import Made, Manifest, Moment
from recording.objects import StoreAway
from recording.orders import PackageOrder
from recording.process import Failed
from recording.publication import Published, Superseded, Version, finish, unfinished, write_timeline
from signaling.classroom.ids import Millis, SessionId
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.packaging")

#: recordings followed at a time, and packaged afterwards at a time
MAX_FOLLOWED: Final = 64
MAX_AFTERWARDS: Final = 1
#: a worker has this long once its recording has ended, and per hour of it
_END_S: Final = 120.0
_LOOK_S: Final = 5.0

#: the timeline of a recording of so many ms (None: to its end), from the class's log and what is known of its clock
Told: TypeAlias = Callable[[Row, int | None, Sequence[Moment]], Awaitable[timeline.Built]]


class Packaging:
    """The jobs of a running node."""

    def __init__(
        self, jobs: Jobs, published: Published, journal: Path, told: Told, clock: Callable[[], Millis], later: Jobs | None = None
    ) -> None:
        """Journals lie below `journal`; `told` gives the timeline of a recording so long; `later` are the jobs of recording.finishing."""
        self._jobs = jobs
        self._published = published
        self._journal = journal
        self._told = told
        self._clock = clock
        self._later = later
        self._ended: dict[Key, asyncio.Event] = {}
        #: journals of a recording that are being written: more than one while a class wakes before the last one is whole
        self._open: Counter[Key] = Counter()
        #: of which there is more than what is published or being made has, at most one per class that is on; to be written down
        self._more: set[Key] = set()
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._afterwards = asyncio.Semaphore(MAX_AFTERWARDS)
        self._look: asyncio.Task[None] | None = None
        self.made = 0
        self.failed = 0
        #: tries that ended since the store for what is published was away
        self.away = 0

    @property
    def working(self) -> int:
        """Recordings being followed or packaged."""
        return len(self._ended)

    async def start(self) -> None:
        """Take up what was left."""
        self._look = asyncio.create_task(self._again(), name="packaging")

    async def stop(self) -> None:
        """End the workers; their rows are taken up again at the next start (idempotent)."""
        await stopped([*self._tasks, *([self._look] if self._look else [])])
        self._look = None

    def opened(self, session: SessionId, recording: str) -> None:
        """A journal of a recording is being written: whatever is made of what there was before is to be made anew."""
        key = (session, recording)
        self._open[key] += 1
        under_way = self._ended.get(key)
        if under_way is None or under_way.is_set():
            self._more.add(key)
            self._news.set()

    def began(self, row: Row) -> None:
        """Follow a recording that has begun, or goes on after a restart or because its class woke."""
        key = (row.session, row.id)
        followed = sum(not event.is_set() for event in self._ended.values())
        if key not in self._ended and followed < MAX_FOLLOWED:
            self._more.discard(key)
            self._begin(row, asyncio.Event())

    def ended(self, session: SessionId, recording: str) -> None:
        """A journal of a recording is whole; if it is the last one, all that was recorded is written."""
        key = (session, recording)
        self._open[key] -= 1
        if self._open[key] > 0:
            return
        del self._open[key]
        event = self._ended.get(key)
        if event is not None:
            event.set()

    async def make(self, row: Row, *, captions: bool = True) -> bool:
        """Package an ended recording now, its captions kept or not; False if somebody else does.

        Raises Failed, OSError, Unavailable.
        """
        return await self._make(row, process.over(), resume=False, captions=captions)

    async def _again(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.take_up()
            except Unavailable:
                log.warning("the store cannot say what is to be packaged")
            except Exception:
                log.exception("nothing was taken up to be packaged")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_S)

    async def take_up(self) -> None:
        """Write down what is to be made anew, begin what is due. Raises Unavailable: what was not written down is, the next time."""
        while self._more:
            key = self._more.pop()
            try:
                await self._jobs.anew(key)
            except Unavailable:
                self._more.add(key)
                raise
        for row in await self._jobs.unfinished(self._clock()):
            # What has just ended may not be whole yet.
            if (row.session, row.id) not in self._open:
                self._begin(row, process.over())

    def _begin(self, row: Row, ended: asyncio.Event) -> None:
        key = (row.session, row.id)
        if key in self._ended:
            return
        self._ended[key] = ended
        task = asyncio.create_task(self._run(row, ended, followed=not ended.is_set()), name=f"package {row.session}/{row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, row: Row, ended: asyncio.Event, *, followed: bool) -> None:
        try:
            # What is followed costs little; what is packaged afterwards waits for its turn.
            async with contextlib.nullcontext() if followed else self._afterwards:
                # Who died before has the lease a little longer.
                while not await self._make(row, ended, resume=not followed):
                    if ended.is_set():
                        if followed:
                            self._more.add((row.session, row.id))
                        break
                    await asyncio.sleep(RENEW_S)
        except StoreAway as error:
            log.warning("a replay waits for its store", extra={"session": row.session, "recording": row.id, "why": str(error)})
        except (Failed, OSError, Unavailable, Superseded) as error:
            log.error("a recording was not packaged", extra={"session": row.session, "recording": row.id, "why": str(error)})
        except Exception:
            log.exception("a recording was not packaged")
        finally:
            self._ended.pop((row.session, row.id), None)

    async def _make(self, row: Row, ended: asyncio.Event, *, resume: bool, captions: bool = True) -> bool:
        """With `resume` what was made before and only waits for its store is made do, unless more was recorded since."""
        key, now = (row.session, row.id), self._clock()
        try:
            job = await self._jobs.take(key, now, now + LEASE_MS)
        except Unavailable:
            if not resume:
                self._more.add(key)
            raise
        if job is None:
            return False
        version: Version | None = None
        async with renewed(self._jobs, key, self._clock):
            try:
                served = await self._published.store.served(*key)
                version = await unfinished(self._published, *key) if resume and job.due_at >= 0 else None
                made = None
                if version is None:
                    if served is not None and captions:
                        # They come along from there: nothing is made that would have to wait for them.
                        await self._published.keeper(served.place).check()
                    version = await self._published.store.begin(*key, now)
                    folder = version.path(self._published.root)
                    folder.mkdir(parents=True)
                    made = await self._manifest(row, folder, await self._work(row, folder, ended))
                # Said before, so that a crash in between costs work and loses nothing; and after, to whoever finished the version before.
                await self._anew(key)
                if made is None:
                    await finish(self._published, version, self._clock(), served)
                else:
                    version = await replace(self._published, version, made, self._clock(), captions=captions)
                await self._anew(key)
            except BaseException as error:
                await self._give_back(key, job, version, error)
                raise
        await self._jobs.settle(key, "published", self._clock(), 0, None)
        self.made += 1
        return True

    async def _anew(self, key: Key) -> None:
        if self._later is not None:
            await self._later.anew(key)

    async def _manifest(self, row: Row, folder: Path, made: Made) -> Manifest:
        built = await self._told(row, made.duration_ms, made.moments)
        named, chapters = await asyncio.to_thread(write_timeline, folder, built, made.duration_ms)
        return Manifest(
            session=row.session,
            recording=row.id,
            title=built.title,
            started_at=row.started_at,
            duration_ms=made.duration_ms,
            tracks=made.tracks,
            mix=made.mix,
            timeline=named,
            chapters=chapters,
            moments=list(built.moments),
        )

    async def _give_back(self, key: Key, job: Job, version: Version | None, error: BaseException) -> None:
        """What was made and only waits for its store is kept for the next try."""
        now, kept = self._clock(), True
        self.away += isinstance(error, StoreAway)
        self.failed += not isinstance(error, StoreAway | asyncio.CancelledError)
        with contextlib.suppress(Unavailable):
            sealed = await unfinished(self._published, *key) is not None
            why = await give_back(self._jobs, key, job, now, error)
            sealed = sealed and isinstance(error, StoreAway | asyncio.CancelledError | Unavailable)
            # A write that was under way when the node stopped is done all the same: it may be published.
            kept = sealed or version is None or not await self._published.store.fail(version, now, why)
        if version is not None and not kept:
            await asyncio.to_thread(shutil.rmtree, version.path(self._published.root), ignore_errors=True)

    async def _work(self, row: Row, folder: Path, ended: asyncio.Event) -> Made:
        order = PackageOrder(journal=str(self._journal), session=row.session, recording=row.id, started_at=row.started_at, out=str(folder))

        def limit_s() -> float:
            # A clock that was set back in class takes nothing away.
            return _END_S * (1 + max(0, self._clock() - row.started_at) / 3_600_000)

        out = await process.run("recording.worker", msgspec.json.encode(order), ended, limit_s)
        try:
            return msgspec.json.decode(out, type=Made)
        except msgspec.DecodeError as error:
            raise Failed(f"the worker said something else: {error}") from error
