"""Viewings on SQLite: told in the transaction that keeps the report they come from, or in the one that ends them; nothing of a class opted
out."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from recording.watched import Report, Stretch
from server.adapters.sqlite import Database
from server.adapters.sqlite_statements import StatementProjection
from server.records import viewed
from server.records.viewed import IDLE_MS, THRESHOLD, Video, Viewing
from signaling.classroom.ids import Millis

_COLUMNS: Final = "session, recording, participant, number, began_at, last_at"
_WHOSE: Final = "session = ? AND recording = ? AND participant = ?"
_OPEN: Final = f"SELECT {_COLUMNS} FROM viewing WHERE {_WHOSE} AND ended_at IS NULL ORDER BY number DESC LIMIT 1"  # noqa: S608 - names of our own
_THIS: Final = f"SELECT {_COLUMNS} FROM viewing WHERE {_WHOSE} AND number = ? AND ended_at IS NULL"  # noqa: S608 - names of our own
_DUE: Final = f"SELECT {_COLUMNS} FROM viewing WHERE ended_at IS NULL AND last_at < ? ORDER BY last_at LIMIT ?"  # noqa: S608 - names of our own
_LAST: Final = f"SELECT coalesce(max(number), 0) FROM viewing WHERE {_WHOSE}"  # noqa: S608 - names of our own
_COMPLETED: Final = f"SELECT 1 FROM viewing WHERE {_WHOSE} AND completed_at IS NOT NULL"  # noqa: S608 - names of our own
_PLAYED: Final = f"SELECT at, from_ms, to_ms, rate FROM watched WHERE {_WHOSE} AND at <= ? ORDER BY at, op, number"  # noqa: S608 - names of our own
_VIDEO: Final = (
    "SELECT coalesce(r.ended_at, r.started_at) - r.started_at, coalesce(c.title, '') FROM recording r"
    " LEFT JOIN class c ON c.session = r.session WHERE r.session = ? AND r.id = ?"
)


class SqliteViewings:
    """Follows reports (`noted`) and ends viewings that are over (`due`, `close`)."""

    def __init__(self, database: Database, projection: StatementProjection) -> None:
        self._database = database
        self._projection = projection

    def noted(self, connection: sqlite3.Connection, report: Report) -> None:
        """A report was stored just now, in this transaction: it goes on with a viewing or begins one."""
        whose = (report.session, report.recording, report.participant)
        row = connection.execute(_OPEN, whose).fetchone()
        if row is not None and report.at - row[5] > IDLE_MS:
            self._close(connection, Viewing(*row))
            row = None
        if row is not None:
            sql = f"UPDATE viewing SET began_at = min(began_at, ?), last_at = max(last_at, ?) WHERE {_WHOSE} AND number = ?"  # noqa: S608
            connection.execute(sql, (report.at, report.at, *whose, row[3]))
        elif not _is_untold(connection, report.session):
            self._begin(connection, report)

    async def due(self, before: Millis, limit: int) -> Sequence[Viewing]:
        """Open viewings without a report since then, oldest first. Raises Unavailable."""
        rows = await self._database.read(lambda c: c.execute(_DUE, (before, limit)).fetchall())
        return [Viewing(*row) for row in rows]

    async def close(self, viewing: Viewing) -> None:
        """Tell the sum of a viewing unless a report came since it was looked at; ending it again changes nothing. Raises Unavailable."""

        def job(connection: sqlite3.Connection) -> None:
            row = connection.execute(_THIS, viewing[:4]).fetchone()
            if row is not None and Viewing(*row) == viewing:
                self._close(connection, viewing)

        await self._database.write(job)

    def _begin(self, connection: sqlite3.Connection, report: Report) -> None:
        whose = (report.session, report.recording, report.participant)
        video = _video(connection, *whose[:2])
        if video is None:
            return
        # Its time, never a count: retention removes viewings, and stores know what they were told by the number.
        number = max(report.at, connection.execute(_LAST, whose).fetchone()[0] + 1)
        viewing = Viewing(*whose, number, report.at, report.at)
        sql = f"INSERT INTO viewing ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of our own
        if not connection.execute(sql, viewing).rowcount:  # who was erased while a node still knew their seat (trigger nobody_views)
            return
        actor = self._projection.actors_of(connection, report.session)(report.participant)
        self._projection.tell(connection, report.at, [viewed.begun(self._projection.site, viewing, video, actor)])

    def _close(self, connection: sqlite3.Connection, viewing: Viewing) -> None:
        whose = viewing[:3]
        video = _video(connection, *viewing[:2])
        rows = connection.execute(_PLAYED, (*whose, viewing.last_at)).fetchall()
        played = [(at, Stretch(from_ms=start, to_ms=end, rate=rate)) for at, start, end, rate in rows]
        mine = [stretch for at, stretch in played if at >= viewing.began_at]
        completed_at = None
        if video is not None and mine and not _is_untold(connection, viewing.session):
            site, actor = self._projection.site, self._projection.actors_of(connection, viewing.session)(viewing.participant)
            everything = [stretch for _, stretch in played]
            told = [viewed.ended(site, viewing, video, actor, mine)]
            if viewed.seen(everything, video) >= THRESHOLD and not connection.execute(_COMPLETED, whose).fetchone():
                completed_at = viewing.last_at
                told.insert(0, viewed.completed(site, viewing, video, actor, everything))
            self._projection.tell(connection, viewing.last_at, told)
        sql = f"UPDATE viewing SET ended_at = last_at, completed_at = ? WHERE {_WHOSE} AND number = ?"  # noqa: S608 - names of our own
        connection.execute(sql, (completed_at, *whose, viewing.number))


def _video(connection: sqlite3.Connection, session: str, recording: str) -> Video | None:
    found = connection.execute(_VIDEO, (session, recording)).fetchone()
    return Video(*found) if found is not None and found[0] > 0 else None


def _is_untold(connection: sqlite3.Connection, session: str) -> bool:
    return connection.execute("SELECT 1 FROM untold WHERE session = ?", (session,)).fetchone() is not None
