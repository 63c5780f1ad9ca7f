"""Legal holds on SQLite (server.holds.Holds). The view `held` is the one place that says which classes are under one."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from server.adapters.sqlite import Database
from server.holds import MAX_OPEN, Hold, TooMany
from signaling.classroom.ids import Millis, SessionId

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Hold))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM hold"  # noqa: S608 - names of our own
_OF_CLASS: Final = (
    f"{_SELECT} h WHERE lifted_at IS NULL AND (session = :session OR session = '' AND EXISTS"  # noqa: S608 - names of our own
    " (SELECT 1 FROM identity i WHERE i.session = :session AND i.issuer = h.issuer AND i.subject = h.subject)) ORDER BY number"
)


class SqliteHolds:
    """See server.holds.Holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, *, session: SessionId, issuer: str, subject: str, reason: str, by: str, at: Millis) -> Hold | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Hold | None:
            if session and not connection.execute("SELECT 1 FROM class WHERE session = ?", (session,)).fetchone():
                return None
            if connection.execute("SELECT count(*) FROM hold WHERE lifted_at IS NULL").fetchone()[0] >= MAX_OPEN:
                raise TooMany
            sql = "INSERT INTO hold (session, issuer, subject, reason, by, at) VALUES (?, ?, ?, ?, ?, ?)"
            number = connection.execute(sql, (session, issuer, subject, reason, by, at)).lastrowid or 0
            return _one(connection, number)

        return await self._database.write(job)

    async def lift(self, number: int, *, by: str, at: Millis) -> Hold | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Hold | None:
            connection.execute("UPDATE hold SET lifted_at = ?, lifted_by = ? WHERE number = ? AND lifted_at IS NULL", (at, by, number))
            return _one(connection, number)

        return await self._database.write(job)

    async def held(self, session: SessionId) -> bool:
        """See the port."""
        return await self._database.read(lambda connection: is_held(connection, session))

    async def reasons(self, session: SessionId) -> Sequence[Hold]:
        """See the port."""
        return await self._database.read(lambda c: [_hold(row) for row in c.execute(_OF_CLASS, {"session": session})])

    async def page(self, *, lifted: bool, before: int, limit: int) -> Sequence[Hold]:
        """See the port."""
        only = "" if lifted else " AND lifted_at IS NULL"
        sql = f"{_SELECT} WHERE number < ?{only} ORDER BY number DESC LIMIT ?"
        return await self._database.read(lambda c: [_hold(row) for row in c.execute(sql, (before, limit))])


def is_held(connection: sqlite3.Connection, session: SessionId) -> bool:
    """Whether a class is under a hold, for jobs of other adapters."""
    return connection.execute("SELECT 1 FROM held WHERE session = ? LIMIT 1", (session,)).fetchone() is not None


def _one(connection: sqlite3.Connection, number: int) -> Hold | None:
    row = connection.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone()
    return _hold(row) if row else None


def _hold(row: tuple[object, ...]) -> Hold:
    return msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), Hold)
