"""One SQLite file behind the whole node: a single writer thread that commits in groups, readers beside it.

Rules. WAL with `synchronous=FULL`: a resolved write has been synced. All jobs waiting when the writer turns around share one commit; each
runs in its own savepoint, so that a refused job leaves its neighbours alone. The queue is bounded. A job is a plain function of the
connection; it runs outside the event loop and must not block on anything but the database. What is deleted is overwritten
(`secure_delete`), and `scrub` empties the write-ahead log, so that bytes which no row holds are in no file.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, cast

from signaling.metrics import Histogram
from signaling.ports import Unavailable

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
Waiting = tuple[Job[Any], "asyncio.Future[Any]"]


class _Alone:
    """A job that no transaction may be around."""

    def __init__(self, job: Job[Any]) -> None:
        self.job = job

    def __call__(self, connection: sqlite3.Connection) -> Any:
        return self.job(connection)


def migrations() -> list[tuple[int, str, str]]:
    """(version, name, SQL) of every migration shipped, in order."""
    folder = resources.files("server") / "migrations"
    found = [(int(entry.name[:4]), entry.name, entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted(found)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version; each migration is one transaction, applied once."""
    connection.execute("CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
    done = {row[0] for row in connection.execute("SELECT version FROM migration")}
    for version, name, script in migrations():
        if version not in done:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}")
            connection.execute("INSERT INTO migration VALUES (?, ?)", (version, name))
            connection.execute("COMMIT")


class Database:
    """Open with `start`, then `write` and `read`; both raise Unavailable when the file cannot serve."""

    def __init__(self, path: Path | str, *, queue: int = 20_000, group: int = 1_000, readers: int = 2) -> None:
        """queue: waiting writes before Unavailable; group: most jobs in one commit."""
        self._path = str(path)
        self._queue_limit = queue
        self._group = group
        self._waiting: deque[Waiting] = deque()
        self._wake = threading.Condition()
        self._open = False
        self._writer: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="sqlite-read")
        self._local = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.commits = 0
        self.writes = 0
        self.refused = 0
        #: CPU time of the writer thread
        self.cpu_seconds = 0.0
        #: seconds from BEGIN to the end of COMMIT
        self.commit_seconds = Histogram()

    @property
    def waiting(self) -> int:
        """Writes not yet committed."""
        return len(self._waiting)

    async def start(self) -> None:
        """Open, migrate, start the writer; raises sqlite3.Error when the file is not usable."""
        self._loop = asyncio.get_running_loop()
        connection = await asyncio.to_thread(self._connect)
        await asyncio.to_thread(migrate, connection)
        self._open = True
        self._writer = threading.Thread(target=self._write_forever, args=(connection,), name="sqlite-write", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Commit what waits, then close (idempotent)."""
        with self._wake:
            self._open = False
            self._wake.notify()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        await asyncio.to_thread(self._pool.shutdown)
        while self._read_connections:
            self._read_connections.pop().close()

    async def write(self, job: Job[T]) -> T:
        """Run the job in the next group commit; returns after the commit is on disk. The job's own exception undoes the job alone.

        Once queued, a write happens even if the caller is cancelled.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._wake:
            if not self._open or len(self._waiting) >= self._queue_limit:
                self.refused += 1
                raise Unavailable("closed" if not self._open else "too many writes are waiting")
            self._waiting.append((job, future))
            self._wake.notify()
        return await future

    async def scrub(self, *, rewrite: bool = False) -> bool:
        """Bring everything committed into the file and empty the write-ahead log; False if readers stood in the way.

        `rewrite` copies the whole file first, which leaves nothing behind of pages that were moved; writes wait meanwhile.
        """
        return await self.write(_Alone(_rewrite if rewrite else _truncate))

    async def read(self, job: Job[T]) -> T:
        """Run the job on a read-only connection that sees everything committed before the call."""
        if not self._open:
            raise Unavailable("closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, job)

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")
        # The same few pages change with every commit: a longer log (16 MiB) writes them back four times less often.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        return connection

    def _read(self, job: Job[T]) -> T:
        try:
            connection = cast(sqlite3.Connection | None, getattr(self._local, "connection", None))
            if connection is None:
                connection = self._local.connection = self._connect(read_only=True)
                self._read_connections.append(connection)
            return job(connection)
        except sqlite3.Error as error:
            raise Unavailable(str(error)) from error

    def _write_forever(self, connection: sqlite3.Connection) -> None:
        while True:
            with self._wake:
                while self._open and not self._waiting:
                    self._wake.wait()
                batch = self._next()
                if not batch:
                    break
            lonely = isinstance(batch[0][0], _Alone)
            outcomes = [_outside(connection, batch[0][0])] if lonely else self._commit(connection, batch)
            self._answer(batch, outcomes)
            self.cpu_seconds = time.thread_time()
        connection.close()

    def _next(self) -> list[Waiting]:
        """What may share the next transaction; a job that wants none comes by itself."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < self._group:
            lonely = isinstance(self._waiting[0][0], _Alone)
            if lonely and batch:
                break
            batch.append(self._waiting.popleft())
            if lonely:
                break
        return batch

    def _commit(self, connection: sqlite3.Connection, batch: list[Waiting]) -> list[Any]:
        """One result or exception per job."""
        with self.commit_seconds.time():
            try:
                connection.execute("BEGIN IMMEDIATE")
                outcomes = [_in_savepoint(connection, job) for job, _ in batch] if len(batch) > 1 else [_alone(connection, batch[0][0])]
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                _undo(connection)
                return [Unavailable(str(error))] * len(batch)
        self.commits += 1
        self.writes += len(batch)
        return outcomes

    def _answer(self, batch: list[Waiting], outcomes: list[Any]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, batch, outcomes)


def _in_savepoint(connection: sqlite3.Connection, job: Job[Any]) -> Any:
    """The job's result or its exception; only a broken transaction is raised."""
    connection.execute("SAVEPOINT job")
    try:
        outcome = job(connection)
    except sqlite3.Error as error:
        if not connection.in_transaction:
            raise
        outcome = Unavailable(str(error))
    except Exception as error:
        outcome = error
    else:
        connection.execute("RELEASE job")
        return outcome
    connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")
    return outcome


def _alone(connection: sqlite3.Connection, job: Job[Any]) -> Any:
    """As in a savepoint, for the only job of a commit."""
    try:
        return job(connection)
    except sqlite3.Error as error:
        outcome: Exception = Unavailable(str(error))
    except Exception as error:
        outcome = error
    _undo(connection)
    connection.execute("BEGIN")
    return outcome


def _outside(connection: sqlite3.Connection, job: Job[Any]) -> Any:
    """The job's result or its exception."""
    try:
        return job(connection)
    except sqlite3.Error as error:
        return Unavailable(str(error))


def _truncate(connection: sqlite3.Connection) -> bool:
    connection.execute("PRAGMA busy_timeout=50")  # writes wait behind this: rather come again than wait for a long reader
    try:
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    finally:
        connection.execute("PRAGMA busy_timeout=5000")


def _rewrite(connection: sqlite3.Connection) -> bool:
    connection.execute("VACUUM")
    return _truncate(connection)


def _undo(connection: sqlite3.Connection) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:  # the next BEGIN says what is wrong
        return


def _resolve(batch: list[Waiting], outcomes: list[Any]) -> None:
    for (_, future), outcome in zip(batch, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
