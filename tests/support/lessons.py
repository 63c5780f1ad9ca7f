"""Classes that are over, put into a store as a node would have left them: logs, seats, identities, statements; many, and quickly."""

import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import SqliteDirectory, SqliteJournal
from server.adapters.sqlite_outbox import SqliteOutbox
from server.adapters.sqlite_statements import StatementProjection
from server.auth import participant_id
from signaling.classroom import chat, hands, polls, session
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.roles import Role
from tests.support.recorded import SITE, START, Log

ISSUER = "https://lms.example"
DAY = 86_400_000


class Store:
    """A database of a node that stands still, with one destination."""

    def __init__(self, var: Path) -> None:
        var.mkdir(parents=True, exist_ok=True)
        self.database = Database(var / "jiangtai.sqlite")
        self.outbox = SqliteOutbox(self.database)
        self.projection = StatementProjection(SITE, ("lrs",))
        self.journal = SqliteJournal(self.database, (self.projection,))

    async def __aenter__(self) -> "Store":
        await self.database.start()
        await self.outbox.register(("lrs",))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.database.close()

    async def hold(self, id: str, people: Mapping[str, str], *, over: bool = True) -> dict[str, str]:
        """A class with these people (subject -> name); who each was in it."""
        ids = {subject: participant_id(id, ISSUER, subject) for subject in people}
        trainer = participant_id(id, ISSUER, "trainer")
        await SqliteDirectory(self.database).create(id, "Knots", "small", None)
        await self.database.write(lambda c: _seats(c, id, people, ids))
        records = _lesson(id, {ids[subject]: name for subject, name in people.items()}, trainer, over=over).records()
        await self.journal.append(id, 0, records)
        return ids


def _lesson(id: str, people: Mapping[str, str], trainer: str, *, over: bool) -> Log:
    log = Log(id)
    connections = {one: secrets.token_urlsafe(16) for one in (trainer, *people)}
    log.do(trainer, Connect(connection=connections[trainer], name="Wang Min", role=Role.TRAINER))
    log.do(trainer, session.StartClass())
    for one, name in people.items():
        log.do(one, Connect(connection=connections[one], name=name, role=Role.TRAINEE, likeness=name.casefold()))
    log.do(trainer, polls.CreatePoll(question="1+1?", options=["1", "2"]))
    for one, name in people.items():
        log.do(one, chat.PostChat(text=f"the words of {one}"))
        log.do(one, polls.AnswerPoll(poll=log.lesson.room.open_poll or "", choices=[1]))
        log.do(one, hands.RaiseHand())
        log.do(trainer, hands.LowerHand(participant=one))
        log.do(trainer, chat.PostChat(text=f"well said, {name}"))
    for one in people:
        log.do(one, Disconnect(connection=connections[one], reason="lost"))
    if over:
        log.do(trainer, session.EndClass())
        log.do(trainer, Disconnect(connection=connections[trainer], reason="lost"))
    return log


def _seats(connection: sqlite3.Connection, id: str, people: Mapping[str, str], ids: Mapping[str, str]) -> None:
    sql = "INSERT INTO seat VALUES (?, ?, ?, ?, ?, ?, ?, 'trainee', 0, ?, ?)"
    rows = [
        (secrets.token_hex(16), secrets.token_bytes(32), id, ids[subject], ISSUER, subject, name, START, START + 365 * DAY)
        for subject, name in people.items()
    ]
    connection.executemany(sql, rows)
