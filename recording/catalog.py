"""Which recordings there are: a row for each, made by the class's events, measured by its files.

The journal files are the truth about what was recorded, the class's log about when it ended: rows that a crash left behind are made good
from them when the node starts. What the store refuses it is told again, in order, until it is written down. A recording goes
`recording -> ended -> deleted -> purged`; deleted is a tombstone: nobody may use it any more, its files are about to go.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from media import journals
from media.plane import JournalNews
from signaling.classroom.ids import Millis, ParticipantId, SessionId
from signaling.classroom.recording import RecordingStarted, RecordingStopped
from signaling.classroom.state import Room
from signaling.entries import Entry
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.recording")

State: TypeAlias = Literal["recording", "ended", "deleted", "purged"]
#: things to write down that may wait; what does not fit is made good at the next start
MAX_WAITING: Final = 10_000
#: the name of a class's folder (media/engine/journal/src/format.rs)
_CLASS: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: until a store that was away is asked again
_AGAIN_S: Final = 1.0

#: when and why a recording ended, from the class's log; None if it did not
Ended: TypeAlias = Callable[["Row"], Awaitable[tuple[Millis, str] | None]]


class Held(Exception):
    """The class is under a legal hold: nothing of it may be deleted."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One recording; file numbers are None until its first file was measured."""

    session: SessionId
    id: str
    started_at: Millis
    started_by: ParticipantId | None = None
    ended_at: Millis | None = None
    reason: str | None = None
    first_file: int | None = None
    last_file: int | None = None
    files: int = 0
    bytes: int = 0
    lost: int = 0
    deleted_at: Millis | None = None
    purged_at: Millis | None = None

    @property
    def state(self) -> State:
        """Where in its life it is."""
        if self.purged_at is not None:
            return "purged"
        if self.deleted_at is not None:
            return "deleted"
        return "recording" if self.ended_at is None else "ended"


class Recordings(Protocol):
    """The rows. Writes are durable when they return; all raise Unavailable."""

    async def begin(self, row: Row) -> None:
        """Make a row; one that is there stays as it is."""

    async def end(self, session: SessionId, id: str, at: Millis, reason: str) -> None:
        """The recording ended; the first end counts."""

    async def measure(self, rows: Sequence[Row]) -> None:
        """Set files, bytes and lost of these; rows that are missing are made."""

    async def mark(self, session: SessionId, id: str, mark: Literal["deleted", "purged"], at: Millis, by: str, details: str) -> None:
        """Set the mark, once, and write down who did it. Raises Held for the tombstone of a recording whose class is held."""

    async def note(self, session: SessionId, id: str, act: str, at: Millis, by: str, details: str) -> None:
        """Write down what was done with it, and by whom."""

    async def rows(self, session: SessionId | None = None) -> Sequence[Row]:
        """Of one class or of all, oldest first."""


def measured(root: Path, session: SessionId) -> list[Row]:
    """The recordings of a class as its files tell; to be called outside the event loop. Raises OSError."""
    found: dict[str, Row] = {}
    for file in journals.files(root, session):
        row = found.get(file.recording) or Row(
            session=session, id=file.recording, started_at=file.began_us // 1000, first_file=file.number, last_file=file.number
        )
        found[file.recording] = msgspec.structs.replace(
            row, last_file=file.number, files=row.files + 1, bytes=row.bytes + file.bytes, lost=row.lost + file.lost
        )
    return list(found.values())


class Catalog:
    """Keeps the rows of a running node (hub.Watcher and the plane's listener)."""

    def __init__(self, store: Recordings, root: Path, give_up: Callable[[SessionId], Awaitable[None]], ended: Ended) -> None:
        """`give_up` ends the recording of a class that the engine could not begin; `ended` looks into the class's log."""
        self._store = store
        self._root = root
        self._give_up = give_up
        self._ended = ended
        self._stopping = asyncio.Event()
        #: rows without an end, by class
        self._open: dict[SessionId, str] = {}
        self._waiting: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self.missed = 0
        #: files made whole when the node started
        self.recovered = 0

    async def start(self) -> None:
        """Make what a crash left whole: files, then rows; ends that were never written down follow. Raises OSError, Unavailable."""
        recovered = await asyncio.to_thread(journals.recover, self._root)
        self.recovered = len(recovered)
        if recovered:
            log.warning("journals recovered", extra={"count": len(recovered)})
        for folder in await asyncio.to_thread(_folders, self._root):
            await self._store.measure(await asyncio.to_thread(measured, self._root, folder))
        left = [row for row in await self._store.rows() if row.ended_at is None]
        self._open = {row.session: row.id for row in left}
        for row in left:
            self._do(lambda row=row: self._look_up(row))  # type: ignore[misc]
        self._task = asyncio.create_task(self._write(), name="recordings")

    async def stop(self) -> None:
        """Write down what waits, and what the engine sealed when it closed (idempotent)."""
        if self._task is not None:
            for session in list(self._open):
                self._do(lambda session=session: self._measure(session))  # type: ignore[misc]
            self._stopping.set()
            await self._waiting.join()
            self._task.cancel()
            self._task = None

    def watch(self, session: SessionId, room: Room, entries: Sequence[Entry]) -> None:
        """See hub.Watcher."""
        for entry in entries:
            event, at = entry.event, entry.origin.at
            if isinstance(event, RecordingStarted):
                row = Row(session=session, id=event.recording, started_at=at, started_by=entry.origin.by)
                self._open[session] = row.id
                self._do(lambda row=row: self._store.begin(row))  # type: ignore[misc]
            elif isinstance(event, RecordingStopped):
                self._end(session, event.recording, at, event.reason)
        left = self._open.get(session)
        if left is not None and (room.recording is None or room.recording.id != left):
            self._end(session, left, entries[-1].origin.at, "ended")  # a crash came between its end and its row

    def heard(self, news: JournalNews) -> None:
        """A file was sealed, or a recording did not begin."""
        if news.state in ("sealed", "closed"):
            self._do(lambda: self._measure(news.session))
        elif news.state in ("disk_low", "failed"):
            log.error("a recording did not begin", extra={"session": news.session, "why": news.state})
            self._do(lambda: self._end_failed(news.session))

    def _end(self, session: SessionId, id: str, at: Millis, reason: str) -> None:
        self._open.pop(session, None)
        self._do(lambda: self._store.end(session, id, at, reason))

    async def _look_up(self, row: Row) -> None:
        """An end that is in the log and not in the row."""
        found = await self._ended(row)
        if found is not None:
            await self._store.end(row.session, row.id, *found)
            if self._open.get(row.session) == row.id:
                del self._open[row.session]

    async def _end_failed(self, session: SessionId) -> None:
        try:
            await self._give_up(session)
        except Unavailable:
            # Others need not wait for it: whoever wakes the class has the engine asked again, which says so again.
            self.missed += 1
            log.warning("a recording that did not begin was not ended", extra={"session": session})

    async def _measure(self, session: SessionId) -> None:
        await self._store.measure(await asyncio.to_thread(measured, self._root, session))

    def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            self._waiting.put_nowait(work)
        except asyncio.QueueFull:
            self.missed += 1

    async def _write(self) -> None:
        while True:
            work = await self._waiting.get()
            try:
                await self._carry_out(work)
            except OSError as error:
                self.missed += 1
                log.error("a recording's row was not written", extra={"why": type(error).__name__})
            except Exception:
                self.missed += 1
                log.exception("a recording's row was not written")
            finally:
                self._waiting.task_done()

    async def _carry_out(self, work: Callable[[], Awaitable[None]]) -> None:
        """Again and again while the store is away; what comes later waits, so that nothing is written down before what came first."""
        refused = False
        while True:
            try:
                return await work()
            except Unavailable as error:
                if self._stopping.is_set():  # made good at the next start
                    self.missed += 1
                    log.error("a recording's row was not written", extra={"why": str(error)})
                    return None
                if not refused:
                    log.warning("rows of recordings wait for the store", extra={"why": str(error)})
                refused = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _AGAIN_S)


def _folders(root: Path) -> list[SessionId]:
    """Of classes: what else lies there, like the `lost+found` of a disk of its own, is none."""
    return sorted(entry.name for entry in root.iterdir() if _CLASS.fullmatch(entry.name) and entry.is_dir()) if root.exists() else []
