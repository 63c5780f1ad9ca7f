"""Evidence of presence beside the journal: life signs of classes that run, and windows in which media reached people."""

import sqlite3
from collections.abc import Mapping, Set
from typing import Final

import msgspec

from server.adapters.sqlite import Database
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.ports import Signs

_silent: Final = msgspec.msgpack.Decoder(dict[str, int])
_people: Final = msgspec.msgpack.Decoder(list[str])
_encode: Final = msgspec.msgpack.Encoder().encode


class SqliteAttendance:
    """ports.LifeSigns, and what the attendance keeper stores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, session: SessionId) -> Signs | None:
        """See ports.LifeSigns."""
        sql = "SELECT at, silent FROM life_sign WHERE session = ?"
        row = await self._database.read(lambda connection: connection.execute(sql, (session,)).fetchone())
        return Signs(at=row[0], silent=_silent.decode(row[1])) if row is not None else None

    async def keep(self, signs: Mapping[SessionId, Signs], delivered: Mapping[tuple[SessionId, int], Set[ParticipantId]]) -> None:
        """Replace the signs of these classes and add people to these windows, in one job. Raises Unavailable."""
        rows = [(session, one.at, _encode(one.silent)) for session, one in signs.items()]
        windows = [(session, window, set(people)) for (session, window), people in delivered.items()]

        def job(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO life_sign VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET at = excluded.at, silent = excluded.silent",
                rows,
            )
            for session, window, people in windows:
                key = (session, window)
                found = connection.execute("SELECT people FROM delivered_window WHERE session = ? AND window = ?", key).fetchone()
                known = set(_people.decode(found[0])) if found is not None else set()
                if not people <= known:
                    row = (*key, _encode(sorted(known | people)))
                    connection.execute("INSERT OR REPLACE INTO delivered_window VALUES (?, ?, ?)", row)

        await self._database.write(job)

    async def delivered(self, session: SessionId, since: int = 0) -> list[tuple[int, list[ParticipantId]]]:
        """Windows from number `since` on, ascending, with the people media reached in each. Raises Unavailable."""
        sql = "SELECT window, people FROM delivered_window WHERE session = ? AND window >= ? ORDER BY window"
        rows = await self._database.read(lambda connection: connection.execute(sql, (session, since)).fetchall())
        return [(window, _people.decode(people)) for window, people in rows]
