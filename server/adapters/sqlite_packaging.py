"""The packager's jobs on SQLite (recording.jobs.Jobs)."""

import sqlite3
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from recording.catalog import Row
from recording.jobs import Job, Key, State
from server.adapters.sqlite import Database
from signaling.classroom.ids import Millis

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Job))
_ROW: Final = tuple(field.name for field in msgspec.structs.fields(Row))
#: which jobs there are -> what a recording needs for one
Table: TypeAlias = Literal["packaging", "finishing"]
_NEEDS: Final[dict[Table, str]] = {
    "packaging": "r.files > 0",
    "finishing": "EXISTS (SELECT 1 FROM publication_pointer t WHERE t.session = r.session AND t.recording = r.id)",
}
#: raw media that are gone for good are not packaged; what is published can still be finished
_UNLESS: Final[dict[Table, str]] = {
    "packaging": "AND NOT EXISTS (SELECT 1 FROM expiry e WHERE e.session = packaging.session AND e.recording = packaging.recording"
    " AND e.kind = 'journal')",
    "finishing": "",
}
#: what is to be done anew stays so until somebody takes it
_DUE: Final = "due_at = CASE WHEN due_at < 0 THEN due_at ELSE ? END"


class SqliteJobs:
    """See recording.jobs.Jobs."""

    def __init__(self, database: Database, table: Table = "packaging") -> None:
        self._database = database
        self._table: Table = table

    async def take(self, key: Key, now: Millis, lease_until: Millis) -> Job | None:
        """See the port."""
        return await self._database.write(lambda connection: _take(connection, self._table, key, now, lease_until))

    async def renew(self, key: Key, lease_until: Millis) -> None:
        """See the port."""
        await self._set("lease_until = ?", (lease_until,), key, "AND state = 'working'")

    async def settle(self, key: Key, state: State, now: Millis, due_at: Millis, error: str | None) -> None:
        """See the port."""
        done = "CASE WHEN ? IN ('published', 'failed') AND due_at < 0 THEN 'waiting' ELSE ? END"
        await self._set(f"state = {done}, lease_until = ?, {_DUE}, error = ?", (state, state, now, due_at, error), key)

    async def put_back(self, key: Key, now: Millis, due_at: Millis, why: str) -> None:
        """See the port."""
        changes = f"state = 'waiting', tries = max(tries - 1, 0), lease_until = ?, {_DUE}, error = ?"
        await self._set(changes, (now, due_at, why), key)

    async def anew(self, key: Key) -> None:
        """See the port."""
        # due_at < 0 on a row that is worked on: what comes of it is of what was there before.
        await self._set("state = CASE state WHEN 'working' THEN 'working' ELSE 'waiting' END, tries = 0, due_at = -1", (), key)

    async def unfinished(self, now: Millis) -> Sequence[Row]:
        """See the port."""
        sql = (
            f"SELECT {', '.join(f'r.{name}' for name in _ROW)} FROM recording r"  # noqa: S608 - names of our own
            f" LEFT JOIN {self._table} p ON p.session = r.session AND p.recording = r.id"
            f" WHERE r.ended_at IS NOT NULL AND r.deleted_at IS NULL AND {_NEEDS[self._table]} AND (p.state IS NULL"
            " OR p.state = 'waiting' AND p.due_at <= :now OR p.state = 'working' AND p.lease_until <= :now)"
            " ORDER BY r.ended_at DESC LIMIT 100"
        )

        def job(connection: sqlite3.Connection) -> list[Row]:
            return [Row(**dict(zip(_ROW, values, strict=True))) for values in connection.execute(sql, {"now": now})]

        return await self._database.read(job)

    async def get(self, key: Key) -> Job | None:
        """The row of a recording."""
        return await self._database.read(lambda connection: _get(connection, self._table, key))

    async def _set(self, changes: str, values: tuple[object, ...], key: Key, further: str = "") -> None:
        sql = f"UPDATE {self._table} SET {changes} WHERE session = ? AND recording = ? {further}"  # noqa: S608 - words of our own
        await self._database.write(lambda connection: _execute(connection, sql, (*values, *key)))


def _take(connection: sqlite3.Connection, table: Table, key: Key, now: Millis, lease_until: Millis) -> Job | None:
    connection.execute(f"INSERT INTO {table} VALUES (?, ?, 'waiting', 0, 0, 0, NULL) ON CONFLICT DO NOTHING", key)  # noqa: S608
    before = _get(connection, table, key)
    taken = connection.execute(
        f"UPDATE {table} SET state = 'working', tries = tries + 1, lease_until = ?, due_at = 0, error = NULL"  # noqa: S608 - a name of our own
        f" WHERE session = ? AND recording = ? AND (state <> 'working' OR lease_until <= ?) {_UNLESS[table]}",
        (lease_until, *key, now),
    ).rowcount
    job = _get(connection, table, key) if taken else None
    return None if job is None or before is None else msgspec.structs.replace(job, due_at=before.due_at)


def _get(connection: sqlite3.Connection, table: Table, key: Key) -> Job | None:
    sql = f"SELECT {', '.join(_COLUMNS)} FROM {table} WHERE session = ? AND recording = ?"  # noqa: S608 - names of our own
    row = connection.execute(sql, key).fetchone()
    return None if row is None else Job(**dict(zip(_COLUMNS, row, strict=True)))


def _execute(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    connection.execute(sql, values)
