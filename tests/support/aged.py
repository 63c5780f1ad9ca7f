"""What ended classes leave behind, in a real store: logs, recordings with raw media and published versions, what was watched, torn files.

`python -m tests.support.aged <var> <now>` sweeps a store until it is killed, again and again from the start, printing a line per turn.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recording import publication
from recording.catalog import Row
from recording.manifest import Manifest, Span, Timeline, Track
from recording.publication import Published, Version
from recording.watched import Report, Stretch
from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import SqliteHolds
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_ledger import SqliteLedger
from server.adapters.sqlite_publications import SqlitePublications, SqliteWatches
from server.adapters.sqlite_recordings import SqliteRecordings
from server.adapters.sqlite_retention import SqliteRetention
from server.records.checkpoint import Signer
from server.records.ledger import Ledger
from server.retention.due import DAY_MS
from server.retention.policy import Days, Policy
from server.retention.removal import Removal
from server.retention.sweep import Sweep
from signaling.ports import Record

#: when a class ends here; its recording a minute before, its replay a minute after
END = 1_700_000_000_000
RECORDING = "r1"
ALL = Policy(house=Days(journal_days=7, replay_days=30, log_days=90, watched_days=60, torn_days=30))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Shelf:
    """A node's store and folders without a node."""

    def __init__(self, database: Database, var: Path, policy: Policy) -> None:
        self.database = database
        self.journals = var / "journal"
        self.directory, self.journal = SqliteDirectory(database), SqliteJournal(database)
        self.recordings, self.watches = SqliteRecordings(database), SqliteWatches(database)
        self.published = Published(SqlitePublications(database), var / "published")
        self.holds, self.store, self.ledger = SqliteHolds(database), SqliteRetention(database), SqliteLedger(database)
        self.awake: set[str] = set()
        signed = Ledger(self.ledger, Signer("test/ledger", KEY), lambda: END)
        self.removal = Removal(
            store=self.store, recordings=self.recordings, published=self.published, journals=self.journals, ledger=signed
        )
        self.sweep = self.sweeper(policy)

    def sweeper(self, policy: Policy) -> Sweep:
        """Another sweep over the same store, as after a restart."""
        return Sweep(self.removal, self.store, policy, awake=lambda session: session in self.awake)

    async def at(self, days: float, *, sweep: Sweep | None = None) -> bool:
        """Sweep as it would be so many days after the class's end; whether nothing failed."""
        now = END + round(days * DAY_MS)
        return await (sweep or self.sweep).sweep(lambda: now, pause_s=0)

    async def hold_class(self, session: str, *, records: int = 20, people: int = 2) -> None:
        """A class that is over, with a log."""
        await self.directory.create(session, f"Class {session}", "small", None)
        await self.store.own(session, "academy" if session.startswith("a") else "")
        log = [Record(seq=seq, at=END - 1000, by=f"p{seq % people}", op=f"op{seq}", event=b"SECRET") for seq in range(1, records + 1)]
        await self.journal.append(session, 0, log)
        await self.journal.save_snapshot(session, records, b"SECRET")
        await self.database.write(
            lambda c: c.executemany("INSERT INTO identity VALUES (?, ?, 'lms', ?)", [(session, f"p{n}", f"u{n}") for n in range(people)])
        )
        await self.directory.mark_ended(session, END)

    async def record(self, session: str, *, publish: bool = True, files: int = 2) -> None:
        """Its recording."""
        (self.journals / session).mkdir(parents=True, exist_ok=True)
        for number in range(1, files + 1):
            (self.journals / session / f"{number:06}.rj").write_bytes(head(session, RECORDING, number) + bytes(100))
        row = Row(session=session, id=RECORDING, started_at=END - 120_000, first_file=1, last_file=files, files=files, bytes=files * 356)
        await self.recordings.begin(row)
        await self.recordings.measure([row])
        await self.recordings.end(session, RECORDING, END - 60_000, "asked")
        if publish:
            await self.publish(session)

    async def publish(self, session: str, at: int = END + 60_000) -> Version:
        """A version of it."""
        version = await self.published.store.begin(session, RECORDING, at)
        folder = version.path(self.published.root)
        folder.mkdir(parents=True)
        for name in ("mix.m4a", "t.json", "chapters.vtt"):
            (folder / name).write_bytes(b"SECRET" * 10)
        span = Span(from_ms=0, to_ms=60_000, file="mix.m4a", type="audio/mp4", bytes=60)
        made = Manifest(
            session=session,
            recording=RECORDING,
            title="t",
            started_at=END - 120_000,
            duration_ms=60_000,
            tracks=[Track(id="1", participant="p1", source="microphone", spans=[])],
            timeline=Timeline(chunks=["t.json"], snapshots=[]),
            mix=span,
            chapters="chapters.vtt",
        )
        await publication.publish(self.published, version, made, at)
        return version

    async def watch(self, session: str, at: int, op: str = "w1") -> None:
        """Somebody watched it."""
        await self.watches.add(Report(session, RECORDING, "p1", op, at, [Stretch(from_ms=0, to_ms=1000)]), 1000)

    def raw(self, session: str) -> list[str]:
        """Names of its files of raw media."""
        return sorted(path.name for path in (self.journals / session).glob("*"))

    def copies(self) -> int:
        """Published files there are."""
        return sum(1 for path in self.published.root.rglob("*") if path.is_file())

    async def records(self, session: str) -> int:
        """Records of its log there are."""
        return await self.count("record", session)

    async def count(self, table: str, session: str) -> int:
        """Rows of a class in a table."""
        return int(
            (await self.database.read(lambda c: c.execute(f"SELECT count(*) FROM {table} WHERE session = ?", (session,)).fetchone()))[0]
        )

    async def acts(self, session: str) -> list[tuple[str, int, bool]]:
        """(kind, count, done) of what was removed of a class."""
        return [(act.kind, act.count, act.done_at is not None) for act in await self.store.acts(after=0, limit=500, session=session)]


@asynccontextmanager
async def shelf(var: Path, policy: Policy = ALL) -> AsyncIterator[Shelf]:
    """A store in that folder."""
    database = Database(var / "jiangtai.sqlite")
    await database.start()
    try:
        yield Shelf(database, var, policy)
    finally:
        await database.close()


def head(session: str, recording: str, number: int) -> bytes:
    """The head of a journal file (media/engine/journal/src/format.rs)."""
    names = b"".join(bytes([len(name)]) + name.encode().ljust(64, b"\0") for name in (session, recording))
    fixed = b"\x89RJ\r\n\x1a\n\0" + b"".join(
        value.to_bytes(size, "little") for value, size in ((1, 2), (256, 2), (number, 4), (7, 16), (0, 8), (END * 1000, 8), (0, 32))
    )
    checked = (fixed + names).ljust(252, b"\0")
    return checked + _crc32c(checked).to_bytes(4, "little")


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


async def _sweep_for_ever(var: Path, now: int) -> None:
    async with shelf(var) as found:
        for number in itertools.count():
            while await found.sweep.turn(now, limit=3):
                sys.stdout.write(f"turn {number}\n")
                sys.stdout.flush()
            sys.stdout.write("OVER\n")
            sys.stdout.flush()
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(_sweep_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
