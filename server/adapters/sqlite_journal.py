"""Journal and Directory on SQLite. Fence, operation guard and hash chain are checked and written in the append's own transaction."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from server.adapters.sqlite import Database
from server.records.merkle import leaf_hash
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.session import ClassEnded
from signaling.messages import decode_event
from signaling.ports import DuplicateOperation, Fenced, Operation, Record

#: chain value before the first record
GENESIS: Final = bytes(32)
_PAGE: Final = 500
_OPERATION: Final = "SELECT seq FROM operation WHERE session = ? AND by = ? AND op = ?"
_ENDED: Final = str(ClassEnded.__struct_config__.tag).encode()
_MARK_ENDED: Final = "UPDATE class SET ended_at = ? WHERE session = ? AND ended_at IS NULL"


def link(chain: bytes, record: Record) -> bytes:
    """The chain value after this record: SHA-256 over the previous value and the MessagePack array [seq, at, by, op, event]."""
    row = msgspec.msgpack.encode((record.seq, record.at, record.by, record.op, record.event))
    return hashlib.sha256(chain + row).digest()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of checking one class's chain: how many records were read, the head, and the first bad number (None = all good).

    Of `erased` records the content is no longer the one they were chained with; the ledger keeps the hash.
    """

    records: int
    erased: int
    chain: bytes
    broken_at: int | None


class Projection(Protocol):
    """Something derived from the journal that is written with it: all of an append and of what follows from it is stored, or nothing."""

    def appended(self, connection: sqlite3.Connection, session: SessionId, before: int, records: Sequence[Record]) -> None:
        """Called on the writer's thread inside the transaction, after the records behind number `before` were inserted.

        What it raises undoes the append.
        """


class SqliteJournal:
    """ports.Journal; records of one class are never changed or deleted by it."""

    def __init__(self, database: Database, projections: Sequence[Projection] = ()) -> None:
        self._database = database
        self._projections = tuple(projections)

    async def append(self, session: SessionId, expected_seq: int, records: Sequence[Record]) -> None:
        """See ports.Journal.append; raises DuplicateOperation when an operation id of its author is already stored."""
        numbers = range(expected_seq + 1, expected_seq + 1 + len(records))
        if any(record.seq != number for record, number in zip(records, numbers, strict=True)):
            raise ValueError("record numbers must follow expected_seq without a gap")
        kept = tuple(records)

        def job(connection: sqlite3.Connection) -> None:
            _append(connection, session, expected_seq, kept)
            for projection in self._projections:
                projection.appended(connection, session, expected_seq, kept)

        await self._database.write(job)

    async def read(self, session: SessionId, after: int, limit: int) -> AsyncIterator[Record]:
        """See ports.Journal.read."""
        while limit > 0:
            count = min(limit, _PAGE)
            page = await self._database.read(partial(_read, session=session, after=after, limit=count))
            for record in page:
                yield record
            if len(page) < count:
                return
            after, limit = page[-1].seq, limit - len(page)

    async def last_seq(self, session: SessionId) -> int:
        """See ports.Journal.last_seq."""
        return (await self._database.read(lambda connection: _head(connection, session)))[0]

    async def operations(self, session: SessionId, asked: Sequence[Operation]) -> Mapping[Operation, int]:
        """See ports.Journal.operations."""

        def job(connection: sqlite3.Connection) -> dict[Operation, int]:
            found = {one: connection.execute(_OPERATION, (session, *one)).fetchone() for one in asked}
            return {one: row[0] for one, row in found.items() if row is not None}

        return await self._database.read(job)

    async def save_snapshot(self, session: SessionId, seq: int, state: bytes) -> None:
        """See ports.Journal.save_snapshot; an older snapshot never replaces a newer one."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO snapshot VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET seq = excluded.seq, state = excluded.state"
                    " WHERE excluded.seq >= snapshot.seq",
                    (session, seq, state),
                ).rowcount
            )
        )

    async def load_snapshot(self, session: SessionId) -> tuple[int, bytes] | None:
        """See ports.Journal.load_snapshot."""
        return await self._database.read(
            lambda connection: connection.execute("SELECT seq, state FROM snapshot WHERE session = ?", (session,)).fetchone()
        )

    async def verify(self, session: SessionId) -> Verdict:
        """Recompute the class's hash chain; finds any changed, missing or inserted record before the head."""
        return await self._database.read(lambda connection: _verify(connection, session))


class SqliteDirectory:
    """ports.Directory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        session: SessionId,
        title: str,
        profile: str,
        starts_at: Millis | None,
        *,
        policy: str | None = None,
        replay: str = "participants",
    ) -> None:
        """See ports.Directory."""
        row = (session, title, profile, starts_at, policy, replay)
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO class (session, title, profile, starts_at, policy, replay) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (session) DO NOTHING",
                    row,
                ).rowcount
            )
        )

    async def mark_ended(self, session: SessionId, at: Millis) -> None:
        """Remember the end; the first one counts."""
        await self._database.write(lambda connection: connection.execute(_MARK_ENDED, (at, session)).rowcount)

    async def get(self, session: SessionId) -> Mapping[str, Any] | None:
        """See ports.Directory."""
        found = await self._database.read(lambda c: c.execute(f"{_CLASS} WHERE session = ?", (session,)).fetchone())
        return _description(found) if found else None

    async def list(self, *, ended: bool, after: SessionId | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Classes by id, those over included when `ended`, starting behind `after`."""
        filter_ = "" if ended else " AND ended_at IS NULL"
        sql = f"{_CLASS} WHERE session > ?{filter_} ORDER BY session LIMIT ?"
        return [_description(row) for row in await self._database.read(lambda c: c.execute(sql, (after or "", limit)).fetchall())]


class EndProjection:
    """Keeps `class.ended_at` what the log says (Projection): no crash comes between the end of a class and all that follows from it."""

    def appended(self, connection: sqlite3.Connection, session: SessionId, before: int, records: Sequence[Record]) -> None:
        """See Projection."""
        for record in records:
            if _ENDED in record.event and isinstance(decode_event(record.event), ClassEnded):  # decoding is for the few that can be one
                connection.execute(_MARK_ENDED, (record.at, session))


_CLASS_COLUMNS: Final = ("session", "title", "profile", "starts_at", "ended_at", "policy", "replay")
_CLASS: Final = (
    f"SELECT {', '.join(_CLASS_COLUMNS)},"  # noqa: S608 - names of our own
    " (SELECT min(begun_at) FROM expiry e WHERE e.session = class.session AND e.kind = 'log') FROM class"
)


def _description(row: tuple[Any, ...]) -> Mapping[str, Any]:
    told = dict(zip(_CLASS_COLUMNS, row[:-1], strict=True))
    return told if row[-1] is None else {**told, "expired_at": row[-1]}


def _head(connection: sqlite3.Connection, session: SessionId) -> tuple[int, bytes]:
    sql = "SELECT seq, chain FROM record WHERE session = ? ORDER BY seq DESC LIMIT 1"
    return connection.execute(sql, (session,)).fetchone() or (0, GENESIS)


def _append(connection: sqlite3.Connection, session: SessionId, expected_seq: int, records: Sequence[Record]) -> None:
    seq, chain = _head(connection, session)
    if seq != expected_seq:
        raise Fenced(f"the log stands at {seq}, this writer at {expected_seq}")
    rows = []
    operations: dict[tuple[str, str], int] = {}
    for record in records:
        chain = link(chain, record)
        rows.append((session, record.seq, record.at, record.by, record.op, record.event, chain))
        if record.op is not None and record.by is not None:
            operations[record.by, record.op] = record.seq
    for (by, op), last in operations.items():
        _guard(connection, session, by, op, last)
    connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _guard(connection: sqlite3.Connection, session: SessionId, by: str, op: str, seq: int) -> None:
    inserted = connection.execute("INSERT INTO operation VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (session, by, op, seq)).rowcount
    if not inserted:
        raise DuplicateOperation(by, op, connection.execute(_OPERATION, (session, by, op)).fetchone()[0])


def _read(connection: sqlite3.Connection, session: SessionId, after: int, limit: int) -> list[Record]:
    sql = "SELECT seq, at, by, op, event FROM record WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?"
    rows = connection.execute(sql, (session, after, limit))
    return [Record(seq=seq, at=at, by=by, op=op, event=event) for seq, at, by, op, event in rows]


def _verify(connection: sqlite3.Connection, session: SessionId) -> Verdict:
    chain, number, erased = GENESIS, 0, 0
    sql = (
        "SELECT seq, at, by, op, event, chain, e.hash IS NOT NULL, e.now FROM record LEFT JOIN erased_leaf e USING (session, seq)"
        " WHERE session = ? ORDER BY seq"
    )
    for seq, at, by, op, event, stored, gone, now in connection.execute(sql, (session,)):
        if gone:
            whole = now is None or now == leaf_hash(msgspec.msgpack.encode((session, seq, at, by, op, event)))
        else:
            whole = link(chain, Record(seq=seq, at=at, by=by, op=op, event=event)) == stored
        if seq != number + 1 or not whole:
            return Verdict(records=number, erased=erased, chain=chain, broken_at=number + 1)
        chain, number, erased = stored, seq, erased + gone
    return Verdict(records=number, erased=erased, chain=chain, broken_at=None)
