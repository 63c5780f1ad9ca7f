"""Recordings on SQLite (recording.catalog.Recordings)."""

import sqlite3
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from recording.catalog import Held, Row
from server.adapters.sqlite import Database
from server.adapters.sqlite_holds import is_held
from signaling.classroom.ids import Millis, SessionId

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Row))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM recording"  # noqa: S608 - names of our own
_INSERT: Final = (
    f"INSERT INTO recording ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608 - names of our own
    " ON CONFLICT (session, id) DO"
)
_BEGIN: Final = _INSERT + " UPDATE SET started_at = :started_at, started_by = :started_by"
_MEASURE: Final = (
    _INSERT + " UPDATE SET first_file = :first_file, last_file = :last_file, files = :files, bytes = :bytes, lost = :lost"
    " WHERE purged_at IS NULL"
)
_ACT: Final = "INSERT INTO recording_act (at, session, recording, act, by, details) VALUES (?, ?, ?, ?, ?, ?)"


class SqliteRecordings:
    """See recording.catalog.Recordings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, row: Row) -> None:
        """See the port."""
        await self._database.write(lambda connection: _run(connection, _BEGIN, row))

    async def end(self, session: SessionId, id: str, at: Millis, reason: str) -> None:
        """See the port."""
        sql = "UPDATE recording SET ended_at = ?, reason = ? WHERE session = ? AND id = ? AND ended_at IS NULL"
        await self._database.write(lambda connection: _execute(connection, sql, (at, reason, session, id)))

    async def measure(self, rows: Sequence[Row]) -> None:
        """See the port."""
        if rows:
            await self._database.write(lambda connection: _run(connection, _MEASURE, *rows))

    async def mark(self, session: SessionId, id: str, mark: Literal["deleted", "purged"], at: Millis, by: str, details: str) -> None:
        """See the port."""
        column = {"deleted": "deleted_at", "purged": "purged_at"}[mark]
        update = f"UPDATE recording SET {column} = ? WHERE session = ? AND id = ? AND {column} IS NULL"  # noqa: S608 - one of two

        def job(connection: sqlite3.Connection) -> None:
            if mark == "deleted" and is_held(connection, session):
                raise Held
            if connection.execute(update, (at, session, id)).rowcount:
                connection.execute(_ACT, (at, session, id, mark, by, details))

        await self._database.write(job)

    async def note(self, session: SessionId, id: str, act: str, at: Millis, by: str, details: str) -> None:
        """See the port."""
        await self._database.write(lambda connection: _execute(connection, _ACT, (at, session, id, act, by, details)))

    async def rows(self, session: SessionId | None = None) -> Sequence[Row]:
        """See the port."""
        where, values = ("", ()) if session is None else (" WHERE session = ?", (session,))

        def job(connection: sqlite3.Connection) -> list[Row]:
            found = connection.execute(f"{_SELECT}{where} ORDER BY session, started_at", values)
            return [Row(**dict(zip(_COLUMNS, values, strict=True))) for values in found]

        return await self._database.read(job)


def _run(connection: sqlite3.Connection, sql: str, *rows: Row) -> None:
    connection.executemany(sql, [msgspec.structs.asdict(row) for row in rows])


def _execute(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    connection.execute(sql, values)
