"""What retention reads and writes on SQLite (server.retention.records.Expiries). Every removal is a portion of one transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from recording.catalog import Held, Row
from recording.publication import Version
from recording.verified import Whole
from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import is_held
from server.adapters.sqlite_ledger import leaf_of
from server.adapters.sqlite_retention_page import left, page, standings, torn
from server.records import merkle
from server.retention.due import MAX_DAYS, Kind, Thing
from server.retention.records import Act, Page, Standing
from signaling.classroom.ids import Millis, SessionId

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Act))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM expiry"  # noqa: S608 - names of our own
_UNFINISHED: Final = f"{_SELECT} e WHERE done_at IS NULL AND NOT EXISTS (SELECT 1 FROM held WHERE session = e.session) LIMIT ?"  # noqa: S608
_COUNT: Final = "UPDATE expiry SET count = count + ?, bytes = bytes + ? WHERE number = ? AND done_at IS NULL"
#: what is of no use without the log: table, and a row of it
_ATTACHED: Final = (
    ("operation", "session, by, op"),
    ("delivered_window", "session, window"),
    ("watched", "session, recording, participant, op, number"),
    ("viewing", "session, recording, participant, number"),
    ("revocation", "session, participant"),
    ("identity", "session, participant"),
    ("snapshot", "session"),
    ("life_sign", "session"),
)


class SqliteRetention:
    """See server.retention.records.Expiries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def own(self, session: SessionId, tenant: str) -> None:
        """See the port."""
        sql = "INSERT INTO class_owner VALUES (?, ?) ON CONFLICT DO NOTHING"
        await self._database.write(lambda connection: _run(connection, sql, (session, tenant)))

    async def wish(self, session: SessionId, days: Mapping[Kind, int]) -> None:
        """See the port."""
        if any(not 1 <= each <= MAX_DAYS for each in days.values()):
            raise ValueError(f"from 1 to {MAX_DAYS} days")
        rows = [(session, str(kind), each) for kind, each in days.items()]
        sql = "INSERT INTO retention_wish VALUES (?, ?, ?) ON CONFLICT (session, kind) DO UPDATE SET days = min(days, excluded.days)"
        await self._database.write(lambda connection: _run(connection, sql, *rows))

    async def standing(self, session: SessionId) -> Standing | None:
        """See the port."""
        return (await self.standings([session])).get(session)

    async def standings(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Standing]:
        """See the port."""
        return await self._database.read(lambda connection: standings(connection, sessions))

    async def page(self, after: SessionId, limit: int, only: SessionId | None = None) -> Page:
        """See the port."""
        return await self._database.read(lambda connection: page(connection, after, limit, only))

    async def left(self, limit: int) -> Sequence[Row]:
        """See the port."""
        return await self._database.read(lambda connection: left(connection, limit))

    async def torn(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Thing]:
        """See the port."""
        return await self._database.read(lambda connection: torn(connection, sessions))

    async def verify(self, version: Version, whole: Whole, at: Millis) -> None:
        """See the port."""
        row = (version.session, version.recording, version.version, at, at, whole.files, whole.bytes)
        sql = (
            "INSERT INTO publication_verified VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET checked_at = excluded.checked_at, files = excluded.files, bytes = excluded.bytes"
        )
        await self._database.write(lambda connection: _run(connection, sql, row))

    async def begin(self, thing: Thing, policy: str, at: Millis, count: int = 0, bytes: int = 0) -> Act | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Act | None:
            if is_held(connection, thing.session):
                raise Held
            name = (thing.session, str(thing.kind), thing.recording)
            if _is_worked_on(connection, thing.session, thing.recording) or _is_gone(connection, thing):
                return None
            sql = "INSERT INTO expiry (session, kind, recording, policy, begun_at, count, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)"
            connection.execute(f"{sql} ON CONFLICT DO NOTHING", (*name, policy, at, count, bytes))
            found = connection.execute(f"{_SELECT} WHERE session = ? AND kind = ? AND recording = ? AND done_at IS NULL", name)
            return _act(found.fetchone())

        return await self._database.write(job)

    async def unfinished(self, limit: int) -> Sequence[Act]:
        """See the port."""
        return await self._database.read(lambda connection: [_act(row) for row in connection.execute(_UNFINISHED, (limit,))])

    async def finish(self, number: int, at: Millis) -> None:
        """See the port."""
        sql = "UPDATE expiry SET done_at = ? WHERE number = ? AND done_at IS NULL"
        await self._database.write(lambda connection: _run(connection, sql, (at, number)))

    async def acts(self, *, after: int, limit: int, session: SessionId | None = None) -> Sequence[Act]:
        """See the port."""
        where, values = ("", ()) if session is None else (" AND session = ?", (session,))
        sql = f"{_SELECT} WHERE number > ?{where} ORDER BY number LIMIT ?"
        return await self._database.read(lambda connection: [_act(row) for row in connection.execute(sql, (after, *values, limit))])

    async def journal_expired_at(self, session: SessionId, recording: str) -> Millis | None:
        """See the port."""
        sql = "SELECT min(begun_at) FROM expiry WHERE session = ? AND kind = 'journal' AND recording = ?"
        found = await self._database.read(lambda connection: connection.execute(sql, (session, recording)).fetchone())
        return None if found[0] is None else int(found[0])

    async def erase_log(self, act: Act, size: int, limit: int, erasure: str) -> int:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int:
            if is_held(connection, act.session):
                raise Held
            sql = (
                "SELECT r.session, r.seq, r.at, r.by, r.op, r.event FROM record r JOIN leaf l USING (session, seq)"
                " WHERE r.session = ? AND l.number <= ? ORDER BY r.seq LIMIT ?"
            )
            rows = connection.execute(sql, (act.session, size, limit)).fetchall()
            # Of a record that was made nameless before, the hash that is there is the true one.
            kept = [(row[0], row[1], merkle.leaf_hash(leaf_of(row)), erasure) for row in rows]
            connection.executemany("INSERT INTO erased_leaf (session, seq, hash, erasure) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", kept)
            connection.executemany("DELETE FROM record WHERE session = ? AND seq = ?", [row[:2] for row in rows])
            connection.execute(_COUNT, (len(rows), sum(len(row[5]) for row in rows), act.number))
            return len(rows)

        return await self._database.write(job)

    async def forget(self, act: Act, limit: int) -> int:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int:
            if is_held(connection, act.session):
                raise Held
            gone = 0
            for table, key in _ATTACHED:
                chosen = f"SELECT {key} FROM {table} WHERE session = ? LIMIT ?"  # noqa: S608 - names of our own
                sql = f"DELETE FROM {table} WHERE ({key}) IN ({chosen})"  # noqa: S608 - names of our own
                gone += connection.execute(sql, (act.session, limit - gone)).rowcount
                if gone >= limit:
                    break
            return gone

        return await self._database.write(job)

    async def unwatch(self, act: Act, limit: int) -> int:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int:
            if is_held(connection, act.session):
                raise Held
            key = "session, recording, participant, op, number"
            chosen = f"SELECT {key} FROM watched WHERE session = ? AND at <= ? LIMIT ?"  # noqa: S608 - names of our own
            sql = f"DELETE FROM watched WHERE ({key}) IN ({chosen})"  # noqa: S608 - names of our own
            gone = connection.execute(sql, (act.session, act.begun_at, limit)).rowcount
            told = "DELETE FROM viewing WHERE session = ? AND last_at <= ? AND ended_at IS NOT NULL"
            connection.execute(told, (act.session, act.begun_at))
            connection.execute(_COUNT, (gone, 0, act.number))
            return gone

        return await self._database.write(job)

    async def note(self, erasure: str, at: Millis, text: str) -> None:
        """See the port."""
        sql = "INSERT INTO erasure (id, at, by, kind, note) VALUES (?, ?, 'retention', 'class', ?) ON CONFLICT DO NOTHING"
        await self._database.write(lambda connection: _run(connection, sql, (erasure, at, text)))


def _is_worked_on(connection: sqlite3.Connection, session: SessionId, recording: str) -> bool:
    sql = (
        "SELECT 1 FROM packaging p JOIN recording r ON r.session = p.session AND r.id = p.recording AND r.deleted_at IS NULL"
        " WHERE p.session = ? AND (? = '' OR p.recording = ?) AND p.state IN ('waiting', 'working') LIMIT 1"
    )
    return connection.execute(sql, (session, recording, recording)).fetchone() is not None


def _is_gone(connection: sqlite3.Connection, thing: Thing) -> bool:
    """Whether somebody else removed it since it was looked at."""
    if thing.kind in (Kind.WATCHED, Kind.TORN):
        return False
    closed = "SELECT 1 FROM expiry WHERE session = ? AND kind = ? AND recording = ? AND done_at IS NOT NULL"
    deleted = "SELECT 1 FROM recording WHERE session = ? AND id = ? AND deleted_at IS NOT NULL"
    return bool(
        connection.execute(closed, (thing.session, str(thing.kind), thing.recording)).fetchone()
        or (thing.recording and connection.execute(deleted, (thing.session, thing.recording)).fetchone())
    )


def _act(row: tuple[Any, ...]) -> Act:
    return Act(**dict(zip(_COLUMNS, row, strict=True)))


def _run(connection: sqlite3.Connection, sql: str, *rows: tuple[object, ...]) -> None:
    connection.executemany(sql, rows)
