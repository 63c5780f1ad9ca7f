"""The packager's jobs on SQLite (recording.packaging.Jobs)."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from recording.catalog import Row
from recording.packaging import Job, Key, State
from server.adapters.sqlite import Database
from signaling.classroom.ids import Millis

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Job))
_JOB: Final = f"SELECT {', '.join(_COLUMNS)} FROM packaging WHERE session = ? AND recording = ?"  # noqa: S608 - names of our own
_ROW: Final = tuple(field.name for field in msgspec.structs.fields(Row))
_UNFINISHED: Final = (
    f"SELECT {', '.join(f'r.{name}' for name in _ROW)} FROM recording r"  # noqa: S608 - names of our own
    " LEFT JOIN packaging p ON p.session = r.session AND p.recording = r.id"
    " WHERE r.ended_at IS NOT NULL AND r.deleted_at IS NULL AND r.files > 0 AND (p.state IS NULL"
    " OR p.state = 'waiting' AND p.due_at <= :now OR p.state = 'working' AND p.lease_until <= :now)"
    " ORDER BY r.ended_at DESC LIMIT 100"
)


class SqliteJobs:
    """See recording.packaging.Jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, key: Key, now: Millis, lease_until: Millis) -> Job | None:
        """See the port."""
        return await self._database.write(lambda connection: _take(connection, key, now, lease_until))

    async def renew(self, key: Key, lease_until: Millis) -> None:
        """See the port."""
        sql = "UPDATE packaging SET lease_until = ? WHERE session = ? AND recording = ? AND state = 'working'"
        await self._database.write(lambda connection: _execute(connection, sql, (lease_until, *key)))

    async def settle(self, key: Key, state: State, now: Millis, due_at: Millis, error: str | None) -> None:
        """See the port."""
        sql = "UPDATE packaging SET state = ?, lease_until = ?, due_at = ?, error = ? WHERE session = ? AND recording = ?"
        await self._database.write(lambda connection: _execute(connection, sql, (state, now, due_at, error, *key)))

    async def put_back(self, key: Key, now: Millis, due_at: Millis, why: str) -> None:
        """See the port."""
        sql = (
            "UPDATE packaging SET state = 'waiting', tries = tries - 1, lease_until = ?, due_at = ?, error = ?"
            " WHERE session = ? AND recording = ?"
        )
        await self._database.write(lambda connection: _execute(connection, sql, (now, due_at, why, *key)))

    async def unfinished(self, now: Millis) -> Sequence[Row]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> list[Row]:
            return [Row(**dict(zip(_ROW, values, strict=True))) for values in connection.execute(_UNFINISHED, {"now": now})]

        return await self._database.read(job)

    async def get(self, key: Key) -> Job | None:
        """The row of a recording."""
        return await self._database.read(lambda connection: _get(connection, key))


def _take(connection: sqlite3.Connection, key: Key, now: Millis, lease_until: Millis) -> Job | None:
    connection.execute("INSERT INTO packaging VALUES (?, ?, 'waiting', 0, 0, 0, NULL) ON CONFLICT DO NOTHING", key)
    taken = connection.execute(
        "UPDATE packaging SET state = 'working', tries = tries + 1, lease_until = ?, error = NULL"
        " WHERE session = ? AND recording = ? AND (state <> 'working' OR lease_until <= ?)"
        " AND NOT EXISTS (SELECT 1 FROM expiry WHERE session = ? AND kind = 'journal' AND recording = ?)",
        (lease_until, *key, now, *key),
    ).rowcount
    return _get(connection, key) if taken else None


def _get(connection: sqlite3.Connection, key: Key) -> Job | None:
    row = connection.execute(_JOB, key).fetchone()
    return None if row is None else Job(**dict(zip(_COLUMNS, row, strict=True)))


def _execute(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    connection.execute(sql, values)
