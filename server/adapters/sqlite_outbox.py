"""The outbox on SQLite: leases, ends of deliveries, figures, dead letters, the feed. Rows are made by `sqlite_statements`."""

import json
import os
import socket
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from server.adapters.sqlite import Database
from server.adapters.sqlite_rollups import fulfil, wished
from server.adapters.sqlite_statements import StatementProjection
from server.records.attended import RollUp
from server.records.fold import ClassFold
from server.records.outbox import DeadLetter, Lease, Row, Settled, Standing, State
from signaling.classroom.ids import Millis, SessionId

#: records looked at in one transaction of a backfill
_BACKFILL: Final = 200
#: a wait or lease further off than any we set: the clock was put back
_LONGEST_MS: Final = 3_700_000
#: statements made due again in one transaction
_RESEND: Final = 2_000
_AGAIN: Final = (
    "INSERT INTO delivery (destination, statement) SELECT id, ? FROM destination WHERE name = ?"
    " ON CONFLICT (destination, statement) DO UPDATE SET state = 0"
)
#: what a statement voids is not on its way there: it was acknowledged (and pruned since, perhaps), or was never to be sent there
_FREE: Final = (
    "(s.voids = '' OR NOT EXISTS (SELECT 1 FROM statement t JOIN delivery e ON e.statement = t.number"
    " WHERE t.id = s.voids AND t.flaw = '' AND e.destination = d.destination AND e.state <> 1))"
)
_DUE: Final = (
    "SELECT s.number, s.id, s.session, s.at, s.body FROM delivery d JOIN statement s ON s.number = d.statement"  # noqa: S608 - our own names
    f" WHERE d.destination = ? AND d.state = 0 AND {_FREE} ORDER BY d.statement LIMIT ?"
)
_STANDING: Final = (
    "SELECT (SELECT count(*) FROM delivery WHERE destination = d.id AND state = 0),"
    " (SELECT count(*) FROM delivery WHERE destination = d.id AND state > 1 AND state = 2),"
    " (SELECT count(*) FROM delivery WHERE destination = d.id AND state > 1 AND state = 3),"
    " (SELECT s.at FROM delivery e JOIN statement s ON s.number = e.statement WHERE e.destination = d.id AND e.state = 0"
    " ORDER BY e.statement LIMIT 1),"
    " d.name, d.paused, d.tries FROM destination d ORDER BY d.id"
)
_PRUNED: Final = (
    "INSERT INTO expiry (session, kind, recording, policy, begun_at, done_at, count, bytes) VALUES ('', 'statements', '', ?, ?, ?, ?, ?)"
)


def owner_of_this_process() -> str:
    """Names this process as a holder of leases: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def may_be_alive(owner: str, asking: str) -> bool:
    """Whether the holder of a lease could still be at work; one of this machine is looked for."""
    host, _, pid = owner.rpartition(":")
    if owner == asking or not pid.isdigit():
        return False
    if host != asking.rpartition(":")[0]:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class SqliteOutbox:
    """records.outbox.Outbox, and what operators ask of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, names: Sequence[str]) -> None:
        """Remember destinations; rows are made for them from now on."""
        sql = "INSERT INTO destination (name) VALUES (?) ON CONFLICT (name) DO NOTHING"
        await self._database.write(lambda c: c.executemany(sql, [(name,) for name in names]).rowcount)

    async def lease(self, destination: str, owner: str, now: Millis, until: Millis, *, rows: int, size: int) -> Lease:
        """See records.outbox.Outbox.lease."""
        looked = await self._database.read(lambda c: _look(c, destination, owner, now))
        if looked is not None:
            return looked
        return await self._database.write(lambda c: _lease(c, destination, owner, now, until, rows, size))

    async def kept(self, numbers: Sequence[int]) -> list[Row]:
        """See records.outbox.Outbox.kept."""
        sql = "SELECT number, id, session, at, body FROM statement WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number"
        named = json.dumps(list(numbers))
        return [_row(row) for row in await self._database.read(lambda c: c.execute(sql, (named,)).fetchall())]

    async def settle(self, destination: str, settled: Sequence[Settled], *, now: Millis) -> None:
        """See records.outbox.Outbox.settle."""
        if settled:
            kept = tuple(settled)
            await self._database.write(lambda c: _settle(c, destination, kept, now))

    async def hold(self, destination: str, *, until: Millis, tries: int, paused: str) -> None:
        """See records.outbox.Outbox.hold."""
        sql = "UPDATE destination SET wait_until = ?, tries = ?, paused = ? WHERE name = ?"
        await self._database.write(lambda c: c.execute(sql, (until, tries, paused[:200], destination)).rowcount)

    async def shrink(self, destination: str, batch_bytes: int) -> None:
        """See records.outbox.Outbox.shrink."""
        sql = "UPDATE destination SET batch_bytes = ? WHERE name = ?"
        await self._database.write(lambda c: c.execute(sql, (batch_bytes, destination)).rowcount)

    async def release(self, destination: str, owner: str) -> None:
        """See records.outbox.Outbox.release."""
        sql = "UPDATE destination SET lease_until = 0 WHERE name = ? AND owner = ?"
        await self._database.write(lambda c: c.execute(sql, (destination, owner)).rowcount)

    async def standings(self, now: Millis) -> list[Standing]:
        """How every destination ever known stands; asks indexes of what is not acknowledged only."""
        rows = await self._database.read(lambda c: c.execute(_STANDING).fetchall())
        return [
            Standing(
                name=name,
                due=due,
                dead=dead,
                conflicts=conflicts,
                oldest_s=max(0, now - oldest) / 1000 if oldest is not None else 0.0,
                paused=paused,
                tries=tries,
            )
            for due, dead, conflicts, oldest, name, paused, tries in rows
        ]

    async def delivered(self) -> dict[str, int]:
        """How many statements of those kept each destination has acknowledged; counts them all."""
        sql = "SELECT n.name, count(*) FROM delivery d JOIN destination n ON n.id = d.destination WHERE d.state = 1 GROUP BY n.name"
        return dict(await self._database.read(lambda c: c.execute(sql).fetchall()))

    async def dead(self, *, after: int, limit: int) -> list[DeadLetter]:
        """Dead letters and conflicts of statements with number > after, in order."""
        sql = (
            "SELECT n.name, s.number, s.id, s.session, d.state, d.status, d.answer, s.at FROM statement s"
            " JOIN delivery d ON d.statement = s.number JOIN destination n ON n.id = d.destination"
            " WHERE d.state > 1 AND s.number > ? ORDER BY s.number, n.id LIMIT ?"
        )
        rows = await self._database.read(lambda c: c.execute(sql, (after, limit)).fetchall())
        return [
            DeadLetter(
                destination=name,
                number=number,
                id=id,
                session=session,
                state="dead" if state == State.DEAD else "conflict",
                status=status,
                answer=answer,
                at=at,
            )
            for name, number, id, session, state, status, answer, at in rows
        ]

    async def requeue(self, destination: str, numbers: Sequence[int]) -> int:
        """Make dead letters and conflicts due again, all of them if none is named; returns how many. What is not valid is never sent."""
        named = f" AND statement IN ({','.join('?' * len(numbers))})" if numbers else ""
        sql = (
            "UPDATE delivery SET state = 0"  # noqa: S608 - marks alone
            " WHERE destination = (SELECT id FROM destination WHERE name = ?) AND state > 1"
            f" AND EXISTS (SELECT 1 FROM statement s WHERE s.number = delivery.statement AND s.flaw = ''){named}"
        )
        return await self._database.write(lambda c: c.execute(sql, (destination, *numbers)).rowcount)

    async def resend(self, destination: str, *, session: SessionId | None = None, since: Millis = 0) -> int:
        """Make the good statements of a class, or those since a time, due again with the same bytes; returns how many.

        None of classes opted out.
        """
        where, value = ("session = ?", session) if session is not None else ("at >= ?", since)
        good = "flaw = '' AND session NOT IN (SELECT session FROM untold)"
        sql = f"SELECT number FROM statement WHERE {good} AND number > ? AND {where} ORDER BY number LIMIT {_RESEND}"  # noqa: S608
        count = after = 0
        # In parts, so that a running node is not kept from writing.
        while rows := await self._database.read(partial(_all, sql=sql, values=(after, value))):
            count, after = count + len(rows), rows[-1][0]
            again = [(number, destination) for (number,) in rows]
            await self._database.write(partial(_each, sql=_AGAIN, rows=again))
        return count

    async def unsettled(self, destination: str, session: SessionId) -> bool:
        """Whether something of a class can be sent there yet; what waits for a refused statement can not."""
        sql = (
            "SELECT 1 FROM statement s JOIN delivery d ON d.statement = s.number"  # noqa: S608 - names of our own
            " JOIN destination n ON n.id = d.destination"
            f" WHERE n.name = ? AND s.session = ? AND d.state = 0 AND {_FREE} LIMIT 1"
        )
        return await self._database.read(lambda c: c.execute(sql, (destination, session)).fetchone()) is not None

    async def lost(self, destination: str, numbers: Sequence[int]) -> None:
        """Make acknowledged statements that the store does not have due again."""
        sql = "UPDATE delivery SET state = 0 WHERE statement = ? AND destination = (SELECT id FROM destination WHERE name = ?)"
        rows = [(number, destination) for number in numbers]
        await self._database.write(lambda c: c.executemany(sql, rows).rowcount)

    async def acked(self, destination: str, session: SessionId, *, after: int, limit: int) -> list[Row]:
        """Acknowledged statements of a class with number > after, in order; none that another one of them voids: no store tells it."""
        sql = (
            "SELECT s.number, s.id, s.session, s.at, s.body FROM statement s JOIN delivery d ON d.statement = s.number"
            " JOIN destination n ON n.id = d.destination"
            " WHERE n.name = ? AND s.session = ? AND d.state = 1 AND s.number > ?"
            " AND NOT EXISTS (SELECT 1 FROM statement v JOIN delivery e ON e.statement = v.number"
            " WHERE v.session = s.session AND v.voids = s.id AND e.destination = d.destination AND e.state = 1)"
            " ORDER BY s.number LIMIT ?"
        )
        return [_row(row) for row in await self._database.read(lambda c: c.execute(sql, (destination, session, after, limit)).fetchall())]

    async def feed(self, *, after: int, limit: int) -> list[Row]:
        """Good statements with number > after, in the order of their commits."""
        sql = "SELECT number, id, session, at, body FROM statement WHERE number > ? AND flaw = '' ORDER BY number LIMIT ?"
        return [_row(row) for row in await self._database.read(lambda c: c.execute(sql, (after, limit)).fetchall())]

    async def ended_since(self, at: Millis, limit: int) -> list[SessionId]:
        """Classes that ended since then, oldest first."""
        sql = "SELECT session FROM class WHERE ended_at >= ? ORDER BY ended_at LIMIT ?"
        rows = await self._database.read(lambda c: c.execute(sql, (at, limit)).fetchall())
        return [row[0] for row in rows]

    async def unattended_since(self, at: Millis, limit: int) -> list[SessionId]:
        """Classes that ended since then and of which no attendance was told, oldest first."""
        sql = (
            "SELECT session FROM class c WHERE ended_at >= ? AND NOT EXISTS (SELECT 1 FROM statement WHERE session = c.session"
            " AND kind >= 'attended/' AND kind < 'attended0') ORDER BY ended_at LIMIT ?"
        )
        rows = await self._database.read(lambda c: c.execute(sql, (at, limit)).fetchall())
        return [row[0] for row in rows]

    async def unevaluated(self, limit: int) -> list[SessionId]:
        """Classes that are over and owe an evaluation."""
        return await self._database.read(lambda c: wished(c, limit))

    async def tell(self, session: SessionId, *, wanted: bool) -> None:
        """Whether statements are made of a class from now on."""
        sql = "DELETE FROM untold WHERE session = ?" if wanted else "INSERT INTO untold VALUES (?) ON CONFLICT DO NOTHING"
        await self._database.write(lambda c: c.execute(sql, (session,)).rowcount)

    async def is_told(self, session: SessionId) -> bool:
        """Whether a class is told of: it is not opted out."""
        return not await self._database.read(lambda c: _is_untold(c, session))

    async def backfill(self, projection: StatementProjection, session: SessionId) -> int:
        """Make the statements of a class that are missing, from its log; returns how many were made, none of a class opted out."""
        fold, made = ClassFold(site=projection.site, session=session), projection.statements
        while await self._database.write(lambda c: 0 if _is_untold(c, session) else projection.backfill(c, fold, _BACKFILL)):
            pass
        return projection.statements - made

    async def attended(self, projection: StatementProjection, session: SessionId, seq: int, at: Millis, rollups: Sequence[RollUp]) -> int:
        """Tell roll-ups; see StatementProjection.attended. All of them or none; what asked for them up to `seq` is done with."""
        kept = tuple(rollups)

        def job(connection: sqlite3.Connection) -> int:
            made = 0 if _is_untold(connection, session) else projection.attended(connection, session, seq, at, kept)
            fulfil(connection, session, seq)
            return made

        return await self._database.write(job)

    async def prune(self, before: Millis, at: Millis, limit: int = 1000) -> int:
        """Delete up to `limit` statements older than this that every destination acknowledged, none of held classes.

        The log can make them again while it is kept.
        """
        sql = (
            "SELECT number, length(body) FROM statement s WHERE at < ? AND flaw = '' AND session NOT IN (SELECT session FROM held)"
            " AND NOT EXISTS (SELECT 1 FROM delivery WHERE statement = s.number AND state <> 1) ORDER BY number LIMIT ?"
        )

        def job(connection: sqlite3.Connection) -> int:
            found = connection.execute(sql, (before, limit)).fetchall()
            numbers = [row[:1] for row in found]
            connection.executemany("DELETE FROM delivery WHERE statement = ? AND destination IN (SELECT id FROM destination)", numbers)
            connection.executemany("DELETE FROM statement WHERE number = ?", numbers)
            if found:
                act = (f"records.keep_days: before {before}", at, at, len(found), sum(size for _, size in found))
                connection.execute(_PRUNED, act)
            return len(numbers)

        return await self._database.write(job)


def _all(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> list[Any]:
    return connection.execute(sql, values).fetchall()


def _each(connection: sqlite3.Connection, sql: str, rows: list[Any]) -> int:
    return connection.executemany(sql, rows).rowcount


def _is_untold(connection: sqlite3.Connection, session: SessionId) -> bool:
    return connection.execute("SELECT 1 FROM untold WHERE session = ?", (session,)).fetchone() is not None


def _held(connection: sqlite3.Connection, destination: str, owner: str, now: Millis) -> Lease | tuple[int, int, int]:
    """(id, tries, batch_bytes) of a destination that may be served now, else when to look again."""
    sql = "SELECT id, owner, lease_until, wait_until, tries, batch_bytes FROM destination WHERE name = ?"
    found = connection.execute(sql, (destination,)).fetchone()
    if found is None:
        return Lease()
    id, holder, lease_until, wait_until, tries, batch_bytes = found
    if now < lease_until <= now + _LONGEST_MS and may_be_alive(holder, owner):
        return Lease(wait_until=lease_until)
    if now < wait_until <= now + _LONGEST_MS:
        return Lease(wait_until=wait_until, tries=tries)
    return id, tries, batch_bytes


def _look(connection: sqlite3.Connection, destination: str, owner: str, now: Millis) -> Lease | None:
    """An empty lease if there is nothing to do."""
    held = _held(connection, destination, owner, now)
    if isinstance(held, Lease):
        return held
    due = connection.execute("SELECT 1 FROM delivery WHERE destination = ? AND state = 0 LIMIT 1", (held[0],)).fetchone()
    return None if due else Lease()


def _lease(connection: sqlite3.Connection, destination: str, owner: str, now: Millis, until: Millis, rows: int, size: int) -> Lease:
    held = _held(connection, destination, owner, now)
    if isinstance(held, Lease):
        return held
    id, tries, batch_bytes = held
    if batch_bytes:
        size = min(size, batch_bytes)
    taken: list[Row] = []
    total = 2
    for row in connection.execute(_DUE, (id, rows)):
        total += len(row[4]) + 1
        if taken and total > size:
            break
        taken.append(_row(row))
    if taken:
        connection.execute("UPDATE destination SET owner = ?, lease_until = ? WHERE id = ?", (owner, until, id))
    return Lease(rows=tuple(taken), tries=tries, batch_bytes=size)


def _settle(connection: sqlite3.Connection, destination: str, settled: Sequence[Settled], now: Millis) -> None:
    (id,) = connection.execute("SELECT id FROM destination WHERE name = ?", (destination,)).fetchone()
    connection.executemany(
        "UPDATE delivery SET state = ?, status = ?, answer = ?, settled_at = ? WHERE destination = ? AND statement = ?",
        [(one.state, one.status, one.answer[:2000], now, id, one.number) for one in settled],
    )
    connection.execute("UPDATE destination SET tries = 0, wait_until = 0, paused = '' WHERE id = ?", (id,))


def _row(row: tuple[int, str, str, int, bytes]) -> Row:
    number, id, session, at, body = row
    return Row(number=number, id=id, session=session, at=at, body=body)
