"""Turns recordings into replays: a job for each, in a process of its own, resumed after a crash, given up after a few failures.

`waiting -> working -> published | failed`. A recording is followed from its beginning, so that its replay is there seconds after its end;
where that could not be (the node was down, too many at once), it is packaged afterwards. Whatever a job leaves behind when it fails or when
the node goes lies in a folder nobody knows; the next try begins in another. One track that cannot be made does not keep the rest from
being published: the manifest says why it is missing.

What is made and only waits for its store (publication: sealed) is kept: such a try does not count, and the next one sends the rest.

A worker that does not come to an end in time is ended. The lease says until when somebody works on a row; a second process (the command
`recording rebuild`) leaves it alone until then.
"""

import asyncio
import contextlib
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from recording import process, timeline
from recording.amendment import replace
from recording.catalog import Row
from recording.manifest import Made, Manifest
from recording.objects import StoreAway
from recording.orders import PackageOrder
from recording.process import ERROR_BYTES, Failed
from recording.publication import Published, Superseded, Version, finish, unfinished, write_timeline
from signaling.classroom.ids import Millis, SessionId
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.packaging")

State: TypeAlias = Literal["waiting", "working", "published", "failed"]
Key: TypeAlias = tuple[SessionId, str]
#: tries of one recording
MAX_TRIES: Final = 5
#: recordings followed at a time, and packaged afterwards at a time
MAX_FOLLOWED: Final = 64
MAX_AFTERWARDS: Final = 1
#: a worker has this long once its recording has ended, and per hour of it
_END_S: Final = 120.0
LEASE_MS: Final = 15_000
_RENEW_S: Final = 5.0
_LOOK_S: Final = 5.0
#: how long a store that was away is left alone, give or take half of it
AWAY_MS: Final = 20_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The row of one recording."""

    session: SessionId
    recording: str
    state: State = "waiting"
    tries: int = 0
    due_at: Millis = 0
    lease_until: Millis = 0
    error: str | None = None


class Jobs(Protocol):
    """The rows. Writes are durable when they return; all raise Unavailable."""

    async def take(self, key: Key, now: Millis, lease_until: Millis) -> Job | None:
        """Make the row if there is none, and work on it; None if somebody else does."""

    async def renew(self, key: Key, lease_until: Millis) -> None:
        """Still at it."""

    async def settle(self, key: Key, state: State, now: Millis, due_at: Millis, error: str | None) -> None:
        """Nobody works on it any more."""

    async def put_back(self, key: Key, now: Millis, due_at: Millis, why: str) -> None:
        """Nobody works on it any more, and it was no try."""

    async def anew(self, key: Key) -> None:
        """What was done or given up is to be done again; what somebody works on, once they are done."""

    async def unfinished(self, now: Millis) -> Sequence[Row]:
        """Recordings that are due: never tried, failed not too often, or left by who died."""


#: the timeline of a recording of so many ms (None: to its end), from the class's log
Told: TypeAlias = Callable[[Row, int | None], Awaitable[timeline.Built]]


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
        tasks = [*self._tasks, *([self._look] if self._look else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._look = None

    def began(self, row: Row) -> None:
        """Follow a recording that has begun, or goes on after a restart."""
        if len(self._ended) < MAX_FOLLOWED:
            self._begin(row, asyncio.Event())

    def ended(self, session: SessionId, recording: str) -> None:
        """All files of a recording are written."""
        event = self._ended.get((session, recording))
        if event is not None:
            event.set()

    async def make(self, row: Row, *, captions: bool = True) -> bool:
        """Package an ended recording now, its captions kept or not; False if somebody else does.

        Raises Failed, OSError, Unavailable.
        """
        return await self._make(row, _over(), resume=False, captions=captions)

    async def _again(self) -> None:
        while True:
            try:
                for row in await self._jobs.unfinished(self._clock()):
                    self._begin(row, _over())
            except Unavailable:
                log.warning("the store cannot say what is to be packaged")
            await asyncio.sleep(_LOOK_S)

    def _begin(self, row: Row, ended: asyncio.Event) -> None:
        key = (row.session, row.id)
        if key in self._ended:
            return
        self._ended[key] = ended
        task = asyncio.create_task(self._run(row, ended), name=f"package {row.session}/{row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, row: Row, ended: asyncio.Event) -> None:
        try:
            # What is followed costs little; what is packaged afterwards waits for its turn.
            async with contextlib.nullcontext() if not ended.is_set() else self._afterwards:
                # Who died before has the lease a little longer.
                while not await self._make(row, ended, resume=True):
                    if ended.is_set():
                        break
                    await asyncio.sleep(_RENEW_S)
        except StoreAway as error:
            log.warning("a replay waits for its store", extra={"session": row.session, "recording": row.id, "why": str(error)})
        except (Failed, OSError, Unavailable, Superseded) as error:
            log.error("a recording was not packaged", extra={"session": row.session, "recording": row.id, "why": str(error)})
        except Exception:
            log.exception("a recording was not packaged")
        finally:
            self._ended.pop((row.session, row.id), None)

    async def _make(self, row: Row, ended: asyncio.Event, *, resume: bool, captions: bool = True) -> bool:
        """With `resume` what was made before and only waits for its store is made do."""
        key, now = (row.session, row.id), self._clock()
        job = await self._jobs.take(key, now, now + LEASE_MS)
        if job is None:
            return False
        renewing = asyncio.create_task(self._renew(key))
        version: Version | None = None
        try:
            served = await self._published.store.served(*key)
            version = await unfinished(self._published, *key) if resume else None
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
        finally:
            renewing.cancel()
        await self._jobs.settle(key, "published", self._clock(), 0, None)
        self.made += 1
        return True

    async def _anew(self, key: Key) -> None:
        if self._later is not None:
            await self._later.anew(key)

    async def _manifest(self, row: Row, folder: Path, made: Made) -> Manifest:
        built = await self._told(row, made.duration_ms)
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
        )

    async def _give_back(self, key: Key, job: Job, version: Version | None, error: BaseException) -> None:
        """Another try later, unless it was the last; a node that stops and a store that is away do not count as one."""
        now, why = self._clock(), str(error)[:ERROR_BYTES] or type(error).__name__
        sealed = False
        with contextlib.suppress(Unavailable):
            sealed = await unfinished(self._published, *key) is not None
            if isinstance(error, asyncio.CancelledError):
                why = "the node stopped"
                await self._jobs.put_back(key, now, now, why)
            elif isinstance(error, StoreAway):
                self.away += 1
                await self._jobs.put_back(key, now, after_away(now), why)
            else:
                self.failed += 1
                await self._jobs.settle(key, "failed" if job.tries >= MAX_TRIES else "waiting", now, now + 1_000 * 4**job.tries, why)
                sealed = sealed and isinstance(error, Unavailable)
            if version is not None and not sealed:
                await self._published.store.fail(version, now, why)
        if version is not None and not sealed:
            await asyncio.to_thread(shutil.rmtree, version.path(self._published.root), ignore_errors=True)

    async def _renew(self, key: Key) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            with contextlib.suppress(Unavailable):
                await self._jobs.renew(key, self._clock() + LEASE_MS)

    async def _work(self, row: Row, folder: Path, ended: asyncio.Event) -> Made:
        order = PackageOrder(journal=str(self._journal), session=row.session, recording=row.id, started_at=row.started_at, out=str(folder))

        def limit_s() -> float:
            return _END_S * (1 + (self._clock() - row.started_at) / 3_600_000)

        out = await process.run("recording.worker", msgspec.json.encode(order), ended, limit_s)
        try:
            return msgspec.json.decode(out, type=Made)
        except msgspec.DecodeError as error:
            raise Failed(f"the worker said something else: {error}") from error


def after_away(now: Millis) -> Millis:
    """When a store that was away is asked again."""
    return now + AWAY_MS // 2 + secrets.randbelow(AWAY_MS)


def _over() -> asyncio.Event:
    """The end of a recording that has ended."""
    ended = asyncio.Event()
    ended.set()
    return ended
