"""An outbox on disk with statements in it, made the way a node makes them or put there by hand."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteJournal
from server.adapters.sqlite_outbox import SqliteOutbox
from server.adapters.sqlite_statements import StatementProjection
from tests.support.recorded import SITE, START, Log, identity


class Filled:
    """A started database with journal, projection and outbox; `now` is the time for everything."""

    def __init__(self, path: Path, destinations: Sequence[str] = ("lrs",)) -> None:
        self.database = Database(path)
        self.destinations = destinations
        self.outbox = SqliteOutbox(self.database)
        self.projection = StatementProjection(SITE, destinations)
        self.journal = SqliteJournal(self.database, (self.projection,))
        self.now = START

    async def __aenter__(self) -> "Filled":
        await self.database.start()
        await self.outbox.register(self.destinations)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.database.close()

    async def append(self, log: Log, session: str = "class-1", at_once: int = 3) -> None:
        """The whole log, in small appends."""
        records = log.records()
        for start in range(0, len(records), at_once):
            await self.journal.append(session, start, records[start : start + at_once])

    async def put(self, statements: Sequence[dict[str, Any]]) -> list[str]:
        """These statements as they are, due everywhere; returns their ids."""
        rows = [(one["id"], msgspec.json.encode(one, order="sorted")) for one in statements]

        def job(connection: sqlite3.Connection) -> None:
            for id, body in rows:
                sql = "INSERT INTO statement (id, session, seq, kind, at, voids, flaw, body) VALUES (?, 'class-1', 0, 'put', ?, '', '', ?)"
                number = connection.execute(sql, (id, START, body)).lastrowid
                connection.execute("INSERT INTO delivery (destination, statement) SELECT id, ? FROM destination", (number,))

        await self.database.write(job)
        return [id for id, _ in rows]

    async def states(self, destination: str = "lrs") -> dict[str, int]:
        """State of every delivery by statement id."""
        sql = (
            "SELECT s.id, d.state FROM delivery d JOIN statement s ON s.number = d.statement"
            " JOIN destination n ON n.id = d.destination WHERE n.name = ? ORDER BY s.number"
        )
        return dict(await self.database.read(lambda c: c.execute(sql, (destination,)).fetchall()))

    async def bodies(self) -> dict[str, bytes]:
        """Every statement's bytes by id, in order."""
        return dict(await self.database.read(lambda c: c.execute("SELECT id, body FROM statement ORDER BY number").fetchall()))


def simple(count: int, verb: str = "http://activitystrea.ms/join", first: int = 0) -> list[dict[str, Any]]:
    """Small valid statements."""
    return [
        {
            "id": SITE.uuid("simple", verb, first + number),
            "actor": identity(f"p{number}"),
            "verb": {"id": verb, "display": {"en": "did"}},
            "object": {"id": "https://class.example/xapi/activities/1"},
            "timestamp": "2027-01-15T08:00:00.000Z",
        }
        for number in range(count)
    ]
