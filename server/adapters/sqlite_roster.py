"""Who the people of a class are outside of it, on SQLite: the same rows that seats leave, made for a roster before anybody comes."""

import sqlite3
from collections.abc import Mapping, Sequence

from server.adapters.sqlite import Database
from signaling.classroom.ids import ParticipantId, SessionId


class SqliteRoster:
    """Identities of a class. All raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subjects(self, session: SessionId) -> Mapping[ParticipantId, str]:
        """The subject of everybody whose identity is known."""
        sql = "SELECT participant, subject FROM identity WHERE session = ?"
        return dict(await self._database.read(lambda c: c.execute(sql, (session,)).fetchall()))

    async def identify(self, session: SessionId, issuer: str, people: Sequence[tuple[ParticipantId, str]]) -> None:
        """Remember (participant, subject) of one issuer; who is known stays as is."""
        rows = [(session, participant, issuer, subject) for participant, subject in people]
        sql = "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        await self._database.write(lambda c: c.executemany(sql, rows).rowcount)

    async def forget(self, session: SessionId, people: Sequence[ParticipantId]) -> None:
        """Forget people of whom nothing but the roster told: who holds a seat stays."""

        def job(connection: sqlite3.Connection) -> None:
            sql = (
                "DELETE FROM identity WHERE session = ?1 AND participant = ?2"
                " AND NOT EXISTS (SELECT 1 FROM seat WHERE session = ?1 AND participant = ?2)"
            )
            connection.executemany(sql, [(session, id) for id in people])

        if people:
            await self._database.write(job)
